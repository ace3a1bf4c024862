//! A test a code, and a test for each place where a send can fail.

use std::time::Duration;

use http::HeaderMap;

use super::*;

fn interpret(outcome: Result<HttpResponse, SendFailure>, attempt: u32) -> Result<Receipt, SendError> {
    super::interpret("Meta", outcome, attempt)
}

fn refusal(status: u16, code: i64, attempt: u32) -> SendError {
    let body = serde_json::json!({ "error": {
        "message": format!("(#{code}) Something for +6281100000011"), "type": "OAuthException", "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": "Details" }, "fbtrace_id": "A" } });
    let response = HttpResponse {
        status,
        headers: HeaderMap::new(),
        body: body.to_string().into_bytes(),
    };
    let error = interpret(Ok(response), attempt).unwrap_err();
    assert_eq!(error.code, Some(code));
    error
}

fn class(code: i64, attempt: u32) -> SendClass {
    refusal(400, code, attempt).class
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

macro_rules! codes {
    ($($name:ident: [$($code:literal),+] => $pattern:pat,)+) => {$(
        #[test]
        fn $name() {
            for code in [$($code),+] {
                let class = class(code, 1);
                assert!(matches!(class, $pattern), "{code}: {class:?}");
                assert_ne!(meaning_of(code), meaning_of(-1), "{code} has no sentence");
            }
        }
    )+};
}

codes! {
    passing_faults_are_tried_again: [1, 2, 131016, 133004, 133016] => SendClass::Retry(_),
    a_file_that_could_not_be_fetched_is_tried_again: [131053] => SendClass::Retry(_),
    an_unknown_fault_of_metas_is_ambiguous: [131000] => SendClass::Ambiguous,
    the_pair_limit_slows_this_customer: [131056] => SendClass::SlowPair(_),
    number_and_app_limits_slow_the_channel: [4, 80007, 130429, 131057, 131064, 131048] => SendClass::SlowChannel(_),
    faults_of_the_account_stop_the_channel:
        [0, 3, 10, 190, 200, 299, 368, 131005, 131031, 131037, 131042, 131045, 133010] => SendClass::StopChannel,
    a_closed_window_is_told_apart: [131047] => SendClass::WindowClosed,
    a_customer_out_of_reach_is_final:
        [130472, 130497, 131021, 131026, 131030, 131049, 131050, 131062, 137000] => SendClass::Unreachable,
    a_request_meta_will_never_take_is_our_fault:
        [33, 100, 131008, 131009, 131051, 132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016, 132068,
         132069, 135000] => SendClass::OurFault,
}

#[test]
fn an_unknown_code_is_tried_once_more_and_then_final() {
    assert!(matches!(class(999_999, 1), SendClass::Retry(_)));
    assert_eq!(class(999_999, 2), SendClass::OurFault);
    assert!(matches!(class(1, 1), SendClass::Retry(_)));
    assert_eq!(class(1, 2), SendClass::OurFault);
}

#[test]
fn a_link_that_meta_cannot_fetch_is_given_up_after_three_tries() {
    assert!(matches!(class(131053, 2), SendClass::Retry(_)));
    assert_eq!(class(131053, 3), SendClass::OurFault);
}

#[test]
fn the_pair_limit_waits_four_to_the_power_of_the_attempt() {
    let waits: Vec<SendClass> = (1..=4).map(|attempt| class(131056, attempt)).collect();
    assert_eq!(waits, [1, 4, 16, 64].map(|s| SendClass::SlowPair(secs(s))));
    assert_eq!(class(131056, 1000), SendClass::SlowPair(secs(1200)));
}

#[test]
fn an_expired_token_is_named() {
    let body = br#"{"error":{"message":"Session has expired","code":190,"error_subcode":463}}"#;
    let response = HttpResponse {
        status: 401,
        headers: HeaderMap::new(),
        body: body.to_vec(),
    };
    let error = interpret(Ok(response), 1).unwrap_err();
    assert_eq!(error.class, SendClass::StopChannel);
    assert!(
        error.says.contains("has expired; set a new one"),
        "{}",
        error.says
    );
}

#[test]
fn a_server_error_is_ambiguous_unless_its_code_is_a_plain_refusal() {
    for code in [1, 2, 131000, 131016, 133004, 999_999] {
        assert_eq!(refusal(500, code, 1).class, SendClass::Ambiguous, "{code}");
    }
    assert_eq!(refusal(500, 131047, 1).class, SendClass::WindowClosed);
    assert!(matches!(refusal(503, 130429, 1).class, SendClass::SlowChannel(_)));
}

#[test]
fn an_answer_without_metas_error_object_is_judged_by_its_status() {
    let class = |status, attempt| {
        let response = HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: b"<html>".to_vec(),
        };
        interpret(Ok(response), attempt).unwrap_err().class
    };
    for status in [500, 502, 503, 504, 408] {
        assert_eq!(class(status, 1), SendClass::Ambiguous, "{status}");
    }
    assert!(matches!(class(429, 1), SendClass::SlowChannel(_)));
    assert_eq!(
        (class(401, 1), class(403, 1)),
        (SendClass::StopChannel, SendClass::StopChannel)
    );
    assert!(matches!(
        (class(404, 1), class(404, 2)),
        (SendClass::Retry(_), SendClass::OurFault)
    ));
    assert!(matches!(
        (class(302, 1), class(302, 2)),
        (SendClass::Retry(_), SendClass::OurFault)
    ));
}

#[test]
fn where_it_failed_decides_whether_it_was_sent() {
    let failed = |failure| interpret(Err(failure), 1).unwrap_err().class;
    assert_eq!(
        failed(SendFailure::NotSent("connection refused".into())),
        SendClass::Retry(secs(1))
    );
    assert_eq!(
        failed(SendFailure::Unanswered("timed out".into())),
        SendClass::Ambiguous
    );
}

#[test]
fn retry_after_is_obeyed_when_it_is_longer_and_not_absurd() {
    let class = |after: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::RETRY_AFTER, after.parse().unwrap());
        let body = br#"{"error":{"code":130429}}"#.to_vec();
        interpret(
            Ok(HttpResponse {
                status: 400,
                headers,
                body,
            }),
            1,
        )
        .unwrap_err()
        .class
    };
    assert_eq!(class("30"), SendClass::SlowChannel(secs(30)));
    assert_eq!(class("0"), SendClass::SlowChannel(secs(1)));
    assert_eq!(class("999999"), SendClass::SlowChannel(secs(900)));
    assert_eq!(class("soon"), SendClass::SlowChannel(secs(1)));
}

#[test]
fn acceptance_gives_the_id_and_anything_else_with_200_is_ambiguous() {
    let read = |body: &str| {
        interpret(
            Ok(HttpResponse {
                status: 200,
                headers: HeaderMap::new(),
                body: body.into(),
            }),
            1,
        )
    };
    let sent = r#"{"messaging_product":"whatsapp","contacts":[{"input":"6281","wa_id":"6281"}],"messages":[{"id":"wamid.A"}]}"#;
    assert_eq!(
        read(sent),
        Ok(Receipt {
            message_id: Some("wamid.A".into())
        })
    );
    assert_eq!(
        read(r#"{"id":"1037543291543636"}"#),
        Ok(Receipt {
            message_id: Some("1037543291543636".into())
        })
    );
    assert_eq!(read(r#"{"success":true}"#), Ok(Receipt { message_id: None }));
    for body in ["", "{}", "<html>", r#"{"success":false}"#, r#"{"messages":[]}"#] {
        assert_eq!(read(body).unwrap_err().class, SendClass::Ambiguous, "{body}");
    }
}

#[test]
fn what_is_said_holds_no_phone_number() {
    let body = br#"{"error":{"message":"(#131030) +62 81100000011 is not allowed","code":131030}}"#;
    let error = interpret(
        Ok(HttpResponse {
            status: 400,
            headers: HeaderMap::new(),
            body: body.to_vec(),
        }),
        1,
    )
    .unwrap_err();
    assert!(!error.says.contains("81100000011"), "{}", error.says);
    assert!(error.says.contains("131030"), "{}", error.says);
}

#[test]
fn what_a_provider_in_between_says_is_told_without_numbers() {
    for (status, body, class) in [
        (
            401,
            r#"{"meta":{"success":false,"http_code":401,"developer_message":"Invalid api key"}}"#,
            SendClass::StopChannel,
        ),
        (
            403,
            r#"{"meta":{"developer_message":"Not for 6281100000011"}}"#,
            SendClass::StopChannel,
        ),
        (
            555,
            r#"{"meta":{"developer_message":"Upstream"}}"#,
            SendClass::Ambiguous,
        ),
    ] {
        let response = HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        let error = super::interpret("360dialog", Ok(response), 1).unwrap_err();
        assert_eq!(error.class, class);
        assert!(error.says.starts_with("360dialog answered HTTP"), "{error}");
        assert!(
            error.says.ends_with(')') && !error.says.contains("6281100000011"),
            "{error}"
        );
    }
}
