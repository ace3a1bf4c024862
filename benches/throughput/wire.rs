//! HTTP/1.1 by hand, as much as both sides of the bench need: a client or server of some comfort would take a fifth of
//! what is measured.

use std::io::{Error, ErrorKind};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Where a message ends in its buffer, and its head within.
#[derive(Debug, Clone, Copy)]
pub struct Whole {
    pub head: usize,
    pub end: usize,
}

/// Reads until the buffer holds one whole message; `None` if the other side has left.
pub async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<Whole>> {
    loop {
        if let Some(whole) = whole(buffer)? {
            return Ok(Some(whole));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn whole(buffer: &[u8]) -> std::io::Result<Option<Whole>> {
    let Some(blank) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = blank + 4;
    let length = length(&buffer[..blank])
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "a message without its length"))?;
    Ok((buffer.len() >= head + length).then_some(Whole {
        head,
        end: head + length,
    }))
}

/// Of the body, as the head says.
fn length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    head.split(|byte| *byte == b'\n')
        .find(|line| {
            line.get(..NAME.len())
                .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
        })
        .and_then(|line| std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok())
}
