//! An endpoint that speaks OpenAI's language of chat completions: of a company, or a llama.cpp or Ollama next door.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};
use url::Url;

use super::{Completion, Model, Prompt, Silent};
use crate::channel::told;
use crate::server::config::AiConfig;
use crate::server::jobs::request;

/// Largest answer in bytes.
const LARGEST: usize = 256 * 1024;
/// Tokens of a reply: enough for the longest message and the JSON around it.
const TOKENS: u32 = 2_000;

#[derive(Debug)]
pub(super) struct Endpoint {
    client: reqwest::Client,
    url: Url,
    model: String,
    key: Option<SecretString>,
    timeout: Duration,
}

impl Endpoint {
    pub fn new(config: &AiConfig) -> Result<Endpoint, reqwest::Error> {
        let client = request::client().build()?;
        let mut url = config.url.clone();
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Endpoint {
            client,
            url,
            model: config.model.clone(),
            key: config.key.clone(),
            timeout: config.timeout,
        })
    }
}

#[async_trait]
impl Model for Endpoint {
    async fn complete(&self, prompt: &Prompt) -> Result<Completion, Silent> {
        let body = json!({
            "model": self.model,
            "messages": [
                { "role": "system", "content": prompt.rules },
                { "role": "user", "content": prompt.data },
            ],
            "temperature": 0,
            "max_tokens": TOKENS,
            "stream": false,
            "response_format": { "type": "json_object" },
        });
        let mut post = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .json(&body);
        if let Some(key) = &self.key {
            post = post.bearer_auth(key.expose_secret());
        }
        let response = post.send().await.map_err(failure)?;
        let status = response.status();
        if !status.is_success() {
            // What it says of it may repeat the prompt.
            return Err(Silent::Down(format!("it answered {}", status.as_u16())));
        }
        let raw = request::body_within(response, LARGEST).await.map_err(failure)?;
        let raw = raw.ok_or_else(|| Silent::Down(format!("its answer is larger than {LARGEST} bytes")))?;
        written(&raw).ok_or_else(|| Silent::Down("its answer is no chat completion".to_owned()))
    }
}

fn written(raw: &[u8]) -> Option<Completion> {
    let answer: Json = serde_json::from_slice(raw).ok()?;
    let content = answer.pointer("/choices/0/message/content")?;
    Some(Completion {
        text: content.as_str()?.to_owned(),
        tokens: answer.pointer("/usage/total_tokens").and_then(Json::as_u64),
    })
}

fn failure(error: reqwest::Error) -> Silent {
    let error = error.without_url();
    if error.is_timeout() {
        return Silent::TimedOut;
    }
    Silent::Down(told(&error))
}
