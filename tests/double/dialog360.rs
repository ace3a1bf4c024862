//! 360dialog's face: Meta's messages at `/messages`, its key in a header of its own, its refusals of a key in a shape of
//! its own, and addresses of files that name Meta's host although its key is good at its own alone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::Refusal;
use super::serve::{Asked, Reply};
use super::state::Inner;
use super::{graph, media, outgoing};

/// The host that addresses of files name.
pub const META_S_HOST: &str = "https://lookaside.fbsbx.com";

pub fn answer(inner: &Arc<Inner>, asked: &Asked) -> Reply {
    if !graph::is_authorised(inner, asked) {
        return own(401, "Invalid api key");
    }
    match routed(inner, asked) {
        Ok(reply) => reply,
        Err(refusal) => {
            let trace = format!("A{:022}", inner.state().next_number());
            Reply::Json(refusal.status, refusal.body(&trace))
        }
    }
}

fn routed(inner: &Arc<Inner>, asked: &Asked) -> Result<Reply, Refusal> {
    // As written: a version or a number in the path is a client that thinks it speaks with Meta.
    let path: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    match (asked.method.as_str(), &path[..]) {
        ("POST", ["messages"]) => outgoing::send(inner, asked),
        ("POST", ["media"]) => media::upload(inner, asked),
        ("GET", ["health_status"]) => Ok(health(inner)),
        ("GET", ["v1", "configs", "webhook"]) => Ok(webhook(inner)),
        ("GET", ["v1", "configs", "templates"]) => Ok(templates(inner)),
        ("POST", ["v1", "configs", "webhook"]) => set_webhook(inner, asked),
        ("GET", [media::SEGMENT, id, until]) => media::download(inner, id, until),
        ("GET", [id]) if id.bytes().all(|byte| byte.is_ascii_digit()) => media::resolve(inner, id),
        ("DELETE", [id]) if id.bytes().all(|byte| byte.is_ascii_digit()) => media::delete(inner, id),
        _ => Ok(own(404, "Not found")),
    }
}

fn health(inner: &Inner) -> Reply {
    let registered = inner.state().registered;
    let can = if registered { "AVAILABLE" } else { "BLOCKED" };
    Reply::Json(
        200,
        json!({ "health_status": { "can_send_messages": can, "entities": [
            { "entity_type": "PHONE_NUMBER", "id": inner.setup.phone_number_id, "can_send_messages": can }] },
            "id": inner.setup.phone_number_id }),
    )
}

/// One page; its words are small.
fn templates(inner: &Inner) -> Reply {
    let mut all = inner.state().templates.clone();
    for template in &mut all {
        template["status"] = json!(template["status"].as_str().unwrap_or_default().to_lowercase());
    }
    let count = all.len();
    Reply::Json(
        200,
        json!({ "waba_templates": all, "count": count, "total": count, "limit": 500, "offset": 0 }),
    )
}

fn webhook(inner: &Inner) -> Reply {
    let url = inner.state().webhook_url.clone().unwrap_or_default();
    Reply::Json(200, json!({ "url": url }))
}

fn set_webhook(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let url = body["url"].as_str().ok_or_else(|| Refusal::required("url"))?;
    inner.state().webhook_url = Some(url.to_owned());
    Ok(webhook(inner))
}

/// A refusal of 360dialog's own.
fn own(status: u16, says: &str) -> Reply {
    Reply::Json(
        status,
        json!({ "meta": { "success": false, "http_code": status, "developer_message": says } }),
    )
}
