//! Refusals as the contract has them: a status, and a sentence on what to do.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::instance::{ChangeRefused, OpenError, Unsent};
use crate::place::PlaceError;

#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: Value,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            body: json!({ "statusCode": status.as_u16(), "message": message.into() }),
            retry_after: None,
        }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        let status = match rejection.status() {
            large @ StatusCode::PAYLOAD_TOO_LARGE => large,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, rejection.body_text())
    }
}

impl From<ChangeRefused> for Refusal {
    fn from(refused: ChangeRefused) -> Self {
        let message = refused.to_string();
        match refused {
            ChangeRefused::UnderWay(_) => Self::new(StatusCode::CONFLICT, message),
            ChangeRefused::Wrong(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            ChangeRefused::Broken(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, message),
        }
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::Place(PlaceError::Name { .. }) => Self::new(StatusCode::BAD_REQUEST, message),
            OpenError::Place(PlaceError::Held { .. }) => Self::new(StatusCode::CONFLICT, message),
            OpenError::Place(PlaceError::File { .. }) | OpenError::Records(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

impl From<Unsent> for Refusal {
    fn from(unsent: Unsent) -> Self {
        let message = unsent.to_string();
        match unsent {
            Unsent::NotWorking(standing) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, message).with("status", standing.state.status())
            }
            Unsent::OtherNumber { .. } => Self::new(StatusCode::CONFLICT, message),
            // Known here before WhatsApp would say it, with WhatsApp's own code.
            Unsent::Stranger(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message).with("code", 463),
            Unsent::TooFast(wait) => {
                let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, message);
                refusal.retry_after = Some(wait.as_secs() + 1);
                refusal
            }
            Unsent::Refused(code) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message).with("code", code),
            Unsent::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, message),
            Unsent::NotSent(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            Unsent::Uncertain { id, .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, message).with("id", id),
            Unsent::Records(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message),
        }
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
    }
}
