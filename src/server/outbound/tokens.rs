//! How fast a number may send, all processes together: tokens, one a message, taken from the store a few at a time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::server::parts::lock;
use crate::store::{Rate, Store, StoreError, Tokens};

/// Tokens that lie unused for longer are thrown away: they belong to another moment.
const FRESH: Duration = Duration::from_secs(1);
/// So many messages may follow each other where only a few a minute may leave: one answer may be several.
const SLOW_BURST: u32 = 5;
/// So many are taken at once at most.
const LARGEST_BATCH: u32 = 500;

/// The tokens of one number that this process has.
#[derive(Debug)]
pub(in crate::server) struct Purse {
    /// Tokens a second; 0: as many as there are.
    per_second: u32,
    /// So many are one message.
    price: u32,
    inside: Mutex<Inside>,
    /// Held by whoever asks the store. The others wait for what that brings, for each of them would take a batch.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Inside {
    left: u32,
    taken_at: Instant,
    /// When the last of those that were sent away may come again.
    crowded_until: Instant,
}

impl Purse {
    pub fn new(per_second: u32) -> Purse {
        let now = Instant::now();
        Purse {
            per_second,
            price: 1,
            inside: Mutex::new(Inside {
                left: 0,
                taken_at: now,
                crowded_until: now,
            }),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// For a number that may send so few messages that they are counted by the minute; 0: as many as there are.
    pub fn slow(per_minute: u32) -> Purse {
        if per_minute == 0 {
            return Purse::new(0);
        }
        Purse {
            price: 60_u32.div_ceil(per_minute),
            ..Purse::new(per_minute.div_ceil(60))
        }
    }

    /// Whether some wait already for their turn.
    pub fn is_crowded(&self) -> bool {
        lock(&self.inside).crowded_until > Instant::now()
    }

    /// One token; or how long to wait before asking again. Those who wait are spread, so that they don't come back all
    /// at once.
    pub async fn take(&self, store: &dyn Store, channel: &str) -> Result<(), Duration> {
        let ask = async |batch| store.take_tokens(channel, batch, self.rate()).await;
        self.take_or_ask(ask).await
    }

    async fn take_or_ask(
        &self,
        ask: impl AsyncFnOnce(u32) -> Result<Tokens, StoreError>,
    ) -> Result<(), Duration> {
        if self.per_second == 0 || self.has_one() {
            return Ok(());
        }
        let _asking = self.asking.lock().await;
        if self.has_one() {
            return Ok(());
        }
        let lacks = self.price.saturating_sub(lock(&self.inside).left);
        let batch = (self.per_second / 40).clamp(lacks.max(1), LARGEST_BATCH.max(lacks));
        match ask(batch).await {
            Ok(tokens) => {
                {
                    let mut inside = lock(&self.inside);
                    inside.left += tokens.granted;
                    inside.taken_at = Instant::now();
                    if inside.left >= self.price {
                        inside.left -= self.price;
                        return Ok(());
                    }
                }
                Err(self.send_away(tokens.wait.unwrap_or_default()))
            }
            // The provider counts too: a store that is away for a moment is no reason to be silent.
            Err(_) => Ok(()),
        }
    }

    fn has_one(&self) -> bool {
        let mut inside = lock(&self.inside);
        // Where a message costs several, less than one message is no burst, whatever moment it is of.
        if inside.taken_at.elapsed() > FRESH {
            inside.left = inside.left.min(self.price - 1);
        }
        let has = inside.left >= self.price;
        if has {
            inside.left -= self.price;
        }
        has
    }

    /// A twentieth may leave at once after a pause, and is not in the rate: so no second ever has more than it may.
    fn rate(&self) -> Rate {
        if self.price > 1 {
            return Rate {
                per_second: self.per_second,
                burst: self.price * SLOW_BURST,
            };
        }
        let burst = (self.per_second / 20).max(1);
        Rate {
            per_second: self.per_second.saturating_sub(burst).max(1),
            burst,
        }
    }

    fn send_away(&self, wait: Duration) -> Duration {
        let now = Instant::now();
        let each = Duration::from_secs(1) * self.price / self.rate().per_second;
        let mut inside = lock(&self.inside);
        inside.crowded_until = inside.crowded_until.max(now + wait) + each;
        inside.crowded_until - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::model::ModelStore;
    use crate::store::{Caps, StillClock};
    use std::sync::Arc;

    #[tokio::test]
    async fn two_processes_together_send_no_more_in_a_second_than_the_number_may() {
        let clock = Arc::new(StillClock::at(jiff::Timestamp::UNIX_EPOCH));
        let store = ModelStore::new(Caps::default(), clock.clone());
        let purses = [Purse::new(80), Purse::new(80)];
        let mut sent = Vec::new();
        for millis in 0..5_000u32 {
            for purse in &purses {
                if purse.take(&store, "main").await.is_ok() {
                    sent.push(millis);
                }
            }
            clock.advance(Duration::from_millis(1));
        }
        for from in 0..4_000 {
            let within = sent
                .iter()
                .filter(|at| (from..from + 1_000).contains(*at))
                .count();
            // Each may still hold a batch from before.
            assert!(within <= 80 + 4, "{within} in the second from {from} ms");
        }
        assert!(sent.len() >= 5 * 74, "{}", sent.len());
    }

    #[tokio::test]
    async fn many_who_send_at_once_share_a_batch_instead_of_taking_one_each() {
        let purse = Purse::new(1_000);
        let asked = std::cell::Cell::new(0);
        let grant = async |batch| {
            tokio::task::yield_now().await;
            asked.set(asked.get() + 1);
            Ok(Tokens {
                granted: batch,
                wait: None,
            })
        };
        let all = futures_util::future::join_all((0..50).map(|_| purse.take_or_ask(&grant))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        assert_eq!(asked.get(), 2, "batches of 25");
    }

    #[tokio::test]
    async fn a_few_messages_a_minute_are_a_few_a_minute() {
        let clock = Arc::new(StillClock::at(jiff::Timestamp::UNIX_EPOCH));
        let store = ModelStore::new(Caps::default(), clock.clone());
        let purses = [Purse::slow(20), Purse::slow(20)];
        let mut sent = Vec::new();
        for second in 0..600u32 {
            for purse in &purses {
                if purse.take(&store, "main").await.is_ok() {
                    sent.push(second);
                }
            }
            clock.advance(Duration::from_secs(1));
        }
        assert!(
            sent.iter().filter(|at| **at == 0).count() <= 5,
            "a burst is small"
        );
        for from in 0..540 {
            let within = sent.iter().filter(|at| (from..from + 60).contains(*at)).count();
            assert!(within <= 20 + 5, "{within} in the minute from {from} s");
        }
        assert!((150..=205).contains(&sent.len()), "{}", sent.len());
        assert_eq!(Purse::slow(0).take(&store, "other").await, Ok(()));
    }

    #[tokio::test]
    async fn those_who_must_wait_are_spread_over_time() {
        let clock = Arc::new(StillClock::at(jiff::Timestamp::UNIX_EPOCH));
        let store = ModelStore::new(Caps::default(), clock);
        let purse = Purse::new(20);
        assert_eq!(purse.take(&store, "main").await, Ok(()));
        assert!(!purse.is_crowded());
        let first = purse.take(&store, "main").await.unwrap_err();
        let second = purse.take(&store, "main").await.unwrap_err();
        assert!(second > first + Duration::from_millis(30), "{first:?} {second:?}");
        assert!(purse.is_crowded());
        assert_eq!(Purse::new(0).take(&store, "main").await, Ok(()));
    }
}
