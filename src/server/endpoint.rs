//! Whether a provider's webhooks are known to come here. Qontak has one address for a whole organisation, which somebody
//! must set; until then the session settings of its numbers are not used. What is known is kept in the store.

use std::sync::atomic::{AtomicBool, Ordering};

use super::agreed;
use super::config::{ChannelConfig, ProviderConfig};
use crate::engine::SessionSettings;
use crate::store::{Store, StoreError};

/// Of one number.
#[derive(Debug)]
pub(super) struct Endpoint {
    channel: String,
    set: AtomicBool,
    configured: SessionSettings,
    /// What holds until it is set.
    meanwhile: SessionSettings,
}

/// Whether this number's endpoint must be set before its session settings count.
fn must_be_set(channel: &ChannelConfig) -> bool {
    match channel.provider {
        ProviderConfig::Qontak(_) => true,
        ProviderConfig::Meta(_)
        | ProviderConfig::Compatible(_)
        | ProviderConfig::Coster(_)
        | ProviderConfig::Simulator => false,
    }
}

impl Endpoint {
    pub async fn open(channel: &ChannelConfig, store: &dyn Store) -> Result<Endpoint, StoreError> {
        let endpoint = Endpoint {
            channel: channel.id.clone(),
            set: AtomicBool::new(!must_be_set(channel)),
            configured: channel.session.clone(),
            meanwhile: SessionSettings::default(),
        };
        endpoint.reread(store).await?;
        if !endpoint.is_set() && endpoint.configured != endpoint.meanwhile {
            tracing::warn!(
                channel = channel.id,
                "[channel.session] of this number is refused until Qontak's webhooks come here: run `switchboard channel \
                 register {}`",
                channel.id
            );
        }
        Ok(endpoint)
    }

    fn setting(&self) -> String {
        format!("endpoint/{}", self.channel)
    }

    fn is_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    /// What silence does on this number.
    pub fn session(&self) -> &SessionSettings {
        if self.is_set() {
            &self.configured
        } else {
            &self.meanwhile
        }
    }

    /// A webhook of the provider came: the endpoint is set, whoever did it. Kept once.
    pub async fn reached(&self, store: &dyn Store) {
        if self.set.swap(true, Ordering::Relaxed) {
            return;
        }
        let channel = self.channel.as_str();
        tracing::info!(
            channel,
            "the provider's webhooks come here; the session settings count from now on"
        );
        let kept = async {
            store.put_setting(&self.setting(), b"set").await?;
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
        if !self.is_set() && store.setting(&self.setting()).await?.is_some() {
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

    #[tokio::test]
    async fn session_settings_of_qontak_count_once_its_webhooks_come_here_and_then_for_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let store =
            SqliteStore::open(path, Caps::default(), Arc::new(MovableClock::default())).expect("a store");
        let qontak = channel(
            "provider = \"qontak\"\naccess_token_env = \"T\"\nwebhook_secret_env = \"S\"\n\
             qontak = { channel_integration_id = \"a\", auth = \"token\" }",
        );
        let endpoint = Endpoint::open(&qontak, &store).await.expect("opened");
        assert_eq!(endpoint.session(), &SessionSettings::default());
        endpoint.reached(&store).await;
        assert_eq!(endpoint.session(), &qontak.session);
        let after_a_restart = Endpoint::open(&qontak, &store).await.expect("opened");
        assert_eq!(after_a_restart.session(), &qontak.session);
    }

    #[tokio::test]
    async fn other_providers_have_no_endpoint_to_wait_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let store =
            SqliteStore::open(path, Caps::default(), Arc::new(MovableClock::default())).expect("a store");
        let simulated = channel("provider = \"simulator\"");
        let endpoint = Endpoint::open(&simulated, &store).await.expect("opened");
        assert_eq!(endpoint.session(), &simulated.session);
    }
}
