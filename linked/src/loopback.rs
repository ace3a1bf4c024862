//! The fence of test builds: nothing outside this machine is ever asked. A build that runs does not have this file.

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};

/// Refuses every address that is not loopback.
pub fn only(url: &str) -> anyhow::Result<()> {
    let rest = url
        .split_once("://")
        .map(|(_, rest)| rest)
        .context("an address needs a scheme, such as ws://")?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) if address.is_loopback() => Ok(()),
        Ok(_) | Err(_) => bail!("a test build connects to loopback only, not to {host:?}"),
    }
}

/// Where the stand-in says that files are.
const MEDIA_HOST: &str = "https://media.invalid";

/// Brings requests for the host of files to the stand-in, and refuses all others.
#[derive(Clone, Debug)]
pub struct Http {
    stand_in: String,
}

impl Http {
    /// Beside the chat server at `url`.
    pub fn beside(url: &str) -> Self {
        let host = url
            .split_once("://")
            .map_or("", |(_, rest)| rest)
            .split('/')
            .next()
            .unwrap_or_default();
        Self {
            stand_in: format!("http://{host}"),
        }
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let url = match request.url.strip_prefix(MEDIA_HOST) {
            Some(path) => format!("{}{path}", self.stand_in),
            None => request.url,
        };
        only(&url)?;
        let body = request.body.unwrap_or_default();
        let asked = tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .into();
            let request = ureq::http::Request::builder()
                .method(request.method.as_str())
                .uri(url)
                .body(body.to_vec())?;
            let mut answer = agent.run(request)?;
            let body = answer.body_mut().read_to_vec()?;
            Ok(HttpResponse {
                status_code: answer.status().as_u16(),
                body,
            })
        });
        asked.await?
    }
}

#[cfg(test)]
mod tests {
    use super::only;

    #[test]
    fn a_test_build_reaches_this_machine_and_nothing_else() {
        for good in ["ws://127.0.0.1:4000/ws", "http://[::1]:80/x", "ws://127.0.0.1"] {
            assert!(only(good).is_ok(), "{good}");
        }
        for bad in [
            "wss://web.whatsapp.com/ws/chat",
            "ws://10.0.0.1/",
            "ws://localhost.evil.com",
            "127.0.0.1",
            "ws://",
        ] {
            assert!(only(bad).is_err(), "{bad}");
        }
    }
}
