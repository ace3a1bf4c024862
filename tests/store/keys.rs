//! All keys of a Redis as text, a line for each, and from such text back into Redis: for golden records, and to see that
//! something was left as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::rig::{Reply, Server};

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/records")
        .join(name)
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

/// The words of a line: bare ones, and quoted bytes as [`quoted`] writes them.
fn read_words(line: &str) -> Vec<Vec<u8>> {
    let (mut words, mut rest) = (Vec::new(), line.bytes());
    while let Some(first) = rest.next() {
        let mut word = Vec::new();
        if first == b'"' {
            loop {
                match rest.next().expect("the quote ends") {
                    b'"' => break,
                    b'\\' => word.push(match rest.next().expect("something is escaped") {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'x' => {
                            let mut digit = || char::from(rest.next().unwrap()).to_digit(16).unwrap();
                            (digit() * 16 + digit()) as u8
                        }
                        same => same,
                    }),
                    byte => word.push(byte),
                }
            }
            rest.next();
        } else {
            word.push(first);
            word.extend(rest.by_ref().take_while(|byte| *byte != b' '));
        }
        words.push(word);
    }
    words
}

fn ask(server: &Server, words: &[&[u8]]) -> Reply {
    match server.connect().unwrap().ask(words).unwrap() {
        Reply::Error(why) => panic!("{why}: {words:?}"),
        good => good,
    }
}

fn bytes(reply: &Reply) -> &[u8] {
    match reply {
        Reply::Text(bytes) => bytes,
        other => panic!("no bytes: {other:?}"),
    }
}

/// Everything the server has, a line for each key: its type, whether it expires, its name, and what is in it. Fields and
/// members stand in order, each with its value or time; lists are as they are.
pub fn dump(server: &Server) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    for key in ask(server, &[b"KEYS", b"*"]).list() {
        let key = bytes(key);
        let kind = ask(server, &[b"TYPE", key]).text();
        let words: &[&[u8]] = match kind.as_str() {
            "hash" => &[b"HGETALL", key],
            "list" => &[b"LRANGE", key, b"0", b"-1"],
            "zset" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
            "string" => &[b"GET", key],
            other => panic!("a key of type {other}"),
        };
        let found = ask(server, words);
        let mut parts: Vec<String> = match (kind.as_str(), found.list()) {
            ("string", _) => vec![quoted(bytes(&found))],
            ("list", all) => all.iter().map(|one| quoted(bytes(one))).collect(),
            (_, all) => all
                .chunks(2)
                .map(|pair| format!("{} {}", quoted(bytes(&pair[0])), quoted(bytes(&pair[1]))))
                .collect(),
        };
        if kind == "hash" || kind == "zset" {
            parts.sort();
        }
        let stays = ask(server, &[b"PTTL", key]) == Reply::Number(-1);
        let name = String::from_utf8(key.to_vec()).unwrap();
        let line = format!(
            "{kind} {} {name} {}",
            if stays { "stays" } else { "expires" },
            parts.join(" ")
        );
        lines.insert(name, line);
    }
    lines
}

/// Writes the records of a fixture into an empty server.
pub fn load(server: &Server, name: &str) {
    let text = std::fs::read_to_string(file(name)).unwrap();
    let mut keys = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words = read_words(line);
        let [kind, expires, key, rest @ ..] = &words[..] else {
            panic!("a line without a key: {line}")
        };
        let command: &[u8] = match kind.as_slice() {
            b"hash" => b"HSET",
            b"list" => b"RPUSH",
            b"zset" => b"ZADD",
            b"string" => b"SET",
            _ => panic!("a line of no known type: {line}"),
        };
        let mut write: Vec<&[u8]> = vec![command, key];
        if command == b"ZADD" {
            for pair in rest.chunks(2) {
                write.extend([pair[1].as_slice(), &pair[0]]);
            }
        } else {
            write.extend(rest.iter().map(Vec::as_slice));
        }
        ask(server, &write);
        if expires == b"expires" {
            ask(server, &[b"EXPIRE", key, b"86400"]);
        }
        keys += 1;
    }
    assert!(keys > 0, "{name} has no records");
}
