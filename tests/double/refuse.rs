//! What Meta refuses in a request to send: unknown and missing members, wrong kinds, wrong sizes. One function a kind.
//!
//! Sizes and members are those of the Cloud API reference, v23.0-v25.0. Characters are counted as Unicode scalars.

use serde_json::{Map, Value};

use super::error::Refusal;
use super::refuse_interactive::interactive;

pub type Checked<T = ()> = Result<T, Refusal>;

/// Every kind of message there is.
const KINDS: &[&str] = &[
    "text",
    "image",
    "audio",
    "video",
    "document",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "template",
    "interactive",
];

pub fn message(message: &Map<String, Value>) -> Checked {
    product(message)?;
    let kind = match message.get("type") {
        None => "text",
        Some(kind) => kind.as_str().ok_or_else(|| must_be("type", "a string"))?,
    };
    if !KINDS.contains(&kind) {
        let all: Vec<String> = KINDS.iter().map(|kind| kind.to_uppercase()).collect();
        return Err(Refusal::parameter(format_args!(
            "Param type must be one of {{{}}} - got {kind:?}.",
            all.join(", ")
        )));
    }
    let common = [
        "messaging_product",
        "recipient_type",
        "to",
        "recipient",
        "type",
        "context",
        "biz_opaque_callback_data",
        "recipient_identity_key_hash",
        "message_activity_sharing",
    ];
    if let Some(unknown) = message
        .keys()
        .find(|name| !common.contains(&name.as_str()) && *name != kind)
    {
        return Err(Refusal::parameter(format_args!(
            "Unexpected key \"{unknown}\" on message of type \"{kind}\"."
        )));
    }
    if let Some(of) = message.get("recipient_type")
        && !matches!(of.as_str(), Some("individual" | "group"))
    {
        return Err(Refusal::parameter(
            "Param recipient_type must be one of {INDIVIDUAL, GROUP}.",
        ));
    }
    for name in ["to", "recipient"] {
        if message.get(name).is_some_and(|value| !value.is_string()) {
            return Err(must_be(name, "a string"));
        }
    }
    if let Some(context) = message.get("context") {
        let context = Object::of("context", context)?;
        context.only(&["message_id"])?;
        context.text("message_id", 1, usize::MAX)?;
    }
    if message.contains_key("biz_opaque_callback_data") {
        Object {
            path: String::new(),
            members: message,
        }
        .text("biz_opaque_callback_data", 0, 512)?;
    }
    let part = message.get(kind).ok_or_else(|| Refusal::required(kind))?;
    if kind == "contacts" {
        return contacts(part);
    }
    let part = Object::of(kind, part)?;
    match kind {
        "text" => text(&part),
        "image" | "audio" | "video" | "document" | "sticker" => media(kind, &part),
        "location" => location(&part),
        "reaction" => {
            part.only(&["message_id", "emoji"])?;
            part.text("message_id", 1, usize::MAX)?;
            part.text("emoji", 0, 50)
        }
        "template" => template(&part),
        _ => interactive(&part),
    }
}

/// The id of the message that is marked as read.
pub fn read_receipt(message: &Map<String, Value>) -> Checked<String> {
    product(message)?;
    let receipt = Object {
        path: String::new(),
        members: message,
    };
    receipt.only(&["messaging_product", "status", "message_id", "typing_indicator"])?;
    receipt.one_of("status", &["read"])?;
    receipt.text("message_id", 1, usize::MAX)?;
    if let Some(typing) = message.get("typing_indicator") {
        let typing = Object::of("typing_indicator", typing)?;
        typing.only(&["type"])?;
        typing.one_of("type", &["text"])?;
    }
    Ok(message["message_id"].as_str().unwrap_or_default().to_owned())
}

fn product(message: &Map<String, Value>) -> Checked {
    match message.get("messaging_product") {
        None => Err(Refusal::required("messaging_product")),
        Some(Value::String(product)) if product == "whatsapp" => Ok(()),
        Some(_) => Err(Refusal::parameter(
            "Param messaging_product must be one of {WHATSAPP}.",
        )),
    }
}

fn text(part: &Object) -> Checked {
    part.only(&["body", "preview_url"])?;
    if part
        .members
        .get("preview_url")
        .is_some_and(|preview| !preview.is_boolean())
    {
        return Err(must_be("text['preview_url']", "a boolean"));
    }
    part.text("body", 1, 4096)
}

/// A file by id or by link. Caption and file name only where they can be shown.
fn media(kind: &str, part: &Object) -> Checked {
    match kind {
        "image" | "video" => part.only(&["id", "link", "caption", "provider"])?,
        "document" => part.only(&["id", "link", "caption", "filename", "provider"])?,
        "audio" => part.only(&["id", "link", "voice", "provider"])?,
        _ => part.only(&["id", "link", "provider"])?,
    }
    by_id_or_link(part)?;
    if part.has("caption") {
        part.text("caption", 0, 1024)?;
    }
    if part.has("filename") {
        part.text("filename", 0, 240)?;
    }
    Ok(())
}

pub fn by_id_or_link(part: &Object) -> Checked {
    match (part.has("id"), part.has("link")) {
        (true, false) => part.text("id", 1, usize::MAX),
        (false, true) => {
            part.text("link", 1, usize::MAX)?;
            web_address(part, "link")
        }
        _ => Err(Refusal::parameter(format_args!(
            "Exactly one of {0}['id'] and {0}['link'] is required.",
            part.path
        ))),
    }
}

pub fn web_address(part: &Object, name: &str) -> Checked {
    let link = part.members[name].as_str().unwrap_or_default();
    match url::Url::parse(link) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err(Refusal::parameter(format_args!(
            "Param {} is not a valid URL.",
            part.at(name)
        ))),
    }
}

fn location(part: &Object) -> Checked {
    part.only(&["latitude", "longitude", "name", "address"])?;
    for (name, limit) in [("latitude", 90.0), ("longitude", 180.0)] {
        let degrees = match part.members.get(name) {
            None => return Err(Refusal::required(&part.at(name))),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        if degrees.is_none_or(|degrees: f64| !(-limit..=limit).contains(&degrees)) {
            return Err(Refusal::parameter(format_args!(
                "Param {} must be a number of degrees.",
                part.at(name)
            )));
        }
    }
    for name in ["name", "address"] {
        if part.has(name) {
            part.text(name, 0, 1000)?;
        }
    }
    Ok(())
}

fn contacts(cards: &Value) -> Checked {
    let cards = cards.as_array().filter(|cards| !cards.is_empty());
    for card in cards.ok_or_else(|| must_be("contacts", "a non-empty array"))? {
        let card = Object::of("contacts[0]", card)?;
        card.only(&["name", "phones", "emails", "addresses", "org", "urls", "birthday"])?;
        let name = Object::of(
            "contacts[0]['name']",
            card.members
                .get("name")
                .ok_or_else(|| Refusal::required("name"))?,
        )?;
        name.only(&[
            "formatted_name",
            "first_name",
            "last_name",
            "middle_name",
            "suffix",
            "prefix",
        ])?;
        name.text("formatted_name", 1, usize::MAX)?;
    }
    Ok(())
}

fn template(part: &Object) -> Checked {
    part.only(&["name", "language", "components", "namespace"])?;
    part.text("name", 1, 512)?;
    let language = part
        .members
        .get("language")
        .ok_or_else(|| Refusal::required("template['language']"))?;
    let language = Object::of("template['language']", language)?;
    language.only(&["code", "policy"])?;
    language.text("code", 2, 16)?;
    for component in part
        .members
        .get("components")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let component = Object::of("template['components'][0]", component)?;
        let kinds = [
            "header",
            "body",
            "footer",
            "button",
            "buttons",
            "carousel",
            "limited_time_offer",
            "order_status",
        ];
        component.one_of("type", &kinds)?;
    }
    Ok(())
}

fn must_be(name: &str, what: &str) -> Refusal {
    Refusal::parameter(format_args!("Param {name} must be {what}."))
}

/// An object of the request with its place in it.
pub struct Object<'a> {
    pub path: String,
    pub members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    pub fn of(path: impl Into<String>, value: &'a Value) -> Checked<Self> {
        let path = path.into();
        match value.as_object() {
            Some(members) => Ok(Object { path, members }),
            None => Err(must_be(&path, "a JSON object")),
        }
    }

    pub fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}['{name}']", self.path)
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub fn child(&self, name: &str) -> Checked<Object<'a>> {
        Object::of(
            self.at(name),
            self.members
                .get(name)
                .ok_or_else(|| Refusal::required(&self.at(name)))?,
        )
    }

    pub fn list(&self, name: &str) -> Checked<&'a Vec<Value>> {
        let list = self
            .members
            .get(name)
            .ok_or_else(|| Refusal::required(&self.at(name)))?;
        list.as_array().ok_or_else(|| must_be(&self.at(name), "an array"))
    }

    /// No member but these.
    pub fn only(&self, known: &[&str]) -> Checked {
        match self.members.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(Refusal::parameter(format_args!(
                "Unexpected key \"{unknown}\" on param \"{}\".",
                if self.path.is_empty() {
                    "message"
                } else {
                    &self.path
                }
            ))),
        }
    }

    /// A text of `least` to `most` characters.
    pub fn text(&self, name: &str, least: usize, most: usize) -> Checked {
        let at = self.at(name);
        let text = match self.members.get(name) {
            None => return Err(Refusal::required(&at)),
            Some(value) => value.as_str().ok_or_else(|| must_be(&at, "a string"))?,
        };
        let length = text.chars().count();
        if length > most {
            return Err(Refusal::parameter(format_args!(
                "Param {at} must be at most {most} characters long."
            )));
        }
        if length < least || (least > 0 && text.trim().is_empty()) {
            return Err(Refusal::required(&at));
        }
        Ok(())
    }

    pub fn one_of(&self, name: &str, words: &[&str]) -> Checked {
        let at = self.at(name);
        let word = self.members.get(name).ok_or_else(|| Refusal::required(&at))?;
        match word.as_str() {
            Some(word) if words.iter().any(|known| known.eq_ignore_ascii_case(word)) => Ok(()),
            _ => {
                let all: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
                Err(Refusal::parameter(format_args!(
                    "Param {at} must be one of {{{}}}.",
                    all.join(", ")
                )))
            }
        }
    }
}
