//! What stands between a decrypted message and the server's ack: the commit to the session's own file.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{View, hold};
use crate::records::Records;
use crate::session::{Inbox, Received};
use crate::waha::Frame;

pub(super) struct Keeping {
    pub(super) session: String,
    pub(super) records: Records,
    pub(super) view: watch::Receiver<View>,
    pub(super) files: String,
    pub(super) wake: watch::Sender<u64>,
}

#[async_trait]
impl Inbox for Keeping {
    async fn keep(&self, messages: Vec<Received>) -> anyhow::Result<()> {
        hold::at("before-commit").await;
        let now = Timestamp::now();
        let me = self.view.borrow().me.clone();
        let frame = Frame {
            session: &self.session,
            me: me.as_ref(),
            now,
        };
        let arrivals = messages
            .into_iter()
            .map(|message| frame.arrival(message, &self.files))
            .collect();
        self.records.arrive(arrivals, now.as_second()).await?;
        hold::at("after-commit").await;
        self.wake.send_modify(|count| *count += 1);
        Ok(())
    }
}
