//! Meta's check of a webhook's address: whoever asks with the verify token gets its challenge back.

use secrecy::SecretString;

use crate::channel::Answer;
use crate::channel::delivery::is_one_of;

const LONGEST_CHALLENGE: usize = 128;

/// Answers `GET …?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…` with the bare challenge.
pub(super) fn answer(verify_token: &SecretString, query: &str) -> Answer {
    let mut mode = None;
    let mut token = None;
    let mut challenge = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "hub.mode" => mode = Some(value),
            "hub.verify_token" => token = Some(value),
            "hub.challenge" => challenge = Some(value),
            _ => {}
        }
    }
    let known = token.is_some_and(|token| is_one_of(&token, std::slice::from_ref(verify_token)).is_ok());
    match challenge {
        Some(challenge) if known && mode.as_deref() == Some("subscribe") && is_plain(&challenge) => {
            Answer::plain(200, challenge)
        }
        _ => refusal(),
    }
}

/// The answer to everybody else.
pub(super) fn refusal() -> Answer {
    Answer::plain(403, "forbidden")
}

/// What may be echoed back to whoever knows the token: short, and printable.
fn is_plain(challenge: &str) -> bool {
    (1..=LONGEST_CHALLENGE).contains(&challenge.len())
        && challenge.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_echoes_the_bare_challenge() {
        let token = SecretString::from("tok en");
        let answer = answer(
            &token,
            "hub.mode=subscribe&hub.verify_token=tok+en&hub.challenge=1158201444",
        );
        assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
        assert!(answer.headers.contains(&("x-content-type-options", "nosniff")));
    }

    #[test]
    fn the_handshake_refuses_a_wrong_token_and_a_strange_challenge() {
        let token = SecretString::from("token");
        let long = format!(
            "hub.mode=subscribe&hub.verify_token=token&hub.challenge={}",
            "1".repeat(129)
        );
        for query in [
            "",
            "hub.mode=subscribe&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=other&hub.challenge=1",
            "hub.mode=unsubscribe&hub.verify_token=token&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=token",
            "hub.mode=subscribe&hub.verify_token=token&hub.challenge=a%0Ab",
            long.as_str(),
        ] {
            assert_eq!(answer(&token, query), refusal(), "{query}");
        }
        let nothing = SecretString::from("");
        let query = "hub.mode=subscribe&hub.verify_token=&hub.challenge=1";
        assert_eq!(answer(&nothing, query), refusal());
    }
}
