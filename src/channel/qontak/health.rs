//! Whether this number can be used: does Qontak take the credentials, does it know the channel integration, and do its
//! webhooks come here.

use http::Method;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Qontak, endpoint};
use crate::channel::{Health, HealthCheck, HealthState, NotRegistered};

/// So many numbers of an organisation are looked through.
const AT_MOST: usize = 100;

pub(super) async fn check(qontak: &Qontak) -> Health {
    let path = format!("integrations?target_channel=wa_cloud&limit={AT_MOST}");
    let listed = match endpoint::ask(qontak, Method::GET, &path, None).await {
        Ok(listed) => listed,
        Err(why) => {
            return Health {
                checks: vec![refused(&why)],
            };
        }
    };
    let mut checks = vec![of(
        "token",
        HealthState::Fine,
        "Qontak takes the credentials".to_owned(),
    )];
    checks.push(number(&listed, &qontak.settings.channel_integration_id));
    checks.push(webhook(qontak).await);
    Health { checks }
}

fn refused(why: &NotRegistered) -> HealthCheck {
    let name = match why {
        NotRegistered::Unauthorised(_) => "token",
        NotRegistered::Refused(_)
        | NotRegistered::Unreachable(_)
        | NotRegistered::NoAddress
        | NotRegistered::ByHand => "reach",
    };
    of(name, HealthState::Broken, why.to_string())
}

/// Whether the organisation's webhooks come here.
async fn webhook(qontak: &Qontak) -> HealthCheck {
    let Some(ours) = &qontak.settings.endpoint else {
        let says = "public_url is not set, so nobody can tell whether webhooks come here";
        return of("address", HealthState::Doubtful, says.to_owned());
    };
    match endpoint::is_ours(qontak, ours.expose_secret()).await {
        Ok(true) => of("webhook", HealthState::Fine, "the endpoint is set to this server".to_owned()),
        Ok(false) => of(
            "webhook",
            HealthState::Doubtful,
            "the endpoint is not set to this server: no message comes here, and the session settings of this number are \
             not used"
                .to_owned(),
        ),
        Err(why) => refused(&why),
    }
}

fn of(name: &'static str, state: HealthState, says: String) -> HealthCheck {
    HealthCheck { name, state, says }
}

fn number(listed: &Value, wanted: &str) -> HealthCheck {
    let all = listed.get("data").and_then(Value::as_array);
    let found = all
        .into_iter()
        .flatten()
        .find(|one| one.get("id").and_then(Value::as_str) == Some(wanted));
    match found {
        None => {
            let seen = all.map_or(0, Vec::len);
            let says = format!(
                "the organisation has no WhatsApp channel with this channel_integration_id (it has {seen}); copy the \
                 \"Channel Integration ID\" from Qontak's settings"
            );
            of("number", HealthState::Broken, says)
        }
        Some(one) if one.get("is_active") == Some(&Value::Bool(false)) => of(
            "number",
            HealthState::Broken,
            "the channel is switched off at Qontak; switch it on there".to_owned(),
        ),
        Some(one) => {
            let name = one.pointer("/settings/account_name").and_then(Value::as_str);
            let says = format!("the number of {:?} is there", name.unwrap_or("no name"));
            of("number", HealthState::Fine, says)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_integration_is_found_or_what_is_wrong_is_said() {
        let listed = json!({ "data": [
            { "id": "a", "is_active": true, "settings": { "account_name": "Kopi Senja" } },
            { "id": "b", "is_active": false } ] });
        assert_eq!(number(&listed, "a").state, HealthState::Fine);
        let off = number(&listed, "b");
        assert!(off.state == HealthState::Broken && off.says.contains("switched off"));
        let missing = number(&listed, "c");
        assert!(missing.state == HealthState::Broken && missing.says.contains("it has 2"));
        assert_eq!(number(&json!({}), "a").state, HealthState::Broken);
    }
}
