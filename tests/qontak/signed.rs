//! Whether a call to Mekari's API is signed as it must be: its date, its first line, and the digest of its body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use sha2::{Digest, Sha256};

use super::double::{CLIENT_ID, CLIENT_SECRET};
use super::serve::Asked;

/// The double's answer is its own words; the code of the first is Mekari's.
pub fn check(asked: &Asked) -> Result<(), String> {
    let date = asked.header("date").ok_or("MAG-002: no Date")?;
    let authorization = asked.header("authorization").ok_or("MAG-002: no Authorization")?;
    let sent_at = DateTimeParser::new()
        .parse_timestamp(date)
        .map_err(|_| "MAG-012: no such Date")?;
    if sent_at.duration_until(Timestamp::now()).abs().as_secs() > 300 {
        return Err("the Date is off by more than 300 seconds".to_owned());
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).expect("any key");
    mac.update(format!("date: {date}\n{} {} HTTP/1.1", asked.method, asked.target).as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let expected = format!(
        "hmac username=\"{CLIENT_ID}\", algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"{signature}\""
    );
    if authorization != expected {
        return Err("MAG-012: Malformed HMAC token on Authorization header".to_owned());
    }
    if asked.method != "GET" {
        let digest = format!("SHA-256={}", STANDARD.encode(Sha256::digest(&asked.body)));
        if asked.header("digest") != Some(digest.as_str()) {
            return Err("the Digest is not that of the body".to_owned());
        }
    }
    Ok(())
}
