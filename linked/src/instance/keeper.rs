//! The one task that moves a session from state to state: what people ask, what the engine tells and what time brings
//! come to it one after the other, so no two of them cross.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::{oneshot, watch};

use super::keeping::Keeping;
use super::telling::restored;
use super::{Acks, Change, ChangeRefused, House, Troubles, View};
use crate::place::Place;
use crate::records::Records;
use crate::session::{Happening, Opening, Receipt};
use crate::states::{Effect, Standing, State};
use crate::waha::Me;

/// How long an engine may take to go.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Somebody wants a change.
pub(super) struct Ask {
    pub(super) who: String,
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<(), ChangeRefused>>,
}

impl Ask {
    /// The server itself goes: the session keeps its wish to run.
    pub(super) fn closing(ask: Ask) -> Self {
        Self {
            who: CLOSING.to_owned(),
            ..ask
        }
    }
}

const CLOSING: &str = "this server, ending";

pub(super) struct Keeper {
    house: House,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) records: Records,
    acks: Acks,
    asked: mpsc::Receiver<Ask>,
    pub(super) view: watch::Sender<View>,
    config: watch::Sender<Value>,
    pub(super) wake: watch::Sender<u64>,
    /// The session should run: it is started again with the server.
    pub(super) wanted: bool,
    happenings: Option<UnboundedReceiver<Happening>>,
    /// When an outage was last complained of.
    alarmed: Duration,
}

/// The receivers that others read.
type Watched = (
    Keeper,
    watch::Receiver<View>,
    watch::Receiver<Value>,
    watch::Receiver<u64>,
);

impl Keeper {
    pub(super) async fn new(
        house: &House,
        name: &str,
        place: Place,
        records: Records,
        acks: Acks,
        config: Option<Value>,
        asked: mpsc::Receiver<Ask>,
    ) -> anyhow::Result<Watched> {
        let saved = records.saved().await?;
        let now = Timestamp::now();
        let (view, wanted) = match saved {
            Some(saved) => {
                let view = View {
                    standing: restored(&saved, now),
                    generation: saved.generation,
                    me: saved.me.as_ref().and_then(Me::from_json),
                    config: config.unwrap_or(saved.config),
                    code: None,
                    troubles: Troubles::default(),
                    session: None,
                };
                (view, saved.wanted)
            }
            None => {
                let view = View {
                    standing: Standing::new(State::Unlinked, "nobody has linked it yet", now),
                    generation: 1,
                    me: None,
                    config: config.unwrap_or_else(|| json!({})),
                    code: None,
                    troubles: Troubles::default(),
                    session: None,
                };
                (view, false)
            }
        };
        let (config, configured) = watch::channel(view.config.clone());
        let (view, viewed) = watch::channel(view);
        let (wake, woken) = watch::channel(0);
        let keeper = Self {
            house: house.clone(),
            name: name.to_owned(),
            place,
            records,
            acks,
            asked,
            view,
            config,
            wake,
            wanted,
            happenings: None,
            alarmed: Duration::ZERO,
        };
        keeper.save().await?;
        Ok((keeper, viewed, configured, woken))
    }

    pub(super) async fn run(mut self) {
        // Without a login a start shows codes, which only a person asks for.
        if self.wanted && self.view.borrow().me.is_some() {
            let standing = Standing::new(State::Starting, "this server has started", Timestamp::now());
            self.becomes("this server", "start", standing).await;
            self.open(false).await;
        }
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut sweep = tokio::time::interval(Duration::from_secs(3600));
        loop {
            tokio::select! {
                ask = self.asked.recv() => {
                    let Some(ask) = ask else { return };
                    let closing = ask.who == CLOSING;
                    let done = if closing { self.end().await; Ok(()) } else { self.change(&ask.who, ask.change).await };
                    // Who asked may have gone; the change stands.
                    let _ = ask.answer.send(done);
                    if closing {
                        return;
                    }
                }
                happening = next(&mut self.happenings) => self.take(happening).await,
                _ = tick.tick() => self.time_passes().await,
                _ = sweep.tick() => self.sweep().await,
            }
        }
    }

    async fn change(&mut self, who: &str, change: Change) -> Result<(), ChangeRefused> {
        let now = Timestamp::now();
        let state = self.view.borrow().standing.state.clone();
        match change {
            Change::Start if state.is_running() => {}
            Change::Start => self.start(who, "start").await?,
            // A ban stays one: a stop must not be the way around its end.
            Change::Stop if matches!(state, State::Unlinked | State::Stopped | State::Banned { .. }) => {}
            Change::Stop => {
                self.end().await;
                let standing = self.standing_when_stopped(format!("stopped by {who}"), now);
                self.wanted = false;
                self.becomes(who, "stop", standing).await;
            }
            Change::Restart => {
                self.end().await;
                self.start(who, "restart").await?;
            }
            Change::Logout => self.log_out(who).await,
            Change::Configure(config) => {
                let running = state.is_running();
                self.config.send_replace(config.clone());
                self.view.send_modify(|view| view.config = config);
                self.audit(
                    who,
                    "configure",
                    state.name(),
                    state.name(),
                    "the configuration was replaced",
                )
                .await;
                self.write_down().await;
                // A link in progress is not thrown away for an address.
                if running && !matches!(state, State::AwaitingScan { .. } | State::Linking) {
                    self.end().await;
                    self.start(who, "restart").await?;
                }
            }
        }
        Ok(())
    }

    /// Begins with the keys there are, or with new ones where they are dead.
    async fn start(&mut self, who: &str, what: &'static str) -> Result<(), ChangeRefused> {
        let now = Timestamp::now();
        let state = self.view.borrow().standing.state.clone();
        if let State::Banned { until: Some(until) } = state
            && until > now
        {
            let why =
                format!("WhatsApp banned this number until {until}; connecting before that makes it worse");
            return Err(ChangeRefused::Wrong(why));
        }
        self.wanted = true;
        self.becomes(
            who,
            what,
            Standing::new(State::Starting, format!("started by {who}"), now),
        )
        .await;
        self.open(false).await;
        Ok(())
    }

    async fn open(&mut self, refresh_version: bool) {
        let generation = self.view.borrow().generation;
        if self.view.borrow().me.is_some() && !self.place.has_keys(generation) {
            return self.keys_are_gone().await;
        }
        let (happenings, receiver) = mpsc::unbounded_channel();
        let own = happenings.clone();
        let inbox = Arc::new(Keeping {
            session: self.name.clone(),
            records: self.records.clone(),
            view: self.view.subscribe(),
            files: self.house.files.clone(),
            wake: self.wake.clone(),
        });
        let opened = match self.place.keys(generation) {
            Ok(keys) => {
                self.house
                    .engine
                    .open(Opening {
                        keys,
                        happenings,
                        inbox,
                        refresh_version,
                    })
                    .await
            }
            Err(error) => Err(error.into()),
        };
        self.happenings = Some(receiver);
        match opened {
            Ok(session) => self.view.send_modify(|view| {
                view.troubles = Troubles::default();
                view.session = Some(session);
            }),
            Err(error) => {
                // The receiver is ours, so it hears this.
                let _ = own.send(Happening::Broken {
                    why: format!("it cannot begin: {error:#}"),
                });
            }
        }
    }

    /// Unlink, best effort; then the keys are dead whatever the phone was told.
    async fn log_out(&mut self, who: &str) {
        let now = Timestamp::now();
        let (session, generation, state) = {
            let view = self.view.borrow();
            (view.session.clone(), view.generation, view.standing.state.clone())
        };
        self.wanted = false;
        let had_login = self.view.borrow().me.is_some() && self.place.has_keys(generation);
        self.becomes(
            who,
            "logout",
            Standing::new(State::Resetting, "unlinking the device", now),
        )
        .await;
        let told = match session {
            Some(session) if had_login && state == State::Connected => session.unlink().await,
            Some(_) | None => Err(anyhow::anyhow!("there was no connection to WhatsApp")),
        };
        self.end().await;
        let reason = match told {
            _ if !had_login => "logged out; nobody was linked".to_owned(),
            Ok(()) => format!("logged out by {who}; the phone was told"),
            Err(why) => format!(
                "logged out by {who}, but the phone could not be told ({why}); remove the device there by hand"
            ),
        };
        let reason = self.retire_keys(reason);
        self.becomes(
            who,
            "logout",
            Standing::new(State::Unlinked, reason, Timestamp::now()),
        )
        .await;
    }

    /// Takes the engine down. Nothing of what it still says is heard.
    async fn end(&mut self) {
        let session = self.view.borrow().session.clone();
        if let Some(session) = session
            && tokio::time::timeout(STOP_LIMIT, session.stop()).await.is_err()
        {
            tracing::warn!(
                session = self.name,
                "the connection did not close within 15 s and was left to itself"
            );
        }
        self.happenings = None;
        self.acks.give_up();
        self.view.send_modify(|view| {
            view.session = None;
            view.code = None;
        });
    }

    async fn take(&mut self, happening: Happening) {
        match &happening {
            Happening::Acked { id, refusal } => {
                if refusal.is_some() {
                    self.view.send_modify(|view| view.troubles.refused += 1);
                }
                self.acked(id, refusal.map_or(1, |_| -1), *refusal).await;
                self.acks.answer(id, *refusal);
            }
            Happening::Receipt { ids, kind } => {
                let ack = match kind {
                    Receipt::Delivered => 2,
                    Receipt::Read => 3,
                    Receipt::Played => 4,
                };
                for id in ids {
                    self.acked(id, ack, None).await;
                }
            }
            Happening::Undecryptable { id, chat } => {
                self.view.send_modify(|view| view.troubles.undecryptable += 1);
                let event = self.framed(|frame| frame.waiting(id, chat));
                self.tell(event).await;
            }
            Happening::Call { id, from } => {
                let event = self.framed(|frame| frame.call(id, from));
                self.tell(event).await;
            }
            Happening::Code { text, .. } => self.view.send_modify(|view| view.code = Some(text.clone())),
            Happening::Paired { number, lid, name } => {
                let me = Me {
                    number: number.clone(),
                    name: name.clone().unwrap_or_default(),
                    lid: lid.clone(),
                };
                self.view.send_modify(|view| {
                    view.code = None;
                    view.me = Some(me);
                });
            }
            Happening::CodesUsedUp
            | Happening::PairRefused { .. }
            | Happening::Connected
            | Happening::Cut { .. }
            | Happening::Unreachable { .. }
            | Happening::Replaced
            | Happening::LoggedOut { .. }
            | Happening::Banned { .. }
            | Happening::Outdated
            | Happening::Refused { .. }
            | Happening::Broken { .. } => {}
        }
        let after = self.view.borrow().standing.after(&happening, Timestamp::now());
        if let Some((standing, effects)) = after {
            self.follow("WhatsApp", standing, effects).await;
        }
    }

    async fn time_passes(&mut self) {
        let (after, standing) = {
            let view = self.view.borrow();
            (view.standing.after_time(Timestamp::now()), view.standing.clone())
        };
        if let Some((standing, effects)) = after {
            self.follow("time", standing, effects).await;
        }
        if let State::Reconnecting { attempt, .. } = standing.state {
            let away = Timestamp::now().duration_since(standing.since).unsigned_abs();
            for alarm in [Duration::from_secs(120), Duration::from_secs(900)] {
                if away >= alarm && self.alarmed < alarm {
                    self.alarmed = alarm;
                    tracing::error!(
                        session = self.name,
                        attempt,
                        "no connection for {away:?}: {}",
                        standing.reason
                    );
                }
            }
        } else {
            self.alarmed = Duration::ZERO;
        }
    }

    async fn follow(&mut self, who: &str, mut standing: Standing, effects: Vec<Effect>) {
        let mut refresh = false;
        for effect in effects {
            match effect {
                Effect::EndEngine => self.end().await,
                Effect::ArchiveKeys => standing.reason = self.retire_keys(standing.reason),
                Effect::RefreshVersion => refresh = true,
            }
        }
        if !standing.state.is_running() {
            // It waits for a person, over a restart of this server too.
            self.wanted = false;
        }
        self.becomes(who, "", standing).await;
        if refresh {
            self.open(true).await;
        }
    }

    /// Takes the next standing: shown, written down, told, and audited where the state itself has changed.
    pub(super) async fn becomes(&mut self, who: &str, what: &str, standing: Standing) {
        let before = self.view.borrow().standing.clone();
        if before == standing {
            return;
        }
        let (was, is_now, reason) = (
            before.state.name(),
            standing.state.name(),
            standing.reason.clone(),
        );
        let coarse = before.state.status() != standing.state.status();
        self.view.send_modify(|view| view.standing = standing.clone());
        if was == is_now {
            return;
        }
        tracing::info!(session = self.name, "{was} -> {is_now}: {reason}");
        self.audit(who, what, was, is_now, &reason).await;
        self.write_down().await;
        // A webhook for each of the field's coarse states, and for each change that a person has to know of.
        if coarse || !standing.state.next_action().is_empty() || standing.state == State::Linking {
            let generation = self.view.borrow().generation;
            let event = self.framed(|frame| frame.status(&standing, generation));
            self.tell(event).await;
        }
    }

    fn standing_when_stopped(&self, reason: String, now: Timestamp) -> Standing {
        let state = if self.view.borrow().me.is_some() {
            State::Stopped
        } else {
            State::Unlinked
        };
        Standing::new(state, reason, now)
    }

    async fn sweep(&self) {
        let swept = self.place.sweep().map_err(anyhow::Error::from);
        let swept = match swept {
            Ok(()) => self.records.sweep(Timestamp::now().as_second()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            tracing::warn!(session = self.name, "old records cannot be forgotten: {error:#}");
        }
    }
}

/// The next of what the engine tells; never, while there is no engine.
async fn next(happenings: &mut Option<UnboundedReceiver<Happening>>) -> Happening {
    match happenings {
        Some(receiver) => match receiver.recv().await {
            Some(happening) => happening,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
