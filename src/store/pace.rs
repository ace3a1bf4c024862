//! How fast messages may leave: to one person ([`Pace`]), and from one number ([`Rate`]).
//!
//! Both are the same leaky bucket, kept as one time: when it would be empty if nothing more came. Each message pushes
//! that time on by one interval; as long as it is less than a burst ahead of now, the next may leave.

use std::collections::HashMap;
use std::time::Duration;

/// How fast one person may be written to. What providers allow a pair: one message each 6 s, and up to 45 at once that
/// are then waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The interval in the long run, in whole milliseconds (rounded up).
    pub every: Duration,
    /// So many may follow each other at once. 0 counts as 1.
    pub burst: u32,
}

/// How fast one number may send, all its contacts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// 0 counts as 1.
    pub per_second: u32,
    /// So many may leave at once after a pause. 0 counts as 1.
    pub burst: u32,
}

/// What [`super::Store::take_tokens`] gave. One token is one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    pub granted: u32,
    /// If fewer were granted than wanted: how long until there is one more, in whole milliseconds.
    pub wait: Option<Duration>,
}

/// Where the bucket of a pair stands, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Paced {
    /// When the bucket is empty.
    pub(crate) empty_at: i64,
    /// The next message may not leave before.
    pub(crate) until: i64,
}

impl Paced {
    /// When something that is ready then may leave.
    pub(crate) fn allows(self, ready_at: i64) -> i64 {
        ready_at.max(self.until)
    }

    /// After a message that left now.
    pub(crate) fn after_a_message(self, now: i64, pace: Pace) -> Paced {
        let every = i64::try_from(pace.every.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX / 4);
        let ahead = every.saturating_mul(i64::from(pace.burst.max(1)) - 1);
        // No further ahead than a full bucket: a clock that was set back must not silence anybody for an hour.
        let empty_at = self
            .empty_at
            .clamp(now, now.saturating_add(ahead))
            .saturating_add(every);
        Paced {
            empty_at,
            until: empty_at.saturating_sub(ahead),
        }
    }
}

/// The buckets of numbers, for stores of one process. They are not kept on disk: who starts anew begins with full ones,
/// and starting takes longer than filling.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    /// By channel: when its bucket is empty, in microseconds.
    empty_at: HashMap<String, i64>,
}

impl Buckets {
    /// `now` in milliseconds.
    pub(crate) fn take(&mut self, channel: &str, now: i64, want: u32, rate: Rate) -> Tokens {
        let now = now.saturating_mul(1_000);
        let every = i64::from(1_000_000_u32.div_ceil(rate.per_second.max(1)));
        let full = every * i64::from(rate.burst.max(1));
        let known = self.empty_at.get(channel).copied().unwrap_or(now);
        let empty_at = known.clamp(now, now.saturating_add(full));
        let free = (now.saturating_add(full) - empty_at) / every;
        let granted = want.min(u32::try_from(free).unwrap_or(u32::MAX));
        let empty_at = empty_at.saturating_add(every * i64::from(granted));
        self.empty_at.insert(channel.to_owned(), empty_at);
        let wait = (granted < want).then(|| {
            let micros = empty_at.saturating_add(every) - full - now;
            Duration::from_millis(u64::try_from(micros).unwrap_or(0).div_ceil(1_000))
        });
        Tokens { granted, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_burst_and_one_for_each_interval() {
        let pace = Pace {
            every: Duration::from_secs(6),
            burst: 45,
        };
        let (mut paced, mut now, mut sent) = (Paced::default(), 1_000_000, Vec::new());
        while sent.len() < 500 {
            now = paced.until.max(now);
            paced = paced.after_a_message(now, pace);
            sent.push(now);
        }
        for (n, first) in sent.iter().enumerate() {
            for (m, last) in sent.iter().enumerate().skip(n) {
                let allowed = 45 + (last - first) / 6_000;
                assert!(i64::try_from(m - n + 1).unwrap() <= allowed, "{n} to {m}");
            }
        }
        assert_eq!(sent[44], sent[0], "the burst leaves at once");
        assert_eq!(sent[45] - sent[44], 6_000);
    }

    #[test]
    fn tokens_of_any_second_are_no_more_than_the_burst_and_the_rate() {
        let rate = Rate {
            per_second: 80,
            burst: 20,
        };
        let mut buckets = Buckets::default();
        let mut granted = Vec::new();
        for now in 0..5_000 {
            granted.push(buckets.take("one", now, 7, rate).granted);
        }
        for second in granted.windows(1_000) {
            let sum: u32 = second.iter().sum();
            assert!(sum <= 20 + 80, "{sum}");
        }
        let all: u32 = granted.iter().sum();
        assert!(all >= 80 * 5, "{all}: the rate is reached");
    }

    #[test]
    fn who_waits_as_told_gets_a_token() {
        let rate = Rate {
            per_second: 3,
            burst: 1,
        };
        let mut buckets = Buckets::default();
        let mut now = 0;
        for _ in 0..10 {
            assert_eq!(buckets.take("one", now, 1, rate).granted, 1);
            let none = buckets.take("one", now, 1, rate);
            assert_eq!(none.granted, 0);
            let wait = i64::try_from(none.wait.unwrap().as_millis()).unwrap();
            assert_eq!(buckets.take("one", now + wait - 1, 1, rate).granted, 0);
            now += wait;
        }
    }

    #[test]
    fn a_clock_set_back_silences_nobody_for_long() {
        let pace = Pace {
            every: Duration::from_secs(6),
            burst: 1,
        };
        let ahead = Paced::default().after_a_message(3_600_000, pace);
        assert_eq!(ahead.after_a_message(0, pace).until, 6_000);
        let rate = Rate {
            per_second: 1,
            burst: 1,
        };
        let mut buckets = Buckets::default();
        buckets.take("one", 3_600_000, 1, rate);
        let wait = buckets.take("one", 0, 1, rate).wait;
        assert_eq!(wait, Some(Duration::from_secs(1)));
    }
}
