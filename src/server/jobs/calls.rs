//! Calls a service of the business for a flow. Bounded in every direction: where it may go, how long it may take, how
//! much it may answer, how deep that may be.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use url::Url;

use super::guard::{Guard, Refused};
use super::request;
use crate::channel::told;
use crate::engine::{Answer, Call};
use crate::flow::tree::Method;
use crate::server::config::{Config, ServiceConfig};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Deepest nesting of an answer.
const DEEPEST: usize = 32;

/// Calls services. Cheap to share.
#[derive(Debug)]
pub struct Caller {
    client: reqwest::Client,
    guard: Guard,
    secrets: BTreeMap<String, SecretString>,
    services: BTreeMap<String, ServiceConfig>,
    answer_bytes: usize,
}

/// One try that gave no answer.
enum Failed {
    /// Another try may help.
    Timeout(String),
    Broken(String),
    /// No try will help.
    Never(String),
}

impl Caller {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(config: &Config) -> Result<Caller, reqwest::Error> {
        let allowed = config.services.values().flat_map(|service| service.allow.clone());
        let guard = Guard::new(allowed);
        let client = request::client().dns_resolver(guard.clone()).build()?;
        Ok(Caller {
            client,
            guard,
            secrets: config.secrets.clone(),
            services: config.services.clone(),
            answer_bytes: config.limits.answer_bytes,
        })
    }

    /// Calls as often as the call allows; the answer is what the flow will see. `key` lets the service recognise a
    /// repetition.
    pub async fn call(&self, call: &Call, key: &str) -> Answer {
        let mut failed = Failed::Never("it may not be tried at all".to_owned());
        for _ in 0..call.tries.max(1) {
            match self.once(call, key).await {
                // A service in trouble; a call that may be repeated is.
                Ok(Answer::Status { status, .. }) if status >= 500 && call.tries > 1 => {
                    failed = Failed::Broken(format!("it answered {status}"));
                }
                Ok(answer) => return answer,
                Err(Failed::Never(why)) => return Answer::Down { why },
                Err(again) => failed = again,
            }
        }
        match failed {
            Failed::Timeout(why) => Answer::TimedOut { why },
            Failed::Broken(why) | Failed::Never(why) => Answer::Down { why },
        }
    }

    async fn once(&self, call: &Call, key: &str) -> Result<Answer, Failed> {
        let url = self.address(call).map_err(|why| Failed::Never(why.to_string()))?;
        let method = match call.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut asked = self
            .client
            .request(method, url)
            .timeout(Duration::from_millis(call.timeout_ms))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .header(IDEMPOTENCY_KEY, key);
        if let Some(name) = &call.secret {
            let secret = self.secrets.get(name).ok_or_else(|| {
                Failed::Never(format!(
                    "the secret {name} is not set; add it to [secrets] in switchboard.toml"
                ))
            })?;
            asked = asked.bearer_auth(secret.expose_secret());
        }
        if let Some(body) = &call.body {
            asked = asked.json(body);
        }
        let response = asked.send().await.map_err(failure)?;
        let status = response.status().as_u16();
        let raw = request::body_within(response, self.answer_bytes)
            .await
            .map_err(failure)?;
        let raw = raw
            .ok_or_else(|| Failed::Never(format!("its answer is larger than {} bytes", self.answer_bytes)))?;
        body_of(status, &raw).map(|body| Answer::Status { status, body })
    }

    /// The call's address, or the one that stands in for its service.
    fn address(&self, call: &Call) -> Result<Url, Refused> {
        let meant = self
            .services
            .get(&call.service)
            .and_then(|service| service.url.as_ref());
        let Some(instead) = meant else {
            return self.guard.check(&call.url);
        };
        let url = Url::parse(&call.url).map_err(|_| Refused::NotAnAddress(call.service.clone()))?;
        let base = instead.as_str().trim_end_matches('/');
        let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
        self.guard.check(&format!("{base}{}{query}", url.path()))
    }
}

fn failure(error: reqwest::Error) -> Failed {
    let error = error.without_url();
    if let Some(refused) = refusal(&error) {
        return Failed::Never(refused);
    }
    if error.is_timeout() {
        return Failed::Timeout("it did not answer in time".to_owned());
    }
    let why = told(&error);
    if error.is_builder() {
        Failed::Never(why)
    } else {
        Failed::Broken(why)
    }
}

/// What the guard said while the name was resolved.
fn refusal(error: &reqwest::Error) -> Option<String> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Some(refused.to_string());
        }
        source = cause.source();
    }
    None
}

/// The JSON of an answer. Only a good answer must be JSON: an error page is known by its status.
fn body_of(status: u16, raw: &[u8]) -> Result<Json, Failed> {
    if raw.iter().all(u8::is_ascii_whitespace) {
        return Ok(Json::Null);
    }
    let good = (200..300).contains(&status);
    if depth(raw) > DEEPEST {
        return Err(Failed::Never(format!(
            "its answer is nested more than {DEEPEST} deep"
        )));
    }
    match serde_json::from_slice(raw) {
        Ok(body) => Ok(body),
        Err(_) if !good => Ok(Json::Null),
        Err(why) => Err(Failed::Never(format!("its answer is not JSON: {why}"))),
    }
}

/// How deep brackets are nested outside strings.
fn depth(raw: &[u8]) -> usize {
    let (mut now, mut most, mut in_text, mut escaped) = (0usize, 0, false, false);
    for byte in raw {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests;
