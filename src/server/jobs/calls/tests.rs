use std::path::Path;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::flow::source::SourceLine;

/// A service that answers each connection with the next of these bytes, and tells what it was asked. An empty answer
/// is silence.
async fn service(answers: Vec<Vec<u8>>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (tell, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut open = Vec::new();
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let mut request = vec![0; 16 * 1024];
            let read = stream.read(&mut request).await.unwrap_or(0);
            // The test may have seen enough.
            let _ = tell.send(String::from_utf8_lossy(&request[..read]).into_owned());
            let _ = stream.write_all(&answer).await;
            if answer.is_empty() {
                open.push(stream);
            }
        }
        std::future::pending::<()>().await;
    });
    (address, asked)
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

fn caller(address: &str, more: &str) -> Caller {
    let text = format!("{more}\n[services.shop]\nurl = \"http://{address}\"\nallow = [\"{address}\"]\n");
    let config = Config::parse(&text, Path::new("switchboard.toml"), &|_| {
        Some("s3cret".to_owned())
    });
    Caller::new(&config.expect("a configuration")).expect("a caller")
}

fn call(method: Method) -> Call {
    Call {
        private: false,
        key: "desk/track.order#1".into(),
        service: "shop".into(),
        action: "get_order".into(),
        args: Vec::new(),
        method,
        url: "https://api.bikes.example/orders/A-1?full=yes".into(),
        body: None,
        secret: None,
        timeout_ms: 2_000,
        tries: if method == Method::Get { 2 } else { 1 },
        said_at: SourceLine {
            file: "desk.flow".into(),
            line: 1,
        },
    }
}

#[tokio::test]
async fn a_good_answer_is_what_the_flow_sees_and_the_service_sees_key_and_secret() {
    let (address, mut asked) = service(vec![answer("200 OK", r#"{"status":"packed"}"#)]).await;
    let caller = caller(&address, "[secrets]\nSHOP = { env = \"SHOP\" }");
    let with_secret = Call {
        secret: Some("SHOP".into()),
        ..call(Method::Get)
    };
    let heard = caller.call(&with_secret, "key-1").await;
    let body = json!({ "status": "packed" });
    assert_eq!(heard, Answer::Status { status: 200, body });
    let request = asked.recv().await.expect("it was asked").to_lowercase();
    assert!(request.starts_with("get /orders/a-1?full=yes "), "{request}");
    for header in [
        "idempotency-key: key-1",
        "authorization: bearer s3cret",
        "accept-encoding: identity",
    ] {
        assert!(request.contains(header), "{header} is not in {request}");
    }
}

#[tokio::test]
async fn a_read_is_tried_twice_and_anything_else_once() {
    let broken = || answer("502 Bad Gateway", "oops");
    let (address, _asked) = service(vec![broken(), answer("200 OK", "{}")]).await;
    let heard = caller(&address, "").call(&call(Method::Get), "k").await;
    assert!(matches!(heard, Answer::Status { status: 200, .. }), "{heard:?}");

    let (address, mut asked) = service(vec![broken(), answer("200 OK", "{}")]).await;
    let heard = caller(&address, "").call(&call(Method::Post), "k").await;
    assert!(matches!(heard, Answer::Status { status: 502, .. }), "{heard:?}");
    assert!(asked.recv().await.is_some());
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn silence_ends_at_the_call_s_own_time() {
    let (address, _asked) = service(vec![Vec::new(), Vec::new()]).await;
    let quick = Call {
        timeout_ms: 100,
        ..call(Method::Get)
    };
    let heard = caller(&address, "").call(&quick, "k").await;
    assert!(matches!(heard, Answer::TimedOut { .. }), "{heard:?}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (address, _asked) = service(vec![moved.into()]).await;
    let heard = caller(&address, "").call(&call(Method::Post), "k").await;
    assert!(matches!(heard, Answer::Status { status: 302, .. }), "{heard:?}");
}

#[tokio::test]
async fn an_answer_too_large_too_deep_or_not_json_is_no_answer() {
    let large = format!("\"{}\"", "x".repeat(2_000));
    let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
    for (body, part) in [
        (large, "larger than 1000"),
        (deep, "nested"),
        ("<html>".to_owned(), "not JSON"),
    ] {
        let (address, _asked) = service(vec![answer("200 OK", &body)]).await;
        let heard = caller(&address, "[limits]\nanswer_bytes = 1000")
            .call(&call(Method::Get), "k")
            .await;
        let Answer::Down { why } = heard else {
            panic!("{part}: {heard:?}");
        };
        assert!(why.contains(part), "{why}");
    }
}

#[tokio::test]
async fn a_private_address_is_not_called_and_says_so() {
    let config = Config::parse("", Path::new("switchboard.toml"), &|_| None).expect("defaults");
    let caller = Caller::new(&config).expect("a caller");
    for url in [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "http://api.bikes.example/",
    ] {
        let there = Call {
            url: url.into(),
            ..call(Method::Get)
        };
        let heard = caller.call(&there, "k").await;
        let Answer::Down { why } = heard else {
            panic!("{url}: {heard:?}");
        };
        assert!(why.contains("switchboard.toml"), "{url}: {why}");
    }
}

#[test]
fn depth_counts_brackets_outside_texts_only() {
    assert_eq!(depth(br#"{"a":["[[[[\"[["]}"#), 2);
    assert_eq!(depth(b"7"), 0);
}
