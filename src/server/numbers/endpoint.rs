//! Whether a provider's webhooks are known to come here. Qontak has one address for a whole organisation, which somebody
//! must set; until then session settings of its numbers are refused: nobody's silence could be noticed. What is known is
//! kept in the store.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::SessionSettings;
use crate::server::agreed;
use crate::server::config::{ChannelConfig, ProviderConfig};
use crate::store::{Store, StoreError};

/// Of one number.
#[derive(Debug)]
pub(in crate::server) struct Endpoint {
    channel: String,
    set: AtomicBool,
}

/// Settings that nobody may make yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the session settings of {channel} are refused until Qontak's webhooks come here: leave [channel.session] out, start \
     the server, run `switchboard channel register {channel}` (Set Endpoint), and write them then"
)]
pub struct SessionRefused {
    pub channel: String,
}

/// Whether this number's endpoint must be set before it can have session settings.
fn must_be_set(channel: &ChannelConfig) -> bool {
    match channel.provider {
        ProviderConfig::Qontak(_) => true,
        ProviderConfig::Meta(_)
        | ProviderConfig::Compatible(_)
        | ProviderConfig::Coster(_)
        | ProviderConfig::Linked(_)
        | ProviderConfig::Simulator => false,
    }
}

/// Whether this number's session settings wait for an endpoint that nobody has set.
pub(in crate::server) fn allows_session(
    channel: &ChannelConfig,
    kept: Option<&[u8]>,
) -> Result<(), SessionRefused> {
    if must_be_set(channel) && kept.is_none() && channel.session != SessionSettings::default() {
        return Err(SessionRefused {
            channel: channel.id.clone(),
        });
    }
    Ok(())
}

/// Name of the setting that is there once an endpoint is set.
pub(in crate::server) fn setting(channel: &str) -> String {
    format!("endpoint/{channel}")
}

impl Endpoint {
    pub async fn open(
        channel: &ChannelConfig,
        store: &dyn Store,
    ) -> Result<Endpoint, crate::server::StartError> {
        let kept = store.setting(&setting(&channel.id)).await?;
        allows_session(channel, kept.as_deref())?;
        Ok(Endpoint {
            channel: channel.id.clone(),
            set: AtomicBool::new(kept.is_some() || !must_be_set(channel)),
        })
    }

    /// A webhook of the provider came: the endpoint is set, whoever did it. Kept once.
    pub async fn reached(&self, store: &dyn Store) {
        if self.set.swap(true, Ordering::Relaxed) {
            return;
        }
        let channel = self.channel.as_str();
        tracing::info!(
            channel,
            "the provider's webhooks come here; the number can have session settings from now on"
        );
        let kept = async {
            store.put_setting(&setting(channel), b"set").await?;
            agreed::turn_page(store).await
        };
        if let Err(why) = kept.await {
            // The next webhook is as good a witness.
            tracing::warn!(channel, %why, "that the endpoint is set could not be kept");
            self.set.store(false, Ordering::Relaxed);
        }
    }

    /// What this or another process has seen.
    pub async fn reread(&self, store: &dyn Store) -> Result<(), StoreError> {
        if !self.set.load(Ordering::Relaxed) && store.setting(&setting(&self.channel)).await?.is_some() {
            self.set.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::server::config::Config;
    use crate::store::{Caps, MovableClock, SqliteStore};

    fn channel(provider: &str) -> ChannelConfig {
        let text =
            format!("[[channel]]\nid = \"main\"\n{provider}\n[channel.session]\nask_after_seconds = 60\n");
        let env = |_: &str| Some("sixteen-or-more-of-these".to_owned());
        let config = Config::parse(&text, Path::new("/etc/switchboard.toml"), &env);
        config.expect("valid").channels.remove(0)
    }

    const QONTAK: &str = "provider = \"qontak\"\naccess_token_env = \"T\"\nwebhook_secret_env = \"S\"\n\
                          qontak = { channel_integration_id = \"a\", auth = \"token\" }";

    fn store(folder: &tempfile::TempDir) -> SqliteStore {
        let path = folder.path().join("store.db");
        SqliteStore::open(path, Caps::default(), Arc::new(MovableClock::default())).expect("a store")
    }

    #[tokio::test]
    async fn session_settings_of_qontak_are_refused_until_its_webhooks_come_here_and_then_taken_for_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let with = channel(QONTAK);
        let refused = Endpoint::open(&with, &store).await.expect_err("refused");
        insta::assert_snapshot!(refused, @"the session settings of main are refused until Qontak's webhooks come here: leave [channel.session] out, start the server, run `switchboard channel register main` (Set Endpoint), and write them then");
        let mut without = with.clone();
        without.session = SessionSettings::default();
        let endpoint = Endpoint::open(&without, &store).await.expect("opened");
        endpoint.reached(&store).await;
        Endpoint::open(&with, &store).await.expect("after a restart");
    }

    #[tokio::test]
    async fn other_providers_have_no_endpoint_to_wait_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let simulated = channel("provider = \"simulator\"");
        Endpoint::open(&simulated, &store(&folder)).await.expect("opened");
    }
}
