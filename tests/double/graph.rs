//! Which call it is, whether it may be made, and by whom it is answered.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::Refusal;
use super::serve::{Asked, Reply};
use super::state::Inner;
use super::{edges, media, number, outgoing, webhook};

/// Whether a good access token came with the request.
pub fn is_authorised(inner: &Inner, asked: &Asked) -> bool {
    inner
        .setup
        .face
        .knows(&inner.setup, &asked.path, asked.token.as_ref())
}

pub async fn answer(inner: &Arc<Inner>, asked: &Asked) -> Reply {
    match routed(inner, asked).await {
        Ok(reply) => reply,
        Err(refusal) => {
            let trace = format!("A{:022}", inner.state().next_number());
            Reply::Json(refusal.status, refusal.body(&trace))
        }
    }
}

async fn routed(inner: &Arc<Inner>, asked: &Asked) -> Result<Reply, Refusal> {
    let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
    let setup = &inner.setup;
    match (asked.method.as_str(), &segments[..]) {
        ("GET", ["oauth", "access_token"]) => return app_token(inner, asked),
        ("GET", ["debug_token"]) => return debug_token(inner, asked),
        ("POST", [app, "subscriptions"]) if *app == setup.app_id => return subscribe(inner, asked).await,
        _ => {}
    }
    if !is_authorised(inner, asked) {
        return Err(Refusal::no_token(asked.token.is_some()));
    }
    if let [first, rest @ ..] = &segments[..]
        && *first == setup.phone_number_id
        && let Some(answer) = edges::of_number(inner, asked, rest)
    {
        return answer;
    }
    let (first, edge) = match &segments[..] {
        [first] => (*first, None),
        [first, edge] => (*first, Some(*edge)),
        [media::SEGMENT, id, until] => return media::download(inner, id, until),
        _ => return Err(Refusal::no_path(&asked.path)),
    };
    let method = asked.method.as_str();
    if first == setup.phone_number_id {
        return match (method, edge) {
            ("POST", Some("messages")) => outgoing::send(inner, asked),
            ("POST", Some("marketing_messages")) => {
                let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
                match body.get("type").and_then(Value::as_str) {
                    Some("template") => outgoing::send(inner, asked),
                    _ => Err(Refusal::new(
                        134102,
                        "Only templates can be sent as marketing messages",
                    )),
                }
            }
            ("POST", Some("media")) => media::upload(inner, asked),
            ("GET", None) => Ok(number::fields(inner, asked)),
            ("POST", None) => number::set_webhook(inner, asked).await,
            ("GET" | "POST", Some("whatsapp_business_profile")) => number::profile(inner, asked),
            _ => Err(Refusal::no_path(&asked.path)),
        };
    }
    if first == setup.business_account_id {
        return match (method, edge) {
            ("GET", None) => Ok(number::account(inner)),
            ("GET", Some("phone_numbers")) => Ok(number::numbers(inner, asked)),
            ("GET" | "POST" | "DELETE", Some("subscribed_apps")) => number::subscribed(inner, asked).await,
            ("GET" | "POST" | "DELETE", Some("message_templates")) => number::message_templates(inner, asked),
            ("GET" | "POST", Some("flows")) => edges::flows(inner, asked),
            _ => Err(Refusal::no_path(&asked.path)),
        };
    }
    if let Some(answer) = edges::by_id(inner, asked, first, edge) {
        return answer;
    }
    match (method, edge) {
        ("GET", None) => media::resolve(inner, first),
        ("DELETE", None) => media::delete(inner, first),
        _ => Err(Refusal::no_object(first, method)),
    }
}

pub fn success() -> Reply {
    Reply::Json(200, json!({ "success": true }))
}

/// The app's own token, by its secret.
fn app_token(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let setup = &inner.setup;
    let known = asked.query("client_id") == Some(&setup.app_id)
        && asked.query("client_secret") == Some(&setup.app_secret);
    if !known {
        return Err(Refusal {
            code: 1,
            status: 400,
            ..Refusal::parameter("Error validating client secret.")
        });
    }
    let token = match asked.query("grant_type") {
        Some("client_credentials") => format!("{}|{}", setup.app_id, setup.app_secret),
        _ => setup.access_tokens.first().cloned().unwrap_or_default(),
    };
    Ok(Reply::Json(
        200,
        json!({ "access_token": token, "token_type": "bearer" }),
    ))
}

fn debug_token(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let setup = &inner.setup;
    let of_app = format!("{}|{}", setup.app_id, setup.app_secret);
    if !is_authorised(inner, asked) && asked.token.as_deref() != Some(&of_app) {
        return Err(Refusal::no_token(asked.token.is_some()));
    }
    let input = asked
        .query("input_token")
        .ok_or_else(|| Refusal::required("input_token"))?;
    let is_valid = setup.access_tokens.iter().any(|token| token == input) || input == of_app;
    let scopes = json!(["whatsapp_business_management", "whatsapp_business_messaging"]);
    Ok(Reply::Json(
        200,
        json!({ "data": { "app_id": setup.app_id, "type": "SYSTEM_USER", "application": "Double",
            "expires_at": 0, "is_valid": is_valid, "scopes": scopes, "granular_scopes": [
                { "scope": "whatsapp_business_messaging", "target_ids": [setup.business_account_id] }] } }),
    ))
}

/// `POST /{app}/subscriptions`: the app's webhook, after Meta's handshake with it.
async fn subscribe(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let of_app = format!("{}|{}", inner.setup.app_id, inner.setup.app_secret);
    // Clients that hold a token of their own send it as well; the parameter is the one that counts.
    let token = asked.parameter("access_token").or_else(|| asked.token.clone());
    if token.as_deref() != Some(&of_app) {
        return Err(Refusal::no_token(token.is_some()));
    }
    let url = asked
        .parameter("callback_url")
        .ok_or_else(|| Refusal::required("callback_url"))?;
    let verify_token = asked.parameter("verify_token").unwrap_or_default();
    webhook::handshake(inner, &url, &verify_token).await?;
    inner.state().webhook_url = Some(url);
    Ok(success())
}
