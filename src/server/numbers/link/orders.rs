//! What a person does to a link: pause sending and let it go on, begin a change of the connection and end it. The same
//! orders are carried out by a running server, over HTTP, and by a command on a store that no server uses.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{self, Audited, Change, Pause, Record};
use crate::channel::linked::LinkedSettings;
use crate::server::agreed;
use crate::store::{Store, StoreError};

/// An order is tried so often against others.
const TRIES: u32 = 8;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Stop Engine: nothing leaves, and nobody is logged out.
    Stop {
        by: String,
        #[serde(default)]
        why: String,
    },
    Resume {
        by: String,
    },
    /// From now on this person alone changes the connection.
    Begin {
        by: String,
        /// `pair` or `reset`.
        what: String,
        /// Nothing leaves until it has ended well.
        pause: bool,
    },
    End {
        by: String,
        outcome: String,
        /// The test message has passed: what was kept may leave.
        resume: bool,
    },
}

impl Order {
    fn by(&self) -> &str {
        match self {
            Order::Stop { by, .. }
            | Order::Resume { by }
            | Order::Begin { by, .. }
            | Order::End { by, .. } => by,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum NotOrdered {
    #[error("say who it is")]
    Nobody,
    #[error("{who} may not change this connection; its owner is {owner}{}", or_for_them(.deputies))]
    NotYours {
        who: String,
        owner: String,
        deputies: Vec<String>,
    },
    #[error("{} is changing this connection ({}), until {} at the latest", .0.by, .0.what, .0.until)]
    Busy(Change),
    #[error("too many give orders to this link at the same moment; try again")]
    Crowded,
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn or_for_them(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!(", or {} for them", names.join(", ")),
    }
}

/// Carries an order out, and writes who gave it.
///
/// # Errors
/// If this person may not, if another is at it, or if the store fails.
pub async fn carry_out(
    store: &dyn Store,
    settings: &LinkedSettings,
    channel: &str,
    order: &Order,
) -> Result<Record, NotOrdered> {
    let by = order.by().trim();
    if by.is_empty() {
        return Err(NotOrdered::Nobody);
    }
    if !settings.may_change(by) {
        return Err(NotOrdered::NotYours {
            who: by.to_owned(),
            owner: settings.owner.clone(),
            deputies: settings.deputies.clone(),
        });
    }
    let now = store.now();
    for _ in 0..TRIES {
        let (mut record, seen) = record::seen(store, channel).await?;
        let (what, reason) = apply(&mut record, by, order, now)?;
        if !record::write(store, channel, seen.as_deref(), &record).await? {
            // Somebody else gave an order meanwhile: what it says counts.
            continue;
        }
        let line = Audited {
            at: now,
            who: by.to_owned(),
            what: what.to_owned(),
            from: None,
            to: None,
            reason,
            generation: Some(record.generation),
        };
        record::add(store, channel, line).await?;
        agreed::turn_page(store).await?;
        return Ok(record);
    }
    Err(NotOrdered::Crowded)
}

/// What an order does to a record, and what of it goes into the audit.
fn apply(
    record: &mut Record,
    by: &str,
    order: &Order,
    now: Timestamp,
) -> Result<(&'static str, String), NotOrdered> {
    // One that is over counts no more.
    record.change.take_if(|change| change.until <= now);
    if let Some(change) = &record.change
        && change.by != by
        && !matches!(order, Order::Stop { .. })
    {
        return Err(NotOrdered::Busy(change.clone()));
    }
    Ok(match order {
        Order::Stop { why, .. } => {
            let why = if why.trim().is_empty() {
                "stopped by hand"
            } else {
                why.trim()
            };
            record.paused = Some(Pause {
                by: by.to_owned(),
                why: why.to_owned(),
                since: now,
            });
            ("stop", why.to_owned())
        }
        Order::Resume { .. } => {
            record.paused = None;
            ("resume", String::new())
        }
        Order::Begin { what, pause, .. } => {
            record.change = Some(Change::new(by, what, now));
            if what == "reset" {
                record.generation += 1;
            }
            if *pause {
                record.paused = Some(Pause {
                    by: by.to_owned(),
                    why: format!("{what} is under way, and its test message has not passed"),
                    since: now,
                });
            }
            ("begin", what.clone())
        }
        Order::End { outcome, resume, .. } => {
            record.change = None;
            if *resume {
                record.paused = None;
            }
            ("end", outcome.clone())
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::SecretString;

    use super::*;
    use crate::store::model::ModelStore;
    use crate::store::{Caps, StillClock};

    fn store() -> (Arc<StillClock>, ModelStore) {
        let clock = Arc::new(StillClock::at(jiff::Timestamp::UNIX_EPOCH));
        (clock.clone(), ModelStore::new(Caps::default(), clock))
    }

    fn settings(owner: &str, deputies: &[&str]) -> LinkedSettings {
        let key = SecretString::from("k");
        let mut settings = LinkedSettings::new(
            "6281100000011",
            "http://127.0.0.1:1",
            "main",
            key.clone(),
            vec![key],
        );
        settings.owner = owner.into();
        settings.deputies = deputies.iter().map(|name| (*name).to_owned()).collect();
        settings
    }

    fn begin(by: &str, what: &str) -> Order {
        Order::Begin {
            by: by.into(),
            what: what.into(),
            pause: true,
        }
    }

    #[tokio::test]
    async fn stopping_pauses_and_resuming_lets_it_go_on_and_both_are_written_down() {
        let (_, store) = store();
        let settings = settings("", &[]);
        let order = async |order| carry_out(&store, &settings, "main", &order).await.expect("done");
        let stop = Order::Stop {
            by: "Dewi".into(),
            why: "stock-taking".into(),
        };
        let paused = order(stop).await.paused.expect("paused");
        assert_eq!(
            (paused.by.as_str(), paused.why.as_str()),
            ("Dewi", "stock-taking")
        );
        let record = order(Order::Resume { by: "Budi".into() }).await;
        assert_eq!(record.paused, None);
        let lines = record::audit(&store, "main").await.expect("read");
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.who.as_str(), line.what.as_str()))
            .collect();
        assert_eq!(told, [("Dewi", "stop"), ("Budi", "resume")]);
    }

    #[tokio::test]
    async fn one_person_at_a_time_changes_the_connection_and_a_forgotten_change_ends_by_itself() {
        let (clock, store) = store();
        let settings = settings("", &[]);
        let first = carry_out(&store, &settings, "main", &begin("Dewi", "reset"))
            .await
            .expect("begun");
        assert_eq!(first.generation, 1);
        assert!(first.paused.is_some());
        let busy = carry_out(&store, &settings, "main", &begin("Budi", "pair")).await;
        assert!(
            matches!(&busy, Err(NotOrdered::Busy(change)) if change.by == "Dewi"),
            "{busy:?}"
        );
        let resumed = carry_out(&store, &settings, "main", &Order::Resume { by: "Budi".into() }).await;
        assert!(
            matches!(resumed, Err(NotOrdered::Busy(_))),
            "while it is under way"
        );
        let stop = Order::Stop {
            by: "Budi".into(),
            why: String::new(),
        };
        carry_out(&store, &settings, "main", &stop)
            .await
            .expect("anybody may stop it");
        clock.advance(std::time::Duration::from_secs(601));
        carry_out(&store, &settings, "main", &begin("Budi", "pair"))
            .await
            .expect("begun");
        let end = Order::End {
            by: "Budi".into(),
            outcome: "connected".into(),
            resume: true,
        };
        let ended = carry_out(&store, &settings, "main", &end).await.expect("ended");
        assert_eq!((ended.change, ended.paused), (None, None));
    }

    #[tokio::test]
    async fn only_the_owner_and_the_deputies_change_it() {
        let (_, store) = store();
        let settings = settings("Dewi", &["Budi"]);
        let refused = carry_out(&store, &settings, "main", &begin("Sari", "pair"))
            .await
            .expect_err("refused");
        assert_eq!(
            refused.to_string(),
            "Sari may not change this connection; its owner is Dewi, or Budi for them"
        );
        for by in ["dewi", "Budi"] {
            carry_out(&store, &settings, by, &begin(by, "pair"))
                .await
                .expect("begun");
        }
        let nobody = carry_out(&store, &settings, "main", &begin(" ", "pair")).await;
        assert!(matches!(nobody, Err(NotOrdered::Nobody)));
        assert_eq!(
            record::audit(&store, "main").await.expect("read"),
            [],
            "what was refused did not happen"
        );
    }

    #[tokio::test]
    async fn a_record_that_can_t_be_read_holds_everything_back() {
        let (_, store) = store();
        store.put_setting("link/main", b"\x00").await.expect("written");
        assert!(record::read(&store, "main").await.expect("read").paused.is_some());
    }
}
