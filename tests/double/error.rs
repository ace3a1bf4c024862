//! Refusals in the shape of the Graph API.

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: i64,
    pub subcode: Option<i64>,
    pub kind: &'static str,
    pub message: String,
    pub details: Option<String>,
}

impl Refusal {
    /// A refusal with one of the messaging codes and what exactly was wrong.
    pub fn new(code: i64, details: impl Into<String>) -> Self {
        let (title, status) = title_of(code);
        Refusal {
            status,
            code,
            subcode: None,
            kind: "OAuthException",
            message: format!("(#{code}) {title}"),
            details: Some(details.into()),
        }
    }

    /// Code 100 with the sentence in the message itself, as for a wrong or missing parameter.
    pub fn parameter(message: impl std::fmt::Display) -> Self {
        Refusal {
            status: 400,
            code: 100,
            subcode: None,
            kind: "OAuthException",
            message: format!("(#100) {message}"),
            details: None,
        }
    }

    pub fn required(parameter: &str) -> Self {
        Refusal::parameter(format_args!("The parameter {parameter} is required."))
    }

    /// An object that does not exist, or that this token may not see.
    pub fn no_object(id: &str, method: &str) -> Self {
        Refusal {
            status: 400,
            code: 100,
            subcode: Some(33),
            kind: "GraphMethodException",
            message: format!(
                "Unsupported {} request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
                 permissions, or does not support this operation.",
                method.to_lowercase()
            ),
            details: None,
        }
    }

    pub fn no_path(path: &str) -> Self {
        Refusal {
            status: 404,
            code: 2500,
            subcode: None,
            kind: "OAuthException",
            message: format!("Unknown path components: {path}"),
            details: None,
        }
    }

    pub fn no_token(given: bool) -> Self {
        let message = if given {
            "Invalid OAuth access token - Cannot parse access token"
        } else {
            "An access token is required to request this resource."
        };
        Refusal {
            status: 401,
            code: 190,
            subcode: None,
            kind: "OAuthException",
            message: message.to_owned(),
            details: None,
        }
    }

    pub fn body(&self, trace: &str) -> Value {
        let mut error = json!({ "message": self.message, "type": self.kind, "code": self.code });
        if let Some(details) = &self.details {
            error["error_data"] = json!({ "messaging_product": "whatsapp", "details": details });
        }
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        error["fbtrace_id"] = json!(trace);
        json!({ "error": error })
    }
}

/// The title of a code and the HTTP status it comes with. Throttling comes as 400.
pub fn title_of(code: i64) -> (&'static str, u16) {
    match code {
        0 => ("AuthException", 401),
        1 => ("API Unknown", 400),
        2 => ("API Service", 503),
        3 => ("API Method", 500),
        4 => ("API Too Many Calls", 400),
        10 => ("Permission Denied", 403),
        33 => ("Parameter value is not valid", 400),
        100 => ("Invalid parameter", 400),
        190 => ("Access token has expired", 401),
        200..=299 => ("API Permission", 403),
        368 => ("Temporarily blocked for policies violations", 403),
        80007 => ("Rate limit issues", 400),
        130429 => ("Rate limit hit", 400),
        130472 => ("User's number is part of an experiment", 400),
        130497 => (
            "Business account is restricted from messaging users in this country.",
            403,
        ),
        131000 => ("Something went wrong", 500),
        131005 => ("Access denied", 403),
        131008 => ("Required parameter is missing", 400),
        131009 => ("Parameter value is not valid", 400),
        131016 => ("Service unavailable", 503),
        131021 => ("Recipient cannot be sender", 400),
        131026 => ("Message undeliverable", 400),
        131030 => ("Recipient phone number not in allowed list", 400),
        131031 => ("Account has been locked", 403),
        131037 => (
            "WhatsApp provided number needs display name approval before message can be sent.",
            400,
        ),
        131042 => ("Business eligibility payment issue", 400),
        131045 => ("Incorrect certificate", 500),
        131047 => ("Re-engagement message", 400),
        131048 => ("Spam rate limit hit", 400),
        131049 => ("Meta chose not to deliver.", 400),
        131050 => ("User has stopped marketing messages", 400),
        131051 => ("Unsupported message type", 400),
        131052 => ("Media download error", 400),
        131053 => ("Media upload error", 400),
        131056 => ("(Business Account, Consumer Account) pair rate limit hit", 400),
        131057 => ("Account in maintenance mode", 400),
        131062 => ("Message cannot be sent to a business-scoped user ID", 400),
        132000 => ("Template param count mismatch", 400),
        132001 => ("Template does not exist", 404),
        132015 => ("Template is paused", 400),
        133004 => ("Server temporarily unavailable", 503),
        133005 => ("Two step verification PIN Mismatch", 400),
        133010 => ("Phone number not registered", 400),
        135000 => ("Generic user error", 400),
        _ => ("Unknown error", 400),
    }
}
