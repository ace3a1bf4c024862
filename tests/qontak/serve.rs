//! The double's calls: who may make them, what they change, and what is refused.

use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::double::{
    CLIENT_ID, CLIENT_SECRET, INTEGRATION, Inner, Logged, PASSWORD, Room, SECOND, Sent, USERNAME,
};
use super::{loopback, refuse, signed};

/// What can be told over the webhook of messages.
pub const FLAGS: [&str; 4] = [
    "receive_message_from_customer",
    "receive_message_from_agent",
    "status_message",
    "broadcast_log_status",
];

pub async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    loopback::serve(listener, Router::new().fallback(answer).with_state(inner)).await;
}

/// A request, read whole.
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_| Refusal::wrong("the body is not JSON"))
    }
}

/// A call that is not carried out.
pub struct Refusal {
    pub status: u16,
    pub message: String,
}

impl Refusal {
    pub fn wrong(message: impl Into<String>) -> Refusal {
        Refusal {
            status: 422,
            message: message.into(),
        }
    }

    fn missing(what: &str) -> Refusal {
        Refusal {
            status: 404,
            message: format!("{what} not found"),
        }
    }

    fn no_entry() -> Refusal {
        Refusal {
            status: 401,
            message: "Unauthorized".to_owned(),
        }
    }
}

type Outcome = Result<(u16, Value), Refusal>;

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let asked = Asked {
        method: head.method.to_string(),
        target: head
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: head.headers,
        body: to_bytes(body, 20 * 1024 * 1024).await.unwrap_or_default(),
    };
    if let Some(name) = asked.target.strip_prefix("/files/") {
        let file = inner.state().files.get(name).cloned();
        return match file {
            Some(bytes) => ([(header::CONTENT_TYPE, "audio/ogg")], bytes).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    let outcome = call(&inner, &asked).await;
    let (status, body) = match outcome {
        Ok((status, data)) => (status, json!({ "status": "success", "data": data })),
        Err(Refusal { status, message }) => (
            status,
            json!({ "status": "error", "error": { "code": status, "messages": [message] } }),
        ),
    };
    // Tokens are given out bare.
    let body = if asked.target == "/oauth/token" && status == 201 {
        body["data"].clone()
    } else {
        body
    };
    inner.state().log.push(Logged {
        line: format!("{} {}", asked.method, asked.target),
        body: asked.body.to_vec(),
        answered: status,
    });
    inner.touch();
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (code, axum::Json(body)).into_response();
    if status == 429 {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

async fn call(inner: &Arc<Inner>, asked: &Asked) -> Outcome {
    let path = asked.target.split('?').next().unwrap_or_default();
    if path == "/oauth/token" {
        return token(inner, asked);
    }
    let rest = if let Some(rest) = path.strip_prefix("/api/open/v1/") {
        let bearer = asked
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let known = bearer.is_some_and(|token| inner.state().tokens.iter().any(|good| good == token));
        known.then_some(rest).ok_or_else(Refusal::no_entry)?
    } else if let Some(rest) = path.strip_prefix("/qontak/chat/v1/") {
        signed::check(asked).map_err(|message| Refusal { status: 401, message })?;
        rest
    } else {
        return Err(Refusal::missing("the address"));
    };
    let parts: Vec<&str> = rest.split('/').collect();
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["integrations"]) => {
            let of = |id: &str| {
                json!({ "id": id, "target_channel": "wa_cloud", "is_active": true,
                "settings": { "account_name": "Kopi Senja" } })
            };
            Ok((200, json!([of(INTEGRATION), of(SECOND)])))
        }
        ("GET", ["templates", "whatsapp"]) => {
            let state = inner.state();
            let all: Vec<Value> = state
                .templates
                .iter()
                .map(|(id, blanks)| {
                    let body: String = (1..=*blanks).map(|at| format!("{{{{{at}}}}} ")).collect();
                    json!({ "id": id, "name": "Order update", "language": "id", "status": "APPROVED",
                        "category": "UTILITY", "header": null, "body": body.trim_end(), "footer": null, "buttons": [] })
                })
                .collect();
            Ok((200, json!(all)))
        }
        (method, ["message_interactions"]) => messages_endpoint(inner, asked, method).await,
        (method, ["room_interactions"]) => rooms_endpoint(inner, asked, method).await,
        ("POST", ["messages", "whatsapp", "bot"]) => plain(inner, asked),
        ("POST", ["messages", "whatsapp", "interactive_message", "bot"]) => interactive(inner, asked),
        ("POST", ["messages", "whatsapp", "hsm"]) => hsm(inner, asked),
        ("POST", ["broadcasts", "whatsapp", "direct"]) => broadcast(inner, asked),
        ("POST", ["file_uploader"]) => {
            let form = asked
                .header("content-type")
                .and_then(|kind| kind.split_once("boundary="))
                .ok_or_else(|| Refusal::wrong("not a form"))?;
            let form = refuse::form(&asked.body, form.1).map_err(Refusal::wrong)?;
            let name = form["file"]["filename"]
                .as_str()
                .ok_or_else(|| Refusal::wrong("file is missing"))?;
            Ok((
                201,
                json!({ "url": format!("http://{}/files/{name}", inner.address) }),
            ))
        }
        ("POST", ["rooms", id, "assign_round_robin"]) => {
            let agent = inner.state().next_agent();
            assign(inner, id, &agent)
        }
        ("POST", ["rooms", id, "agents", agent]) => assign(inner, id, agent),
        ("PUT", ["rooms", id, "resolve"]) => {
            let (phone, _) = room(inner, id)?;
            inner
                .state()
                .rooms
                .get_mut(&phone)
                .ok_or_else(|| Refusal::missing("Room"))?
                .status = "resolved";
            inner.tell_of_room(&phone);
            Ok((200, json!({})))
        }
        _ => Err(Refusal::missing("the address")),
    }
}

fn token(inner: &Inner, asked: &Asked) -> Outcome {
    let body = asked.json()?;
    let says = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    if (says("client_id").as_str(), says("client_secret").as_str()) != (CLIENT_ID, CLIENT_SECRET) {
        return Err(Refusal::no_entry());
    }
    let mut state = inner.state();
    let good = match says("grant_type").as_str() {
        "password" => (says("username").as_str(), says("password").as_str()) == (USERNAME, PASSWORD),
        "refresh_token" => {
            let given = says("refresh_token");
            let before = state.refreshes.len();
            // It is good once.
            state.refreshes.retain(|known| *known != given);
            state.refreshes.len() < before
        }
        _ => false,
    };
    if !good {
        return Err(Refusal::no_entry());
    }
    let (access, refresh) = (state.uuid(), state.uuid());
    state.tokens.push(access.clone());
    state.refreshes.push(refresh.clone());
    Ok((
        201,
        json!({ "access_token": access, "token_type": "Bearer", "expires_in": 29_800_000,
        "refresh_token": refresh, "created_at": 1 }),
    ))
}

async fn messages_endpoint(inner: &Inner, asked: &Asked, method: &str) -> Outcome {
    if method == "PUT" {
        let body = asked.json()?;
        let url = checked(inner, &body).await?;
        let mut state = inner.state();
        for flag in FLAGS {
            if let Some(on) = body.get(flag) {
                let on = on
                    .as_bool()
                    .ok_or_else(|| Refusal::wrong(format!("{flag} is not a boolean")))?;
                state.flags.insert(flag.to_owned(), on);
            }
        }
        state.messages_url = Some(url);
    } else if method != "GET" {
        return Err(Refusal::missing("the address"));
    }
    let state = inner.state();
    let hooks: Vec<Value> = state
        .messages_url
        .iter()
        .map(|url| json!({ "id": "1", "event": "message_interaction", "url": url }))
        .collect();
    let mut told = json!({});
    for flag in FLAGS {
        let on = state.flags.get(flag).copied().unwrap_or(false);
        told[flag] = json!({ "enabled": on, "webhooks": hooks });
    }
    Ok((200, told))
}

async fn rooms_endpoint(inner: &Inner, asked: &Asked, method: &str) -> Outcome {
    if method != "PUT" {
        return Err(Refusal::missing("the address"));
    }
    let body = asked.json()?;
    if body["room_resolved"] != true {
        return Err(Refusal::wrong("room_resolved is missing"));
    }
    let url = checked(inner, &body).await?;
    inner.state().rooms_url = Some(url);
    Ok((200, json!({})))
}

/// A new address must take the check before it is used.
async fn checked(inner: &Inner, body: &Value) -> Result<String, Refusal> {
    let url = body["url"]
        .as_str()
        .ok_or_else(|| Refusal::wrong("url is missing"))?
        .to_owned();
    let verify = inner.state().uuid();
    // Without TLS: what stands before loopback in production is not here.
    let reached = inner.state().reach(&url);
    let answer = inner
        .client
        .post(&reached)
        .json(&json!({ "verify_info": verify }))
        .send()
        .await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(url),
        _ => Err(Refusal::wrong("url can't be verified")),
    }
}

/// The room of this id with its customer's digits.
fn room(inner: &Inner, id: &str) -> Result<(String, Room), Refusal> {
    let state = inner.state();
    let found = state.rooms.iter().find(|(_, room)| room.id == id);
    found
        .map(|(phone, room)| (phone.clone(), room.clone()))
        .ok_or_else(|| Refusal::missing("Room"))
}

/// A room that takes messages now, unless the test wants a fault.
fn open_room(inner: &Inner, body: &Value) -> Result<(String, Room), Refusal> {
    fault(inner)?;
    let id = body["room_id"]
        .as_str()
        .ok_or_else(|| Refusal::wrong("room_id is missing"))?;
    let (phone, room) = room(inner, id)?;
    if !inner.state().is_open(&room) {
        return Err(Refusal::wrong("Room session is expired"));
    }
    Ok((phone, room))
}

fn fault(inner: &Inner) -> Result<(), Refusal> {
    let mut state = inner.state();
    if state.faults.is_empty() {
        return Ok(());
    }
    let status = state.faults.remove(0);
    let message = match status {
        401 => "Unauthorized",
        429 => "Too many requests",
        _ => "Something went wrong",
    };
    Err(Refusal {
        status,
        message: message.to_owned(),
    })
}

/// Keeps a message and lets its echo and statuses follow.
fn accept_message(inner: &Inner, phone: &str, room: &Room, kind: &str, body: Value) -> (u16, Value) {
    let sent = {
        let mut state = inner.state();
        let (id, to, kind) = (state.uuid(), phone.to_owned(), kind.to_owned());
        let sent = Sent {
            id,
            room: room.id.clone(),
            to,
            kind,
            body,
        };
        state.sent.push(sent.clone());
        sent
    };
    inner.touch();
    inner.follow(&sent, "bot", &sent.shown());
    (201, json!({ "id": sent.id, "room_id": sent.room }))
}

fn plain(inner: &Inner, asked: &Asked) -> Outcome {
    let form = asked
        .header("content-type")
        .and_then(|kind| kind.split_once("boundary="));
    let body = match form {
        Some((_, boundary)) => refuse::form(&asked.body, boundary).map_err(Refusal::wrong)?,
        None => asked.json()?,
    };
    let kind = refuse::plain(&body).map_err(Refusal::wrong)?;
    let (phone, room) = open_room(inner, &body)?;
    Ok(accept_message(inner, &phone, &room, &kind, body))
}

fn interactive(inner: &Inner, asked: &Asked) -> Outcome {
    let body = asked.json()?;
    let kind = refuse::interactive(&body).map_err(Refusal::wrong)?;
    let (phone, room) = open_room(inner, &body)?;
    Ok(accept_message(inner, &phone, &room, &kind, body))
}

/// Templates are the only ones that an expired room takes.
fn hsm(inner: &Inner, asked: &Asked) -> Outcome {
    fault(inner)?;
    let body = asked.json()?;
    refuse::only(&body, &["room_id", "message_template_id"]).map_err(Refusal::wrong)?;
    let (phone, room) = room(inner, body["room_id"].as_str().unwrap_or_default())?;
    template(inner, &body, 0)?;
    Ok(accept_message(inner, &phone, &room, "template", body))
}

fn broadcast(inner: &Inner, asked: &Asked) -> Outcome {
    fault(inner)?;
    let body = asked.json()?;
    let values = refuse::broadcast(&body).map_err(Refusal::wrong)?;
    let integration = body["channel_integration_id"].as_str().unwrap_or_default();
    if ![INTEGRATION, SECOND].contains(&integration) {
        return Err(Refusal::missing("Channel integration"));
    }
    template(inner, &body, values)?;
    let phone = body["to_number"].as_str().unwrap_or_default().to_owned();
    let room = inner.state().room_of(&phone, "Sari", integration);
    let (status, data) = accept_message(inner, &phone, &room, "template", body.clone());
    Ok((status, data))
}

fn template(inner: &Inner, body: &Value, values: usize) -> Result<(), Refusal> {
    let id = body["message_template_id"].as_str().unwrap_or_default();
    let blanks = inner.state().templates.get(id).copied();
    match blanks.ok_or_else(|| Refusal::missing("Template"))? {
        blanks if blanks == values => Ok(()),
        blanks => Err(Refusal::wrong(format!(
            "the template has {blanks} blanks and {values} values"
        ))),
    }
}

fn assign(inner: &Inner, id: &str, agent: &str) -> Outcome {
    fault(inner)?;
    if !super::double::AGENTS.contains(&agent) {
        return Err(Refusal::missing("User"));
    }
    let (phone, _) = room(inner, id)?;
    {
        let mut state = inner.state();
        let room = state
            .rooms
            .get_mut(&phone)
            .ok_or_else(|| Refusal::missing("Room"))?;
        room.status = "assigned";
        room.agent = Some(agent.to_owned());
    }
    inner.tell_of_room(&phone);
    Ok((200, json!({ "user_id": agent })))
}
