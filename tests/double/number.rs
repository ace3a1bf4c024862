//! The number and the account behind it: fields, profile, webhook address, templates.

use serde_json::{Value, json};

use super::error::Refusal;
use super::graph::success;
use super::serve::{Asked, Reply};
use super::state::Inner;
use super::webhook;

/// What `GET /{number}` tells, cut down to the `fields` asked for.
pub fn fields(inner: &Inner, asked: &Asked) -> Reply {
    let all = described(inner);
    Reply::Json(200, chosen(&all, asked))
}

/// The fields asked for, or those that are given unasked.
fn chosen(all: &Value, asked: &Asked) -> Value {
    let unasked = "verified_name,code_verification_status,display_phone_number,quality_rating,platform_type,throughput,\
                   webhook_configuration";
    let wanted = asked.query("fields").unwrap_or(unasked);
    only(all, wanted.split(',').map(str::trim).chain(["id"]))
}

fn only<'a>(all: &Value, names: impl Iterator<Item = &'a str>) -> Value {
    let mut some = json!({});
    for name in names {
        // `throughput{level}` asks for a part of a field; the whole is given.
        let name = name.split('{').next().unwrap_or(name);
        if let Some(value) = all.get(name) {
            some[name] = value.clone();
        }
    }
    some
}

fn described(inner: &Inner) -> Value {
    let state = inner.state();
    let setup = &inner.setup;
    let mut automation = json!({ "enable_welcome_message": false, "id": setup.phone_number_id });
    for (name, value) in &state.kept.automation {
        automation[name] = value.clone();
    }
    json!({
        "id": setup.phone_number_id,
        "display_phone_number": setup.display_phone_number,
        "verified_name": "Kopi Senja",
        "name_status": "APPROVED",
        "code_verification_status": "VERIFIED",
        "quality_rating": "GREEN",
        "platform_type": if state.registered { "CLOUD_API" } else { "NOT_APPLICABLE" },
        "status": if state.registered { "CONNECTED" } else { "DISCONNECTED" },
        "throughput": { "level": "STANDARD" },
        "account_mode": "SANDBOX",
        "is_official_business_account": false,
        "is_pin_enabled": true,
        "messaging_limit_tier": "TIER_1K",
        "conversational_automation": automation,
        "health_status": { "can_send_message": "AVAILABLE", "entities": [] },
        "webhook_configuration": { "application": state.webhook_url },
    })
}

/// `POST /{number}`: with `webhook_configuration` an address of its own for this number, with `pin` its PIN.
pub async fn set_webhook(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let Some(configuration) = body.get("webhook_configuration") else {
        // Two-step verification is set up by the same call.
        return asked
            .parameter("pin")
            .map_or_else(|| Ok(success()), |pin| super::edges::set_pin(inner, &pin));
    };
    let url = configuration
        .get("override_callback_uri")
        .and_then(Value::as_str)
        .unwrap_or_default();
    point_to(
        inner,
        url,
        configuration
            .get("verify_token")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )
    .await
}

/// Takes a new webhook address after the handshake; an empty one goes back to the app's own.
async fn point_to(inner: &Inner, url: &str, verify_token: &str) -> Result<Reply, Refusal> {
    if url.is_empty() {
        inner.state().webhook_url = inner.setup.webhook_url.clone();
        return Ok(success());
    }
    if url.chars().count() > 200 {
        return Err(Refusal::parameter(
            "Param override_callback_uri must be at most 200 characters long.",
        ));
    }
    webhook::handshake(inner, url, verify_token).await?;
    inner.state().webhook_url = Some(url.to_owned());
    Ok(success())
}

pub fn profile(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let mut state = inner.state();
    if asked.method == "GET" {
        let profile = state.profile.clone();
        let shown = match asked.query("fields") {
            Some(wanted) => only(
                &profile,
                wanted.split(',').map(str::trim).chain(["messaging_product"]),
            ),
            None => only(&profile, ["about", "messaging_product"].into_iter()),
        };
        return Ok(Reply::Json(200, json!({ "data": [shown] })));
    }
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let given = body
        .as_object()
        .ok_or_else(|| Refusal::required("messaging_product"))?;
    let known = [
        "messaging_product",
        "about",
        "address",
        "description",
        "email",
        "profile_picture_handle",
        "websites",
        "vertical",
    ];
    if let Some(unknown) = given.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::parameter(format_args!("Unexpected key \"{unknown}\".")));
    }
    if given.get("messaging_product").and_then(Value::as_str) != Some("whatsapp") {
        return Err(Refusal::required("messaging_product"));
    }
    if given
        .get("about")
        .and_then(Value::as_str)
        .is_some_and(|about| about.chars().count() > 139)
    {
        return Err(Refusal::parameter(
            "Param about must be at most 139 characters long.",
        ));
    }
    for (name, value) in given {
        state.profile[name] = value.clone();
    }
    Ok(success())
}

pub fn account(inner: &Inner) -> Reply {
    let id = &inner.setup.business_account_id;
    Reply::Json(
        200,
        json!({ "id": id, "name": "Kopi Senja", "timezone_id": "66", "message_template_namespace": "double" }),
    )
}

pub fn numbers(inner: &Inner, asked: &Asked) -> Reply {
    let all = described(inner);
    let number = chosen(&all, asked);
    Reply::Json(200, paged(vec![number]))
}

/// A page of a list that has only one.
pub fn paged(data: Vec<Value>) -> Value {
    json!({ "data": data, "paging": { "cursors": { "before": "QVFI", "after": "QVFJ" } } })
}

/// `subscribed_apps`: whether webhooks come at all, and an address of its own for this account.
pub async fn subscribed(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    match asked.method.as_str() {
        "POST" => {
            inner.state().subscribed = true;
            match asked.parameter("override_callback_uri") {
                Some(url) => {
                    point_to(inner, &url, &asked.parameter("verify_token").unwrap_or_default()).await
                }
                None => Ok(success()),
            }
        }
        "DELETE" => {
            inner.state().subscribed = false;
            Ok(success())
        }
        _ => {
            let state = inner.state();
            let app = json!({ "whatsapp_business_api_data": {
                "id": inner.setup.app_id, "name": "Double", "link": "https://www.facebook.com/games/?app_id=670843887433847" },
                "override_callback_uri": state.webhook_url });
            let apps = if state.subscribed { vec![app] } else { vec![] };
            Ok(Reply::Json(200, json!({ "data": apps })))
        }
    }
}

/// The templates the account starts with.
pub fn templates() -> Vec<Value> {
    vec![
        json!({ "name": "hello_world", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
        "id": "1192339204654487", "parameter_format": "POSITIONAL",
        "components": [{ "type": "BODY", "text": "Welcome and congratulations!" }] }),
    ]
}

pub fn message_templates(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let mut state = inner.state();
    match asked.method.as_str() {
        "GET" => {
            let name = asked.query("name");
            let found = state
                .templates
                .iter()
                .filter(|of| name.is_none_or(|name| of["name"] == name));
            let mut page = paged(found.cloned().collect());
            page["summary"] = json!({ "total_count": state.templates.len(), "message_template_count": state.templates.len(),
                "message_template_limit": 250, "are_translations_complete": true });
            Ok(Reply::Json(200, page))
        }
        "DELETE" => {
            let name = asked.parameter("name").ok_or_else(|| Refusal::required("name"))?;
            state.templates.retain(|of| of["name"] != name.as_str());
            Ok(success())
        }
        _ => {
            let mut template: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            for needed in ["name", "language", "category"] {
                if !template.get(needed).is_some_and(Value::is_string) {
                    return Err(Refusal::required(needed));
                }
            }
            let id = (900_000_000_000_000 + state.next_number()).to_string();
            template["id"] = json!(id);
            template["status"] = json!("APPROVED");
            let category = template["category"].clone();
            state.templates.push(template);
            Ok(Reply::Json(
                200,
                json!({ "id": id, "status": "APPROVED", "category": category }),
            ))
        }
    }
}
