//! Templates as a provider lists them, and whether what is to be sent fits one. Only what an approved template says can
//! leave outside the 24-hour window, so a value too many, one too few or a paused template is found here, before
//! anything is queued.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::{ButtonValue, MediaKind, OutboundBody, TemplateHeader, TemplateParts};

/// Longest value of a blank, in characters: Meta's.
const LONGEST_VALUE: usize = 1024;

/// A template in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    /// What it is sent under: a name, or at Qontak an id.
    pub name: String,
    /// The provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// As the provider's pages call it, where that is not what it is sent under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub language: String,
    /// In the provider's word, such as `APPROVED` or `PAUSED`.
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Head>,
    pub body: String,
    /// The blanks of the body, in the order in which values are given.
    pub blanks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Knob>,
}

/// The header of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// With a blank or without.
    Text(String),
    /// A file that is given with each message.
    File(MediaKind),
    /// Something else that is given with each message, by the provider's word.
    Other(String),
}

/// A button of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Knob {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wants: Option<Wanted>,
}

/// What a button has to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The end of its address.
    Address,
    /// The code that it copies.
    Code,
}

/// Why a provider's templates are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotListed {
    /// There is no list: templates are sent as they are given, and the provider refuses what it does not have.
    #[error("{0}")]
    NoList(&'static str),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unreachable(String),
}

/// The values of a body's blanks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a list of texts, or an object of texts by name")]
pub enum Values {
    InOrder(Vec<String>),
    ByName(BTreeMap<String, String>),
}

impl Default for Values {
    fn default() -> Values {
        Values::InOrder(Vec::new())
    }
}

/// What somebody wants a template filled with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filling {
    pub values: Values,
    pub header: Option<TemplateHeader>,
    /// By the button's place, from 0.
    pub buttons: BTreeMap<usize, String>,
}

/// Why a filling does not fit its template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("the template {name} ({language}) is {status}, so WhatsApp does not let it leave; {next}")]
    NotApproved {
        name: String,
        language: String,
        status: String,
        next: &'static str,
    },
    #[error("the template {name} takes {wanted}, and {given} given")]
    WrongNumber {
        name: String,
        wanted: String,
        given: String,
    },
    #[error("the template {name} has no blank {blank:?}; it has {known}")]
    NoSuchBlank {
        name: String,
        blank: String,
        known: String,
    },
    #[error("the blank {blank} of the template {name} is given no value")]
    Missing { name: String, blank: String },
    #[error("the value of {blank} is empty, which WhatsApp refuses; leave the message out or write a word")]
    Empty { blank: String },
    #[error("the value of {blank} has {size} characters, {LONGEST_VALUE} at most")]
    TooLong { blank: String, size: usize },
    #[error("the header of the template {name} takes {wanted}; give it as `header`")]
    HeaderMissing { name: String, wanted: String },
    #[error("the header of the template {name} takes {wanted}, and something else is given")]
    HeaderUnwanted { name: String, wanted: String },
    #[error("the header of the template {name} is {what}, which Switchboard does not fill")]
    HeaderUnknown { name: String, what: String },
    #[error("the button {index} of the template {name} takes {wanted}; give it in `buttons`")]
    ButtonMissing {
        name: String,
        index: usize,
        wanted: &'static str,
    },
    #[error("the template {name} has no button {index} that takes a value")]
    ButtonUnwanted { name: String, index: usize },
    #[error("{url:?} is no address of a file; write it whole, beginning with https://")]
    NoAddress { url: String },
}

impl Template {
    /// Whether somebody means this one.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name
            || [&self.id, &self.label]
                .iter()
                .any(|known| known.as_deref() == Some(name))
    }

    /// Whether WhatsApp lets it leave.
    pub fn is_approved(&self) -> bool {
        self.status.eq_ignore_ascii_case("approved")
    }

    /// The message, if the filling fits.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn filled(&self, filling: &Filling) -> Result<OutboundBody, Misfit> {
        if !self.is_approved() {
            return Err(Misfit::NotApproved {
                name: self.name.clone(),
                language: self.language.clone(),
                status: self.status.to_lowercase(),
                next: next_of(&self.status),
            });
        }
        let values = self.values(&filling.values)?;
        let header = self.header(filling.header.as_ref())?;
        let buttons = self.buttons(&filling.buttons)?;
        let by_name = self.blanks.iter().any(|blank| !is_number(blank));
        Ok(OutboundBody::Template {
            text: self.read_with(&values, header.as_ref()),
            name: self.name.clone(),
            language: self.language.clone(),
            params: values,
            parts: Box::new(TemplateParts {
                names: if by_name { self.blanks.clone() } else { Vec::new() },
                header,
                buttons,
                replies: Vec::new(),
            }),
        })
    }

    fn values(&self, given: &Values) -> Result<Vec<String>, Misfit> {
        let name = || self.name.clone();
        let values = match given {
            Values::InOrder(values) if values.len() == self.blanks.len() => values.clone(),
            Values::InOrder(values) => {
                return Err(Misfit::WrongNumber {
                    name: name(),
                    wanted: match self.blanks.as_slice() {
                        [] => "no values".to_owned(),
                        [one] => format!("one value ({one})"),
                        several => format!("{} values ({})", several.len(), several.join(", ")),
                    },
                    given: match values.len() {
                        0 => "none is".to_owned(),
                        1 => "one is".to_owned(),
                        more => format!("{more} are"),
                    },
                });
            }
            Values::ByName(values) => {
                let stranger = values.keys().find(|key| !self.blanks.contains(key));
                if let Some(blank) = stranger {
                    return Err(Misfit::NoSuchBlank {
                        name: name(),
                        blank: blank.clone(),
                        known: if self.blanks.is_empty() {
                            "none".to_owned()
                        } else {
                            self.blanks.join(", ")
                        },
                    });
                }
                let value = |blank: &String| {
                    values.get(blank).cloned().ok_or_else(|| Misfit::Missing {
                        name: name(),
                        blank: blank.clone(),
                    })
                };
                self.blanks.iter().map(value).collect::<Result<_, _>>()?
            }
        };
        for (blank, value) in self.blanks.iter().zip(&values) {
            writable(blank, value)?;
        }
        Ok(values)
    }

    fn header(&self, given: Option<&TemplateHeader>) -> Result<Option<TemplateHeader>, Misfit> {
        let name = || self.name.clone();
        let wanted = match &self.header {
            Some(Head::Text(text)) if !blanks_of(text).is_empty() => "a text",
            Some(Head::Text(_)) | None => "nothing",
            Some(Head::File(media)) => media_in_words(*media),
            Some(Head::Other(what)) => {
                return Err(Misfit::HeaderUnknown {
                    name: name(),
                    what: what.to_lowercase(),
                });
            }
        };
        match (given, &self.header) {
            (None, _) if wanted == "nothing" => Ok(None),
            (None, _) => Err(Misfit::HeaderMissing {
                name: name(),
                wanted: wanted.to_owned(),
            }),
            (Some(TemplateHeader::Text(text)), Some(Head::Text(_))) if wanted == "a text" => {
                writable("the header", text)?;
                Ok(given.cloned())
            }
            (Some(TemplateHeader::File { media, url, .. }), Some(Head::File(wanted))) if media == wanted => {
                if !(url.starts_with("https://") || url.starts_with("http://")) {
                    return Err(Misfit::NoAddress { url: url.clone() });
                }
                Ok(given.cloned())
            }
            (Some(_), _) => Err(Misfit::HeaderUnwanted {
                name: name(),
                wanted: wanted.to_owned(),
            }),
        }
    }

    fn buttons(&self, given: &BTreeMap<usize, String>) -> Result<Vec<ButtonValue>, Misfit> {
        let wants = |index: usize| self.buttons.get(index).and_then(|button| button.wants);
        if let Some(index) = given.keys().find(|index| wants(**index).is_none()) {
            return Err(Misfit::ButtonUnwanted {
                name: self.name.clone(),
                index: *index,
            });
        }
        let mut filled = Vec::new();
        for index in 0..self.buttons.len() {
            let Some(wanted) = wants(index) else { continue };
            let value = given.get(&index).ok_or_else(|| Misfit::ButtonMissing {
                name: self.name.clone(),
                index,
                wanted: match wanted {
                    Wanted::Address => "the end of its address",
                    Wanted::Code => "the code that it copies",
                },
            })?;
            writable(&format!("the button {index}"), value)?;
            filled.push(ButtonValue {
                index,
                copies: wanted == Wanted::Code,
                value: value.clone(),
            });
        }
        Ok(filled)
    }

    /// What the customer reads.
    fn read_with(&self, values: &[String], header: Option<&TemplateHeader>) -> String {
        let mut lines = Vec::new();
        match (&self.header, header) {
            (Some(Head::Text(text)), Some(TemplateHeader::Text(value))) => {
                lines.push(fill(text, &blanks_of(text), std::slice::from_ref(value)));
            }
            (Some(Head::Text(text)), _) => lines.push(text.clone()),
            (_, Some(TemplateHeader::File { url, .. })) => lines.push(url.clone()),
            (Some(Head::File(_) | Head::Other(_)) | None, _) => {}
        }
        lines.push(fill(&self.body, &self.blanks, values));
        lines.extend(self.footer.clone());
        lines.join("\n")
    }
}

/// What to do about a template of this status.
fn next_of(status: &str) -> &'static str {
    match status.to_ascii_uppercase().as_str() {
        "PAUSED" => {
            "customers blocked or reported it. It comes back by itself after some hours; after the third time it never does"
        }
        "REJECTED" => "change it in the provider's manager and hand it in again",
        "PENDING" | "IN_APPEAL" | "SUBMITTED" | "IN_REVIEW" => "wait until it is approved",
        "DISABLED" => "it was paused too often; make a new one",
        _ => "look at it in the provider's manager",
    }
}

fn writable(blank: &str, value: &str) -> Result<(), Misfit> {
    let blank = || blank.to_owned();
    if value.trim().is_empty() {
        return Err(Misfit::Empty { blank: blank() });
    }
    let size = value.chars().count();
    if size > LONGEST_VALUE {
        return Err(Misfit::TooLong { blank: blank(), size });
    }
    Ok(())
}

fn media_in_words(media: MediaKind) -> &'static str {
    match media {
        MediaKind::Photo | MediaKind::Sticker => "a picture (\"image\")",
        MediaKind::Video => "a video",
        MediaKind::Voice | MediaKind::Audio | MediaKind::Document => "a document",
    }
}

/// The names of the blanks in a text: numbers in their order, and names as they stand.
pub fn blanks_of(text: &str) -> Vec<String> {
    let mut blanks: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((blank, after)) = after.split_once("}}") else {
            break;
        };
        let blank = blank.trim().to_owned();
        if !blank.is_empty() && !blanks.contains(&blank) {
            blanks.push(blank);
        }
        rest = after;
    }
    if blanks.iter().all(|blank| is_number(blank)) {
        blanks.sort_by_key(|blank| blank.parse::<u32>().unwrap_or(u32::MAX));
    }
    blanks
}

fn is_number(blank: &str) -> bool {
    blank.bytes().all(|byte| byte.is_ascii_digit())
}

fn fill(text: &str, blanks: &[String], values: &[String]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((blank, after)) = after.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        let at = blanks.iter().position(|known| known == blank.trim());
        filled.push_str(at.and_then(|at| values.get(at)).map_or("…", String::as_str));
        rest = after;
    }
    filled + rest
}

/// A template as Meta writes it; `None` if it has no name or language.
pub(super) fn of_meta(listed: &Value) -> Option<Template> {
    let text = |name: &str| listed.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut template = Template {
        name: text("name")?,
        id: text("id"),
        label: None,
        language: text("language")?,
        // 360dialog writes its words small.
        status: text("status").unwrap_or_default().to_uppercase(),
        category: text("category"),
        header: None,
        body: String::new(),
        blanks: Vec::new(),
        footer: None,
        buttons: Vec::new(),
    };
    let components = listed.get("components").and_then(Value::as_array);
    for component in components.into_iter().flatten() {
        let text = |name: &str| component.get(name).and_then(Value::as_str);
        let said = text("text").unwrap_or_default();
        match text("type").unwrap_or_default().to_ascii_uppercase().as_str() {
            "HEADER" => template.header = Some(head_of(text("format").unwrap_or("TEXT"), said)),
            "BODY" => {
                template.body = said.to_owned();
                template.blanks = blanks_of(said);
                // Codes for signing in: the words are WhatsApp's own, and hold the code.
                if said.is_empty() && template.category.as_deref() == Some("AUTHENTICATION") {
                    template.body = "{{1}}".to_owned();
                    template.blanks = vec!["1".to_owned()];
                }
            }
            "FOOTER" if !said.is_empty() => template.footer = Some(said.to_owned()),
            "BUTTONS" => {
                let buttons = component.get("buttons").and_then(Value::as_array);
                template.buttons = buttons.into_iter().flatten().map(knob_of).collect();
            }
            _ => {}
        }
    }
    Some(template)
}

/// `format` in Meta's words.
pub(super) fn head_of(format: &str, text: &str) -> Head {
    match format.to_ascii_uppercase().as_str() {
        "TEXT" => Head::Text(text.to_owned()),
        "IMAGE" => Head::File(MediaKind::Photo),
        "VIDEO" => Head::File(MediaKind::Video),
        "DOCUMENT" => Head::File(MediaKind::Document),
        other => Head::Other(other.to_owned()),
    }
}

pub(super) fn knob_of(button: &Value) -> Knob {
    let text = |name: &str| button.get(name).and_then(Value::as_str).unwrap_or_default();
    let wants = match text("type").to_ascii_uppercase().as_str() {
        "URL" if text("url").contains("{{") => Some(Wanted::Address),
        "COPY_CODE" => Some(Wanted::Code),
        "OTP" => Some(Wanted::Address),
        _ => None,
    };
    Knob {
        text: text("text").to_owned(),
        wants,
    }
}

#[cfg(test)]
mod tests;
