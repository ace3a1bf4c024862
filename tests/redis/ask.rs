//! A small client of the tests' own, so that a rig does not depend on the client it is there to test.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Number(i64),
    Text(Vec<u8>),
    Error(String),
    List(Vec<Reply>),
}

impl Reply {
    /// A text, or a number in words; empty for everything else.
    pub fn text(&self) -> String {
        match self {
            Reply::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Reply::Number(number) => number.to_string(),
            Reply::Nil | Reply::Error(_) | Reply::List(_) => String::new(),
        }
    }

    pub fn list(&self) -> &[Reply] {
        match self {
            Reply::List(list) => list,
            Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::Error(_) => &[],
        }
    }
}

/// A connection that is used for one question after the other.
#[derive(Debug)]
pub struct Asking(BufReader<TcpStream>);

impl Asking {
    pub fn connect(port: u16, patience: Duration) -> std::io::Result<Asking> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Asking(BufReader::new(stream)))
    }

    pub fn ask(&mut self, words: &[&[u8]]) -> std::io::Result<Reply> {
        self.say(words)?;
        self.reply()
    }

    /// Sends without waiting for the answer, which [`Asking::reply`] reads.
    pub fn say(&mut self, words: &[&[u8]]) -> std::io::Result<()> {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&out)
    }

    pub fn reply(&mut self) -> std::io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (Some(kind), rest) = (line.chars().next(), line.get(1..).unwrap_or_default()) else {
            return Err(Error::other("an empty line"));
        };
        let number = || rest.parse::<i64>().map_err(Error::other);
        Ok(match kind {
            '+' => Reply::Text(rest.as_bytes().to_vec()),
            '-' => Reply::Error(rest.to_owned()),
            ':' => Reply::Number(number()?),
            '$' => match usize::try_from(number()?) {
                Ok(size) => {
                    let mut text = vec![0; size + 2];
                    self.0.read_exact(&mut text)?;
                    text.truncate(size);
                    Reply::Text(text)
                }
                Err(_) => Reply::Nil,
            },
            '*' => match usize::try_from(number()?) {
                Ok(size) => Reply::List((0..size).map(|_| self.reply()).collect::<Result<_, _>>()?),
                Err(_) => Reply::Nil,
            },
            other => return Err(Error::other(format!("a reply that begins with {other:?}"))),
        })
    }
}
