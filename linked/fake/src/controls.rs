//! What a test can make the server do to its client.

use std::time::Duration;

use anyhow::Result;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::server::StandIn;
use crate::world::{Counted, Order};

/// How the next logins are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LoginAnswer {
    #[default]
    Success,
    /// 402 with a code and the seconds it lasts.
    BannedFor { seconds: u32, code: u32 },
    /// 403.
    Locked,
    /// 405.
    Outdated,
    /// 429 as a stream error, then the end of the stream.
    TooMany,
    /// 503.
    Unavailable,
}

#[derive(Default)]
pub(crate) struct Policy {
    pub(crate) login: LoginAnswer,
    /// So many connections are closed before a word is said.
    pub(crate) refuse: u32,
    /// The code for the next message of the device.
    pub(crate) nack: Option<u16>,
    /// The next message of the device is taken without a word.
    pub(crate) swallow: bool,
    /// How many codes a device is given; six, if nothing is said.
    pub(crate) codes: Option<u32>,
    /// Waited for before the first frame after the handshake.
    pub(crate) first_frame_after: Duration,
}

impl StandIn {
    /// Cuts the connection without a word.
    pub async fn drop_connection(&self) {
        self.change(|world| world.tell_online(Order::Cut)).await;
    }

    /// Ends the stream as the server does.
    pub async fn end_stream(&self) {
        self.change(|world| world.tell_online(Order::End)).await;
    }

    /// Another socket with the same keys took over.
    pub async fn replace(&self) {
        self.tell_and_end(conflict("replaced")).await;
    }

    /// Answers nothing any more on the connection that is open now, pings included.
    pub async fn go_deaf(&self) {
        self.change(|world| world.tell_online(Order::Deaf)).await;
    }

    /// A stream error with a code, and the end of the stream.
    pub async fn stream_error(&self, code: u16) {
        self.tell_and_end(
            NodeBuilder::new("stream:error")
                .attr("code", code.to_string())
                .build(),
        )
        .await;
    }

    pub async fn answer_logins(&self, answer: LoginAnswer) {
        self.change(|world| world.policy.login = answer).await;
    }

    pub async fn refuse_connections(&self, count: u32) {
        self.change(|world| world.policy.refuse = count).await;
    }

    /// Refuses the next message of the device with `code`.
    pub async fn refuse_next_message(&self, code: u16) {
        self.change(|world| world.policy.nack = Some(code)).await;
    }

    /// Takes the next message of the device and never answers it.
    pub async fn swallow_next_message(&self) {
        self.change(|world| world.policy.swallow = true).await;
    }

    /// Gives a device that wants to be linked so many codes instead of six.
    pub async fn offer_codes(&self, count: u32) {
        self.change(|world| world.policy.codes = Some(count)).await;
    }

    pub async fn delay_first_frame(&self, wait: Duration) {
        self.change(|world| world.policy.first_frame_after = wait).await;
    }

    pub async fn counted(&self) -> Counted {
        self.change(|world| world.counted.clone()).await
    }

    /// Waits until no device is connected.
    pub async fn until_offline(&self, limit: Duration) -> Result<()> {
        self.wait(limit, "the device to go", |world| {
            world.lines.is_empty().then_some(())
        })
        .await
    }

    /// How many messages the device has not confirmed.
    pub async fn unconfirmed(&self) -> usize {
        self.change(|world| world.queue.len()).await
    }

    /// What went wrong inside, in words: for the message of a test that waited in vain.
    pub async fn faults(&self) -> Vec<String> {
        self.change(|world| world.faults.clone()).await
    }

    /// Waits until the count is as asked.
    pub async fn until(&self, limit: Duration, what: &str, good: impl Fn(&Counted) -> bool) -> Result<()> {
        self.wait(limit, what, |world| good(&world.counted).then_some(()))
            .await
    }

    async fn tell_and_end(&self, node: Node) {
        self.change(|world| {
            world.tell_online(Order::Send(node));
            world.tell_online(Order::End);
        })
        .await;
    }
}

pub(crate) fn conflict(kind: &'static str) -> Node {
    NodeBuilder::new("stream:error")
        .attr("code", "401")
        .children([NodeBuilder::new("conflict").attr("type", kind).build()])
        .build()
}

/// The answer to a login, and whether the stream goes on after it.
pub(crate) fn login_failure(answer: &LoginAnswer) -> Option<Node> {
    let failure = |reason: &str| {
        NodeBuilder::new("failure")
            .attr("reason", reason)
            .attr("location", "rva")
    };
    match answer {
        LoginAnswer::Success => None,
        LoginAnswer::BannedFor { seconds, code } => Some(
            failure("402")
                .attr("expire", seconds.to_string())
                .attr("code", code.to_string())
                .build(),
        ),
        LoginAnswer::Locked => Some(failure("403").build()),
        LoginAnswer::Outdated => Some(failure("405").build()),
        LoginAnswer::TooMany => Some(NodeBuilder::new("stream:error").attr("code", "429").build()),
        LoginAnswer::Unavailable => Some(failure("503").build()),
    }
}
