//! One session: what people may ask of it, and what it answers. What happens to it is the keeper's business.

mod hold;
mod keeper;
mod keeping;
mod keys;
mod telling;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::pace::Pace;
use crate::place::{Place, PlaceError};
use crate::records::{Audited, Records, SentMessage};
use crate::session::{Chat, Engine, LinkedSession, Outgoing, OutgoingContent, SendFailure};
use crate::states::{Standing, State};
use crate::waha::{Me, refusal};
use crate::webhooks;
use keeper::{Ask, Keeper};

/// How long a message may wait for the server's answer before nobody knows.
const ACK_LIMIT: Duration = Duration::from_secs(10);

/// A line that has been silent for so long is not healthy: the server answers a ping every 15 to 30 seconds.
const SILENCE_LIMIT: SignedDuration = SignedDuration::from_secs(45);

/// How a session is run, whatever its name.
#[derive(Clone)]
pub struct House {
    pub engine: Arc<dyn Engine>,
    pub data: std::path::PathBuf,
    /// The address under which others reach this server.
    pub files: String,
    pub per_minute: u32,
    /// Whether the first word may be ours.
    pub allow_strangers: bool,
}

/// One session of this server.
pub struct Instance {
    name: String,
    records: Records,
    asks: mpsc::Sender<Ask>,
    view: watch::Receiver<View>,
    acks: Acks,
    pace: Pace,
    allow_strangers: bool,
    changing: Arc<Mutex<Option<Changing>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// A session as it is now.
#[derive(Clone)]
pub struct View {
    pub standing: Standing,
    pub generation: u32,
    pub me: Option<Me>,
    pub config: Value,
    /// The code that is good now. It is never written anywhere.
    pub code: Option<String>,
    pub troubles: Troubles,
    pub(crate) session: Option<Arc<dyn LinkedSession>>,
}

/// What went wrong since this line began, so that people see it before customers complain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Messages of ours that WhatsApp refused.
    pub refused: u32,
    /// Messages that could not be read at first.
    pub undecryptable: u32,
}

/// How a session is.
#[derive(Clone, Debug)]
pub struct Health {
    pub healthy: bool,
    pub heard: Option<Timestamp>,
    pub troubles: Troubles,
    /// Events that no webhook has taken yet.
    pub backlog: i64,
}

/// A change of the connection that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changing {
    pub who: String,
    pub what: &'static str,
    pub since: Timestamp,
}

/// What can be changed about a connection.
#[derive(Clone, Debug)]
pub enum Change {
    Start,
    /// Disconnects and keeps the login.
    Stop,
    Restart,
    /// Unlinks the device and puts its keys aside.
    Logout,
    Configure(Value),
}

#[derive(Debug, Error)]
pub enum ChangeRefused {
    #[error("{} has been changing this connection since {} ({}); try again when that is done", .0.who, .0.since, .0.what)]
    UnderWay(Changing),
    #[error("{0}")]
    Wrong(String),
    #[error("{0}")]
    Broken(String),
}

/// Why a message did not go out, or may not have.
#[derive(Debug, Error)]
pub enum Unsent {
    #[error("the session is {} ({}). {}", .0.state.name(), .0.reason, .0.state.next_action())]
    NotWorking(Box<Standing>),
    #[error("the number that is linked is {linked}, not {expected}; nothing was sent")]
    OtherNumber { linked: String, expected: String },
    #[error(
        "{0} has not written to this number. Writing to strangers gets numbers banned; wait until they write, or start \
         this server with --allow-strangers"
    )]
    Stranger(Chat),
    #[error("too fast; wait {0:?}")]
    TooFast(Duration),
    #[error("{why} (code {code})", why = refusal(*.0), code = .0)]
    Refused(u16),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    NotSent(String),
    #[error("nobody knows whether {id} was sent: {why}")]
    Uncertain { id: String, why: String },
    #[error("the session's file cannot be written: {0:#}")]
    Records(anyhow::Error),
}

#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("{0:#}")]
    Records(#[from] anyhow::Error),
}

/// Who waits for the server's answer to a message.
#[derive(Clone, Default)]
pub(crate) struct Acks(Arc<Mutex<HashMap<String, oneshot::Sender<Option<u16>>>>>);

impl Acks {
    fn expect(&self, id: &str) -> oneshot::Receiver<Option<u16>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id.to_owned(), sender);
        receiver
    }

    pub(crate) fn answer(&self, id: &str, refusal: Option<u16>) {
        if let Some(waiting) = self.lock().remove(id) {
            // Who has given up waiting reads the ack by its webhook.
            let _ = waiting.send(refusal);
        }
    }

    fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// The session has ended: nobody will answer any more.
    pub(crate) fn give_up(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Option<u16>>>> {
        // A map of senders is whole after a panic, too.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the change back when it is done, however that ends.
struct ChangeGuard(Arc<Mutex<Option<Changing>>>);

impl Drop for ChangeGuard {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Instance {
    /// Takes a session's folder and brings the session to where it was.
    pub async fn open(house: &House, name: &str, config: Option<Value>) -> Result<Self, OpenError> {
        let place = Place::take(&house.data, name)?;
        place.sweep()?;
        let records = Records::open(&place.records()?)?;
        let acks = Acks::default();
        let (asks, asked) = mpsc::channel(16);
        let (keeper, view, config, wake) =
            Keeper::new(house, name, place, records.clone(), acks.clone(), config, asked).await?;
        let tasks = vec![
            tokio::spawn(keeper.run()),
            tokio::spawn(webhooks::deliver(records.clone(), config, wake)),
        ];
        Ok(Self {
            name: name.to_owned(),
            records,
            asks,
            view,
            acks,
            pace: Pace::new(house.per_minute, Instant::now()),
            allow_strangers: house.allow_strangers,
            changing: Arc::default(),
            tasks: Mutex::new(tasks),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Changes the connection. One person at a time: who comes second is told who came first.
    pub async fn change(&self, who: &str, change: Change) -> Result<(), ChangeRefused> {
        let what = change.name();
        let _guard = {
            let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(other) = changing.as_ref() {
                return Err(ChangeRefused::UnderWay(other.clone()));
            }
            *changing = Some(Changing {
                who: who.to_owned(),
                what,
                since: Timestamp::now(),
            });
            ChangeGuard(Arc::clone(&self.changing))
        };
        if let Change::Configure(config) = &change {
            webhooks::targets(config).map_err(ChangeRefused::Wrong)?;
        }
        let (answer, answered) = oneshot::channel();
        let gone = || ChangeRefused::Broken("the session is being taken down".to_owned());
        self.asks
            .send(Ask {
                who: who.to_owned(),
                change,
                answer,
            })
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Sends a message and waits for what the server says to it. Gives its id.
    pub async fn send(&self, message: Outgoing, expected: Option<&str>) -> Result<String, Unsent> {
        let session = self.working(expected)?;
        let own = self.view().me.is_some_and(|me| me.number == message.chat.user());
        if !self.allow_strangers
            && !own
            && !self
                .records
                .has_met(&message.chat)
                .await
                .map_err(Unsent::Records)?
        {
            return Err(Unsent::Stranger(message.chat));
        }
        self.pace
            .take(message.chat.as_str(), Instant::now())
            .map_err(Unsent::TooFast)?;
        let id = session.new_id();
        let sending = SentMessage {
            id: id.clone(),
            chat: message.chat.to_string(),
            body: words(&message.content),
            ack: 0,
            code: None,
            at: Timestamp::now().as_second(),
        };
        self.records.sending(sending).await.map_err(Unsent::Records)?;
        let answer = self.acks.expect(&id);
        if let Err(failure) = session.send(&id, message).await {
            self.acks.forget(&id);
            return Err(self.unsent(id, failure).await);
        }
        match tokio::time::timeout(ACK_LIMIT, answer).await {
            Ok(Ok(None)) => Ok(id),
            Ok(Ok(Some(code))) => Err(Unsent::Refused(code)),
            Ok(Err(_)) => {
                let standing = self.view().standing;
                let why = format!(
                    "the session became {} before the server answered",
                    standing.state.name()
                );
                Err(Unsent::Uncertain { id, why })
            }
            Err(_) => {
                self.acks.forget(&id);
                Err(Unsent::Uncertain {
                    id,
                    why: "WhatsApp has not answered within 10 s".to_owned(),
                })
            }
        }
    }

    async fn unsent(&self, id: String, failure: SendFailure) -> Unsent {
        match failure {
            SendFailure::Invalid(why) => Unsent::Invalid(why),
            SendFailure::NotSent(why) => {
                // The message keeps its place, marked as refused, so that asking for it gives an answer.
                if let Err(error) = self.records.acked(&id, -1, None).await {
                    tracing::error!("that {id} was not sent cannot be written down: {error:#}");
                }
                Unsent::NotSent(why)
            }
            SendFailure::Uncertain(why) => Unsent::Uncertain { id, why },
        }
    }

    pub async fn seen(&self, chat: &Chat, ids: &[String]) -> Result<(), Unsent> {
        let session = self.working(None)?;
        session
            .seen(chat, ids)
            .await
            .map_err(|error| Unsent::NotSent(format!("{error:#}")))
    }

    pub async fn typing(&self, chat: &Chat, on: bool) -> Result<(), Unsent> {
        let session = self.working(None)?;
        session
            .typing(chat, on)
            .await
            .map_err(|error| Unsent::NotSent(format!("{error:#}")))
    }

    /// A file that came in, with its kind; nothing if there is none under this id.
    pub async fn file(&self, id: &str) -> Result<Option<(String, Vec<u8>)>, Unsent> {
        let Some((mimetype, reference)) = self.records.file(id).await.map_err(Unsent::Records)? else {
            return Ok(None);
        };
        let bytes = self.working(None)?.fetch(&reference).await;
        let bytes =
            bytes.map_err(|error| Unsent::NotSent(format!("WhatsApp does not give the file: {error:#}")))?;
        Ok(Some((mimetype, bytes)))
    }

    pub async fn sent(&self, id: &str) -> anyhow::Result<Option<SentMessage>> {
        self.records.sent(id).await
    }

    pub async fn audited(&self) -> anyhow::Result<Vec<Audited>> {
        self.records.audited().await
    }

    /// Connected, and heard from lately.
    pub async fn health(&self) -> anyhow::Result<Health> {
        let view = self.view();
        let heard = view.session.as_ref().and_then(|session| session.heard());
        let lately = heard.is_some_and(|heard| Timestamp::now().duration_since(heard) < SILENCE_LIMIT);
        Ok(Health {
            healthy: view.standing.state == State::Connected && lately,
            heard,
            troubles: view.troubles,
            backlog: self.records.backlog().await?,
        })
    }

    /// Disconnects, and leaves everything as it is for the next start of this server.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        let ask = Ask {
            who: "this server".to_owned(),
            change: Change::Stop,
            answer,
        };
        if self.asks.send(Ask::closing(ask)).await.is_ok() {
            // The keeper is gone either way.
            let _ = answered.await;
        }
        for task in self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            task.abort();
        }
    }

    /// The session at work, if messages may go out through it.
    fn working(&self, expected: Option<&str>) -> Result<Arc<dyn LinkedSession>, Unsent> {
        let view = self.view();
        if let (Some(expected), Some(me)) = (expected, &view.me)
            && expected != me.number
        {
            return Err(Unsent::OtherNumber {
                linked: me.number.clone(),
                expected: expected.to_owned(),
            });
        }
        match (view.standing.state == State::Connected, view.session) {
            (true, Some(session)) => Ok(session),
            (_, _) => Err(Unsent::NotWorking(Box::new(view.standing))),
        }
    }
}

impl Change {
    fn name(&self) -> &'static str {
        match self {
            Change::Start => "start",
            Change::Stop => "stop",
            Change::Restart => "restart",
            Change::Logout => "logout",
            Change::Configure(_) => "configure",
        }
    }
}

fn words(content: &OutgoingContent) -> String {
    match content {
        OutgoingContent::Text(text) => text.clone(),
        OutgoingContent::File { caption, .. } => caption.clone(),
        OutgoingContent::Location { title, .. } => title.clone().unwrap_or_default(),
        OutgoingContent::Reaction { text, .. } => text.clone(),
    }
}
