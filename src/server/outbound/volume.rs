//! How much leaves a number that nobody asked for, in 24 hours: notifications, and what flows had planned. A slip in
//! somebody's system must not write to all customers at once, nor ten times to one. Replies are never counted.
//!
//! The count of a number is a setting of the store, shared by all its processes; that of a customer is in the thread.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::server::inbound::mailbox::Item;
use crate::server::turns::thread::Line;
use crate::store::{HistoryEntry, MailboxEvent, Store, StoreError};

const HOUR: i64 = 3600;
const HOURS: i64 = 24;
const DAY: SignedDuration = SignedDuration::from_hours(HOURS);
/// So often somebody else may have counted at the same moment.
const TRIES: usize = 100;

/// What may leave in 24 hours; 0: as much as there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    pub per_day: u32,
    pub per_customer: u32,
}

impl Default for Volume {
    fn default() -> Volume {
        Volume {
            per_day: 1000,
            per_customer: 10,
        }
    }
}

/// What left a number, by the hour since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Spent {
    hours: BTreeMap<i64, u32>,
}

impl Spent {
    fn read(value: Option<&[u8]>, hour: i64) -> Spent {
        // One that can't be read is one that another version wrote: it counts anew.
        let mut spent: Spent = value
            .and_then(|value| serde_json::from_slice(value).ok())
            .unwrap_or_default();
        spent.hours.retain(|at, _| *at > hour - HOURS && *at <= hour);
        spent
    }

    fn sum(&self) -> u32 {
        self.hours
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// When the oldest hour is forgotten.
    fn free_at(&self, hour: i64) -> Timestamp {
        let oldest = self.hours.keys().next().copied().unwrap_or(hour);
        Timestamp::from_second((oldest + HOURS) * HOUR).unwrap_or(Timestamp::MAX)
    }

    fn to_bytes(&self) -> Vec<u8> {
        // Numbers only: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn setting(channel: &str) -> String {
    format!("volume/{channel}")
}

/// Counts one message that is about to leave. `Some`: it may not, and something more may then.
pub(in crate::server) async fn take(
    store: &dyn Store,
    channel: &str,
    volume: Volume,
) -> Result<Option<Timestamp>, StoreError> {
    if volume.per_day == 0 {
        return Ok(None);
    }
    for _ in 0..TRIES {
        let hour = store.now().as_second().div_euclid(HOUR);
        let seen = store.setting(&setting(channel)).await?;
        let mut spent = Spent::read(seen.as_deref(), hour);
        if spent.sum() >= volume.per_day {
            return Ok(Some(spent.free_at(hour)));
        }
        *spent.hours.entry(hour).or_default() += 1;
        if store
            .swap_setting(&setting(channel), seen.as_deref(), Some(&spent.to_bytes()))
            .await?
        {
            return Ok(None);
        }
    }
    Err(StoreError::Unavailable(
        "too many count at the same time".to_owned(),
    ))
}

/// What was counted was nothing new after all.
pub(in crate::server) async fn give_back(
    store: &dyn Store,
    channel: &str,
    volume: Volume,
) -> Result<(), StoreError> {
    if volume.per_day == 0 {
        return Ok(());
    }
    let hour = store.now().as_second().div_euclid(HOUR);
    let seen = store.setting(&setting(channel)).await?;
    let mut spent = Spent::read(seen.as_deref(), hour);
    if let Some(count) = spent.hours.get_mut(&hour) {
        *count = count.saturating_sub(1);
        // If somebody counted meanwhile, one too many is counted: that errs on the customers' side.
        store
            .swap_setting(&setting(channel), seen.as_deref(), Some(&spent.to_bytes()))
            .await?;
    }
    Ok(())
}

/// Whether a customer has had enough by now; `Some`: something more may come then. What is still queued counts, what
/// failed does not, and the parts of one notification are one.
pub(in crate::server) fn enough(
    lines: &[HistoryEntry],
    waiting: &[MailboxEvent],
    volume: Volume,
    now: Timestamp,
    except: Option<&str>,
) -> Option<Timestamp> {
    if volume.per_customer == 0 {
        return None;
    }
    let (mut seen, mut keys) = (BTreeSet::new(), BTreeSet::new());
    let mut times = Vec::new();
    for line in lines.iter().filter(|line| line.at.duration_until(now) < DAY) {
        let Some((id, state)) = &line.status else { continue };
        let lost = ["dead", "dropped", "failed"]
            .iter()
            .any(|word| state.starts_with(word));
        if lost || except == Some(id.as_str()) {
            continue;
        }
        if let Ok(Line::Ours(ours)) = Line::read(&line.payload)
            && ours.unasked
        {
            // `<contact>.<seq>.<index>`: what one event led to.
            keys.extend(ours.notify);
            let whole = id.rsplit_once('.').map_or(id.as_str(), |(event, _)| event);
            if seen.insert(whole.to_owned()) {
                times.push(line.at);
            }
        }
    }
    // One that was turned into a line since it was seen to wait counts once.
    let queued = waiting.iter().filter(
        |event| matches!(Item::read(&event.payload), Ok(Item::Notify { key, .. }) if !keys.contains(&key)),
    );
    times.extend(queued.map(|event| event.at));
    times.sort();
    let limit = volume.per_customer as usize;
    let over = times.len().checked_sub(limit)?;
    Some(times.get(over).map_or(now, |oldest| *oldest + DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::model::ModelStore;
    use crate::store::{Caps, StillClock};
    use std::sync::Arc;
    use std::time::Duration;

    #[tokio::test]
    async fn no_day_has_more_than_the_limit_and_what_was_counted_comes_back_hour_by_hour() {
        let clock = Arc::new(StillClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
        let store = ModelStore::new(Caps::default(), clock.clone());
        let volume = Volume {
            per_day: 3,
            per_customer: 0,
        };
        let one = async || take(&store, "main", volume).await.unwrap();
        assert_eq!((one().await, one().await), (None, None));
        clock.advance(Duration::from_secs(3 * 3600));
        assert_eq!(one().await, None);
        let full = one().await.expect("there were three");
        assert_eq!(
            full.as_second(),
            1_800_000_000 + 24 * 3600,
            "when the first hour is forgotten"
        );
        assert_eq!(
            take(&store, "other", volume).await.unwrap(),
            None,
            "each number by itself"
        );
        give_back(&store, "main", volume).await.unwrap();
        assert_eq!(one().await, None);
        clock.advance(Duration::from_secs(21 * 3600));
        assert_eq!((one().await, one().await), (None, None));
        assert!(one().await.is_some());
    }

    #[tokio::test]
    async fn who_counts_at_the_same_moment_counts_both() {
        let clock = Arc::new(StillClock::at(Timestamp::UNIX_EPOCH));
        let store = ModelStore::new(Caps::default(), clock);
        let volume = Volume {
            per_day: 7,
            per_customer: 0,
        };
        let all = futures_util::future::join_all((0..20).map(|_| take(&store, "main", volume))).await;
        let granted = all.into_iter().filter(|one| matches!(one, Ok(None))).count();
        assert_eq!(granted, 7);
    }
}
