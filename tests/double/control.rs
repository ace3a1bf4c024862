//! The double's own calls, for tests in another process. The module's documentation lists them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::customer::Customer;
use super::faults::{Fault, Faulty};
use super::serve::{Asked, Reply};
use super::state::Inner;
use super::webhook::{Order, Release};

pub fn answer(inner: &Arc<Inner>, asked: &Asked) -> Reply {
    let segments: Vec<&str> = asked.segments.iter().skip(1).map(String::as_str).collect();
    let done = match (asked.method.as_str(), &segments[..]) {
        ("POST", ["customer-message"]) => read(asked).and_then(|said| customer_message(inner, said)),
        ("GET", ["log"]) => Ok(json!(
            inner
                .state()
                .log
                .iter()
                .map(|entry| entry.as_json())
                .collect::<Vec<_>>()
        )),
        ("GET", ["sent"]) => Ok(sent(inner)),
        ("GET", ["status"]) => Ok(status(inner)),
        ("POST", ["fault"]) => read(asked).and_then(|wanted| fault(inner, &wanted)),
        ("POST", ["clock"]) => read(asked).map(|moved| clock(inner, &moved)),
        ("POST", ["webhooks"]) => read(asked).map(|wanted| webhooks(inner, wanted)),
        _ => {
            return Reply::Json(
                404,
                json!({ "error": format!("the double has no {} {}", asked.method, asked.path) }),
            );
        }
    };
    match done {
        Ok(value) => Reply::Json(200, value),
        Err(why) => Reply::Json(400, json!({ "error": why })),
    }
}

fn read<'a, T: Deserialize<'a>>(asked: &'a Asked) -> Result<T, String> {
    serde_json::from_slice(&asked.body).map_err(|error| error.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    from: String,
    name: Option<String>,
    text: Option<String>,
    tap: Option<String>,
    location: Option<Value>,
    media: Option<SaidMedia>,
    raw: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidMedia {
    kind: String,
    mime_type: String,
    base64: String,
    caption: Option<String>,
    filename: Option<String>,
}

fn customer_message(inner: &Arc<Inner>, said: Said) -> Result<Value, String> {
    let mut customer = Customer::new(Arc::clone(inner), &said.from);
    if let Some(name) = &said.name {
        customer = customer.named(name);
    }
    let id = match said {
        Said { text: Some(text), .. } => customer.says(&text),
        Said {
            tap: Some(wanted), ..
        } => customer.try_taps(&wanted)?,
        Said {
            location: Some(location),
            ..
        } => customer.sends("location", location),
        Said {
            media: Some(media), ..
        } => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(&media.base64);
            let bytes = bytes.map_err(|error| format!("media.base64: {error}"))?;
            let mut more = json!({});
            for (name, value) in [("caption", media.caption), ("filename", media.filename)] {
                if let Some(value) = value {
                    more[name] = json!(value);
                }
            }
            customer.sends_media(&media.kind, &media.mime_type, bytes, more)
        }
        Said { raw: Some(raw), .. } => {
            let kind = raw
                .get("type")
                .and_then(Value::as_str)
                .ok_or("raw without type")?
                .to_owned();
            customer.sends_raw(&kind, raw)
        }
        _ => return Err("one of text, tap, location, media or raw is needed".to_owned()),
    };
    Ok(json!({ "id": id }))
}

fn sent(inner: &Inner) -> Value {
    let state = inner.state();
    let all = state.sent.iter().map(|sent| {
        json!({ "id": sent.id, "to": sent.to, "type": sent.kind, "ours": sent.ours, "at": sent.at, "body": sent.body })
    });
    all.collect()
}

fn status(inner: &Inner) -> Value {
    let state = inner.state();
    json!({
        "base_url": inner.base_url(),
        "now": inner.clock.now().as_second(),
        "requests": state.log.len(),
        "sent": state.sent.len(),
        "customers": state.customers.len(),
        "files": state.files.len(),
        "webhook_url": state.webhook_url,
        "registered": state.registered,
        "webhooks": { "held": state.held.len(), "undelivered": state.undelivered, "failed_attempts": state.failed_attempts },
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    to: Option<String>,
    times: Option<u32>,
    fault: String,
    code: Option<i64>,
    status: Option<u16>,
}

/// A fault in the words of `POST /double/fault`.
pub fn fault_of(inner: &Inner, json: &str) -> Result<(), String> {
    let wanted = serde_json::from_str(json).map_err(|error| error.to_string())?;
    fault(inner, &wanted).map(drop)
}

fn fault(inner: &Inner, wanted: &Wanted) -> Result<Value, String> {
    let code = || wanted.code.ok_or("this fault needs a code");
    let fault = match wanted.fault.as_str() {
        "refuse" => Faulty::Refuse(code()?),
        "fail_later" => Faulty::FailLater(code()?),
        "status" => Faulty::Status(wanted.status.ok_or("this fault needs a status")?),
        "hang" => Faulty::Hang,
        "reset" => Faulty::Reset,
        "garbage" => Faulty::Garbage,
        "silent" => Faulty::Silent,
        "wrong_hash" => Faulty::WrongHash,
        "expired" => Faulty::Expired,
        other => return Err(format!("there is no fault {other:?}")),
    };
    let to = wanted.to.as_ref().map(|to| to.trim_start_matches('+').to_owned());
    inner.state().faults.push(Fault {
        to,
        times: wanted.times,
        fault,
    });
    Ok(json!({ "ok": true }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    advance_seconds: u64,
}

fn clock(inner: &Inner, moved: &Moved) -> Value {
    inner.clock.advance(Duration::from_secs(moved.advance_seconds));
    inner.touch();
    json!({ "now": inner.clock.now().as_second() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedWebhooks {
    url: Option<String>,
    hold: Option<bool>,
    release: Option<WantedRelease>,
    copies: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedRelease {
    order: Option<String>,
    #[serde(default)]
    batch: bool,
    copies: Option<u32>,
}

fn webhooks(inner: &Inner, wanted: WantedWebhooks) -> Value {
    {
        let mut state = inner.state();
        if let Some(url) = wanted.url {
            state.webhook_url = Some(url);
        }
        if let Some(hold) = wanted.hold {
            state.holding = hold;
        }
        if let Some(copies) = wanted.copies {
            state.copies = copies;
        }
    }
    if let Some(release) = wanted.release {
        let order = match release.order.as_deref() {
            Some("reversed") => Order::Reversed,
            Some("shuffled") => Order::Shuffled,
            _ => Order::AsItHappened,
        };
        inner.release(&Release {
            order,
            batch: release.batch,
            copies: release.copies.unwrap_or(1),
        });
    }
    status(inner)
}
