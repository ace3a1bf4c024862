//! Whether this number can send: does the key work, is the number registered, what does the provider think of it, and
//! where do webhooks go.

use serde_json::Value;

use super::{Meta, errors};
use crate::channel::{Health, HealthCheck, HealthState};

pub(super) async fn check(meta: &Meta) -> Health {
    let answer = match ask(meta, meta.route.health()).await {
        Ok(answer) => answer,
        Err(broken) => return one(broken),
    };
    let mut health = match answer {
        Answer::Json(number) => read(meta, &number),
        // Those who only pass on Meta's language need not have this call.
        Answer::Nothing => Health {
            checks: vec![check_of(
                "number",
                HealthState::Doubtful,
                format!("{} answers, but says nothing of the number there", meta.name),
            )],
        },
    };
    if let Some(address) = meta.route.webhook() {
        health.checks.push(match ask(meta, address).await {
            Ok(Answer::Json(answer)) => webhook(meta, answer.get("url").and_then(Value::as_str)),
            Ok(Answer::Nothing) => webhook(meta, None),
            Err(broken) => broken,
        });
    }
    health
}

pub(super) enum Answer {
    Json(Value),
    /// HTTP 404 without an error object of Meta's.
    Nothing,
}

pub(super) async fn ask(meta: &Meta, address: String) -> Result<Answer, HealthCheck> {
    let name = meta.name;
    let broken = |check, says| check_of(check, HealthState::Broken, says);
    let base = &meta.route.base_url;
    let request = meta.route.get(meta.transport.client(), address);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let why = error.without_url();
            return Err(broken("reach", format!("{base} cannot be reached: {why}")));
        }
    };
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap_or_default();
    let json = serde_json::from_slice::<Value>(&body).ok();
    if let Some(code) = json
        .as_ref()
        .and_then(|json| json.pointer("/error/code"))
        .and_then(Value::as_i64)
    {
        let check = if code == 190 || code == 0 {
            "token"
        } else {
            "number"
        };
        let meaning = errors::meaning_of(code);
        return Err(broken(
            check,
            format!("{name} refused with code {code}: {meaning}"),
        ));
    }
    let words = errors::words_of(&body)
        .map(|words| format!(" ({words})"))
        .unwrap_or_default();
    match (status, json) {
        (200..=299, Some(json)) => Ok(Answer::Json(json)),
        (401 | 403, _) => Err(broken(
            "token",
            format!("{name} refused the access token with HTTP {status}{words}; set a new one"),
        )),
        (404, _) if meta.is_compatible() => Ok(Answer::Nothing),
        (_, None) => Err(broken(
            "reach",
            format!("{base} answered HTTP {status} without JSON"),
        )),
        (_, Some(_)) => Err(broken("reach", format!("{base} answered HTTP {status}{words}"))),
    }
}

/// The checks of an answer that was given for the number.
fn read(meta: &Meta, number: &Value) -> Health {
    let text = |name: &str| number.get(name).and_then(Value::as_str);
    let mut checks = vec![check_of(
        "token",
        HealthState::Fine,
        "the access token may read this number".to_owned(),
    )];
    if let Some(id) = text("id").filter(|id| *id != meta.account) {
        let says = format!(
            "the access token belongs to the number with the id {id}, not to {}; correct phone_number_id",
            meta.account
        );
        checks.push(check_of("number", HealthState::Broken, says));
        return Health { checks };
    }
    let (state, says) = standing(number);
    checks.push(check_of("number", state, says));
    let (state, says) = match text("quality_rating") {
        Some("RED") => (
            HealthState::Doubtful,
            "customers block or report this number often (quality is red)".to_owned(),
        ),
        Some("YELLOW") => (HealthState::Doubtful, "the number's quality is yellow".to_owned()),
        Some(rating) => (
            HealthState::Fine,
            format!("the number's quality is {}", rating.to_lowercase()),
        ),
        None => (
            HealthState::Fine,
            format!("{} gives no quality rating yet", meta.name),
        ),
    };
    checks.push(check_of("quality", state, says));
    if !meta.is_compatible() {
        let levels = ["phone_number", "whatsapp_business_account", "application"];
        let address = levels.iter().find_map(|level| {
            number
                .pointer(&format!("/webhook_configuration/{level}"))?
                .as_str()
        });
        checks.push(webhook(meta, address));
    }
    Health { checks }
}

/// Whether the number may send, by whichever fields the answer has.
fn standing(number: &Value) -> (HealthState, String) {
    let text = |name: &str| number.get(name).and_then(Value::as_str);
    match number
        .pointer("/health_status/can_send_messages")
        .and_then(Value::as_str)
    {
        Some("BLOCKED") => {
            let says = "the number may not send (BLOCKED); see the business manager".to_owned();
            return (HealthState::Broken, says);
        }
        Some("LIMITED") => {
            let says =
                "the number may send, but not everything (LIMITED); see the business manager".to_owned();
            return (HealthState::Doubtful, says);
        }
        Some(_) | None => {}
    }
    match (text("platform_type"), text("status")) {
        (Some("CLOUD_API") | None, Some("CONNECTED") | None) => {
            let name = text("verified_name").unwrap_or("no name");
            (
                HealthState::Fine,
                format!("the number of {name:?} is registered with the Cloud API"),
            )
        }
        (Some(platform), _) if platform != "CLOUD_API" => (
            HealthState::Broken,
            format!("the number is not registered with the Cloud API (platform {platform}); register it"),
        ),
        (_, status) => (
            HealthState::Broken,
            format!(
                "the number's status is {}; see the business manager",
                status.unwrap_or("unknown")
            ),
        ),
    }
}

fn webhook(meta: &Meta, address: Option<&str>) -> HealthCheck {
    match address.filter(|address| !address.is_empty()) {
        Some(address) => check_of(
            "webhook",
            HealthState::Fine,
            format!("webhooks go to {}", meta.gate.hidden(address)),
        ),
        None => check_of(
            "webhook",
            HealthState::Doubtful,
            format!("{} names no webhook address, so no message may arrive", meta.name),
        ),
    }
}

fn check_of(name: &'static str, state: HealthState, says: String) -> HealthCheck {
    HealthCheck { name, state, says }
}

fn one(check: HealthCheck) -> Health {
    Health { checks: vec![check] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::meta::MetaSettings;
    use secrecy::SecretString;
    use serde_json::json;

    fn read_of(number: &Value) -> Health {
        let secret = || SecretString::from("x");
        let meta = Meta::new(MetaSettings::new("1", secret(), vec![secret()], secret())).unwrap();
        read(&meta, number)
    }

    #[test]
    fn a_connected_number_is_well() {
        let health = read_of(
            &json!({ "id": "1", "verified_name": "Kopi Senja", "platform_type": "CLOUD_API",
            "status": "CONNECTED", "quality_rating": "GREEN",
            "webhook_configuration": { "application": "https://bot.example/webhook" } }),
        );
        assert!(health.is_well());
        assert!(
            health.checks.iter().all(|check| check.state == HealthState::Fine),
            "{health:?}"
        );
    }

    #[test]
    fn an_unregistered_restricted_or_blocked_number_is_not() {
        assert!(!read_of(&json!({ "platform_type": "NOT_APPLICABLE" })).is_well());
        assert!(!read_of(&json!({ "platform_type": "CLOUD_API", "status": "RESTRICTED" })).is_well());
        let blocked = json!({ "id": "1", "health_status": { "can_send_messages": "BLOCKED" } });
        assert!(!read_of(&blocked).is_well());
    }

    #[test]
    fn a_key_of_another_number_is_told_with_both_ids() {
        let health = read_of(&json!({ "id": "2" }));
        assert!(!health.is_well());
        assert!(
            health.checks[1]
                .says
                .contains("the id 2, not to 1; correct phone_number_id")
        );
    }
}
