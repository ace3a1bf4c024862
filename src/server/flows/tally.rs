//! Who is where: positions counted over all chats of the store, so that publishing can say whom it touches, and so that
//! no version is cleared away that somebody is still in the middle of. Nothing that a customer said is in it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{Frame, Memory, Mode, Position, fits};
use crate::flow::tree::Kind;
use crate::flow::value::{Record, Value};
use crate::server::turns::session::Session;
use crate::store::{ContactId, Store, StoreError};

/// Chats in one step of a walk, so that nobody waits behind it.
pub const STEP: usize = 200;
/// Contacts of one place that are named.
const NAMED: usize = 100;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Looked at.
    pub chats: usize,
    /// Chats whose position could not be read.
    #[serde(default)]
    pub unread: usize,
    /// Who waits for an answer of a flow, or whose answer is waited for.
    pub waiting: Vec<Waiting>,
    pub plans: Vec<Planned>,
    /// Names of all states that some position mentions, also below the running flow and on buttons of before.
    pub places: BTreeSet<String>,
    /// Chats that name a program anywhere in their position, by its hash.
    pub programs: BTreeMap<String, usize>,
    /// Of the fields that were asked for, who remembers one: by channel and field. `None`: none was asked for, or the
    /// server that was asked doesn't count them yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<BTreeMap<String, BTreeMap<String, Held>>>,
}

/// People who remember a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub people: usize,
    /// Of them, those whose value can't be read as the kind that was asked for.
    pub unfit: usize,
}

impl std::ops::AddAssign for Held {
    fn add_assign(&mut self, more: Held) {
        self.people += more.people;
        self.unfit += more.unfit;
    }
}

/// Kinds that fields of contacts shall have, by name: values are held against them.
pub type Kinds = BTreeMap<String, Kind>;

/// People at one place of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub channel: String,
    pub flow: String,
    pub program: String,
    /// Name of the state.
    pub at: String,
    pub anchor: String,
    /// Names of what is known there.
    pub known: BTreeSet<Vec<String>>,
    pub people: usize,
    /// Options on their screens, by id, with how many have them.
    pub options: BTreeMap<String, usize>,
    /// Some of them.
    pub contacts: Vec<String>,
}

/// Follow-ups of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub channel: String,
    pub name: String,
    pub flow: String,
    pub step: Option<String>,
    pub program: String,
    pub known: BTreeSet<Vec<String>>,
    pub people: usize,
}

/// One step of a walk over the chats of a store: what is counted, and where the next step goes on.
///
/// # Errors
/// If the store can't be asked.
pub async fn step(
    store: &dyn Store,
    after: Option<ContactId>,
    limit: usize,
    kinds: &Kinds,
) -> Result<(Tally, Option<ContactId>), StoreError> {
    let contacts = store.contacts_after(after, limit).await?;
    let now = store.now();
    let mut tally = Tally {
        held: (!kinds.is_empty()).then(BTreeMap::new),
        ..Tally::default()
    };
    for contact in &contacts {
        let claim = match store.peek(*contact).await {
            Ok(Some(claim)) => claim,
            Ok(None) => continue,
            // One chat that can't be read hides nobody else.
            Err(StoreError::Corrupt { .. }) => {
                tally.unread += 1;
                continue;
            }
            Err(why) => return Err(why),
        };
        tally.chats += 1;
        match Session::of(&claim) {
            Ok((session, memory)) => {
                tally.count(&claim.channel, *contact, &session.position);
                tally.hold(&claim.channel, &memory, kinds, now);
            }
            Err(_) => tally.unread += 1,
        }
    }
    let next = (contacts.len() >= limit)
        .then(|| contacts.last().copied())
        .flatten();
    Ok((tally, next))
}

/// Names of what a flow knows, with the fields of its records.
fn names(locals: &Record) -> BTreeSet<Vec<String>> {
    let mut names = BTreeSet::new();
    for (name, value) in locals {
        names.insert(vec![name.clone()]);
        if let Value::Record(fields) = value {
            names.extend(fields.keys().map(|field| vec![name.clone(), field.clone()]));
        }
    }
    names
}

impl Tally {
    /// One more chat.
    pub fn count(&mut self, channel: &str, contact: ContactId, position: &Position) {
        for program in position.programs() {
            *self.programs.entry(program.to_owned()).or_default() += 1;
        }
        let frames = position
            .frames
            .iter()
            .chain(position.interrupted.iter().flatten());
        self.places.extend(frames.map(|frame| frame.at.clone()));
        self.places.extend(position.old.iter().map(|old| old.at.clone()));
        if let Some(frame) = position
            .frames
            .last()
            .filter(|_| position.mode == Mode::Autopilot)
        {
            self.add_waiting(Waiting::of(channel, contact, frame));
        }
        for planned in &position.later {
            self.add_plan(Planned {
                channel: channel.to_owned(),
                name: planned.name.clone(),
                flow: planned.flow.clone(),
                step: planned.step.clone(),
                program: planned.program.clone(),
                known: names(&planned.values),
                people: 1,
            });
        }
    }

    /// One more memory.
    fn hold(&mut self, channel: &str, memory: &Memory, kinds: &Kinds, now: Timestamp) {
        for (field, kind) in kinds {
            let kept = memory.fields.get(field);
            let Some(kept) = kept.filter(|kept| kept.forget_at.is_none_or(|end| end > now)) else {
                continue;
            };
            let held = self.held.get_or_insert_default();
            let held = held.entry(channel.to_owned()).or_default();
            *held.entry(field.clone()).or_default() += Held {
                people: 1,
                unfit: usize::from(!fits(kind, &kept.value)),
            };
        }
    }

    /// Who of these channels remembers a field. `None`: nobody looked.
    pub fn held(&self, channels: &BTreeSet<String>, field: &str) -> Option<Held> {
        let held = self.held.as_ref()?;
        let of = held.iter().filter(|(channel, _)| channels.contains(*channel));
        let mut all = Held::default();
        of.filter_map(|(_, fields)| fields.get(field))
            .for_each(|one| all += *one);
        Some(all)
    }

    /// Adds what another step of the walk counted.
    pub fn add(&mut self, other: Tally) {
        if let Some(others) = other.held {
            let held = self.held.get_or_insert_default();
            for (channel, fields) in others {
                let held = held.entry(channel).or_default();
                for (field, more) in fields {
                    *held.entry(field).or_default() += more;
                }
            }
        }
        self.chats += other.chats;
        self.unread += other.unread;
        self.places.extend(other.places);
        for (program, chats) in other.programs {
            *self.programs.entry(program).or_default() += chats;
        }
        other
            .waiting
            .into_iter()
            .for_each(|waiting| self.add_waiting(waiting));
        other.plans.into_iter().for_each(|planned| self.add_plan(planned));
    }

    fn add_waiting(&mut self, more: Waiting) {
        match self.waiting.iter_mut().find(|one| one.place() == more.place()) {
            Some(one) => {
                one.people += more.people;
                for (option, people) in more.options {
                    *one.options.entry(option).or_default() += people;
                }
                one.contacts.extend(more.contacts);
                one.contacts.truncate(NAMED);
            }
            None => self.waiting.push(more),
        }
    }

    fn add_plan(&mut self, more: Planned) {
        match self.plans.iter_mut().find(|one| one.place() == more.place()) {
            Some(one) => one.people += more.people,
            None => self.plans.push(more),
        }
    }
}

impl Planned {
    /// All but how many it is planned for.
    fn place(&self) -> (&str, &str, &str, Option<&str>, &str, &BTreeSet<Vec<String>>) {
        (
            &self.channel,
            &self.name,
            &self.flow,
            self.step.as_deref(),
            &self.program,
            &self.known,
        )
    }
}

impl Waiting {
    fn of(channel: &str, contact: ContactId, frame: &Frame) -> Waiting {
        Waiting {
            channel: channel.to_owned(),
            flow: frame.flow.clone(),
            program: frame.program.clone(),
            at: frame.at.clone(),
            anchor: frame.anchor.clone(),
            known: names(&frame.locals),
            people: 1,
            options: frame.options.iter().map(|sent| (sent.id.clone(), 1)).collect(),
            contacts: vec![contact.to_string()],
        }
    }

    fn place(&self) -> (&str, &str, &str, &str, &BTreeSet<Vec<String>>) {
        (&self.channel, &self.program, &self.at, &self.anchor, &self.known)
    }
}

/// Values by these names, for whoever only asks whether they are known.
pub(in crate::server) fn known(names: &BTreeSet<Vec<String>>) -> Record {
    let mut known = Record::new();
    for name in names {
        match name.as_slice() {
            [root] => {
                known.insert(root.clone(), Value::YesNo(true));
            }
            [root, field] => {
                let fields = known.entry(root.clone()).or_insert(Value::YesNo(true));
                if let Value::Record(fields) = fields {
                    fields.insert(field.clone(), Value::YesNo(true));
                } else {
                    *fields = Value::Record(Record::from([(field.clone(), Value::YesNo(true))]));
                }
            }
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Remembered, SentOption};

    fn waits(program: &str, at: &str, options: &[&str]) -> Position {
        let option = |id: &&str| SentOption {
            id: (*id).to_owned(),
            label: (*id).to_owned(),
            value: None,
            row: None,
        };
        let mut position = Position::default();
        position.frames.push(Frame {
            flow: "desk".to_owned(),
            program: program.to_owned(),
            at: at.to_owned(),
            anchor: "b3:1".to_owned(),
            visit: 1,
            misses: 0,
            gathered: 0,
            page: 0,
            silences: 0,
            locals: Record::new(),
            talk: None,
            options: options.iter().map(option).collect(),
        });
        position
    }

    #[test]
    fn people_at_one_place_are_counted_together_in_whatever_steps() {
        let contact = |n: u8| ContactId([n; 16]);
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.count("shop", contact(1), &waits("a", "desk/hello.name", &["x"]));
        other.count("shop", contact(2), &waits("a", "desk/hello.name", &["x", "y"]));
        other.count("shop", contact(3), &waits("b", "desk/hello.name", &[]));
        let mut people = waits("a", "desk/hello.name", &[]);
        people.mode = Mode::Human;
        other.count("shop", contact(4), &people);
        one.add(other);
        let counts: Vec<_> = one
            .waiting
            .iter()
            .map(|one| (one.program.as_str(), one.people))
            .collect();
        assert_eq!(
            counts,
            [("a", 2), ("b", 1)],
            "people who have the chat wait for no flow"
        );
        assert_eq!(
            one.waiting[0].options,
            BTreeMap::from([("x".to_owned(), 2), ("y".to_owned(), 1)])
        );
        assert_eq!(
            one.programs,
            BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 1)])
        );
    }

    #[test]
    fn values_that_can_t_be_read_as_another_kind_are_counted_by_channel_and_forgotten_ones_are_not() {
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        let kinds = Kinds::from([("size".to_owned(), Kind::Number { from: None, to: None })]);
        let remembers = |size: &str, forget_at: Option<&str>| {
            let mut memory = Memory::default();
            let kept = Remembered {
                value: Value::text(size),
                forget_at: forget_at.map(|at| at.parse().unwrap()),
            };
            memory.fields.insert("size".to_owned(), kept);
            memory
        };
        let mut tally = Tally::default();
        let mut other = Tally::default();
        tally.hold("shop", &remembers("44", None), &kinds, now);
        tally.hold("shop", &remembers("large", None), &kinds, now);
        tally.hold(
            "shop",
            &remembers("gone", Some("2026-03-01T10:00:00Z")),
            &kinds,
            now,
        );
        tally.hold("shop", &Memory::default(), &kinds, now);
        other.hold(
            "shop",
            &remembers("small", Some("2026-04-01T10:00:00Z")),
            &kinds,
            now,
        );
        other.hold("other", &remembers("wide", None), &kinds, now);
        tally.add(other);
        // What a running server tells is the same.
        let told = serde_json::to_string(&tally).unwrap();
        let tally: Tally = serde_json::from_str(&told).unwrap();
        let shop = BTreeSet::from(["shop".to_owned()]);
        assert_eq!(tally.held(&shop, "size"), Some(Held { people: 3, unfit: 2 }));
        assert_eq!(tally.held(&shop, "colour"), Some(Held::default()));
        assert_eq!(Tally::default().held(&shop, "size"), None, "nobody looked");
    }
}
