//! What is kept of a link besides what its server knows: whether sending is paused and by whom, who is changing the
//! connection, and what was done to it. Never a code, never a key.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::server::numbers::door::{Door, DoorError};
use crate::store::{Store, StoreError};

/// A change of the connection is under way for so long at most; then somebody else may begin one.
const CHANGE_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// So many entries of the audit are kept, the latest.
const AUDIT_AT_MOST: usize = 500;
/// So many may write a line at the same moment.
const AT_ONCE: u64 = 16;

/// Of one number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Counts logins, for servers that don't.
    #[serde(default)]
    pub generation: u64,
}

/// Nothing leaves until somebody says so. What is to leave is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub by: String,
    pub why: String,
    pub since: Timestamp,
}

/// One person at a time changes the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub by: String,
    /// `pair` or `reset`.
    pub what: String,
    pub until: Timestamp,
}

impl Change {
    pub fn new(by: &str, what: &str, now: Timestamp) -> Change {
        Change {
            by: by.to_owned(),
            what: what.to_owned(),
            until: now + CHANGE_WITHIN,
        }
    }
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    pub at: Timestamp,
    /// A person, or `server` for what happened by itself.
    pub who: String,
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

fn key(channel: &str) -> String {
    format!("link/{channel}")
}

/// Who has paused sending, as somebody sees it who has no server here.
///
/// # Errors
/// If the store can't be asked.
pub(in crate::server) async fn paused_at(door: &Door, channel: &str) -> Result<Option<Pause>, DoorError> {
    let kept = door.get(&key(channel)).await?;
    let record = kept.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
    Ok(record.and_then(|record| record.paused))
}

fn audit_key(channel: &str) -> String {
    format!("link/{channel}/audit/")
}

/// One that can't be read counts as a pause: nobody knows what it forbade.
pub(super) async fn read(store: &dyn Store, channel: &str) -> Result<Record, StoreError> {
    Ok(seen(store, channel).await?.0)
}

/// The record, and what stands in the store of it.
pub(super) async fn seen(store: &dyn Store, channel: &str) -> Result<(Record, Option<Vec<u8>>), StoreError> {
    let Some(bytes) = store.setting(&key(channel)).await? else {
        return Ok((Record::default(), None));
    };
    let record = serde_json::from_slice(&bytes).unwrap_or_else(|_| Record {
        paused: Some(Pause {
            by: "switchboard".to_owned(),
            why: "what was kept of this link can't be read".to_owned(),
            since: store.now(),
        }),
        ..Record::default()
    });
    Ok((record, Some(bytes)))
}

/// Writes a record in the place of what was seen; `false` if somebody was faster.
pub(super) async fn write(
    store: &dyn Store,
    channel: &str,
    before: Option<&[u8]>,
    record: &Record,
) -> Result<bool, StoreError> {
    // Names of fields, strings and times: nothing in it can fail to be written.
    let bytes = serde_json::to_vec(record).unwrap_or_default();
    store.swap_setting(&key(channel), before, Some(&bytes)).await
}

/// The lines of the audit, the oldest first.
pub(super) async fn audit(store: &dyn Store, channel: &str) -> Result<Vec<Audited>, StoreError> {
    let kept = store.settings(&audit_key(channel)).await?;
    let lines = kept
        .iter()
        .filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok());
    Ok(lines.collect())
}

/// Adds a line, under a key of its own: nobody's line is ever written over. The same state told twice, by two workers say,
/// is one line.
pub(super) async fn add(store: &dyn Store, channel: &str, line: Audited) -> Result<(), StoreError> {
    let prefix = audit_key(channel);
    let kept = store.settings(&prefix).await?;
    let last = kept
        .last()
        .and_then(|(_, bytes)| serde_json::from_slice::<Audited>(bytes).ok());
    let same = |last: &Audited| {
        last.what == "state"
            && (&last.what, &last.to, &last.reason, last.generation)
                == (&line.what, &line.to, &line.reason, line.generation)
    };
    if last.as_ref().is_some_and(same) {
        return Ok(());
    }
    // Behind all others, whatever the clock says.
    let number = kept
        .last()
        .and_then(|(key, _)| key.strip_prefix(&prefix)?.parse::<u64>().ok())
        .map_or(0, |last| last + 1);
    let bytes = serde_json::to_vec(&line).unwrap_or_default();
    for number in number..number + AT_ONCE {
        let key = format!("{prefix}{number:012}");
        if store.swap_setting(&key, None, Some(&bytes)).await? {
            break;
        }
    }
    let too_many = (kept.len() + 1).saturating_sub(AUDIT_AT_MOST);
    for (key, _) in kept.iter().take(too_many) {
        store.remove_setting(key).await?;
    }
    Ok(())
}
