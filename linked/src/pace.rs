//! How fast a session may send. A number that writes fast, evenly or to strangers is banned; so there is a bucket for
//! the session and one for each chat, and a refusal says when to come again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many messages may follow each other in one chat, and in the whole session.
const CHAT_BURST: f64 = 6.0;
const SESSION_BURST: f64 = 20.0;

/// Chats that have been silent for long are forgotten beyond so many.
const CHATS: usize = 4_096;

#[derive(Debug)]
pub struct Pace {
    per_minute: f64,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    session: Bucket,
    chats: HashMap<String, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(size: f64, at: Instant) -> Self {
        Self { left: size, at }
    }

    fn filled(self, size: f64, per_second: f64, now: Instant) -> Self {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        Self {
            left: (self.left + age * per_second).min(size),
            at: now,
        }
    }
}

impl Pace {
    pub fn new(per_minute: u32, now: Instant) -> Self {
        let session = Bucket::full(SESSION_BURST, now);
        Self {
            per_minute: f64::from(per_minute),
            buckets: Mutex::new(Buckets {
                session,
                chats: HashMap::new(),
            }),
        }
    }

    /// Takes one message out, or says how long to wait.
    pub fn take(&self, chat: &str, now: Instant) -> Result<(), Duration> {
        let rate = self.per_minute / 60.0;
        // A panic between the lines below leaves numbers that are good enough.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.chats.len() >= CHATS {
            buckets
                .chats
                .retain(|_, bucket| now.saturating_duration_since(bucket.at) < Duration::from_secs(600));
        }
        let session = buckets.session.filled(SESSION_BURST, rate, now);
        let own = buckets
            .chats
            .get(chat)
            .copied()
            .unwrap_or_else(|| Bucket::full(CHAT_BURST, now));
        let own = own.filled(CHAT_BURST, rate, now);
        let least = session.left.min(own.left);
        if least < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - least) / rate));
        }
        buckets.session = Bucket {
            left: session.left - 1.0,
            ..session
        };
        buckets.chats.insert(
            chat.to_owned(),
            Bucket {
                left: own.left - 1.0,
                ..own
            },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_may_burst_and_is_then_slowed_down() {
        let start = Instant::now();
        let pace = Pace::new(20, start);
        for _ in 0..6 {
            pace.take("a", start).unwrap();
        }
        let wait = pace.take("a", start).unwrap_err();
        assert_eq!(
            wait.as_secs_f64().round() as u64,
            3,
            "20 a minute are one in three seconds"
        );
        pace.take("b", start).expect("another chat has its own bucket");
        pace.take("a", start + Duration::from_secs(3))
            .expect("after the wait it goes on");
    }

    #[test]
    fn many_chats_together_are_slowed_down_too() {
        let start = Instant::now();
        let pace = Pace::new(20, start);
        for chat in 0..20 {
            pace.take(&chat.to_string(), start).unwrap();
        }
        assert!(pace.take("one more", start).is_err());
    }
}
