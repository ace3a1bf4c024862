//! Fetching a model from a mirror on this machine: whole, broken off, wrong, missing.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use switchboard::voice::models::{FetchError, Fetched, Model, Source, fetch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const FILE: &str = "ggml-test.bin";

/// A stand-in of 300 kB for the real files of 75 MB and more.
fn content() -> Vec<u8> {
    (0..300_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn model() -> Model {
    let content = content();
    let sum: String = Sha256::digest(&content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Model {
        name: "test",
        file: FILE,
        bytes: content.len() as u64,
        sha256: Box::leak(sum.into_boxed_str()),
        multilingual: true,
        about: "for tests",
    }
}

/// How the mirror behaves.
#[derive(Debug, Clone)]
enum Manner {
    Serves(Vec<u8>),
    /// Closes the connection after so many bytes of each answer.
    BreaksOffAfter(usize),
    NotFound,
}

/// A mirror that speaks as much HTTP as a download needs, and remembers the requests.
struct Mirror {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Mirror {
    async fn start(manner: Manner) -> Mirror {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(connection.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                let answer = answer(&manner, &request);
                seen.lock().unwrap().push(request);
                let _ = connection.write_all(&answer).await;
                let _ = connection.shutdown().await;
            }
        });
        Mirror { address, requests }
    }

    fn source(&self) -> Source {
        Source::of(&format!("http://{}/models/", self.address))
    }

    fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

fn answer(manner: &Manner, request: &str) -> Vec<u8> {
    let (content, most) = match manner {
        Manner::Serves(content) => (content.clone(), usize::MAX),
        Manner::BreaksOffAfter(most) => (content(), *most),
        Manner::NotFound => return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
    };
    let from: usize = request
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))
        .map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
    let (status, total) = (
        if from == 0 {
            "200 OK"
        } else {
            "206 Partial Content"
        },
        content.len(),
    );
    let rest = &content[from..];
    let mut answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", rest.len());
    if from > 0 {
        answer.push_str(&format!("content-range: bytes {from}-{}/{total}\r\n", total - 1));
    }
    let mut answer = format!("{answer}connection: close\r\n\r\n").into_bytes();
    answer.extend(&rest[..rest.len().min(most)]);
    answer
}

async fn fetch_into(dir: &Path, from: &Source) -> Result<Fetched, FetchError> {
    fetch(&model(), from, dir, &|_| {}).await
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_model_from_a_mirror_is_checked_and_gets_its_name_last() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = Mirror::start(Manner::Serves(content())).await;
    let told = Mutex::new(Vec::new());
    let into = dir.path().join("models");
    let fetched = fetch(&model(), &mirror.source(), &into, &|at| {
        told.lock().unwrap().push(at)
    })
    .await
    .unwrap();
    assert_eq!(
        fetched,
        Fetched {
            path: into.join(FILE),
            already: false
        }
    );
    assert_eq!(std::fs::read(&fetched.path).unwrap(), content());
    assert_eq!(files(&into), [FILE]);
    assert!(mirror.last_request().starts_with("GET /models/ggml-test.bin "));
    let told = told.into_inner().unwrap();
    assert!(told.is_sorted() && told.last() == Some(&300_000), "{told:?}");
    // A second run looks at the file and asks nobody.
    let again = fetch_into(&into, &Source::of("http://127.0.0.1:1/"))
        .await
        .unwrap();
    assert!(again.already);
}

#[tokio::test]
async fn a_broken_off_download_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = Mirror::start(Manner::BreaksOffAfter(120_000)).await;
    for (run, so_far) in [(1, 120_000), (2, 240_000)] {
        let error = fetch_into(dir.path(), &mirror.source()).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Interrupted { at, .. } if at == so_far),
            "run {run}: {error}"
        );
        assert!(error.to_string().contains("Run the command again"), "{error}");
        assert_eq!(files(dir.path()), ["ggml-test.bin.part"]);
    }
    let fetched = fetch_into(dir.path(), &mirror.source()).await.unwrap();
    assert!(
        mirror.last_request().contains("range: bytes=240000-"),
        "{}",
        mirror.last_request()
    );
    assert_eq!(std::fs::read(&fetched.path).unwrap(), content());
    assert_eq!(files(dir.path()), [FILE]);
}

#[tokio::test]
async fn a_wrong_file_is_thrown_away_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = content();
    other[150_000] ^= 1;
    let mirror = Mirror::start(Manner::Serves(other)).await;
    let error = fetch_into(dir.path(), &mirror.source()).await.unwrap_err();
    assert!(
        matches!(error, FetchError::WrongSum { .. }) && error.is_remote(),
        "{error}"
    );
    assert_eq!(files(dir.path()), [""; 0]);

    let mirror = Mirror::start(Manner::Serves(b"<html>please sign in</html>".to_vec())).await;
    let error = fetch_into(dir.path(), &mirror.source()).await.unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::WrongSize {
                found: 27,
                expected: 300_000,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(files(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_damaged_beginning_is_found_by_the_sum_and_not_gone_on_with_twice() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ggml-test.bin.part"), vec![0; 1000]).unwrap();
    let mirror = Mirror::start(Manner::Serves(content())).await;
    assert!(matches!(
        fetch_into(dir.path(), &mirror.source()).await,
        Err(FetchError::WrongSum { .. })
    ));
    assert!(!fetch_into(dir.path(), &mirror.source()).await.unwrap().already);
}

#[tokio::test]
async fn a_missing_file_and_a_silent_address_say_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mirror = Mirror::start(Manner::NotFound).await;
    let error = fetch_into(dir.path(), &mirror.source()).await.unwrap_err();
    assert!(
        matches!(&error, FetchError::Refused { status, .. } if status.as_u16() == 404),
        "{error}"
    );
    assert!(error.to_string().contains("--from FILE"), "{error}");

    // A port that was just given back: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = fetch_into(dir.path(), &Source::of(&format!("http://{free}/")))
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains("refused") && error.to_string().contains("--from URL"),
        "{error}"
    );
    assert_eq!(files(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_carried_file_is_checked_like_a_fetched_one() {
    let dir = tempfile::tempdir().unwrap();
    let carried = dir.path().join("from-a-stick");
    std::fs::write(&carried, content()).unwrap();
    let into = dir.path().join("models");
    let fetched = fetch_into(&into, &Source::of(carried.to_str().unwrap()))
        .await
        .unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), content());

    std::fs::write(&carried, &content()[..1000]).unwrap();
    let other = dir.path().join("other");
    let error = fetch_into(&other, &Source::LocalFile(carried)).await.unwrap_err();
    assert!(
        matches!(error, FetchError::WrongSize { found: 1000, .. }),
        "{error}"
    );
    let error = fetch_into(&other, &Source::of("/nowhere/ggml.bin"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, FetchError::Disk { .. }) && !error.is_remote(),
        "{error}"
    );
}
