//! How fast messages may leave, shared by all who send.

use std::time::Duration;

use super::RedisStore;
use super::link::Durable;
use super::names::digest;
use super::scripts::TOKENS;
use super::wire::Args;
use crate::store::{ContactId, Pace, Rate, SendOutcome, StoreError, Tokens};

/// What a send that ended so costs its contact.
pub(super) fn pace_of(outcome: &SendOutcome) -> Option<Pace> {
    match outcome {
        SendOutcome::Accepted { pace, .. } => *pace,
        SendOutcome::Retry { .. }
        | SendOutcome::NotYet { .. }
        | SendOutcome::Uncertain { .. }
        | SendOutcome::Dead { .. } => None,
    }
}

/// The interval and how far ahead a full bucket reaches, in milliseconds.
pub(super) fn in_millis(pace: Pace) -> (i64, i64) {
    const LONGEST: i64 = 9_999_999_999;
    let every = i64::try_from(pace.every.as_nanos().div_ceil(1_000_000)).unwrap_or(LONGEST);
    let every = every.min(LONGEST);
    let reach = every.saturating_mul(i64::from(pace.burst.max(1)) - 1);
    (every, reach.min(LONGEST * 1_000))
}

/// The same as two words, empty without a pace.
pub(super) fn push_pace(args: &mut Args, pace: Option<Pace>) {
    let Some((every, reach)) = pace.map(in_millis) else {
        args.push("");
        args.push("");
        return;
    };
    args.push(every);
    args.push(reach);
}

impl RedisStore {
    pub(super) async fn tokens(&self, channel: &str, want: u32, rate: Rate) -> Result<Tokens, StoreError> {
        let every = 1_000_000_u32.div_ceil(rate.per_second.max(1));
        let full = u64::from(every) * u64::from(rate.burst.max(1));
        let hash = digest("rate", channel, "");
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = self.names.plain(&format!("rate:{hex}"));
        let args = self.args(ContactId([0; 16])).with(want).with(every).with(full);
        let mut answer = self.run(&TOKENS, vec![key], args, Durable::Local).await?;
        answer.int()?;
        answer.int()?;
        let granted = answer.count()?;
        let wait = answer.int()?;
        let wait = u64::try_from(wait).unwrap_or(0).div_ceil(1_000);
        Ok(Tokens {
            granted,
            wait: (granted < want).then(|| Duration::from_millis(wait)),
        })
    }
}
