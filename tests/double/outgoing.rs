//! A message the business sends: the order of the gates it passes, the answer, and the statuses that follow.

use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::error::{Refusal, title_of};
use super::faults::{self, Faulty};
use super::refuse;
use super::serve::{Asked, Reply};
use super::state::{Inner, Known, Sent};
use super::webhook::Webhook;

/// Free text reaches a customer this long after a message of theirs.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// Takes a message, or a read receipt, or says what is wrong with it.
pub fn send(inner: &Arc<Inner>, asked: &Asked) -> Result<Reply, Refusal> {
    let body = parameters(asked)?;
    let message = body
        .as_object()
        .ok_or_else(|| Refusal::parameter("The request body must be an object"))?;
    if message.contains_key("status") {
        return seen(inner, message);
    }
    refuse::message(message)?;
    let mut recipient = Recipient::of(message)?;
    // A customer has one thread and one window, whichever way they are addressed.
    if let Some((key, _)) = inner.state().known(&recipient.id) {
        recipient.id = key;
    }
    if !inner.state().registered {
        return Err(Refusal::new(
            133010,
            "Account is not registered with the Cloud API",
        ));
    }
    let fault = faults::by_number(&recipient.id)
        .or_else(|| faults::take(&mut inner.state().faults, &recipient.id, false));
    match fault {
        Some(Faulty::Refuse(code)) => {
            return Err(Refusal::new(code, format!("{}, as asked", title_of(code).0)));
        }
        Some(Faulty::Status(500)) => return Err(Refusal::new(131000, "Something went wrong, as asked")),
        Some(Faulty::Status(status)) => return Ok(Reply::Empty(status)),
        Some(Faulty::TooMany(seconds)) => return Ok(Reply::TooMany(seconds)),
        _ => {}
    }
    let kind = message
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("text")
        .to_owned();
    known_media(inner, message, &kind)?;
    known_template(inner, &body)?;
    gates(inner, &recipient, &kind)?;
    let sent = accept(inner, &recipient, kind, &body);
    inner.touch();
    let silent = recipient.is_lost || fault == Some(Faulty::Silent) || !inner.setup.statuses;
    let failure = match fault {
        Some(Faulty::FailLater(code)) => Some(code),
        _ => None,
    };
    if !silent {
        // Drawn here, in the order of sending, so that the seed alone decides.
        let swapped = inner.state().random().is_multiple_of(4);
        tokio::spawn(statuses(
            Arc::clone(inner),
            sent.clone(),
            recipient.clone(),
            failure,
            swapped,
        ));
    }
    Ok(match fault {
        Some(Faulty::Hang) => Reply::Hang,
        Some(Faulty::Reset) => Reply::Reset,
        Some(Faulty::Garbage) => Reply::Bytes {
            mime: "application/json".to_owned(),
            bytes: b"{\"messages\": [{\"id\"".to_vec(),
        },
        _ => Reply::Json(200, recipient.answer(&sent)),
    })
}

/// The message, from JSON or from a form. As everywhere in the Graph API a member may be JSON inside a string.
fn parameters(asked: &Asked) -> Result<Value, Refusal> {
    let mut body: Value = if asked
        .content_type
        .starts_with("application/x-www-form-urlencoded")
    {
        let pairs = url::form_urlencoded::parse(&asked.body);
        let members = pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
        Value::Object(members.collect())
    } else {
        serde_json::from_slice(&asked.body).map_err(|error| {
            Refusal::parameter(format_args!("The request body is not valid JSON: {error}"))
        })?
    };
    for value in body.as_object_mut().into_iter().flat_map(Map::values_mut) {
        let inner = value
            .as_str()
            .filter(|text| text.starts_with(['{', '[']))
            .map(serde_json::from_str);
        if let Some(Ok(inner)) = inner {
            *value = inner;
        }
    }
    drop_nulls(&mut body);
    Ok(body)
}

/// The Graph API reads a member that is null as one that is not there; several clients rely on it.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Window and rates.
fn gates(inner: &Inner, recipient: &Recipient, kind: &str) -> Result<(), Refusal> {
    let now = inner.clock.now();
    let mut state = inner.state();
    if recipient.id == inner.setup.display_phone_number {
        return Err(Refusal::new(
            131021,
            "Recipient phone number is the same as the sender",
        ));
    }
    let last_in = state.customers.get(&recipient.id).and_then(|known| known.last_in);
    let open = last_in.is_some_and(|last| now.duration_since(last) < WINDOW);
    if kind != "template" && !open && !inner.setup.open_windows && !recipient.is_lost && !recipient.is_group {
        return Err(Refusal::new(
            131047,
            "Message failed to send because more than 24 hours have passed since the customer last replied to this \
             number. (In this double a customer writes by POST /double/customer-message.)",
        ));
    }
    state.rates.take(&inner.setup, &recipient.id, now)
}

/// A template must be there in its language, be approved, and be given as many values as its body has blanks.
fn known_template(inner: &Inner, body: &Value) -> Result<(), Refusal> {
    if body["type"] != "template" {
        return Ok(());
    }
    let (name, language) = (&body["template"]["name"], &body["template"]["language"]["code"]);
    let state = inner.state();
    let found = state
        .templates
        .iter()
        .find(|of| of["name"] == *name && of["language"] == *language);
    let Some(found) = found else {
        return Err(Refusal::new(
            132001,
            format!("template name ({name}) does not exist in {language}"),
        ));
    };
    if found["status"] == "PAUSED" {
        return Err(Refusal::new(132015, "This template is paused"));
    }
    let of = |components: &Value, kind: &str| {
        let all = components.as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| {
            one["type"]
                .as_str()
                .is_some_and(|own| own.eq_ignore_ascii_case(kind))
        })
    };
    let text = of(&found["components"], "body").map(|component| component["text"].to_string());
    let wanted = text.unwrap_or_default().matches("{{").count();
    let given = of(&body["template"]["components"], "body")
        .and_then(|component| Some(component["parameters"].as_array()?.len()))
        .unwrap_or_default();
    if wanted != given {
        return Err(Refusal::new(
            132000,
            format!(
                "body: number of localizable_params ({given}) does not match the expected number of params ({wanted})"
            ),
        ));
    }
    Ok(())
}

fn known_media(inner: &Inner, message: &Map<String, Value>, kind: &str) -> Result<(), Refusal> {
    let Some(id) = message
        .get(kind)
        .and_then(|part| part.get("id"))
        .and_then(Value::as_str)
    else {
        return Ok(());
    };
    if inner.state().files.contains_key(id) {
        return Ok(());
    }
    Err(Refusal::parameter(format_args!(
        "Param {kind}['id'] is not a valid whatsapp business account media attachment ID"
    )))
}

fn accept(inner: &Inner, recipient: &Recipient, kind: String, body: &Value) -> Sent {
    let mut state = inner.state();
    let sent = Sent {
        id: state.wamid(&recipient.id),
        to: recipient.id.clone(),
        kind,
        body: body.clone(),
        ours: body
            .get("biz_opaque_callback_data")
            .and_then(Value::as_str)
            .map(str::to_owned),
        at: inner.clock.now().as_second(),
        accepted: Instant::now(),
    };
    state.sent.push(sent.clone());
    sent
}

/// Marks a customer's message as read.
fn seen(inner: &Inner, message: &Map<String, Value>) -> Result<Reply, Refusal> {
    let id = refuse::read_receipt(message)?;
    inner.state().read.insert(id);
    inner.touch();
    Ok(Reply::Json(200, json!({ "success": true })))
}

#[derive(Debug, Clone)]
struct Recipient {
    /// As the request spelled it.
    input: String,
    /// Digits, a user id, or a group's id.
    id: String,
    is_bsuid: bool,
    is_group: bool,
    /// A user id where a phone number belongs: accepted, and never delivered.
    is_lost: bool,
}

impl Recipient {
    fn of(message: &Map<String, Value>) -> Result<Recipient, Refusal> {
        let text = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_group = text("recipient_type").as_deref() == Some("group");
        // `to` wins when both are there.
        let Some(to) = text("to") else {
            let id = text("recipient").ok_or_else(|| Refusal::required("to"))?;
            return Ok(Recipient {
                input: id.clone(),
                id,
                is_bsuid: true,
                is_group: false,
                is_lost: false,
            });
        };
        if is_group {
            return Ok(Recipient {
                input: to.clone(),
                id: to,
                is_bsuid: false,
                is_group,
                is_lost: false,
            });
        }
        let digits: String = to
            .chars()
            .filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')'))
            .collect();
        if digits.is_empty() {
            return Err(Refusal::required("to"));
        }
        let is_lost = !digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_lost && !(5..=15).contains(&digits.len()) {
            return Err(Refusal::parameter(format_args!(
                "Invalid parameter: to is not a phone number: {to:?}"
            )));
        }
        Ok(Recipient {
            input: to,
            id: digits,
            is_bsuid: false,
            is_group: false,
            is_lost,
        })
    }

    fn answer(&self, sent: &Sent) -> Value {
        let (name, id) = if self.is_bsuid {
            ("user_id", &self.input)
        } else {
            ("wa_id", &self.id)
        };
        let mut message = json!({ "id": sent.id });
        if sent.kind == "template" {
            message["message_status"] = json!("accepted");
        }
        json!({
            "messaging_product": "whatsapp",
            "contacts": [{ "input": self.input, name: id }],
            "messages": [message],
        })
    }
}

/// `sent` at once, `delivered` and `read` later, in one of four cases the other way round.
async fn statuses(inner: Arc<Inner>, sent: Sent, to: Recipient, failure: Option<i64>, swapped: bool) {
    tell(&inner, &sent, &to, "sent", None);
    inner.clock.sleep(inner.setup.delivered_after).await;
    if failure.is_some() {
        return tell(&inner, &sent, &to, "failed", failure);
    }
    if !inner.setup.reads {
        return tell(&inner, &sent, &to, "delivered", None);
    }
    let [first, second] = if swapped {
        ["read", "delivered"]
    } else {
        ["delivered", "read"]
    };
    tell(&inner, &sent, &to, first, None);
    inner.clock.sleep(inner.setup.delivered_after).await;
    tell(&inner, &sent, &to, second, None);
}

fn tell(inner: &Inner, sent: &Sent, to: &Recipient, state: &str, failure: Option<i64>) {
    let mut status =
        json!({ "id": sent.id, "status": state, "timestamp": inner.clock.now().as_second().to_string() });
    let known = inner
        .state()
        .known(&to.id)
        .map_or_else(|| Known::new(&to.id), |(_, known)| known);
    if to.is_group {
        status["recipient_id"] = json!(to.id);
        status["recipient_type"] = json!("group");
    } else {
        status["recipient_user_id"] = json!(known.user_id);
        if let Some(phone) = &known.phone {
            status["recipient_id"] = json!(phone);
        }
    }
    if let Some(ours) = &sent.ours {
        status["biz_opaque_callback_data"] = json!(ours);
    }
    match failure {
        Some(code) => {
            let (title, _) = title_of(code);
            status["errors"] = json!([{ "code": code, "title": title, "message": title,
                "error_data": { "details": format!("{title}, as asked") },
                "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/" }]);
        }
        None => {
            let category = if sent.kind == "template" {
                "utility"
            } else {
                "service"
            };
            status["pricing"] = json!({ "billable": sent.kind == "template", "pricing_model": "PMP",
                "type": if category == "service" { "free_customer_service" } else { "regular" }, "category": category });
        }
    }
    let mut value = inner.frame();
    // Contacts come with every status but a failure.
    if failure.is_none() && !to.is_group {
        value["contacts"] = json!([known.contact()]);
    }
    value["statuses"] = json!([status]);
    inner.tell(Webhook {
        field: "messages",
        value,
    });
}

impl Inner {
    /// The value of a webhook for this number, without its lists.
    pub fn frame(&self) -> Value {
        json!({
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": self.setup.display_phone_number,
                "phone_number_id": self.setup.phone_number_id,
            },
        })
    }
}
