//! Set Endpoint: telling Qontak where its webhooks go, and asking where they go now. The address is one for the whole
//! organisation: setting it takes it from whoever had it.

use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Qontak, errors};
use crate::channel::{HttpRequest, NotRegistered, SendFailure, Transport};

/// What is told over the webhook of messages.
const MESSAGES: &str = "message_interactions";
/// Of rooms, `room_resolved`.
const ROOMS: &str = "room_interactions";

/// What must come for the bot to work.
const NEEDED: [&str; 3] = [
    "receive_message_from_customer",
    "receive_message_from_agent",
    "status_message",
];

pub(super) async fn set(qontak: &Qontak) -> Result<(), NotRegistered> {
    let endpoint = qontak.settings.endpoint.as_ref();
    let url = endpoint.ok_or(NotRegistered::NoAddress)?.expose_secret();
    let messages = json!({
        "receive_message_from_customer": true,
        "receive_message_from_agent": true,
        "status_message": true,
        "broadcast_log_status": true,
        "url": url,
    });
    ask(qontak, Method::PUT, MESSAGES, Some(&messages)).await?;
    ask(
        qontak,
        Method::PUT,
        ROOMS,
        Some(&json!({ "room_resolved": true, "url": url })),
    )
    .await?;
    if is_ours(qontak, url).await? {
        Ok(())
    } else {
        let says =
            "Qontak took the address and does not have it now; set it again, or look into its settings";
        Err(NotRegistered::Refused(says.to_owned()))
    }
}

/// Whether everything that is needed goes to this address.
pub(super) async fn is_ours(qontak: &Qontak, url: &str) -> Result<bool, NotRegistered> {
    let settings = ask(qontak, Method::GET, MESSAGES, None).await?;
    let data = settings.get("data").unwrap_or(&settings);
    Ok(NEEDED.iter().all(|flag| goes_to(data, flag, url)))
}

/// `{<flag>: {enabled, webhooks: [{url}]}}`.
fn goes_to(data: &Value, flag: &str, url: &str) -> bool {
    let Some(told) = data.get(flag) else { return false };
    let hooks = told.get("webhooks").and_then(Value::as_array);
    told.get("enabled") == Some(&Value::Bool(true))
        && hooks.is_some_and(|hooks| {
            hooks
                .iter()
                .any(|hook| hook.get("url").and_then(Value::as_str) == Some(url))
        })
}

/// What Qontak answers to a question of ours.
pub(super) async fn ask(
    qontak: &Qontak,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, NotRegistered> {
    let mut request = HttpRequest::new(method, qontak.settings.address(path));
    if let Some(body) = body {
        request = request.body("application/json", body.to_string().into_bytes());
    }
    let answer = qontak.access.send(request).await.map_err(|failure| {
        let (SendFailure::NotSent(why) | SendFailure::Unanswered(why)) = failure;
        NotRegistered::Unreachable(format!("Qontak can't be reached: {why}"))
    })?;
    if (200..300).contains(&answer.status) {
        return serde_json::from_slice(&answer.body).map_err(|_| {
            NotRegistered::Unreachable("Qontak answered with something that is not its JSON".to_owned())
        });
    }
    let (_, words) = errors::words_of(&answer.body);
    let words = if words.is_empty() {
        String::new()
    } else {
        format!(" ({words})")
    };
    let says = format!(
        "Qontak refused with HTTP {}: {}{}",
        answer.status,
        errors::meaning_of(answer.status),
        qontak.settings.gate.hidden(&words)
    );
    Err(match answer.status {
        401 | 403 => NotRegistered::Unauthorised(says),
        _ => NotRegistered::Refused(says),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_ours_if_everything_that_is_needed_goes_there() {
        let url = "https://bot.example/webhook/main/secret";
        let flag = |enabled: bool, url: &str| json!({ "enabled": enabled, "webhooks": [{ "id": "1", "event": "message_interaction", "url": url }] });
        let good = json!({ "receive_message_from_customer": flag(true, url) });
        let to = |data: &Value| goes_to(data, "receive_message_from_customer", url);
        assert!(to(&good));
        assert!(!to(&json!({ "receive_message_from_customer": flag(false, url) })));
        assert!(!to(
            &json!({ "receive_message_from_customer": flag(true, "https://other.example") })
        ));
        assert!(!to(&json!({})));
    }
}
