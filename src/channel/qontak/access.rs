//! Who we are to Qontak, put on every request on its way out. The codec knows nothing of it: a request leaves it without
//! credentials, and this [`Transport`] adds a token or signs with the present time. Tokens that are had for a password
//! live here alone; they are fetched when they are needed and renewed before they run out, or when Qontak takes them no
//! longer. Nothing of it goes into a log.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::Method;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::sign;
use crate::channel::{HttpRequest, HttpResponse, NetworkTransport, SendFailure, Transport};

/// What the operator was given.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A token as it stands, the simplest.
    Token(SecretString),
    /// The login of a user, with the client that Qontak gave out.
    Password(Box<Login>),
    /// Mekari's API: every request is signed.
    Hmac {
        client_id: String,
        client_secret: SecretString,
    },
}

#[derive(Debug, Clone)]
pub struct Login {
    pub username: String,
    pub password: SecretString,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Where tokens are given out.
    pub token_url: String,
}

/// Carries requests with credentials. Of one number, used by its adapter and by its sender.
#[derive(Debug)]
pub struct Access {
    credentials: Credentials,
    network: NetworkTransport,
    held: Mutex<Option<Held>>,
}

/// A token that was had for a password.
#[derive(Debug, Clone)]
struct Held {
    token: SecretString,
    refresh: Option<SecretString>,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    /// Seconds; about 345 days at Qontak.
    expires_in: Option<u64>,
}

/// Where nothing is said of how long a token is good.
const GOOD_FOR: Duration = Duration::from_secs(3600);
/// A token is renewed this much before its end.
const BEFORE_ITS_END: Duration = Duration::from_secs(300);
/// No token is held for longer, whatever is promised.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Access {
    pub(super) fn new(credentials: Credentials, network: NetworkTransport) -> Access {
        Access {
            credentials,
            network,
            held: Mutex::new(None),
        }
    }

    /// For reads that need no credentials.
    pub(super) fn network(&self) -> &NetworkTransport {
        &self.network
    }

    /// What numbers of one organisation have in common: the same login sees the same numbers, and has one webhook.
    pub(super) fn organisation(&self) -> String {
        let of = match &self.credentials {
            Credentials::Token(token) => ("token", token.expose_secret().trim()),
            Credentials::Password(login) => ("password", login.username.as_str()),
            Credentials::Hmac { client_id, .. } => ("hmac", client_id.as_str()),
        };
        blake3::hash(format!("{}/{}", of.0, of.1).as_bytes())
            .to_hex()
            .to_string()
    }

    /// The token that is good now, had anew if there is none. `refused` is one that was not taken.
    async fn token(&self, login: &Login, refused: Option<&SecretString>) -> Result<SecretString, NoToken> {
        let mut held = self.held.lock().await;
        if let Some(refused) = refused
            && let Some(token) = held.as_mut()
            && token.token.expose_secret() == refused.expose_secret()
        {
            // What renews it may be good still.
            token.until = Instant::now();
        }
        let now = Instant::now();
        if let Some(token) = held.as_ref()
            && token.until > now
        {
            return Ok(token.token.clone());
        }
        let refresh = held.as_ref().and_then(|token| token.refresh.clone());
        *held = None;
        let renewed = match &refresh {
            Some(refresh) => match self.ask(login, &by_refresh(login, refresh)).await {
                Err(NoToken::Refused(_)) => None,
                renewed => Some(renewed?),
            },
            None => None,
        };
        let granted = match renewed {
            Some(granted) => granted,
            None => self.ask(login, &by_password(login)).await?,
        };
        let good_for = granted
            .expires_in
            .map_or(GOOD_FOR, Duration::from_secs)
            .min(LONGEST);
        let token = SecretString::from(granted.access_token);
        *held = Some(Held {
            token: token.clone(),
            refresh: granted.refresh_token.map(SecretString::from).or(refresh),
            until: now + good_for.saturating_sub(BEFORE_ITS_END.min(good_for / 2)),
        });
        Ok(token)
    }

    async fn ask(&self, login: &Login, body: &serde_json::Value) -> Result<Granted, NoToken> {
        let request = HttpRequest::new(Method::POST, &login.token_url)
            .body("application/json", body.to_string().into_bytes());
        let answer = self.network.send(request).await.map_err(|failure| {
            // Whether the login was heard is all the same: no message was sent.
            let (SendFailure::NotSent(why) | SendFailure::Unanswered(why)) = failure;
            NoToken::Away(format!("the login was not answered: {why}"))
        })?;
        match answer.status {
            200..=299 => serde_json::from_slice(&answer.body)
                .map_err(|_| NoToken::Away("the login was answered without a token".to_owned())),
            400 | 401 | 403 | 404 | 422 => Err(NoToken::Refused(answer.status)),
            status => Err(NoToken::Away(format!(
                "the login was answered with HTTP {status}"
            ))),
        }
    }

    async fn with_token(&self, login: &Login, request: HttpRequest) -> Result<HttpResponse, SendFailure> {
        let mut refused = None;
        loop {
            let token = match self.token(login, refused.as_ref()).await {
                Ok(token) => token,
                Err(NoToken::Refused(status)) => return Ok(login_refused(status)),
                Err(NoToken::Away(why)) => return Err(SendFailure::NotSent(why)),
            };
            let bearing = request.clone().secret(AUTHORIZATION, "Bearer ", &token);
            let answer = self.network.send(bearing).await?;
            // A 401 says that nothing was done, so the request may go out once more with a new token.
            if answer.status != 401 || refused.is_some() {
                return Ok(answer);
            }
            refused = Some(token);
        }
    }
}

enum NoToken {
    /// With this HTTP status: wrong name, password or client.
    Refused(u16),
    /// Another time perhaps.
    Away(String),
}

fn by_password(login: &Login) -> serde_json::Value {
    json!({
        "username": login.username,
        "password": login.password.expose_secret().trim(),
        "grant_type": "password",
        "client_id": login.client_id,
        "client_secret": login.client_secret.expose_secret().trim(),
    })
}

fn by_refresh(login: &Login, refresh: &SecretString) -> serde_json::Value {
    json!({
        "refresh_token": refresh.expose_secret(),
        "grant_type": "refresh_token",
        "client_id": login.client_id,
        "client_secret": login.client_secret.expose_secret().trim(),
    })
}

/// As Qontak itself refuses: whoever reads the answer need not know that it was the login's.
fn login_refused(status: u16) -> HttpResponse {
    let says = format!("the login was refused with HTTP {status}; check username, password and client");
    let body = json!({ "status": "error", "error": { "code": 401, "messages": [says] } });
    HttpResponse {
        status: 401,
        headers: http::HeaderMap::new(),
        body: body.to_string().into_bytes(),
    }
}

#[async_trait]
impl Transport for Access {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendFailure> {
        match &self.credentials {
            Credentials::Token(token) => {
                self.network
                    .send(request.secret(AUTHORIZATION, "Bearer ", token))
                    .await
            }
            Credentials::Password(login) => self.with_token(login, request).await,
            Credentials::Hmac {
                client_id,
                client_secret,
            } => {
                let signed = sign::signed(request, client_id, client_secret, Timestamp::now());
                self.network.send(signed).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(credentials: Credentials) -> Access {
        let network = NetworkTransport::new(Duration::from_secs(1), Duration::from_secs(1)).unwrap();
        Access::new(credentials, network)
    }

    fn login(username: &str, password: &str) -> Credentials {
        Credentials::Password(Box::new(Login {
            username: username.into(),
            password: SecretString::from(password),
            client_id: "client".into(),
            client_secret: SecretString::from("client-secret"),
            token_url: "http://127.0.0.1:1/oauth/token".into(),
        }))
    }

    #[test]
    fn nothing_of_the_credentials_is_shown() {
        let shown = format!("{:?}", access(login("bot@example.test", "hush-hush")));
        assert!(
            !shown.contains("hush-hush") && !shown.contains("client-secret"),
            "{shown}"
        );
        let shown = format!(
            "{:?}",
            access(Credentials::Token(SecretString::from("hush-hush")))
        );
        assert!(!shown.contains("hush-hush"), "{shown}");
    }

    #[test]
    fn numbers_of_one_login_are_of_one_organisation() {
        let of = |credentials| access(credentials).organisation();
        assert_eq!(of(login("a", "x")), of(login("a", "y")));
        assert_ne!(of(login("a", "x")), of(login("b", "x")));
        assert_ne!(
            of(Credentials::Token(SecretString::from("a"))),
            of(login("a", "x"))
        );
    }

    #[tokio::test]
    async fn a_login_that_can_t_be_reached_means_that_nothing_was_sent() {
        let request = HttpRequest::new(Method::POST, "http://127.0.0.1:1/messages");
        let sent = access(login("a", "x")).send(request).await;
        assert!(matches!(sent, Err(SendFailure::NotSent(_))), "{sent:?}");
    }
}
