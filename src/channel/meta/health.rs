//! Whether this number can send: does the token work, is the number registered, what does Meta think of it.

use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Meta, errors};
use crate::channel::{Health, HealthCheck, HealthState};

const FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,platform_type,status,throughput,\
                      webhook_configuration";

pub(super) async fn check(meta: &Meta) -> Health {
    let answer = meta
        .transport
        .client()
        .get(meta.address(&meta.settings.phone_number_id))
        .query(&[("fields", FIELDS)])
        .bearer_auth(meta.settings.access_token.expose_secret())
        .send()
        .await;
    let broken = |name, says: String| Health {
        checks: vec![HealthCheck {
            name,
            state: HealthState::Broken,
            says,
        }],
    };
    let response = match answer {
        Ok(response) => response,
        Err(error) => {
            let why = error.without_url();
            return broken(
                "reach",
                format!("{} cannot be reached: {why}", meta.settings.base_url),
            );
        }
    };
    let status = response.status();
    let Ok(body) = response.json::<Value>().await else {
        return broken(
            "reach",
            format!("{} answered HTTP {status} without JSON", meta.settings.base_url),
        );
    };
    if let Some(code) = body.pointer("/error/code").and_then(Value::as_i64) {
        let name = if code == 190 || code == 0 {
            "token"
        } else {
            "number"
        };
        return broken(
            name,
            format!("Meta refused with code {code}: {}", errors::meaning_of(code)),
        );
    }
    read(&body)
}

/// The checks of an answer that Meta gave for the number.
fn read(number: &Value) -> Health {
    let text = |name: &str| number.get(name).and_then(Value::as_str);
    let mut checks = vec![HealthCheck {
        name: "token",
        state: HealthState::Fine,
        says: "the access token may read this number".to_owned(),
    }];
    let (state, says) = match (text("platform_type"), text("status")) {
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
    };
    checks.push(HealthCheck {
        name: "number",
        state,
        says,
    });
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
        None => (HealthState::Fine, "Meta gives no quality rating yet".to_owned()),
    };
    checks.push(HealthCheck {
        name: "quality",
        state,
        says,
    });
    let webhook = ["phone_number", "whatsapp_business_account", "application"]
        .iter()
        .find_map(|level| {
            number
                .pointer(&format!("/webhook_configuration/{level}"))?
                .as_str()
        });
    let (state, says) = match webhook {
        Some(address) => (HealthState::Fine, format!("webhooks go to {address}")),
        None => (
            HealthState::Doubtful,
            "Meta names no webhook address; set it in the app's settings if messages don't arrive".to_owned(),
        ),
    };
    checks.push(HealthCheck {
        name: "webhook",
        state,
        says,
    });
    Health { checks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_connected_number_is_well() {
        let health = read(
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
    fn an_unregistered_or_restricted_number_is_not() {
        assert!(!read(&json!({ "platform_type": "NOT_APPLICABLE" })).is_well());
        assert!(!read(&json!({ "platform_type": "CLOUD_API", "status": "RESTRICTED" })).is_well());
    }
}
