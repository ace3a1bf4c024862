//! The double's calls: who may make them, what they change, and what is refused.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::double::{Inner, KEY, Logged, SESSION, Sent, Session};
use super::loopback;

pub async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    loopback::serve(listener, Router::new().fallback(answer).with_state(inner)).await;
}

type Outcome = Result<(u16, Value), (u16, Value)>;

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let line = format!(
        "{} {}",
        head.method,
        head.uri.path_and_query().map_or("", |both| both.as_str())
    );
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let (key, expected) = (header("x-api-key"), header("x-expected-number"));
    let actor = header("x-actor");
    let raw = to_bytes(body, 20 * 1024 * 1024).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let file = path.strip_prefix("/api/files/").map(str::to_owned);
    if let Some(name) = file.filter(|_| key == KEY) {
        let file = inner.state().files.get(&name).cloned();
        return match file {
            Some(bytes) => ([("content-type", "audio/ogg")], bytes).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    let outcome = if key == KEY {
        call(&inner, head.method.as_str(), &path, &body, &expected)
    } else {
        Err((401, json!({ "message": "Unauthorized" })))
    };
    let (status, said) = outcome.unwrap_or_else(|refused| refused);
    inner.state().log.push(Logged {
        actor,
        line,
        body,
        answered: status,
    });
    inner.touch();
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, axum::Json(said)).into_response()
}

fn call(inner: &Arc<Inner>, method: &str, path: &str, body: &Value, expected: &str) -> Outcome {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let shown = |status: u16| {
        let shown = inner.state().shown();
        Ok((status, shown.unwrap_or_default()))
    };
    match (method, parts.as_slice()) {
        ("GET", ["api", "sessions", SESSION]) => {
            let shown = inner.state().shown();
            shown.map(|shown| (200, shown)).ok_or_else(missing)
        }
        ("POST", ["api", "sessions"]) if body["name"] == SESSION => {
            inner.state().session = Some(Session {
                status: "STOPPED",
                state: "unlinked",
                config: body["config"].clone(),
                ..Session::default()
            });
            inner.starts();
            shown(201)
        }
        ("PUT", ["api", "sessions", SESSION]) if inner.state().session.is_some() => {
            inner.state().session().config = body["config"].clone();
            inner.starts();
            shown(200)
        }
        ("POST", ["api", "sessions", SESSION, order]) if inner.state().session.is_some() => {
            obey(inner, order)?;
            shown(201)
        }
        (_, ["api", "sessions", ..]) => Err(missing()),
        ("GET", ["api", SESSION, "auth", "qr"]) => {
            let state = inner.state();
            let session = state.session.as_ref().ok_or_else(missing)?;
            match &session.code {
                Some(code) => Ok((200, json!({ "value": code }))),
                None => Err(not_now(session)),
            }
        }
        ("GET", ["api", SESSION, "chats", _, "messages", id]) => {
            let state = inner.state();
            let ack = state.acks.get(*id).ok_or_else(missing)?;
            Ok((200, json!({ "id": id, "ack": ack })))
        }
        ("POST", ["api", path]) => write(inner, path, body, expected),
        _ => Err(missing()),
    }
}

fn obey(inner: &Arc<Inner>, order: &str) -> Result<(), (u16, Value)> {
    let status = inner.state().session().status;
    match order {
        "start" if status == "STOPPED" || status == "FAILED" => inner.starts(),
        "start" => {}
        "restart" => inner.starts(),
        "stop" => {
            inner.state().session().code = None;
            inner.becomes("STOPPED", "stopped", "stopped");
        }
        "logout" => {
            {
                let mut state = inner.state();
                state.linked = None;
                let session = state.session();
                (session.me, session.code) = (None, None);
            }
            inner.becomes("STOPPED", "unlinked", "logged out by Switchboard");
        }
        _ => return Err(missing()),
    }
    Ok(())
}

fn write(inner: &Arc<Inner>, path: &str, body: &Value, expected: &str) -> Outcome {
    let mut state = inner.state();
    if path.starts_with("send") && path != "sendSeen" && !state.faults.is_empty() {
        let (status, said) = state.faults.remove(0);
        return Err((status, said));
    }
    let ours = state.ours;
    let session = state.session.clone().ok_or_else(missing)?;
    let wrong = |why: &str| (400, json!({ "statusCode": 400, "message": [why] }));
    if body["session"] != SESSION {
        return Err(missing());
    }
    let Some(me) = session.me.clone().filter(|_| session.status == "WORKING") else {
        return Err(not_now(&session));
    };
    if ours && expected != me {
        return Err((409, json!({ "error": "another number is linked" })));
    }
    let chat = body["chatId"].as_str().unwrap_or_default().to_owned();
    if !(chat.ends_with("@c.us") || chat.ends_with("@lid")) {
        return Err(wrong("chatId is no customer's"));
    }
    let file = &body["file"];
    let has_file = file["mimetype"].is_string() && (file["url"].is_string() || file["data"].is_string());
    match path {
        "startTyping" | "stopTyping" => return Ok((201, json!({ "result": true }))),
        "sendSeen" if body["messageIds"].is_array() => return Ok((201, json!({}))),
        "sendText" if body["text"].as_str().is_some_and(|text| !text.is_empty()) => {}
        "sendImage" | "sendVideo" | "sendVoice" | "sendFile" if has_file => {}
        "sendLocation" if body["latitude"].is_f64() && body["title"].is_string() => {}
        "sendSeen" | "sendText" | "sendImage" | "sendVideo" | "sendVoice" | "sendFile" | "sendLocation" => {
            return Err(wrong("a member is missing"));
        }
        _ => return Err(missing()),
    }
    let id = state.id();
    let sent = Sent {
        id: format!("true_{chat}_{id}"),
        chat,
        path: path.to_owned(),
        body: body.clone(),
        from: me,
    };
    state.sent.push(sent.clone());
    drop(state);
    inner.follow(&sent);
    Ok((201, json!({ "id": sent.id, "fromMe": true, "ack": 1 })))
}

fn missing() -> (u16, Value) {
    (404, json!({ "message": "Not found" }))
}

fn not_now(session: &Session) -> (u16, Value) {
    (
        422,
        json!({ "error": "not in this state", "session": SESSION, "status": session.status }),
    )
}
