//! What goes into the store and comes out. Payloads are bytes that only their owners can read.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use std::time::Duration;

use super::Pace;

/// A contact's opaque id. Phone numbers are aliases of it, not its name: they may be missing or change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(pub [u8; 16]);

impl fmt::Display for ContactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 32];
        for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        f.write_str(std::str::from_utf8(&hex).unwrap_or_default())
    }
}

impl FromStr for ContactId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a contact id (32 hexadecimal digits)");
        if text.len() != 32 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(ContactId(id))
    }
}

impl ContactId {
    /// The id that a contact first met under this alias gets. It follows from the alias, so that a contact that is
    /// made twice (a crash between two steps, two stores to be merged) is the same contact.
    pub fn of(channel: &str, alias: &Alias) -> ContactId {
        let mut hash = blake3::Hasher::new();
        hash.update(&(channel.len() as u64).to_le_bytes());
        hash.update(channel.as_bytes());
        hash.update(alias.0.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize().as_bytes()[..16]);
        ContactId(id)
    }
}

impl Serialize for ContactId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContactId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// One identity of a contact on a channel, such as `phone:628110000001` or `bsuid:ID.abc`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Alias(pub String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    Found(ContactId),
    Created(ContactId),
    /// `alias` led to `first`, one of the further aliases to `second`; or `alias` was new and two of the further ones
    /// differ. Nothing was linked; `first` is used.
    Clash {
        first: ContactId,
        second: ContactId,
    },
}

impl Resolved {
    pub fn contact(&self) -> ContactId {
        match self {
            Resolved::Found(id) | Resolved::Created(id) | Resolved::Clash { first: id, .. } => *id,
        }
    }
}

/// Position of an event in its contact's mailbox, counted from 1 and never reused.
pub type Seq = u64;

/// Rises with every claim; a holder with an older one can't write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// Random for each claim, so that a number issued twice after a failover still tells two holders apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(pub u64);

/// An event for a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingest {
    pub channel: String,
    pub contact: ContactId,
    /// Unique for the contact; a second event with the same id is a [`Ingested::Duplicate`].
    pub dedupe: String,
    pub payload: Vec<u8>,
    /// When the customer said this, by the provider's clock. Only the customer's own messages have it: they start the
    /// window of [`SendClaim::last_in`]; what staff do does not.
    pub said_at: Option<Timestamp>,
    /// The contact becomes runnable after this much quiet, so that a burst of messages is answered once …
    pub quiet: Duration,
    /// … but no later than this after the burst's first event. Zero quiet makes it runnable at once.
    pub quiet_max: Duration,
    /// Written to the thread in the same step, if given.
    pub history: Option<Vec<u8>>,
}

impl Ingest {
    /// What is no message of the customer's: looked at at once, and no line of the thread.
    pub fn internal(
        channel: impl Into<String>,
        contact: ContactId,
        dedupe: String,
        payload: Vec<u8>,
    ) -> Ingest {
        Ingest {
            channel: channel.into(),
            contact,
            dedupe,
            payload,
            said_at: None,
            quiet: Duration::ZERO,
            quiet_max: Duration::ZERO,
            history: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingested {
    New(Seq),
    /// Seen within [`super::Caps::dedup_for`] and still among the latest [`super::Caps::dedup_ids`] of the contact. A contact that had events but was not queued is queued again.
    Duplicate,
    MailboxFull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Due {
    /// Contacts with events to be answered, and contacts whose holder died.
    Run,
    /// Contacts with something to send.
    Send,
    Timer,
    Job,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxEvent {
    pub seq: Seq,
    /// When the store accepted it.
    pub at: Timestamp,
    pub payload: Vec<u8>,
}

/// Where there is work, as [`super::Store::wait_for_work`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// Anywhere: look at everything that is due.
    Look,
    /// These contacts have work of this kind now; nothing else needs a look. Of timers and jobs the contact only says
    /// that there are some.
    Due(Vec<(Due, ContactId)>),
}

/// Who speaks for the business in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    #[default]
    Bot,
    /// People; the bot sends nothing.
    Human,
    /// People, until then.
    PausedUntil(Timestamp),
}

impl Owner {
    /// Whether the bot may speak at `now`.
    pub fn lets_bot_speak(self, now: Timestamp) -> bool {
        match self {
            Owner::Bot => true,
            Owner::Human => false,
            Owner::PausedUntil(until) => now >= until,
        }
    }
}

/// A leased contact with everything a turn needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub contact: ContactId,
    pub channel: String,
    /// All identities, in the order in which they were learned.
    pub aliases: Vec<Alias>,
    pub owner: Owner,
    pub fence: Fence,
    pub nonce: Nonce,
    pub session: Option<Vec<u8>>,
    pub memory: Option<Vec<u8>>,
    /// Oldest first, at most [`super::CLAIM_EVENTS`] of them.
    pub events: Vec<MailboxEvent>,
    /// Turns that failed on this mailbox head so far.
    pub failures: u32,
}

/// A change to one of the blobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Keep {
    #[default]
    AsItIs,
    Write(Vec<u8>),
    Remove,
}

/// Names a timer of a contact; setting it again moves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerId(pub String);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

/// Slow work outside the lease: a service call, a transcription. Its result comes back as an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Deterministic (contact, event, index), so that a turn run twice asks for the same job once.
    pub id: JobId,
    pub payload: Vec<u8>,
    pub not_before: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobClaim {
    pub id: JobId,
    pub contact: ContactId,
    pub channel: String,
    pub payload: Vec<u8>,
    pub nonce: Nonce,
    /// 1 for the first try. Higher: earlier holders died.
    pub attempt: u32,
}

/// Who queued a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    Bot,
    Person,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Ours: `<contact>.<seq>.<index>`, the same if the turn is run again.
    pub id: String,
    pub sender: Sender,
    pub payload: Vec<u8>,
    /// Not to be sent before (a pause between bubbles).
    pub not_before: Option<Timestamp>,
}

/// One turn, to be written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnCommit {
    pub contact: ContactId,
    pub fence: Fence,
    pub nonce: Nonce,
    /// Events up to and with this one are consumed. 0 consumes none.
    pub upto: Seq,
    pub session: Keep,
    pub memory: Keep,
    /// Who owns the chat from now on. What this turn and earlier ones queued still goes out: the bot's goodbye belongs
    /// to the turn that hands over. Ignored if a person took the chat over while the turn ran.
    pub owner: Option<Owner>,
    /// Each entry also becomes a line of the thread, after those of `history`, with its status. An entry whose id is
    /// queued already, or is still in the thread, is passed over.
    pub outbox: Vec<OutboxEntry>,
    pub set_timers: Vec<(TimerId, Timestamp, Vec<u8>)>,
    /// Cancelled before the others are set: a timer in both lists is set.
    pub cancel_timers: Vec<TimerId>,
    pub jobs: Vec<Job>,
    /// Lines of the thread that are not messages of ours; those write themselves from `outbox`.
    pub history: Vec<Vec<u8>>,
    /// If events are left, the contact becomes runnable after this much quiet.
    pub quiet: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    Done,
    /// This very turn was committed before; its answer was lost.
    Already,
    Fenced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    RetryAt(Timestamp),
    /// The head of the mailbox was put aside; the contact goes on.
    Parked(Seq),
    Fenced,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendClaim {
    pub contact: ContactId,
    pub channel: String,
    pub aliases: Vec<Alias>,
    pub entry: OutboxEntry,
    pub fence: Fence,
    /// 1 for the first try.
    pub attempt: u32,
    /// An earlier try may have reached the provider: its holder died or the answer was lost.
    pub uncertain: bool,
    /// So many tries ended with [`SendOutcome::Uncertain`].
    pub doubts: u32,
    /// The claim before this one ran out: its holder died with the message, and nobody has waited for a status since.
    pub holder_died: bool,
    /// When the customer last spoke ([`Ingest::said_at`], at the latest when it was accepted): the 24-hour window
    /// starts here.
    pub last_in: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The provider has it, under this id. The entry leaves the outbox. With a pace, the contact's next entry waits until
    /// that allows it, whoever queued it.
    Accepted {
        message_id: Option<String>,
        pace: Option<Pace>,
    },
    /// Certainly not sent; try again at that time.
    Retry { at: Timestamp, why: String },
    /// Not tried at all: something has to be waited for. The claim does not count as an attempt; a doubt about an
    /// earlier one stays.
    NotYet { at: Timestamp, why: String },
    /// It may have been sent. It is tried again at that time unless a status with our id settles it first.
    Uncertain { until: Timestamp, why: String },
    /// It will never be sent. The entry leaves the outbox, the reason stays in the thread.
    Dead { why: String },
}

/// A status from the provider for one of our messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The provider's id of the message.
    pub message_id: String,
    /// Our own id, if echoed.
    pub ours: Option<String>,
    /// Rank of the state, higher wins; and its name for people.
    pub rank: u8,
    pub state: String,
    pub error: Option<String>,
    /// How fast this person may be written to. Charged if the message was not known to be sent until now.
    pub pace: Option<Pace>,
}

/// A line of the thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Rises by time of writing, unique for the contact.
    pub seq: u64,
    pub at: Timestamp,
    pub payload: Vec<u8>,
    /// For messages of ours (the payload is then the outbox entry's): our id and how far it got, one of `queued`,
    /// `sending`, `uncertain`, `accepted`, `dropped: <why>`, `dead: <why>`, or the provider's [`Status::state`] with
    /// its error after a colon.
    pub status: Option<(String, String)>,
}

/// What a store keeps when things break, in words for the console and `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promises {
    pub store: &'static str,
    /// Survives a crash of this process.
    pub process_crash: bool,
    /// Survives loss of power, on a disk that does what it says.
    pub power_loss: bool,
    /// Can be shared by several processes.
    pub shared: bool,
}

/// Names an event that was put aside: `<contact>.<seq>`, or longer if its contact was merged since; or
/// `<contact>.unread`: what waits for a record that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParkedId(pub String);

impl ParkedId {
    pub fn of(contact: ContactId, seq: Seq) -> ParkedId {
        ParkedId(format!("{contact}.{seq}"))
    }

    /// Of a contact with a record that can't be read: not an event, but all that waits for that record.
    pub fn unread(contact: ContactId) -> ParkedId {
        ParkedId(format!("{contact}.unread"))
    }

    pub fn is_unread(&self) -> bool {
        self.0.ends_with(".unread")
    }

    pub(crate) fn moved(into: ContactId, from: &ParkedId) -> ParkedId {
        ParkedId(format!("{into}.{}", from.0))
    }

    /// The contact to whom it belongs now.
    pub fn contact(&self) -> Option<ContactId> {
        self.0.split('.').next()?.parse().ok()
    }
}

impl fmt::Display for ParkedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event that no turn survived, kept for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    pub id: ParkedId,
    pub contact: ContactId,
    pub channel: String,
    /// Its place in the mailbox when it was put aside.
    pub seq: Seq,
    pub at: Timestamp,
    pub why: String,
    pub payload: Vec<u8>,
}

/// Something that came in and could not be read. The same thing again is the same entry, with the latest time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    pub id: String,
    pub at: Timestamp,
    pub channel: String,
    pub raw: super::whole::Bytes,
    pub why: String,
}

impl Quarantined {
    /// Follows from what it is, so that a step that is repeated keeps it once.
    pub(crate) fn id_of(channel: &str, raw: &[u8]) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(&(channel.len() as u64).to_le_bytes());
        hash.update(channel.as_bytes());
        hash.update(raw);
        hash.finalize().to_hex()[..16].to_owned()
    }
}

/// What became of a wish to make two contacts one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    Done,
    /// They were merged before.
    Already,
    /// One of them is in work; in a moment it is free.
    Busy,
    /// It can't be: the sentence says why.
    Refused(&'static str),
}

/// What a store holds at this moment. Counts may be some moments apart from each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    pub contacts: u64,
    /// Events that wait in mailboxes.
    pub waiting: u64,
    /// Since when the oldest due contact waits for its turn.
    pub oldest_due: Option<Timestamp>,
    pub outbox: u64,
    /// Since when the oldest outbox that could be sent waits.
    pub oldest_send: Option<Timestamp>,
    pub timers: u64,
    pub jobs: u64,
    pub parked: u64,
    /// Contacts with a record that can't be read: what waits for it rests until it can.
    pub unreadable: u64,
    /// Put aside and then dropped, because there were too many.
    pub parked_dropped: u64,
    pub quarantined: u64,
    /// Turns and jobs whose holder died or hung, since this process opened the store.
    pub leases_lost: u64,
    pub bytes: Option<u64>,
    /// At which the store takes nothing more.
    pub bytes_limit: Option<u64>,
    /// The processes that work on a store of many; empty for a store of one.
    pub workers: Vec<AtWork>,
    /// The format in which records are written now, where workers have to agree on it.
    pub format: Option<u32>,
}

/// A process that works on a store of many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtWork {
    /// Its machine, and what tells it apart from others there.
    pub name: String,
    pub version: String,
    pub since: Timestamp,
    /// Parts of the store that it looks after.
    pub partitions: u64,
    /// The formats of records that it reads, the lowest and the highest.
    pub reads: (u32, u32),
}

/// How long things are kept. What is younger stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Lines of threads.
    pub history: Duration,
    /// Session and memory of a contact that has been silent for so long.
    pub memory: Duration,
    /// What stays of a memory all the same.
    pub stays: Stays,
    /// What was put aside or could not be read.
    pub dead: Duration,
}

impl Default for Retention {
    fn default() -> Retention {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        Retention {
            history: days(90),
            memory: days(365),
            stays: Stays::default(),
            dead: days(14),
        }
    }
}

/// The part of a memory that time does not take, such as the wish not to be written to; `None`: nothing of it. The store
/// can't read memories: whoever writes them says so.
#[derive(Clone, Copy)]
pub struct Stays(pub fn(&[u8]) -> Option<Vec<u8>>);

impl Default for Stays {
    fn default() -> Stays {
        Stays(|_| None)
    }
}

/// Whoever compares two retentions means their times: where code lies says nothing.
impl PartialEq for Stays {
    fn eq(&self, _: &Stays) -> bool {
        true
    }
}

impl Eq for Stays {}

impl fmt::Debug for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stays")
    }
}

/// What one step of [`super::Store::trim`] forgot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trimmed {
    pub lines: u64,
    /// Contacts whose session and memory went.
    pub memories: u64,
    pub parked: u64,
    pub quarantined: u64,
    pub tombstones: u64,
    /// Where the walk goes on; `None`: it is at its end.
    pub next: Option<super::Cursor>,
}
