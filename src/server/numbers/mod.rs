//! The numbers of the business, made from the configuration: an adapter and a way out for each.

pub mod channels;
pub mod door;
pub(super) mod endpoint;
pub mod launch;
pub mod link;
pub mod sealed;
pub mod stored;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use self::endpoint::Endpoint;
use self::link::Watch;
use crate::channel::coster::Coster;
use crate::channel::linked::LinkedDevice;
use crate::channel::meta::{Meta, MetaSettings};
use crate::channel::qontak::Qontak;
use crate::channel::{Bubble, BubbleSink, Channel, Gate as Proof, NetworkTransport, Simulator, Transport};
use crate::message::DeliveryState;
use crate::server::agreed;
use crate::server::config::{ChannelConfig, Config, MetaConfig, ProviderConfig};
use crate::server::outbound::templates::Templates;
use crate::server::outbound::tokens::Purse;
use crate::server::parts::{Gate, Number};
use crate::store::{Status, Store, StoreError};

pub(super) async fn open(
    config: &Config,
    store: &Arc<dyn Store>,
) -> Result<HashMap<String, Number>, crate::server::StartError> {
    let mut numbers = HashMap::new();
    for channel in &config.channels {
        warn_of(channel);
        let (adapter, transport, simulator) = adapter(channel, store)?;
        let autopilot = autopilot(channel, store.as_ref()).await?;
        let waits = launch::waits(store.as_ref(), channel).await?;
        if waits && autopilot {
            tracing::warn!(
                channel = channel.id,
                next = launch::next_step(&channel.id),
                "flows do not answer on this number yet: it is not launched; people answer, and everything is kept"
            );
        }
        let number = Number {
            config: channel.clone(),
            channel: adapter,
            transport,
            simulator,
            autopilot: AtomicBool::new(autopilot),
            waits: AtomicBool::new(waits),
            gate: Mutex::new(Gate::Open),
            purse: purse(channel),
            endpoint: Endpoint::open(channel, store.as_ref()).await?,
            link: Watch::open(channel, store.as_ref()).await?,
            templates: Templates::default(),
        };
        numbers.insert(channel.id.clone(), number);
    }
    Ok(numbers)
}

/// Says at the start what the operator should keep in mind of this number.
fn warn_of(channel: &ChannelConfig) {
    let channel_id = &channel.id;
    match &channel.provider {
        ProviderConfig::Compatible(settings) if matches!(settings.gate, Proof::Open) => tracing::warn!(
            channel = channel_id,
            "webhooks of this number are not proved (webhook_auth = \"none\"): whoever knows the address can speak for \
             customers; choose another webhook_auth if the provider offers one"
        ),
        ProviderConfig::Coster(_) => tracing::warn!(
            channel = channel_id,
            "the Coster provider is experimental: it follows what was seen of an undocumented interface; texts are sure, \
             anything else is off until you switch it on in [channel.coster]"
        ),
        ProviderConfig::Linked(_) => tracing::warn!(
            channel = channel_id,
            "this number is linked as WhatsApp Web is, which WhatsApp does not allow to programs: it may ban the number. Only \
             reply, and keep another way to your customers"
        ),
        ProviderConfig::Meta(_)
        | ProviderConfig::Compatible(_)
        | ProviderConfig::Qontak(_)
        | ProviderConfig::Simulator => {}
    }
}

/// How fast it may send: so many a second, or, where a person's pace is to be kept, so many a minute.
fn purse(channel: &ChannelConfig) -> Purse {
    match &channel.provider {
        ProviderConfig::Linked(settings) if channel.per_second == 0 => Purse::slow(settings.per_minute),
        ProviderConfig::Linked(_)
        | ProviderConfig::Meta(_)
        | ProviderConfig::Compatible(_)
        | ProviderConfig::Coster(_)
        | ProviderConfig::Qontak(_)
        | ProviderConfig::Simulator => Purse::new(channel.per_second),
    }
}

type Adapter = (Arc<dyn Channel>, Arc<dyn Transport>, Option<Simulator>);

fn adapter(channel: &ChannelConfig, store: &Arc<dyn Store>) -> Result<Adapter, reqwest::Error> {
    if let Some((adapter, transport)) = provider(&channel.provider)? {
        return Ok((adapter, transport, None));
    }
    let simulator = Simulator::new(&channel.id);
    let screen = Screen {
        channel: channel.id.clone(),
        store: store.clone(),
    };
    let transport = simulator.transport(Arc::new(screen));
    Ok((Arc::new(simulator.clone()), Arc::new(transport), Some(simulator)))
}

/// An adapter, and the way to its provider.
type Connection = (Arc<dyn Channel>, Arc<dyn Transport>);

/// The adapter of a number that has a provider, and the way to it.
pub(super) fn provider(config: &ProviderConfig) -> Result<Option<Connection>, reqwest::Error> {
    let (adapter, connect, total): (Arc<dyn Channel>, _, _) = match config {
        ProviderConfig::Meta(meta) => {
            let settings = meta_settings(meta);
            let (connect, total) = (settings.connect_timeout, settings.timeout);
            (Arc::new(Meta::new(settings)?), connect, total)
        }
        ProviderConfig::Compatible(settings) => (
            Arc::new(Meta::compatible((**settings).clone())?),
            settings.connect_timeout,
            settings.timeout,
        ),
        ProviderConfig::Coster(settings) => (
            Arc::new(Coster::new((**settings).clone())?),
            settings.connect_timeout,
            settings.timeout,
        ),
        ProviderConfig::Qontak(settings) => {
            let qontak = Qontak::new((**settings).clone())?;
            let transport = qontak.transport();
            return Ok(Some((Arc::new(qontak), transport)));
        }
        ProviderConfig::Linked(settings) => {
            let linked = LinkedDevice::new((**settings).clone())?;
            let transport = Arc::new(linked.paced()?);
            return Ok(Some((Arc::new(linked), transport)));
        }
        ProviderConfig::Simulator => return Ok(None),
    };
    let transport = NetworkTransport::new(connect, total)?;
    Ok(Some((adapter, Arc::new(transport))))
}

fn meta_settings(meta: &MetaConfig) -> MetaSettings {
    let mut settings = MetaSettings::new(
        &meta.phone_number_id,
        meta.access_token.clone(),
        meta.app_secrets.clone(),
        meta.verify_token.clone(),
    );
    settings.account_id.clone_from(&meta.waba_id);
    settings.base_url = meta.api_base.to_string();
    settings.api_version.clone_from(&meta.api_version);
    settings.media_hosts.extend(meta.media_hosts.iter().cloned());
    settings
}

fn setting(channel: &str) -> String {
    format!("autopilot/{channel}")
}

/// What was switched last; the configuration if nobody ever did.
async fn autopilot(channel: &ChannelConfig, store: &dyn Store) -> Result<bool, StoreError> {
    let switched = store.setting(&setting(&channel.id)).await?;
    Ok(switched.map_or(channel.autopilot, |value| value == b"on"))
}

pub(super) async fn switch_autopilot(store: &dyn Store, channel: &str, on: bool) -> Result<(), StoreError> {
    let value: &[u8] = if on { b"on" } else { b"off" };
    store.put_setting(&setting(channel), value).await?;
    agreed::turn_page(store).await
}

/// What was switched since, here or by another process.
pub(super) async fn read_autopilot(store: &dyn Store, number: &Number) -> Result<(), StoreError> {
    let on = autopilot(&number.config, store).await?;
    number.autopilot.store(on, Ordering::SeqCst);
    let waits = launch::waits(store, &number.config).await?;
    number.waits.store(waits, Ordering::SeqCst);
    Ok(())
}

/// Where a simulated number's messages end: pages read them from the thread, so all that is left is to say that
/// they were delivered, as a provider would.
#[derive(Debug)]
struct Screen {
    channel: String,
    store: Arc<dyn Store>,
}

impl BubbleSink for Screen {
    fn bubble(&self, bubble: Bubble) {
        let (store, channel) = (self.store.clone(), self.channel.clone());
        let status = Status {
            message_id: bubble.id,
            ours: bubble.ours,
            rank: crate::server::inbound::identity::rank(DeliveryState::Delivered),
            state: crate::server::inbound::identity::state_name(DeliveryState::Delivered).to_owned(),
            error: None,
            pace: None,
        };
        tokio::spawn(async move {
            if let Err(why) = store.reconcile(&channel, &status).await {
                tracing::debug!(channel, %why, "a simulated status was lost");
            }
        });
    }

    fn seen(&self, _message_id: &str, _typing: bool) {}
}
