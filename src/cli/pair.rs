//! `switchboard channel pair`, `stop`, `resume` and `reset`: the life of a link, one person at a time. A link that is made
//! anew sends nothing to customers before a test message has arrived.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Exit;
use super::channel::no_channel;
use super::code::Screen;
use super::desk::Desk;
use crate::channel::linked::{Link, LinkState, LinkedDevice, LinkedSettings, NotDone, Session};
use crate::server::config::{Config, ProviderConfig};
use crate::server::door::Door;
use crate::server::link::Order;

/// A server that does not answer is asked this often before it counts as away.
const PATIENT_TIMES: u32 = 5;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// An order may take so long to show.
const TAKES_HOLD_WITHIN: Duration = Duration::from_secs(10);
/// The test message must arrive within this time.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

const TEST_MESSAGE: &str = "Switchboard: this number is linked. This message is the test of it.";

#[derive(Debug, clap::Args)]
pub(super) struct PairArgs {
    /// The channel, whose provider is "linked"
    id: String,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    scan: Scan,
}

#[derive(Debug, clap::Args)]
pub(super) struct StopArgs {
    /// The channel, whose provider is "linked"
    id: String,
    #[command(flatten)]
    who: Who,
    /// Why, for whoever looks at it
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// The channel, whose provider is "linked"
    id: String,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, clap::Args)]
pub(super) struct ResetArgs {
    /// The channel, whose provider is "linked"
    id: String,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    scan: Scan,
}

#[derive(Debug, clap::Args)]
struct Who {
    /// Who does it, for the audit
    #[arg(long = "by", value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Scan {
    /// Write the code there as a picture, readable for this user alone, instead of showing it
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// How long to wait for the phone, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 200)]
    wait: u64,
}

/// One linked number, and the person who works at it.
struct Work<'a> {
    id: &'a str,
    by: String,
    settings: &'a LinkedSettings,
    device: LinkedDevice,
    desk: Desk,
}

impl<'a> Work<'a> {
    fn new(config: &'a Config, door: &Door, id: &'a str, who: &Who) -> anyhow::Result<Work<'a>> {
        let wanted = config.channels.iter().find(|channel| channel.id == id);
        let channel = wanted.ok_or_else(|| no_channel(config, Some(id)))?;
        let ProviderConfig::Linked(settings) = &channel.provider else {
            return Err(Exit::Usage.because(format!(
                "{id} is at the provider {:?}, which has no phone to link; this is for provider = \"linked\"",
                channel.provider.name()
            )));
        };
        let by = who.name.clone().or_else(|| std::env::var("USER").ok());
        let by = by.filter(|by| !by.trim().is_empty());
        Ok(Work {
            id,
            by: by.ok_or_else(|| Exit::Usage.because("say who does it, for the audit: --by NAME"))?,
            settings,
            device: LinkedDevice::new((**settings).clone()).context("TLS can't be started")?,
            desk: Desk::open(config, id, door)?,
        })
    }
}

impl Work<'_> {
    fn session(&self) -> Session<'_> {
        self.device.session().by(&self.by)
    }
}

pub(super) async fn pair(config: &Config, door: &Door, args: &PairArgs) -> anyhow::Result<Exit> {
    let mut screen = Screen::open(args.scan.svg.as_deref())?;
    let work = Work::new(config, door, &args.id, &args.who)?;
    let link = work.look().await?;
    if let (LinkState::Connected, None) = (link.state, link.held(&work.settings.number)) {
        println!(
            "{}: the planned number is linked and connected; nothing is to be done",
            work.id
        );
        return Ok(Exit::Good);
    }
    if link.state == LinkState::Connected {
        return Ok(work.other_number());
    }
    let fresh = !matches!(
        link.state,
        LinkState::Stopped | LinkState::Starting | LinkState::Reconnecting | LinkState::Linking
    );
    work.begin("pair", fresh).await?;
    // A session that has ended is running still, for its server: a start would be nothing new to it.
    let has_ended = matches!(
        link.state,
        LinkState::Failed
            | LinkState::Replaced
            | LinkState::QrExpired
            | LinkState::LoggedOut
            | LinkState::Outdated
    );
    let begun = if has_ended {
        work.session().restart().await
    } else {
        work.session().start().await
    };
    let ended = match begun {
        Ok(()) => {
            work.wait_for_the_phone(&mut screen, link.state, args.scan.wait)
                .await
        }
        Err(why) => Err(refused(&why)),
    };
    screen.clear();
    work.finish(ended, fresh).await
}

pub(super) async fn reset(config: &Config, door: &Door, args: &ResetArgs) -> anyhow::Result<Exit> {
    let mut screen = Screen::open(args.scan.svg.as_deref())?;
    confirmed(&args.id)?;
    let work = Work::new(config, door, &args.id, &args.who)?;
    let before = work.look().await?.state;
    work.begin("reset", true).await?;
    let session = work.session();
    match session.log_out().await {
        Ok(()) => println!("{}: the device is unlinked", work.id),
        Err(NotDone::NoSession) => {}
        Err(why) => println!(
            "{}: the device could not be unlinked ({why}); remove it on the phone, under Linked devices",
            work.id
        ),
    }
    let ended = match session.start().await {
        Ok(()) => work.wait_for_the_phone(&mut screen, before, args.scan.wait).await,
        Err(why) => Err(refused(&why)),
    };
    screen.clear();
    work.finish(ended, true).await
}

pub(super) async fn stop(config: &Config, door: &Door, args: &StopArgs) -> anyhow::Result<Exit> {
    let work = Work::new(config, door, &args.id, &args.who)?;
    let order = Order::Stop {
        by: work.by.clone(),
        why: args.why.clone(),
    };
    work.desk.order(work.settings, work.id, &order).await?;
    println!(
        "{id}: nothing leaves any more; the phone stays linked, and what arrives is kept. `switchboard channel resume {id}` \
             lets it go on",
        id = work.id
    );
    Ok(Exit::Good)
}

pub(super) async fn resume(config: &Config, door: &Door, args: &ResumeArgs) -> anyhow::Result<Exit> {
    let work = Work::new(config, door, &args.id, &args.who)?;
    let link = work.look().await?;
    if let Some(why) = link.held(&work.settings.number) {
        let next = link.state.next_step(work.id).unwrap_or_default();
        return Err(Exit::Remote.because(format!("{}: {why}. Next: {next}", work.id)));
    }
    let order = Order::Resume { by: work.by.clone() };
    work.desk.order(work.settings, work.id, &order).await?;
    println!("{}: what was kept leaves now", work.id);
    Ok(Exit::Good)
}

/// Nobody resets a login by a slip of the hand.
fn confirmed(id: &str) -> anyhow::Result<()> {
    eprint!(
        "This logs {id} out and asks for a new scan. Flows, contacts and conversations stay, and so does what waits to be sent; \
         it leaves when the same number is linked again and the test message has arrived.\nType the channel's name to go on: "
    );
    let mut typed = String::new();
    std::io::stdin()
        .read_line(&mut typed)
        .context("nothing could be read")?;
    if typed.trim() == id {
        Ok(())
    } else {
        Err(Exit::Usage.because(format!("that is not {id}; nothing was changed")))
    }
}

impl Work<'_> {
    /// How the link is; what keeps it from being asked is an error.
    async fn look(&self) -> anyhow::Result<Link> {
        let link = self.session().look().await;
        if matches!(link.state, LinkState::Unreachable | LinkState::KeyRefused) {
            return Err(self.in_vain(&link));
        }
        Ok(link)
    }

    fn in_vain(&self, link: &Link) -> anyhow::Error {
        let next = link.state.next_step(self.id).unwrap_or_default();
        Exit::Remote.because(format!("{}: {}. Next: {next}", self.id, link.in_words()))
    }

    async fn begin(&self, what: &str, pause: bool) -> anyhow::Result<()> {
        let order = Order::Begin {
            by: self.by.clone(),
            what: what.to_owned(),
            pause,
        };
        self.desk.order(self.settings, self.id, &order).await
    }

    /// Shows codes until the phone is linked, or until it is clear that it will not be.
    async fn wait_for_the_phone(
        &self,
        screen: &mut Screen,
        before: LinkState,
        seconds: u64,
    ) -> anyhow::Result<Link> {
        let (began, mut shown, mut silent) = (Instant::now(), None, 0);
        println!(
            "{}: open WhatsApp on the phone that owns the number, then Linked devices, then Link a device",
            self.id
        );
        loop {
            let link = self.session().look().await;
            silent = if link.state == LinkState::Unreachable {
                silent + 1
            } else {
                0
            };
            match link.state {
                // The link from before, until the order shows.
                LinkState::Connected
                    if before == LinkState::Connected
                        && shown.is_none()
                        && began.elapsed() < TAKES_HOLD_WITHIN => {}
                LinkState::Connected => return Ok(link),
                LinkState::AwaitingScan => {
                    let code = self.session().code().await.map_err(|why| refused(&why))?;
                    if let Some(code) = code.filter(|code| shown.as_ref() != Some(code)) {
                        screen.show(&code)?;
                        shown = Some(code);
                    }
                }
                LinkState::Unreachable if silent < PATIENT_TIMES => {}
                LinkState::Unreachable => return Err(self.in_vain(&link)),
                // What it waits for is not ours to show.
                LinkState::AwaitingCode => {}
                state => {
                    let of_before = state == before && began.elapsed() < TAKES_HOLD_WITHIN;
                    if state.needs_a_person() && !of_before {
                        return Ok(link);
                    }
                }
            }
            if began.elapsed() > Duration::from_secs(seconds) {
                return Ok(Link::bare(LinkState::QrExpired, ""));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Writes how it ended, and lets what was kept go if it ended well.
    async fn finish(&self, ended: anyhow::Result<Link>, fresh: bool) -> anyhow::Result<Exit> {
        let tested = match &ended {
            Ok(link) if fresh && link.held(&self.settings.number).is_none() => {
                Some(self.test_message().await)
            }
            Ok(_) | Err(_) => None,
        };
        let (outcome, passed) = match (&ended, &tested) {
            (Ok(_), Some(Ok(()))) => ("connected, and the test message has arrived".to_owned(), true),
            (Ok(_), Some(Err(why))) => (format!("connected; {why}"), false),
            (Ok(link), None) => match link.held(&self.settings.number) {
                None => ("connected".to_owned(), false),
                Some(why) => (why, false),
            },
            (Err(why), _) => (why.to_string(), false),
        };
        let order = Order::End {
            by: self.by.clone(),
            outcome: outcome.clone(),
            resume: passed,
        };
        self.desk.order(self.settings, self.id, &order).await?;
        let link = ended?;
        println!("{}: {outcome}", self.id);
        if let Some(Err(_)) = tested {
            println!(
                "Nothing else leaves before you have seen the test message on the phone and run `switchboard channel resume {}`",
                self.id
            );
            return Ok(Exit::NotTested);
        }
        if link.state == LinkState::Connected && link.held(&self.settings.number).is_some() {
            return Ok(self.other_number());
        }
        if let Some(next) = link.state.next_step(self.id) {
            println!("Next: {next}");
        }
        Ok(exit_of(link.state))
    }

    fn other_number(&self) -> Exit {
        println!(
            "{id}: another number is linked than the one that is planned; nothing leaves from it. `switchboard channel reset \
             {id}` unlinks it, or correct phone in [channel.linked]",
            id = self.id
        );
        Exit::OtherNumber
    }

    /// To the number itself: nobody else is bothered.
    async fn test_message(&self) -> Result<(), String> {
        let (session, number) = (self.session(), &self.settings.number);
        let unsent = |why: NotDone| format!("the test message was not taken: {why}");
        let id = session.write(number, TEST_MESSAGE).await.map_err(unsent)?;
        let began = Instant::now();
        loop {
            match session.ack(number, &id).await {
                Ok(ack) if ack >= 2 => return Ok(()),
                Ok(-1) => return Err("WhatsApp refused the test message".to_owned()),
                // It may not be known yet.
                Ok(_) | Err(_) => {}
            }
            if began.elapsed() > ARRIVES_WITHIN {
                return Err(format!(
                    "nobody could say within {} s that the test message has arrived",
                    ARRIVES_WITHIN.as_secs()
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn refused(why: &NotDone) -> anyhow::Error {
    Exit::Remote.because(why.to_string())
}

/// How the command ends in each state of the link.
fn exit_of(state: LinkState) -> Exit {
    match state {
        LinkState::Connected => Exit::Good,
        LinkState::QrExpired
        | LinkState::AwaitingScan
        | LinkState::AwaitingCode
        | LinkState::Unlinked
        | LinkState::Stopped
        | LinkState::Starting
        | LinkState::Linking
        | LinkState::Reconnecting
        | LinkState::Resetting => Exit::NotScanned,
        LinkState::Replaced => Exit::Replaced,
        LinkState::LoggedOut => Exit::LoggedOut,
        LinkState::Banned => Exit::Banned,
        LinkState::Outdated => Exit::Outdated,
        LinkState::Failed => Exit::LinkFailed,
        LinkState::NoSession | LinkState::Unreachable | LinkState::KeyRefused => Exit::Remote,
    }
}

/// For `switchboard channel --help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes of pair and reset: 0 connected, and the test message has arrived · 4 the server that holds the link refused or
can't be reached · 10 nobody scanned in time · 11 another number was linked · 12 connected, and nobody knows whether the
test message arrived · 13 replaced by another program · 14 logged out · 15 banned · 16 outdated · 17 failed";
