//! What all processes of one store agree on: the live program, the Autopilot switches, numbers that rest, and who is who
//! after a contact was erased or merged. Whoever changes one of them writes it down and turns a page; the others look at
//! the page each second and read what is new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::server::numbers;
use crate::server::parts::{Gate, Number, Shared, lock};
use crate::server::turns::notes;
use crate::store::{Store, StoreError};

/// Name of the setting that changes with every change.
const PAGE: &str = "agreed/page";
/// Changes when a contact was erased or merged.
const PEOPLE: &str = "agreed/people";
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often parked events are looked at: whoever dies on one can't tell the team of it.
const PARKED_EVERY: u32 = 10;
/// What was put aside before that has been told of.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// So many of them, the latest.
const PARKED_AT_MOST: usize = 50;
/// A shorter rest of a number is not worth telling: it is over before the others have heard of it.
const WORTH_TELLING: Duration = Duration::from_secs(3);

/// Lets the others know that something has changed.
pub(super) async fn turn_page(store: &dyn Store) -> Result<(), StoreError> {
    store.put_setting(PAGE, &fresh()).await
}

fn fresh() -> [u8; 8] {
    getrandom::u64().unwrap_or_default().to_le_bytes()
}

/// Lets the others forget whom they know: a contact was erased or merged. A hint: whoever misses it finds out with the
/// next message of that customer (see [`crate::server::inbound::people::People::relearned`]).
pub async fn people_changed(store: &dyn Store) {
    if !store.promises().shared {
        return;
    }
    let told = async {
        store.put_setting(PEOPLE, &fresh()).await?;
        turn_page(store).await
    };
    if let Err(why) = told.await {
        tracing::debug!(%why, "the other processes were not told; each finds out by itself");
    }
}

/// Reads what others have changed, until the server stops.
pub(super) async fn keep_up(shared: Arc<Shared>) {
    let (mut seen, mut people) = (None, None);
    let mut told = Vec::new();
    for round in 0u32.. {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        // The pulse tells of a store that is away.
        if let Ok(page) = shared.store.setting(PAGE).await
            && page != seen
            && read(&shared, &mut people).await.is_ok()
        {
            seen = page;
        }
        if round % PARKED_EVERY == 0 {
            tell_of_parked(&shared, &mut told).await;
        }
    }
}

async fn read(shared: &Shared, people: &mut Option<Vec<u8>>) -> Result<(), StoreError> {
    shared.flows.catch_up().await?;
    let now = shared.store.setting(PEOPLE).await?;
    if *people != now {
        shared.people.forget();
        *people = now;
    }
    for number in shared.numbers.values() {
        numbers::read_autopilot(shared.store.as_ref(), number).await?;
        number.endpoint.reread(shared.store.as_ref()).await?;
        if let Some(link) = &number.link {
            link.reread(shared.store.as_ref()).await?;
        }
        if let Some(value) = shared.store.setting(&gate_of(number)).await?
            && let Ok(rest) = serde_json::from_slice::<Rest>(&value)
        {
            rest.apply(number, shared.store.now());
        }
    }
    Ok(())
}

/// A number's rest, as one process tells it to the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rest {
    until: Timestamp,
    /// Nothing leaves before somebody mends something, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
}

impl Rest {
    fn apply(self, number: &Number, now: Timestamp) {
        let Ok(wait) = Duration::try_from(now.duration_until(self.until)) else {
            return;
        };
        if wait.is_zero() {
            return;
        }
        let until = Instant::now() + wait;
        let mut gate = lock(&number.gate);
        *gate = match self.stopped {
            Some(why) => Gate::Stopped { why, again: until },
            None => Gate::Held(until),
        };
    }
}

fn gate_of(number: &Number) -> String {
    format!("gate/{}", number.config.id)
}

/// The provider told this process that the number has to rest: the others need not ask.
pub(super) async fn tell_rest(shared: &Shared, number: &Number, wait: Duration, stopped: Option<&str>) {
    if wait < WORTH_TELLING {
        return;
    }
    let rest = Rest {
        until: shared.store.now() + SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(1)),
        stopped: stopped.map(str::to_owned),
    };
    // Names of fields, a time and a string: nothing in it can fail to be written.
    let value = serde_json::to_vec(&rest).unwrap_or_default();
    let told = async {
        shared.store.put_setting(&gate_of(number), &value).await?;
        turn_page(shared.store.as_ref()).await
    };
    if let Err(why) = told.await {
        tracing::debug!(%why, "the other processes were not told; each finds out by itself");
    }
}

/// Puts a note into the thread of whoever's message was put aside. Several processes may do that for the same message:
/// there is one note.
async fn tell_of_parked(shared: &Shared, told: &mut Vec<(crate::store::ContactId, u64)>) {
    let Ok(parked) = shared.store.parked(PARKED_AT_MOST).await else {
        return;
    };
    for parked in &parked {
        // That is no event of a thread, and who met it has said so.
        if parked.id.is_unread() {
            continue;
        }
        if told.contains(&(parked.contact, parked.seq)) {
            continue;
        }
        // Long after, it would be told anew, and what stands in for it be taken for another's.
        if parked.at + FRESH < shared.store.now() {
            continue;
        }
        // The channel is known to the store; it is asked once for each.
        if let Ok(Some(there)) = shared.store.peek(parked.contact).await {
            let (contact, seq, why) = (parked.contact, parked.seq, parked.why.as_str());
            tracing::error!(channel = there.channel, contact = %crate::server::api::masked::Masked(contact), seq, why, "a message is put aside");
            notes::parked(shared, &there.channel, contact, seq, why, &parked.payload).await;
        }
    }
    *told = parked
        .into_iter()
        .map(|parked| (parked.contact, parked.seq))
        .collect();
}
