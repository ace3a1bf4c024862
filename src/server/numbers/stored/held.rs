//! The record of all numbers, and the text it stands for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{IN_STORE, StoredError};
use crate::server::config::Side;

/// The key of a number that is rotated, without its `_env` or `_file`.
pub(super) const SECRET: &str = "webhook_secret";
/// Format of the record.
const FORMAT: u8 = 1;

/// All numbers that the store holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    v: u8,
    /// Grows with each change, also of a secret alone: whoever looks at the record sees that something is new.
    pub(super) turn: u64,
    pub(super) numbers: Vec<Number>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Number {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<OfAgent>,
    /// Its keys, as the configuration has them.
    pub table: Table,
    /// Secrets that were rotated away and are good for a while yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retiring: Vec<Retiring>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OfAgent {
    pub agent: String,
    pub side: Side,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Retiring {
    /// The key of the number that names it, `webhook_secret_env` or `webhook_secret_file`.
    pub key: String,
    pub name: String,
    pub until: Timestamp,
}

impl Default for Held {
    fn default() -> Held {
        Held {
            v: FORMAT,
            turn: 0,
            numbers: Vec::new(),
        }
    }
}

impl Held {
    pub(super) fn read(bytes: Option<&[u8]>) -> Result<Held, StoredError> {
        let Some(bytes) = bytes else {
            return Ok(Held::default());
        };
        let held: Held =
            serde_json::from_slice(bytes).map_err(|why| StoredError::Unreadable(why.to_string()))?;
        if held.v > FORMAT {
            return Err(StoredError::Unreadable(format!(
                "format {}, this one reads up to {FORMAT}",
                held.v
            )));
        }
        Ok(held)
    }

    pub(super) fn written(&self) -> Result<Vec<u8>, StoredError> {
        serde_json::to_vec(self).map_err(|why| StoredError::Unreadable(why.to_string()))
    }

    pub(super) fn number(&self, id: &str) -> Option<&Number> {
        self.numbers.iter().find(|number| number.id == id)
    }

    pub(super) fn number_mut(&mut self, id: &str) -> Option<&mut Number> {
        self.numbers.iter_mut().find(|number| number.id == id)
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.numbers.iter().map(|number| number.id.as_str())
    }

    /// When the next secret that was rotated away stops being good.
    pub(super) fn next_retirement(&self, now: Timestamp) -> Option<Timestamp> {
        let all = self.numbers.iter().flat_map(|number| &number.retiring);
        all.map(|retiring| retiring.until)
            .filter(|until| *until > now)
            .min()
    }

    /// Takes out what is not good any more. Gives the secrets that were made here and that nobody names now; those that
    /// people put into the store are theirs.
    pub(super) fn tidy(&mut self, now: Timestamp) -> Vec<String> {
        let mut gone = Vec::new();
        for number in &mut self.numbers {
            number.table = number.present(now);
            let over = number.retiring.extract_if(.., |one| one.until <= now);
            let made = made_for(&number.id);
            let over = over.filter(|one| one.name.starts_with(&made));
            gone.extend(over.filter_map(|one| one.name.strip_prefix(IN_STORE).map(str::to_owned)));
        }
        let named = self.secrets(now);
        gone.retain(|name| !named.contains(name));
        gone
    }

    /// The names of the secrets of the store that numbers use.
    pub(super) fn secrets(&self, now: Timestamp) -> Vec<String> {
        let mut names = Vec::new();
        for number in &self.numbers {
            gather(&Value::Table(number.present(now)), &mut names);
        }
        names.sort();
        names.dedup();
        names
    }

    /// As a configuration would say it.
    pub(super) fn document(&self, now: Timestamp) -> Result<String, StoredError> {
        let mut channels = Vec::new();
        let mut agents: Vec<(&str, Table)> = Vec::new();
        for number in &self.numbers {
            let mut table = number.present(now);
            table.insert("id".to_owned(), Value::String(number.id.clone()));
            let Some(of) = &number.agent else {
                channels.push(Value::Table(table));
                continue;
            };
            let place = match agents.iter().position(|(agent, _)| *agent == of.agent) {
                Some(place) => place,
                None => {
                    let id = Value::String(of.agent.clone());
                    agents.push((&of.agent, Table::from_iter([("id".to_owned(), id)])));
                    agents.len() - 1
                }
            };
            agents[place]
                .1
                .insert(of.side.name().to_owned(), Value::Table(table));
        }
        let agents = agents.into_iter().map(|(_, table)| Value::Table(table)).collect();
        let document = Table::from_iter([
            ("channel".to_owned(), Value::Array(channels)),
            ("agent".to_owned(), Value::Array(agents)),
        ]);
        toml::to_string(&document).map_err(|why| StoredError::Unreadable(why.to_string()))
    }
}

impl Number {
    /// Its keys, without the secrets that are not good any more.
    fn present(&self, now: Timestamp) -> Table {
        let mut table = self.table.clone();
        for over in self.retiring.iter().filter(|one| one.until <= now) {
            let rest: Vec<Value> = names(&table, &over.key)
                .into_iter()
                .filter(|name| *name != over.name)
                .map(Value::String)
                .collect();
            if rest.is_empty() {
                table.remove(&over.key);
            } else {
                table.insert(over.key.clone(), Value::Array(rest));
            }
        }
        table
    }
}

/// What the names of secrets begin with that were made for this number.
pub(super) fn made_for(id: &str) -> String {
    format!("{IN_STORE}{id}.{SECRET}.")
}

/// The names under a key that takes one or several.
pub(super) fn names(table: &Table, key: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match table.get(key) {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(text).collect(),
        Some(_) | None => Vec::new(),
    }
}

fn gather(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.extend(text.strip_prefix(IN_STORE).map(str::to_owned)),
        Value::Array(all) => all.iter().for_each(|one| gather(one, into)),
        Value::Table(table) => table.values().for_each(|one| gather(one, into)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}
