//! The outer levels of a webhook: body, `entry[]`, `changes[]`, `value`, and the lists in it. Each level is read by
//! itself and keeps the bytes of the levels below, so that one bad element costs that element and nothing else.
//!
//! Called after the signature was checked. Total: any bytes give an answer.

use serde_json::Value;
use serde_json::value::RawValue;

use super::decode::{self, Read, Setting};
use super::fields::{Fields, text_of};
use crate::channel::{Decoded, Problem};

/// Deepest nesting that is read. Meta's deepest known webhook has 13 levels; serde_json by itself stops at 128.
const DEEPEST: usize = 64;

/// Webhook fields that tell of the account rather than of a customer.
const ACCOUNT_FIELDS: &[&str] = &[
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "automatic_events",
    "business_capability_update",
    "business_status_update",
    "business_username_update",
    "flows",
    "group_lifecycle_update",
    "group_participants_update",
    "group_settings_update",
    "group_status_update",
    "history",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "partner_solutions",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "smb_app_state_sync",
    "template_category_update",
    "template_correct_category_detection",
];

pub(in crate::channel) fn decode(raw: &[u8]) -> Decoded {
    // A stray byte spoils one character, not the batch. The signature was checked over the bytes as they came.
    let text = String::from_utf8_lossy(raw);
    let mut webhook = Webhook::default();
    if deepest(&text) > DEEPEST {
        webhook.problem("", &text, format!("nested deeper than {DEEPEST} levels"));
        return webhook.decoded;
    }
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(body) => webhook.body(body),
        Err(error) => webhook.problem("", &text, format!("not JSON: {error}")),
    }
    webhook.decoded
}

#[derive(Default)]
struct Webhook {
    decoded: Decoded,
}

impl Webhook {
    fn body(&mut self, raw: &RawValue) {
        let Some(body) = self.object("body", raw) else {
            return;
        };
        for (place, entry) in self.list("entry", "body", raw, &body) {
            self.entry(&place, entry);
        }
    }

    fn entry(&mut self, place: &str, raw: &RawValue) {
        let Some(entry) = self.object(place, raw) else {
            return;
        };
        let waba = entry.get("id").and_then(text_of).unwrap_or_default();
        for (place, change) in self.list(&format!("{place}.changes"), place, raw, &entry) {
            self.change(&place, change, &waba);
        }
    }

    fn change(&mut self, place: &str, raw: &RawValue, waba: &str) {
        let Some(change) = self.object(place, raw) else {
            return;
        };
        let (Some(field), Some(value)) = (change.get("field").and_then(text_of), change.get("value")) else {
            return self.problem(place, raw.get(), "a change without field or value".to_owned());
        };
        let place = format!("{place}.value");
        let (setting, fields) = self.setting(&place, value, waba);
        let lists: &[(&str, Read)] = match field.as_str() {
            "messages" => &[
                ("messages", decode::message),
                ("statuses", decode::status),
                ("errors", decode::error),
            ],
            "smb_message_echoes" | "message_echoes" => &[("message_echoes", decode::echo)],
            "user_id_update" => &[("user_id_update", decode::user_id_update)],
            "user_preferences" => &[("user_preferences", decode::preference)],
            "calls" => &[
                ("calls", decode::call),
                ("statuses", decode::status),
                ("errors", decode::error),
            ],
            _ => &[],
        };
        let mut found = false;
        for (name, read) in lists {
            if fields.has(name) {
                found = true;
                for (place, element) in self.list(&format!("{place}.{name}"), &place, value, &fields) {
                    self.element(&place, element, &setting, *read);
                }
            }
        }
        if !found {
            let known = ACCOUNT_FIELDS.contains(&field.as_str());
            self.element(&place, value, &setting, |value, setting| {
                Ok(if known {
                    decode::account(&field, value, setting)
                } else {
                    decode::unknown(&field, value, setting)
                })
            });
        }
    }

    /// What surrounds the elements of a `value`: the number it is for, and the contacts it names.
    fn setting<'a>(&mut self, place: &str, value: &'a RawValue, waba: &str) -> (Setting<'a>, Fields<'a>) {
        let fields = Fields::of(value);
        let account = fields.within("metadata").get("phone_number_id").and_then(text_of);
        if account.is_none() && fields.has("metadata") {
            self.problem(
                &format!("{place}.metadata"),
                value.get(),
                "no phone_number_id".to_owned(),
            );
        }
        let setting = Setting {
            account: account.unwrap_or_else(|| waba.to_owned()),
            contacts: fields
                .get("contacts")
                .and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok())
                .map(|list| list.into_iter().map(Fields::of).collect())
                .unwrap_or_default(),
            error_code: fields
                .get("errors")
                .and_then(|errors| serde_json::from_str::<Value>(errors.get()).ok())
                .and_then(|errors| errors.pointer("/0/code")?.as_i64()),
        };
        (setting, fields)
    }

    fn element(
        &mut self,
        place: &str,
        raw: &RawValue,
        setting: &Setting<'_>,
        read: impl Fn(&Value, &Setting<'_>) -> Result<crate::message::Inbound, String>,
    ) {
        let outcome = serde_json::from_str::<Value>(raw.get())
            .map_err(|error| error.to_string())
            .and_then(|element| read(&element, setting));
        match outcome {
            Ok(event) => self.decoded.events.push(event),
            Err(why) => self.problem(place, raw.get(), why),
        }
    }

    fn object<'a>(&mut self, place: &str, raw: &'a RawValue) -> Option<Fields<'a>> {
        match serde_json::from_str(raw.get()) {
            Ok(fields) => Some(fields),
            Err(error) => {
                self.problem(place, raw.get(), error.to_string());
                None
            }
        }
    }

    /// The elements of the list at `place`, whose last word is its name in `fields`, each with its own place.
    fn list<'a>(
        &mut self,
        place: &str,
        parent: &str,
        whole: &RawValue,
        fields: &Fields<'a>,
    ) -> Vec<(String, &'a RawValue)> {
        let name = place.rsplit('.').next().unwrap_or(place);
        let Some(raw) = fields.get(name) else {
            self.problem(parent, whole.get(), format!("no {name}"));
            return Vec::new();
        };
        match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            Ok(list) => (0..)
                .zip(list)
                .map(|(at, element): (usize, _)| (format!("{place}[{at}]"), element))
                .collect(),
            Err(error) => {
                self.problem(place, raw.get(), error.to_string());
                Vec::new()
            }
        }
    }

    fn problem(&mut self, place: &str, raw: &str, why: String) {
        let place = if place.is_empty() { "body" } else { place };
        self.decoded.problems.push(Problem::new(place, raw, why));
    }
}

/// How deep brackets nest, those in strings not counted.
fn deepest(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
