//! Connections to providers, one request at a time on each. Whoever sends drives the connection, too: there is no task
//! beside it to wake and to wait for. Between two requests the connections lie here.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::{Service, ServiceExt};

use super::http::{HttpResponse, SendFailure, told};

/// How long a connection waits for the next request. Shorter than any server of note closes it: one that the other side
/// has closed in the meantime would make a send uncertain for no reason.
pub(super) const IDLE: Duration = Duration::from_secs(15);
/// So many wait at most.
const WAITING: usize = 256;

type Body = Full<Bytes>;

/// Clones share the connections.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    open: HttpsConnector<HttpConnector>,
    /// How long names, TCP and TLS may take together.
    within: Duration,
    idle: Arc<Mutex<Idle>>,
}

#[derive(Debug, Default)]
struct Idle {
    /// Since when each lies there; the newest last. In boxes: a line is a kilobyte that would be moved four times.
    lines: Vec<(Box<Line>, Instant)>,
    /// Somebody looks after those that are not wanted any more.
    tidied: bool,
}

#[derive(Debug)]
struct Line {
    /// Scheme, host and port.
    to: Uri,
    sender: SendRequest<Body>,
    connection: Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Body>,
}

/// Why a request has no answer.
enum Lost {
    /// Nothing of it left. Here it is again.
    Before(Box<Request<Body>>),
    After(String),
}

impl Lines {
    /// # Errors
    /// Why there is no TLS.
    pub(super) fn new(within: Duration) -> Result<Lines, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let open = HttpsConnectorBuilder::new()
            .try_with_platform_verifier()
            .map_err(|why| format!("TLS can't be started: {why}"))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Lines {
            open,
            within,
            idle: Arc::default(),
        })
    }

    /// Sends a request with a whole address, and reads the answer to its end.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Body>,
        largest: usize,
    ) -> Result<HttpResponse, SendFailure> {
        let to = on_the_way(&mut request).map_err(SendFailure::NotSent)?;
        loop {
            let (mut line, used) = match self.waiting(&to) {
                Some(line) => (line, true),
                None => (self.connect(&to).await.map_err(SendFailure::NotSent)?, false),
            };
            match line.carry(request, largest).await {
                Ok(response) => {
                    self.keep(line);
                    return Ok(response);
                }
                // The other side had closed it while it lay here.
                Err(Lost::Before(back)) if used => request = *back,
                Err(Lost::Before(_)) => {
                    let why = "the connection was closed before the request";
                    return Err(SendFailure::NotSent(why.to_owned()));
                }
                Err(Lost::After(why)) => return Err(SendFailure::Unanswered(why)),
            }
        }
    }

    async fn connect(&self, to: &Uri) -> Result<Box<Line>, String> {
        let opening = async {
            let mut open = self.open.clone();
            let ready = open.ready().await.map_err(|why| told(&*why))?;
            let stream = ready.call(to.clone()).await.map_err(|why| told(&*why))?;
            let opened = http1::handshake(stream).await;
            opened.map_err(|why| told(&why))
        };
        let (sender, connection) = timeout(self.within, opening)
            .await
            .map_err(|_| format!("no connection within {} s", self.within.as_secs_f64()))??;
        Ok(Box::new(Line {
            to: to.clone(),
            sender,
            connection,
        }))
    }

    /// One that is still good.
    fn waiting(&self, to: &Uri) -> Option<Box<Line>> {
        let mut idle = lock(&self.idle);
        while let Some(at) = idle.lines.iter().rposition(|(line, _)| line.to == *to) {
            let (mut line, since) = idle.lines.remove(at);
            if since.elapsed() < IDLE && line.is_open() {
                return Some(line);
            }
        }
        None
    }

    fn keep(&self, line: Box<Line>) {
        let mut idle = lock(&self.idle);
        if idle.lines.len() >= WAITING {
            idle.lines.remove(0);
        }
        idle.lines.push((line, Instant::now()));
        if !std::mem::replace(&mut idle.tidied, true) {
            tokio::spawn(tidy(Arc::downgrade(&self.idle)));
        }
    }
}

/// Closes what nobody has wanted for long, until nothing is left.
async fn tidy(idle: Weak<Mutex<Idle>>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = lock(&idle);
        idle.lines.retain(|(_, since)| since.elapsed() < IDLE);
        if idle.lines.is_empty() {
            idle.tidied = false;
            return;
        }
    }
}

impl Line {
    async fn carry(&mut self, request: Request<Body>, largest: usize) -> Result<HttpResponse, Lost> {
        let mut answering = pin!(answer(&mut self.sender, request, largest));
        let mut over = false;
        poll_fn(|context| {
            if let Poll::Ready(answered) = answering.as_mut().poll(context) {
                return Poll::Ready(answered);
            }
            // Nobody else does it. What has ended must not be asked again.
            over = over || self.connection.poll_unpin(context).is_ready();
            answering.as_mut().poll(context)
        })
        .await
    }

    /// Whether the other side has not closed it, and it can take a request.
    fn is_open(&mut self) -> bool {
        let ended = (&mut self.connection).now_or_never();
        ended.is_none() && self.sender.is_ready()
    }
}

async fn answer(
    sender: &mut SendRequest<Body>,
    request: Request<Body>,
    largest: usize,
) -> Result<HttpResponse, Lost> {
    let response = sender
        .try_send_request(request)
        .await
        .map_err(|mut why| match why.take_message() {
            Some(request) => Lost::Before(Box::new(request)),
            None => Lost::After(told(&why.into_error())),
        })?;
    let (head, mut rest) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = rest.frame().await {
        let frame = frame.map_err(|why| Lost::After(told(&why)))?;
        // What is no piece of the body is a trailer, which nobody reads.
        let chunk = frame.into_data().unwrap_or_default();
        if body.len() + chunk.len() > largest {
            return Err(Lost::After(format!("the answer is larger than {largest} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    })
}

/// Brings a request into the form in which it goes over a connection, and says where that leads.
fn on_the_way(request: &mut Request<Body>) -> Result<Uri, String> {
    let unfit = || "the address names no host".to_owned();
    let parts = std::mem::take(request.uri_mut()).into_parts();
    let (scheme, authority) = parts.scheme.zip(parts.authority).ok_or_else(unfit)?;
    let usual = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    };
    let host = HeaderValue::try_from(host).map_err(|_| unfit())?;
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = Uri::from(
        parts
            .path_and_query
            .unwrap_or_else(|| PathAndQuery::from_static("/")),
    );
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(PathAndQuery::from_static("/"))
        .build()
        .map_err(|_| unfit())
}

/// What it guards is pushed and removed whole.
fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that does to the requests of each connection what it was told, one after the other, and then closes it.
    async fn server(each: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/messages?a=1", listener.local_addr().unwrap());
        let opened = Arc::new(AtomicUsize::new(0));
        let count = opened.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                for answer in each {
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer).await.unwrap();
                    let head = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    assert!(head.starts_with("POST /messages?a=1 HTTP/1.1\r\n"), "{head}");
                    assert!(head.contains("host: 127.0.0.1:"), "{head}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        (address, opened)
    }

    async fn ask(lines: &Lines, address: &str) -> Result<(u16, String), SendFailure> {
        let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = address.parse().unwrap();
        let answer = lines.exchange(request, 64).await?;
        Ok((answer.status, String::from_utf8(answer.body).unwrap()))
    }

    fn lines() -> Lines {
        Lines::new(Duration::from_secs(20)).unwrap()
    }

    const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const IN_PIECES: &str =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n";

    #[tokio::test]
    async fn requests_one_after_the_other_share_a_connection_and_outlive_it() {
        let (address, opened) = server(&[TAKEN, IN_PIECES, TAKEN]).await;
        let lines = lines();
        for n in 0..9 {
            assert_eq!(ask(&lines, &address).await, Ok((200, "ok".to_owned())), "{n}");
        }
        assert_eq!(opened.load(Ordering::SeqCst), 3, "three requests on each");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_or_never_came_may_have_been_sent() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok",
            "HTTP/1.1 2",
        ] {
            let answers: &'static [&'static str] = Box::leak(Box::new([answer]));
            let (address, opened) = server(answers).await;
            let lost = ask(&lines(), &address).await;
            assert!(
                matches!(lost, Err(SendFailure::Unanswered(_))),
                "{answer:?}: {lost:?}"
            );
            assert_eq!(opened.load(Ordering::SeqCst), 1, "it is not repeated");
        }
    }

    #[tokio::test]
    async fn what_is_larger_than_it_may_be_is_not_read() {
        let (address, _) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n\
            -----------------------------------------------------------------"])
        .await;
        let lost = ask(&lines(), &address).await;
        assert!(
            matches!(&lost, Err(SendFailure::Unanswered(why)) if why.contains("64 bytes")),
            "{lost:?}"
        );
    }

    #[tokio::test]
    async fn where_nobody_listens_nothing_was_sent() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/messages?a=1", free.local_addr().unwrap());
        drop(free);
        let lost = ask(&lines(), &address).await;
        assert!(matches!(lost, Err(SendFailure::NotSent(_))), "{lost:?}");
    }
}
