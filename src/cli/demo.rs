//! `switchboard serve --demo`: the server with a simulated number and the demo page, on a store that is gone afterwards.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::SecretString;
use url::Url;

use super::Exit;
use super::serve::Args;
use crate::console::demo::{self, Shop};
use crate::engine::SessionSettings;
use crate::server::config::{
    ChannelConfig, Config, Limits, Log, LogFormat, ProviderConfig, ServiceConfig, StoreAddress, VoiceConfig,
};
use crate::server::volume::Volume;
use crate::server::{self, Parts, Server};
use crate::store::{self, Caps, MovableClock, Retention};
use crate::voice::Transcriber;

/// Where the page is, unless `--bind` says otherwise or somebody has that port already.
const PORT: u16 = 8480;
/// Shorter than a business would take: whoever tries it types one line and looks.
const BURST_QUIET: Duration = Duration::from_millis(500);
/// What the sample business calls, and the secret it calls it with.
const SERVICE: &str = "shop";
const SECRET: &str = "SHOP_TOKEN";

/// Runs until it is told to stop. The store is deleted at the end.
pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    let stop = server::asked_to_stop()?;
    let folder = tempfile::Builder::new()
        .prefix("switchboard-demo-")
        .tempdir()
        .context("no folder can be made for the demo's store")?;
    let shop = Shop::start()
        .await
        .context("the stand-in for the shop can't listen")?;
    let mut config = config(args, folder.path().join("demo.db"), shop.address())?;
    let (voice, says) = ear(args.model.as_deref(), &mut config)?;

    let clock = Arc::new(MovableClock::default());
    let store = store::open(&config.store, Caps::default(), clock.clone()).await?;
    let parts = Parts {
        voice,
        clock: Some(clock),
        pages: Some(Box::new(move |handle| demo::pages(handle, shop))),
    };
    let running = Server::start(config, store, parts).await?;
    running.watch();
    println!("{says}");
    println!("Open http://{}  (Ctrl-C stops)", running.address());
    stop.await;
    running.shutdown().await;
    folder.close().context("the demo's store could not be deleted")
}

/// Faults only: the page shows the rest.
pub(super) fn log() -> Log {
    Log {
        format: LogFormat::Text,
        level: "warn".to_owned(),
    }
}

/// The configuration, made here: the demo reads no file.
fn config(args: &Args, store: PathBuf, shop: SocketAddr) -> anyhow::Result<Config> {
    let shop_url = Url::parse(&format!("http://{shop}")).context("the address of the stand-in")?;
    let stand_in = ServiceConfig {
        url: Some(shop_url),
        allow: vec![shop.to_string()],
    };
    let number = ChannelConfig {
        id: demo::CHANNEL.to_owned(),
        number: "a simulated number".to_owned(),
        autopilot: true,
        launch: None,
        burst_quiet: Some(BURST_QUIET),
        per_second: 0,
        pace: None,
        volume: Volume::default(),
        shortcuts: Some(Duration::from_mins(60)),
        assist: true,
        read_receipts: true,
        session: SessionSettings::default(),
        agent: None,
        stored: false,
        provider: ProviderConfig::Simulator,
    };
    Ok(Config {
        flows: args.flows.clone().unwrap_or_else(|| PathBuf::from("flows")),
        store: StoreAddress::Sqlite(store),
        bind: args.bind.unwrap_or_else(free_address),
        public_url: None,
        admin_token: None,
        store_key: None,
        tokens: Vec::new(),
        log: log(),
        limits: Limits {
            drain_seconds: 3,
            ..Limits::default()
        },
        retention: Retention::default(),
        metrics: None,
        traces: None,
        voice: None,
        ai: None,
        secrets: [(SECRET.to_owned(), SecretString::from("demo"))].into(),
        services: [(SERVICE.to_owned(), stand_in)].into(),
        channels: vec![number],
    })
}

/// The demo's port if nobody has it, else any.
fn free_address() -> SocketAddr {
    let wished = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    match TcpListener::bind(wished) {
        Ok(_) => wished,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// What listens to voice notes, and a line that says so. A model that was asked for must work; the usual one need not
/// be there.
fn ear(model: Option<&Path>, config: &mut Config) -> anyhow::Result<(Option<Arc<dyn Transcriber>>, String)> {
    let cache = std::env::var_os("SWITCHBOARD_CACHE").map_or_else(|| PathBuf::from(".cache"), PathBuf::from);
    let usual = cache.join("models/ggml-tiny.en.bin");
    config.voice = Some(VoiceConfig {
        model: model.unwrap_or(&usual).to_owned(),
        threads: None,
        parallel: 1,
        // The usual model knows English only; one that was chosen finds out by itself.
        language: model.is_none().then(|| "en".to_owned()),
        longest: Duration::from_secs(600),
    });
    match server::ear(config) {
        Ok(voice) => {
            let shown = model.unwrap_or(&usual).display();
            Ok((
                voice,
                format!("Voice notes are heard on this machine, with {shown}"),
            ))
        }
        Err(why) if model.is_some() => Err(Exit::Environment.because(why.to_string())),
        Err(why) => {
            config.voice = None;
            let says = format!(
                "Voice notes arrive but nobody listens to them: {why}\n  `make model` gets one, or name one with \
                 --model FILE"
            );
            Ok((None, says))
        }
    }
}
