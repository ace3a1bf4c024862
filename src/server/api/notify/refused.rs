//! Why a notification is not taken, in a word for programs and in a sentence for people.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use crate::channel::template::Misfit;
use crate::server::outbound::templates::Unfit;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    NotFound(String),
    #[error(
        "this customer wants no more messages on your own account: they sent an opt-out word, and hear from you again \
         once they send START"
    )]
    OptedOut,
    #[error(
        "a text leaves only within 24 hours of the customer's last message, {}; send an approved template",
        said_at.map_or_else(|| "and they never wrote".to_owned(), |at| format!("which came at {at:.0}"))
    )]
    WindowClosed { said_at: Option<Timestamp> },
    #[error(
        "{whose} has had its {limit} messages of 24 hours that nobody asked for ({key}); the next one may leave at \
         {free_at:.0}"
    )]
    TooMany {
        whose: &'static str,
        limit: u32,
        key: &'static str,
        free_at: Timestamp,
    },
    #[error("{0}")]
    NoFlow(String),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("{0}; try again in a moment")]
    Later(String),
}

impl From<StoreError> for Refused {
    fn from(why: StoreError) -> Refused {
        Refused::Later(why.to_string())
    }
}

impl Refused {
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Refused::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
            Refused::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Refused::OptedOut => (StatusCode::UNPROCESSABLE_ENTITY, "opted_out"),
            Refused::WindowClosed { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "window_closed"),
            Refused::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
            Refused::NoFlow(_) => (StatusCode::UNPROCESSABLE_ENTITY, "no_flow"),
            Refused::Unfit(why) => match why {
                Unfit::Unknown { .. } | Unfit::NoLanguage { .. } => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "unknown_template")
                }
                Unfit::WhichLanguage { .. } | Unfit::Unlisted { .. } => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "language_missing")
                }
                Unfit::Misfit(Misfit::NotApproved { .. }) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "template_not_approved")
                }
                Unfit::Misfit(_) => (StatusCode::UNPROCESSABLE_ENTITY, "parameters"),
                Unfit::NoList(_) => (StatusCode::SERVICE_UNAVAILABLE, "later"),
            },
            Refused::Later(_) => (StatusCode::SERVICE_UNAVAILABLE, "later"),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code) = self.code();
        (status, Json(json!({ "error": self.to_string(), "code": code }))).into_response()
    }
}
