//! Where an order about a link goes: to the running server, which alone may write into an embedded store; or, where none
//! runs, into the store itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Exit;
use crate::channel::linked::LinkedSettings;
use crate::server::config::Config;
use crate::server::door::{self, Door};
use crate::server::link::{NotOrdered, Order, carry_out};
use crate::store::Store;

/// A server on this machine answers at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub(super) enum Desk {
    Server {
        client: reqwest::Client,
        /// Of this number's link.
        address: String,
        token: SecretString,
    },
    Store(Arc<dyn Store>),
}

impl Desk {
    /// Through the same door as settings: straight into the store, or to the server that has it.
    pub(super) fn open(config: &Config, channel: &str, door: &Door) -> anyhow::Result<Desk> {
        match (door, &config.admin_token) {
            (Door::Here(store), _) => Ok(Desk::Store(store.clone())),
            (Door::There(remote), Some(token)) => Ok(Desk::Server {
                client: door::client(ANSWER_WITHIN).context("TLS can't be started")?,
                address: format!("http://{}/api/channels/{channel}/link", remote.at()),
                token: token.clone(),
            }),
            (Door::There(_), None) => Err(Exit::Environment.because(
                "a server uses the store, and can be asked with an admin_token alone: write one into the configuration",
            )),
        }
    }

    /// Has an order carried out.
    pub(super) async fn order(
        &self,
        settings: &LinkedSettings,
        channel: &str,
        order: &Order,
    ) -> anyhow::Result<()> {
        match self {
            Desk::Store(store) => match carry_out(store.as_ref(), settings, channel, order).await {
                Ok(_) => Ok(()),
                Err(NotOrdered::Store(why)) => Err(why).context("the store does not take it"),
                Err(
                    why @ (NotOrdered::Nobody
                    | NotOrdered::NotYours { .. }
                    | NotOrdered::Busy(_)
                    | NotOrdered::Crowded),
                ) => Err(Exit::Findings.because(why.to_string())),
            },
            Desk::Server {
                client,
                address,
                token,
            } => {
                let request = client
                    .post(address)
                    .bearer_auth(token.expose_secret())
                    .json(order);
                let answer = request.send().await.map_err(|why| {
                    Exit::Remote.because(format!("the server does not answer: {}", why.without_url()))
                })?;
                if answer.status().is_success() {
                    return Ok(());
                }
                let said: Value = answer.json().await.unwrap_or_default();
                let why = said["error"].as_str().unwrap_or("the server refused");
                Err(Exit::Findings.because(why.to_owned()))
            }
        }
    }
}
