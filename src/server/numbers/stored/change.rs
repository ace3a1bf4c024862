//! What operators change of the numbers in the store. Every change is first held against everything: the configuration,
//! the other numbers, the secrets, what is published. What does not fit is refused whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Serialize;
use toml::{Table, Value};

use super::held::{Held, Number, OfAgent, Retiring, SECRET, made_for, names};
use super::{HELD, IN_STORE, StoredError, Written, secrets};
use crate::server::config::{self, ChannelConfig, Side};
use crate::server::flows::versions::Really;
use crate::server::numbers::door::{Door, DoorError};

/// How often somebody who lost a race looks again.
const TRIES: usize = 8;
/// Of a secret that is made here: 64 hexadecimal digits.
const SECRET_BYTES: usize = 32;

/// What a command changed, or would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// By number, a line each; none for one that is as it was.
    pub numbers: BTreeMap<String, Vec<String>>,
    /// Numbers in the store that the file does not name; they stay unless they are asked away.
    pub unnamed: Vec<String>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.numbers.values().all(Vec::is_empty)
    }
}

/// What came of [`rotate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// So long the secret before is good, too.
    pub until: Timestamp,
    /// The provider is told by `channel register`, not by hand.
    pub by_register: bool,
}

/// Takes a step on all numbers, holds it against everything, and writes it.
async fn change<T>(
    written: &Written,
    door: &Door,
    really: Really,
    mut alter: impl FnMut(&mut Held, Timestamp) -> Result<T, StoredError>,
) -> Result<(Changes, T), StoredError> {
    for _ in 0..TRIES {
        let seen = door.get(HELD).await?;
        let mut before = Held::read(seen.as_deref())?;
        let now = door.now();
        // What is over is no change of this one; it goes with the next that there is.
        let gone = before.tidy(now);
        let mut held = before.clone();
        let result = alter(&mut held, now)?;
        let config = written.resolved(door, &held).await?;
        written.fits(door, &config).await?;
        let changes = differences(&before, &held);
        if really == Really::Show || (changes.is_empty() && held == before) {
            return Ok((changes, result));
        }
        held.turn += 1;
        if door.swap(HELD, seen.as_deref(), Some(&held.written()?)).await? {
            for name in gone {
                secrets::forget(door, &name).await?;
            }
            return Ok((changes, result));
        }
    }
    Err(DoorError::Contended(HELD.to_owned()).into())
}

/// Makes the store's numbers what a text says, in the words of the configuration. What the text does not name stays,
/// unless `prune`.
///
/// # Errors
/// Every mistake of the text, or what does not fit; nothing is changed then.
pub async fn apply(
    written: &Written,
    door: &Door,
    (text, shown): (&str, &Path),
    prune: bool,
    really: Really,
) -> Result<Changes, StoredError> {
    let numbers = declared(written, door, text, shown).await?;
    let alter = |held: &mut Held, _: Timestamp| {
        let named = |id: &str| numbers.iter().any(|number| number.id == id);
        let unnamed: Vec<String> = held.ids().filter(|id| !named(id)).map(str::to_owned).collect();
        if prune {
            held.numbers.retain(|number| named(&number.id));
        }
        for number in &numbers {
            let mut number = number.clone();
            match held.number_mut(&number.id) {
                Some(known) => {
                    keep_rotated(known, &mut number);
                    *known = number;
                }
                None => held.numbers.push(number),
            }
        }
        Ok(if prune { Vec::new() } else { unnamed })
    };
    let (mut changes, unnamed) = change(written, door, really, alter).await?;
    changes.unnamed = unnamed;
    Ok(changes)
}

/// A secret that was rotated stands in the store, not in the file that is applied again.
fn keep_rotated(known: &Number, number: &mut Number) {
    let ours = |number: &Number| {
        let mut all = names(&number.table, &format!("{SECRET}_env"));
        let made = made_for(&number.id);
        all.retain(|name| name.starts_with(&made));
        all
    };
    if ours(known).is_empty() || !ours(number).is_empty() {
        return;
    }
    for kind in ["env", "file"] {
        let key = format!("{SECRET}_{kind}");
        match known.table.get(&key) {
            Some(value) => number.table.insert(key, value.clone()),
            None => number.table.remove(&key),
        };
    }
    number.retiring.clone_from(&known.retiring);
}

/// The numbers of a text.
async fn declared(
    written: &Written,
    door: &Door,
    text: &str,
    shown: &Path,
) -> Result<Vec<Number>, StoredError> {
    // First as it stands, so that mistakes are drawn where they are.
    let mut all = Vec::new();
    for name in secrets::names(door).await? {
        all.push(name);
    }
    let opened = written.opened(door, all).await?;
    written.taken(text, shown, &opened)?;
    let unreadable = |why: toml::de::Error| StoredError::Asked(why.to_string());
    let table: Table = toml::from_str(text).map_err(unreadable)?;
    let tables = |table: &Table, key: &str| -> Vec<Table> {
        let all = table.get(key).and_then(Value::as_array);
        let one = |value: &Value| value.as_table().cloned();
        all.into_iter().flatten().filter_map(one).collect()
    };
    let id_of = |table: &mut Table| match table.remove("id") {
        Some(Value::String(id)) => Some(id),
        Some(_) | None => None,
    };
    let mut numbers = Vec::new();
    for mut table in tables(&table, "channel") {
        let id = id_of(&mut table).unwrap_or_default();
        numbers.push(Number {
            id,
            agent: None,
            table,
            retiring: Vec::new(),
        });
    }
    for mut agent in tables(&table, "agent") {
        let name = id_of(&mut agent).unwrap_or_default();
        for side in [Side::Published, Side::Draft] {
            let Some(Value::Table(mut table)) = agent.remove(side.name()) else {
                continue;
            };
            let id = id_of(&mut table).unwrap_or_else(|| format!("{name}-{}", side.name()));
            numbers.push(Number {
                id,
                agent: Some(OfAgent {
                    agent: name.clone(),
                    side,
                }),
                table,
                retiring: Vec::new(),
            });
        }
    }
    Ok(numbers)
}

/// Sets keys of a number, and takes others away. A number that is not there is made.
///
/// # Errors
/// What does not fit; nothing is changed then.
pub async fn set(
    written: &Written,
    door: &Door,
    id: &str,
    (keys, without): (&[(String, String)], &[String]),
    really: Really,
) -> Result<Changes, StoredError> {
    not_in_file(written, id)?;
    let alter = |held: &mut Held, _: Timestamp| {
        if held.number(id).is_none() {
            held.numbers.push(Number {
                id: id.to_owned(),
                agent: None,
                table: Table::new(),
                retiring: Vec::new(),
            });
        }
        let Some(number) = held.number_mut(id) else {
            return Ok(());
        };
        for key in without {
            if take(&mut number.table, key).is_none() {
                let why = format!("{id} has no {key} to take away");
                return Err(StoredError::Asked(why));
            }
        }
        for (key, value) in keys {
            put(&mut number.table, key, value)?;
        }
        Ok(())
    };
    let (changes, ()) = change(written, door, really, alter).await?;
    Ok(changes)
}

/// Takes a number out of the store. Its conversations stay, and nobody answers them.
///
/// # Errors
/// If there is none, or the rest does not fit without it.
pub async fn remove(
    written: &Written,
    door: &Door,
    id: &str,
    really: Really,
) -> Result<Changes, StoredError> {
    not_in_file(written, id)?;
    let alter = |held: &mut Held, _: Timestamp| {
        known(held, id)?;
        held.numbers.retain(|number| number.id != id);
        Ok(())
    };
    let (changes, ()) = change(written, door, really, alter).await?;
    Ok(changes)
}

/// Gives a number a new secret for the end of its webhook's address. The one before is good for `overlap` yet.
///
/// # Errors
/// If its address ends with none, or the store does not hold the number.
pub async fn rotate(
    written: &Written,
    door: &Door,
    id: &str,
    overlap: Duration,
) -> Result<Rotated, StoredError> {
    if in_file(written, id) {
        let path = written.path.display();
        return Err(StoredError::Asked(format!(
            "{id} stands in {path}: write {SECRET}_env = [\"NEW\", \"OLD\"] there, start the server again, give the new \
             address to the provider, and take OLD out when that is done"
        )));
    }
    let (config, _) = written.with_stored(door).await?;
    let channel = config.channels.iter().find(|channel| channel.id == id);
    let held = Held::read(door.get(HELD).await?.as_deref())?;
    let channel: &ChannelConfig = match channel {
        Some(channel) => channel,
        None => return Err(unknown(&held, id)),
    };
    if channel.provider.path_secret().is_none() {
        return Err(StoredError::Asked(format!(
            "the address of {id} ends with no secret: its webhooks are proved otherwise. Change that secret where {id} names \
             it; it may name two while it changes"
        )));
    }
    let by_register = channel.provider.name() == "qontak";
    let made = made_for(id);
    let number_of =
        |name: &String| -> Option<u32> { format!("{IN_STORE}{name}").strip_prefix(&made)?.parse().ok() };
    let last = secrets::names(door).await?.iter().filter_map(number_of).max();
    let name = format!("{id}.{SECRET}.{}", last.unwrap_or(0) + 1);
    secrets::put(&written.config, door, &name, &fresh()?).await?;
    let overlap = SignedDuration::try_from(overlap).unwrap_or(SignedDuration::MAX);
    let alter = |held: &mut Held, now: Timestamp| {
        let until = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        let unknown = unknown(held, id);
        let number = held.number_mut(id).ok_or(unknown)?;
        for kind in ["env", "file"] {
            let key = format!("{SECRET}_{kind}");
            for name in names(&number.table, &key) {
                let retiring = |one: &Retiring| one.key == key && one.name == name;
                if !number.retiring.iter().any(retiring) {
                    let key = key.clone();
                    number.retiring.push(Retiring { key, name, until });
                }
            }
        }
        let key = format!("{SECRET}_env");
        let mut all = vec![Value::String(format!("{IN_STORE}{name}"))];
        all.extend(names(&number.table, &key).into_iter().map(Value::String));
        number.table.insert(key, Value::Array(all));
        Ok(until)
    };
    let (_, until) = change(written, door, Really::Do, alter).await?;
    Ok(Rotated { until, by_register })
}

fn fresh() -> Result<SecretString, StoredError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|why| StoredError::Asked(format!("this machine gives no random bytes: {why}")))?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(SecretString::from(hex))
}

fn in_file(written: &Written, id: &str) -> bool {
    written.config.channels.iter().any(|channel| channel.id == id)
}

fn not_in_file(written: &Written, id: &str) -> Result<(), StoredError> {
    if in_file(written, id) {
        let path = written.path.display();
        return Err(StoredError::Asked(format!(
            "{id} stands in {path}: change it there and start the server again, or take it out there to have it in the store"
        )));
    }
    Ok(())
}

fn known<'a>(held: &'a Held, id: &str) -> Result<&'a Number, StoredError> {
    held.number(id).ok_or_else(|| unknown(held, id))
}

fn unknown(held: &Held, id: &str) -> StoredError {
    let ids: Vec<&str> = held.ids().collect();
    StoredError::Asked(if ids.is_empty() {
        format!("the store holds no number {id:?}, nor any other")
    } else {
        format!("the store holds no number {id:?}; it holds {}", ids.join(", "))
    })
}

/// Puts a value under `key` or `table.key`.
fn put(table: &mut Table, key: &str, text: &str) -> Result<(), StoredError> {
    put_value(table, key, value_of(key, text))
}

fn put_value(table: &mut Table, key: &str, value: Value) -> Result<(), StoredError> {
    let Some((first, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return Ok(());
    };
    let inner = table
        .entry(first.to_owned())
        .or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(inner) = inner else {
        return Err(StoredError::Asked(format!("{first} has no keys of its own")));
    };
    put_value(inner, rest, value)
}

fn take(table: &mut Table, key: &str) -> Option<Value> {
    match key.split_once('.') {
        None => table.remove(key),
        Some((first, rest)) => {
            let inner = table.get_mut(first)?.as_table_mut()?;
            let taken = take(inner, rest)?;
            if inner.is_empty() {
                table.remove(first);
            }
            Some(taken)
        }
    }
}

/// What is written after `key=`: as TOML where that is what the key takes, else the text itself, so that nobody has to
/// quote twice.
fn value_of(key: &str, text: &str) -> Value {
    let plain = Value::String(text.to_owned());
    let Ok(Some(value)) = toml::from_str::<Table>(&format!("v = {text}")).map(|mut one| one.remove("v"))
    else {
        return plain;
    };
    let mut alone = Table::from_iter([
        ("id".to_owned(), Value::String("a".to_owned())),
        ("provider".to_owned(), Value::String("simulator".to_owned())),
    ]);
    // Where no such key can be, nothing is taken for more than text.
    if put_value(&mut alone, key, value.clone()).is_err() {
        return plain;
    }
    match toml::to_string(&alone) {
        Ok(text) if config::is_a_number(&text) => value,
        Ok(_) | Err(_) => plain,
    }
}

fn differences(before: &Held, after: &Held) -> Changes {
    let mut numbers = BTreeMap::new();
    for number in &after.numbers {
        let lines = match before.number(&number.id) {
            None => vec!["is new".to_owned()],
            Some(known) => lines(known, number),
        };
        numbers.insert(number.id.clone(), lines);
    }
    for number in &before.numbers {
        if after.number(&number.id).is_none() {
            numbers.insert(number.id.clone(), vec!["is taken away".to_owned()]);
        }
    }
    Changes {
        numbers,
        unnamed: Vec::new(),
    }
}

fn lines(before: &Number, after: &Number) -> Vec<String> {
    let mut lines = Vec::new();
    if before.agent != after.agent {
        let name = |number: &Number| {
            let of = number.agent.as_ref();
            of.map_or("no agent".to_owned(), |of| {
                format!("{}, {}", of.agent, of.side.name())
            })
        };
        lines.push(format!("agent: {} → {}", name(before), name(after)));
    }
    let (old, new) = (flat(&before.table), flat(&after.table));
    for (key, value) in &new {
        match old.get(key) {
            None => lines.push(format!("{key}: {value} is new")),
            Some(former) if former != value => lines.push(format!("{key}: {former} → {value}")),
            Some(_) => {}
        }
    }
    for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        lines.push(format!("{key}: {value} is taken away"));
    }
    lines
}

/// Every value under its whole key. There is no secret among them: those are named only.
fn flat(table: &Table) -> BTreeMap<String, String> {
    fn into(prefix: &str, table: &Table, all: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let key = format!("{prefix}{key}");
            match value {
                Value::Table(inner) => into(&format!("{key}."), inner, all),
                other => {
                    all.insert(key, other.to_string());
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    into("", table, &mut all);
    all
}
