//! Where a request to a provider fails decides whether it may be sent again, so each place is tried: before it left, and
//! after.

use std::time::{Duration, Instant};

use http::Method;
use switchboard::channel::{HttpRequest, HttpResponse, NetworkTransport, SendFailure, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Generous: only what is to run out is short.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

async fn posted(to: &str, connect: Duration, total: Duration) -> Result<HttpResponse, SendFailure> {
    let transport = NetworkTransport::new(connect, total).expect("TLS starts");
    let request = HttpRequest::new(Method::POST, to).body("application/json", b"{}".to_vec());
    transport.send(request).await
}

/// A server that reads one request of each connection and then does this with it.
async fn server<F: Future<Output = ()> + Send + 'static>(
    scheme: &str,
    then: impl Fn(TcpStream, String) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = vec![0; 4096];
            let length = stream.read(&mut read).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&read[..length]).into_owned();
            tokio::spawn(then(stream, head));
        }
    });
    format!("{scheme}://{address}/v1/messages")
}

async fn answers(mut stream: TcpStream, answer: String) {
    // Whoever has read enough closes.
    let _ = stream.write_all(answer.as_bytes()).await;
}

#[tokio::test]
async fn an_answer_is_read_whole_whatever_it_says() {
    let to = server("http", |stream, head: String| async move {
        assert!(head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("user-agent: switchboard/"), "{head}");
        answers(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: /v2\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nno".into(),
        )
        .await;
    });
    let answer = posted(&to.await, LONG, LONG).await.expect("an answer");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (302, &b"no"[..]),
        "and not followed"
    );
    assert_eq!(answer.headers["retry-after"], "7");
}

#[tokio::test]
async fn what_never_left_was_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr();
    let nobody = format!("http://{}/", free.expect("an address"));
    let plain = server("https", |stream, _| async move {
        answers(stream, "HTTP/1.1 400 No\r\n\r\n".into()).await
    })
    .await;
    for to in [nobody.as_str(), plain.as_str(), "no address", "http://"] {
        let outcome = posted(to, LONG, LONG).await;
        assert!(
            matches!(outcome, Err(SendFailure::NotSent(_))),
            "{to}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_was_not_sent_either() {
    let silent = server("https", |stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let (to, began) = (silent.await, Instant::now());
    let outcome = posted(&to, SHORT, LONG).await;
    assert!(
        matches!(&outcome, Err(SendFailure::NotSent(why)) if why.contains("0.3 s")),
        "{outcome:?}"
    );
    assert!(began.elapsed() < LONG / 2);
}

#[tokio::test]
async fn once_it_may_have_been_read_nobody_knows() {
    let closes = server("http", |stream, _| async move { drop(stream) }).await;
    let breaks_off = server("http", |stream, _| async move {
        answers(stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".into()).await;
    });
    let stops = server("http", |mut stream: TcpStream, _| async move {
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{";
        stream.write_all(half).await.expect("it listens");
        std::future::pending::<()>().await;
    });
    let endless = server("http", |stream, _| async move {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 400000\r\n\r\n";
        answers(stream, format!("{head}{}", " ".repeat(300_000))).await;
    });
    for (to, total) in [
        (closes, LONG),
        (breaks_off.await, LONG),
        (stops.await, SHORT),
        (endless.await, LONG),
    ] {
        let outcome = posted(&to, LONG, total).await;
        assert!(
            matches!(outcome, Err(SendFailure::Unanswered(_))),
            "{to}: {outcome:?}"
        );
    }
}
