//! The business file: what holds for all flows.

use std::time::Duration;

use jiff::civil;

use super::{Arg, Expr, Kind, Name, NoReply, On, Otherwise, Path, Phrase, Tail, Text};
use crate::flow::source::{FileId, Span};
use crate::flow::strings::same_language;

#[derive(Debug, Clone, PartialEq)]
pub struct Business {
    pub file: FileId,
    pub name: Text,
    pub timezone: Option<Text>,
    pub languages: Vec<Name>,
    /// `starts with FLOW`: the front door.
    pub front_door: Option<Phrase>,
    pub teams: Vec<Team>,
    pub knowledge: Vec<Knowledge>,
    pub forms: Vec<FormOf>,
    pub topics: Vec<Topic>,
    pub templates: Vec<Template>,
    pub memory: Vec<Field>,
    pub services: Vec<Service>,
    pub defaults: Defaults,
    pub ons: Vec<On>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    pub name: Name,
    pub title: Text,
    /// Empty: always open.
    pub hours: Vec<Hours>,
    pub closed_on: Vec<(civil::Date, Span)>,
    pub span: Span,
}

/// `knowledge faq "knowledge/faq.md"`: a file beside the flows.
#[derive(Debug, Clone, PartialEq)]
pub struct Knowledge {
    pub name: Name,
    pub path: Text,
    pub span: Span,
}

/// `topic returns "Sending something back"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    pub name: Name,
    pub about: Text,
    pub span: Span,
}

/// `form delivery "1234567890"`: a form made at WhatsApp, by its id there, and the fields it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct FormOf {
    pub name: Name,
    pub id: Text,
    pub gives: Vec<Field>,
    pub span: Span,
}

/// A template approved by WhatsApp, with named blanks; the compiler numbers them.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub name: Name,
    /// `utility`, `marketing` or `authentication`.
    pub category: Name,
    /// Language and text, in the order written.
    pub texts: Vec<(Name, Text)>,
    pub buttons: Vec<Text>,
    /// `button pt "…"`: the same buttons as they were approved in further languages.
    pub further_buttons: Vec<(Name, Vec<Text>)>,
    pub span: Span,
}

impl Template {
    /// It was approved in this language.
    pub fn speaks(&self, language: &str) -> bool {
        self.texts
            .iter()
            .any(|(own, _)| same_language(&own.text, language))
    }

    /// The buttons that a language has for itself; without them those without a language stand for it.
    pub fn own_buttons(&self, language: &str) -> Option<&[Text]> {
        let mut own = self.further_buttons.iter();
        let (_, buttons) = own.find(|(name, _)| same_language(&name.text, language))?;
        Some(buttons)
    }
}

/// `mon to fri 09:00 to 18:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    pub first: civil::Weekday,
    pub last: civil::Weekday,
    pub from: civil::Time,
    /// At or before `from`: the next day. `24:00` is written as 00:00.
    pub to: civil::Time,
    pub span: Span,
}

/// `contact.vip: yes or no = no, forget after 90 days`.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub path: Path,
    pub kind: Kind,
    pub default: Option<Expr>,
    pub forget_after: Option<Duration>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub name: Name,
    pub url: Text,
    /// Name of the secret, never its value.
    pub key: Option<Name>,
    pub actions: Vec<Action>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    pub name: Name,
    pub needs: Vec<Name>,
    pub method: Method,
    /// Path below the service's address; its blanks are the needs.
    pub path: Text,
    pub body: Vec<Arg>,
    pub gives: Vec<Field>,
    pub timeout: Option<Duration>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defaults {
    pub otherwise: Option<Otherwise>,
    pub no_reply: Vec<NoReply>,
    pub problem: Option<Tail>,
    /// What the customer is told outside a team's hours; `{{ opens }}` and `{{ team }}` may be used.
    pub closed: Option<Text>,
    pub old_buttons: Option<(OldButtons, Span)>,
    pub takeover_pauses: Option<Duration>,
    pub burst_quiet: Option<Duration>,
    /// `opt out also "…"`: words that count as the shipped ones do.
    pub opt_out: Vec<Text>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldButtons {
    Reopen,
    Repeat,
    Ignore,
}
