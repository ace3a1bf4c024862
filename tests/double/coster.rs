//! Coster's face, as far as it was seen: replies in an envelope at one address, templates without it at another, files
//! in one hop. What was never seen to pass is refused, unless the setup says that it passes.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error::Refusal;
use super::serve::{Asked, Reply};
use super::state::Inner;
use super::{graph, outgoing};

pub fn answer(inner: &Arc<Inner>, asked: &Asked) -> Reply {
    if !graph::is_authorised(inner, asked) {
        return refused(401, 1005, "Access denied", "the token is missing or unknown");
    }
    let path: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    match (asked.method.as_str(), &path[..]) {
        ("POST", ["bot", "webhook"]) => reply(inner, asked),
        ("POST", ["v1", account, "messages"]) if *account == inner.setup.coster_account => {
            template(inner, asked)
        }
        ("GET", ["bot", "media", id]) => file(inner, id),
        _ => refused(404, 1404, "Not found", &asked.path),
    }
}

/// A reply: the envelope as it was seen, member by member, and a message of the Cloud API in it.
fn reply(inner: &Arc<Inner>, asked: &Asked) -> Reply {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let Some(envelope) = body.as_object() else {
        return refused(400, 1010, "Bad request", "the body is not an object");
    };
    if let Err(why) = envelope_of(inner, envelope) {
        return refused(400, 1010, "Bad request", &why);
    }
    let message = &envelope["data"];
    let kind = message["type"].as_str().unwrap_or_default();
    if kind != "text" && !inner.setup.coster_takes_all {
        let why = format!("nobody has seen {kind} pass");
        return refused(400, 1013, "Unsupported", &why);
    }
    match sent(inner, asked, message) {
        // Nothing that statuses would name.
        Ok(Reply::Json(200, _)) => Reply::Json(200, json!({ "status": "ok" })),
        Ok(other) => other,
        Err(refusal) => of_meta(&refusal),
    }
}

fn envelope_of(inner: &Inner, envelope: &Map<String, Value>) -> Result<(), String> {
    let setup = &inner.setup;
    let members = [
        "xid",
        "channel_id",
        "account_id",
        "division_id",
        "is_helpdesk",
        "message_type",
        "data",
    ];
    if let Some(unknown) = envelope.keys().find(|name| !members.contains(&name.as_str())) {
        return Err(format!("the member {unknown} is unknown"));
    }
    let is = |name: &str, wanted: Value| match envelope.get(name) {
        Some(given) if *given == wanted => Ok(()),
        given => Err(format!("{name} is {given:?}")),
    };
    is("channel_id", json!("whatsapp-cloud"))?;
    is("account_id", json!(setup.coster_account))?;
    is("division_id", json!(setup.coster_division))?;
    is("is_helpdesk", json!(false))?;
    is("message_type", json!("outbound"))?;
    if !envelope.get("xid").and_then(Value::as_str).is_some_and(is_uuid) {
        return Err("xid is not a UUID".to_owned());
    }
    if !envelope.get("data").is_some_and(Value::is_object) {
        return Err("data is not an object".to_owned());
    }
    Ok(())
}

fn template(inner: &Arc<Inner>, asked: &Asked) -> Reply {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let Some(push) = body.as_object() else {
        return refused(400, 1010, "Bad request", "the body is not an object");
    };
    let members = ["xid", "to", "type", "template"];
    let unknown = push.keys().find(|name| !members.contains(&name.as_str()));
    let xid = push.get("xid").and_then(Value::as_str).unwrap_or_default();
    let to = push.get("to").and_then(Value::as_str).unwrap_or_default();
    let digits = !to.is_empty() && to.bytes().all(|byte| byte.is_ascii_digit());
    let policy = body.pointer("/template/language/policy");
    let wrong = if let Some(unknown) = unknown {
        Some(format!("the member {unknown} is unknown"))
    } else if !is_uuid(xid) {
        Some("xid is not a UUID".to_owned())
    } else if !digits {
        Some("to is not a number".to_owned())
    } else if push.get("type") != Some(&json!("template")) || policy != Some(&json!("deterministic")) {
        Some("it is not a template with policy deterministic".to_owned())
    } else {
        None
    };
    if let Some(why) = wrong {
        return refused(400, 1010, "Bad request", &why);
    }
    let message = json!({ "messaging_product": "whatsapp", "to": to, "type": "template",
        "template": body["template"] });
    match sent(inner, asked, &message) {
        Ok(Reply::Json(200, _)) => Reply::Json(200, json!({ "messages": [{ "xid": xid }] })),
        Ok(other) => other,
        Err(refusal) => of_meta(&refusal),
    }
}

/// The message, as WhatsApp behind it takes it.
fn sent(inner: &Arc<Inner>, asked: &Asked, message: &Value) -> Result<Reply, Refusal> {
    let inside = Asked {
        method: asked.method.clone(),
        segments: asked.segments.clone(),
        path: asked.path.clone(),
        query: Vec::new(),
        content_type: "application/json".to_owned(),
        token: asked.token.clone(),
        body: message.to_string().into_bytes(),
    };
    outgoing::send(inner, &inside)
}

fn file(inner: &Inner, id: &str) -> Reply {
    let now = inner.clock.now();
    let found = inner
        .state()
        .files
        .get(id)
        .filter(|file| now < file.until)
        .cloned();
    match found {
        Some(file) => Reply::Bytes {
            mime: file.mime,
            bytes: file.bytes,
        },
        None => refused(404, 1404, "Not found", "there is no such file"),
    }
}

fn of_meta(refusal: &Refusal) -> Reply {
    let details = refusal.details.as_deref().unwrap_or_default();
    refused(refusal.status, refusal.code, &refusal.message, details)
}

fn refused(status: u16, code: i64, title: &str, details: &str) -> Reply {
    Reply::Json(
        status,
        json!({ "errors": [{ "code": code, "title": title, "details": details }] }),
    )
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}
