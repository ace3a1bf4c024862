//! How fast the number may send: in all, and to one customer. Buckets on the double's clock.

use std::collections::HashMap;

use jiff::Timestamp;

use super::error::Refusal;
use super::setup::Setup;

#[derive(Debug, Default)]
pub struct Rates {
    number: Option<Bucket>,
    pairs: HashMap<String, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn take(bucket: &mut Option<Bucket>, burst: f64, per_second: f64, now: Timestamp) -> bool {
        let bucket = bucket.get_or_insert(Bucket {
            tokens: burst,
            at: now,
        });
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * per_second).min(burst);
        bucket.at = now;
        let enough = bucket.tokens >= 1.0;
        if enough {
            bucket.tokens -= 1.0;
        }
        enough
    }
}

impl Rates {
    /// Takes one message to `to`, or says which limit is hit.
    pub fn take(&mut self, setup: &Setup, to: &str, now: Timestamp) -> Result<(), Refusal> {
        if let Some(burst) = setup.pair_burst {
            let mut pair = self.pairs.get(to).copied();
            let enough = Bucket::take(&mut pair, f64::from(burst), 1.0 / 6.0, now);
            self.pairs.extend(pair.map(|pair| (to.to_owned(), pair)));
            if !enough {
                return Err(Refusal::new(
                    131056,
                    "Message failed to send because there were too many messages sent from this phone number to the \
                     same phone number in a short period of time.",
                ));
            }
        }
        if let Some(rate) = setup.per_second
            && !Bucket::take(&mut self.number, f64::from(rate), f64::from(rate), now)
        {
            return Err(Refusal::new(
                130429,
                "Message failed to send because there were too many messages sent from this phone number in a short \
                 period of time.",
            ));
        }
        Ok(())
    }
}
