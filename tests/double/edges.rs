//! The rest of what clients set up over the API and the double only keeps: settings, blocked customers, QR codes,
//! flows. None of it changes what happens to a message, but for one: a blocked customer is not heard any more.

use serde_json::{Map, Value, json};

use super::error::Refusal;
use super::graph::success;
use super::media;
use super::number::paged;
use super::serve::{Asked, Reply};
use super::state::{Inner, State};

/// What is kept, by the name clients read it under.
#[derive(Debug, Default)]
pub struct Kept {
    settings: Map<String, Value>,
    commerce: Map<String, Value>,
    pub automation: Map<String, Value>,
    public_key: Option<String>,
    pin: Option<String>,
    /// Digits or user ids.
    pub blocked: Vec<String>,
    qr_codes: Vec<Value>,
    flows: Vec<Value>,
}

/// An edge of the number; `None` if there is no such edge.
pub fn of_number(inner: &Inner, asked: &Asked, edge: &[&str]) -> Option<Result<Reply, Refusal>> {
    let mut state = inner.state();
    let kept = &mut state.kept;
    Some(match (asked.method.as_str(), edge) {
        ("GET", ["settings"]) => {
            let mut all = json!({ "calling": { "status": "DISABLED" },
                "storage_configuration": { "status": "DEFAULT" },
                "user_identity_change": { "enable_identity_key_check": false } });
            overlay(&mut all, &kept.settings);
            Ok(Reply::Json(200, all))
        }
        ("POST", ["settings"]) => keep(asked, &mut kept.settings),
        ("GET", ["whatsapp_commerce_settings"]) => {
            let mut all = json!({ "is_cart_enabled": true, "is_catalog_visible": false, "id": "1" });
            overlay(&mut all, &kept.commerce);
            Ok(Reply::Json(200, paged(vec![all])))
        }
        ("POST", ["whatsapp_commerce_settings"]) => {
            for name in ["is_cart_enabled", "is_catalog_visible"] {
                if let Some(value) = asked.parameter(name) {
                    let is_on = value.eq_ignore_ascii_case("true") || value == "1";
                    kept.commerce.insert(name.to_owned(), json!(is_on));
                }
            }
            Ok(success())
        }
        ("POST", ["conversational_automation"]) => keep(asked, &mut kept.automation),
        ("GET", ["whatsapp_business_encryption"]) => {
            let key = kept.public_key.iter().map(
                |key| json!({ "business_public_key": key, "business_public_key_signature_status": "VALID" }),
            );
            Ok(Reply::Json(200, json!({ "data": key.collect::<Vec<_>>() })))
        }
        ("POST", ["whatsapp_business_encryption"]) => {
            let name = "business_public_key";
            let key = media::form_text(asked, name).or_else(|| asked.parameter(name));
            key.ok_or_else(|| Refusal::required(name)).map(|key| {
                kept.public_key = Some(key);
                success()
            })
        }
        ("POST", ["register"]) => register(&mut state, asked),
        ("POST", ["deregister"]) => {
            state.registered = false;
            Ok(success())
        }
        ("POST", ["request_code"]) => required(asked, "code_method")
            .and_then(|_| required(asked, "language"))
            .map(|_| success()),
        ("POST", ["verify_code"]) => required(asked, "code").map(|_| success()),
        ("GET", ["block_users"]) => {
            let blocked = kept
                .blocked
                .iter()
                .map(|id| json!({ "messaging_product": "whatsapp", "wa_id": id }));
            Ok(Reply::Json(200, paged(blocked.collect())))
        }
        ("POST" | "DELETE", ["block_users"]) => block(kept, asked),
        (_, ["message_qrdls", rest @ ..]) if rest.len() < 2 => qr_codes(&mut state, asked, rest.first()),
        _ => return None,
    })
}

/// Two-step verification: a PIN sets it up, and the same PIN must come with the next registration.
fn register(state: &mut State, asked: &Asked) -> Result<Reply, Refusal> {
    let pin = required(asked, "pin")?;
    check_pin(&pin)?;
    if state.kept.pin.as_ref().is_some_and(|kept| *kept != pin) {
        return Err(Refusal::new(
            133005,
            "The two-step verification PIN is not the one that was set",
        ));
    }
    state.kept.pin = Some(pin);
    state.registered = true;
    Ok(success())
}

/// `POST /{number}` with `pin`.
pub fn set_pin(inner: &Inner, pin: &str) -> Result<Reply, Refusal> {
    check_pin(pin)?;
    inner.state().kept.pin = Some(pin.to_owned());
    Ok(success())
}

fn check_pin(pin: &str) -> Result<(), Refusal> {
    if pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(Refusal::parameter("Param pin must be 6 digits."))
    }
}

/// Meta blocks only who wrote in the last 24 hours; the double blocks anyone.
fn block(kept: &mut Kept, asked: &Asked) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let users = body
        .get("block_users")
        .and_then(Value::as_array)
        .ok_or_else(|| Refusal::required("block_users"))?;
    let mut done = Vec::new();
    for user in users {
        let input = user
            .get("user")
            .or_else(|| user.get("user_id"))
            .and_then(Value::as_str)
            .ok_or_else(|| Refusal::required("block_users[0]['user']"))?;
        let id = input.trim_start_matches('+').to_owned();
        kept.blocked.retain(|blocked| *blocked != id);
        done.push(json!({ "input": input, "wa_id": id }));
        if asked.method == "POST" {
            kept.blocked.push(id);
        }
    }
    let told = if asked.method == "POST" {
        "added_users"
    } else {
        "removed_users"
    };
    Ok(Reply::Json(
        200,
        json!({ "messaging_product": "whatsapp", "block_users": { told: done } }),
    ))
}

fn qr_codes(state: &mut State, asked: &Asked, code: Option<&&str>) -> Result<Reply, Refusal> {
    let place = |codes: &[Value], code: &str| codes.iter().position(|of| of["code"] == code);
    match (asked.method.as_str(), code) {
        ("GET", None) => Ok(Reply::Json(200, json!({ "data": state.kept.qr_codes }))),
        ("POST", _) => {
            let text = required(asked, "prefilled_message")?;
            let given = code
                .map(|code| (*code).to_owned())
                .or_else(|| asked.parameter("code"));
            if let Some(code) = given {
                let at = place(&state.kept.qr_codes, &code)
                    .ok_or_else(|| Refusal::no_object(&code, &asked.method))?;
                state.kept.qr_codes[at]["prefilled_message"] = json!(text);
                return Ok(Reply::Json(200, state.kept.qr_codes[at].clone()));
            }
            let code = format!("DOUBLE{:08X}", state.next_number());
            let mut made = json!({ "code": code, "prefilled_message": text,
                "deep_link_url": format!("https://wa.me/message/{code}") });
            if let Some(kind) = asked.parameter("generate_qr_image") {
                // Nothing is drawn: the name alone is given.
                made["qr_image_url"] =
                    json!(format!("https://scontent.example/{code}.{}", kind.to_lowercase()));
            }
            state.kept.qr_codes.push(made.clone());
            Ok(Reply::Json(200, made))
        }
        (method, Some(code)) => {
            let at = place(&state.kept.qr_codes, code).ok_or_else(|| Refusal::no_object(code, method))?;
            match method {
                "DELETE" => {
                    state.kept.qr_codes.remove(at);
                    Ok(success())
                }
                _ => Ok(Reply::Json(200, json!({ "data": [state.kept.qr_codes[at]] }))),
            }
        }
        _ => Err(Refusal::no_path(&asked.path)),
    }
}

/// `GET|POST /{account}/flows`.
pub fn flows(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let mut state = inner.state();
    if asked.method == "GET" {
        return Ok(Reply::Json(200, paged(state.kept.flows.clone())));
    }
    let name = required(asked, "name")?;
    let categories = required(asked, "categories")?;
    let categories: Value = serde_json::from_str(&categories).unwrap_or_else(|_| json!([categories]));
    let id = (910_000_000_000_000 + state.next_number()).to_string();
    let flow = json!({ "id": id, "name": name, "status": "DRAFT", "categories": categories, "validation_errors": [],
        "json_version": "7.0", "data_api_version": "3.0",
        "updated_at": inner.clock.now().strftime("%Y-%m-%dT%H:%M:%S+0000").to_string() });
    state.kept.flows.push(flow);
    Ok(Reply::Json(
        200,
        json!({ "id": id, "success": true, "validation_errors": [] }),
    ))
}

/// A flow or a template by its id; `None` if there is neither.
pub fn by_id(inner: &Inner, asked: &Asked, id: &str, edge: Option<&str>) -> Option<Result<Reply, Refusal>> {
    let mut state = inner.state();
    let method = asked.method.as_str();
    if let Some(at) = state.templates.iter().position(|of| of["id"] == id) {
        return Some(match (method, edge) {
            ("GET", None) => Ok(Reply::Json(200, state.templates[at].clone())),
            ("POST", None) => {
                let given: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
                overlay(&mut state.templates[at], given.as_object().unwrap_or(&Map::new()));
                Ok(success())
            }
            _ => Err(Refusal::no_object(id, method)),
        });
    }
    let at = state.kept.flows.iter().position(|of| of["id"] == id)?;
    let flow = &mut state.kept.flows[at];
    let is_draft = flow["status"] == "DRAFT";
    let wrong_state = |wanted: &str| Err(Refusal::parameter(format_args!("The flow is not {wanted}.")));
    Some(match (method, edge) {
        ("GET", None) => {
            let mut told = flow.clone();
            told["preview"] = json!({ "preview_url": format!("https://business.example/flows/{id}/preview"),
                "expires_at": "2099-01-01T00:00:00+0000" });
            Ok(Reply::Json(200, told))
        }
        ("POST", None) => {
            for name in ["name", "endpoint_uri"] {
                if let Some(value) = asked.parameter(name) {
                    flow[name] = json!(value);
                }
            }
            Ok(success())
        }
        ("DELETE", None) if is_draft => {
            state.kept.flows.remove(at);
            Ok(success())
        }
        ("DELETE", None) => wrong_state("a draft"),
        ("POST", Some("publish")) if is_draft => {
            flow["status"] = json!("PUBLISHED");
            Ok(success())
        }
        ("POST", Some("publish")) => wrong_state("a draft"),
        ("POST", Some("deprecate")) if flow["status"] == "PUBLISHED" => {
            flow["status"] = json!("DEPRECATED");
            Ok(success())
        }
        ("POST", Some("deprecate")) => wrong_state("published"),
        ("POST", Some("assets")) => Ok(Reply::Json(
            200,
            json!({ "success": true, "validation_errors": [] }),
        )),
        ("GET", Some("assets")) => Ok(Reply::Json(200, paged(vec![]))),
        _ => Err(Refusal::no_object(id, method)),
    })
}

fn required(asked: &Asked, name: &str) -> Result<String, Refusal> {
    asked.parameter(name).ok_or_else(|| Refusal::required(name))
}

/// Keeps the members of a JSON body.
fn keep(asked: &Asked, into: &mut Map<String, Value>) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let members = body
        .as_object()
        .ok_or_else(|| Refusal::parameter("The request body is not a JSON object."))?;
    for (name, value) in members {
        into.insert(name.clone(), value.clone());
    }
    Ok(success())
}

fn overlay(onto: &mut Value, members: &Map<String, Value>) {
    for (name, value) in members {
        onto[name] = value.clone();
    }
}
