//! `switchboard serve`: takes webhooks, answers conversations, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{Exit, demo, notify};
use crate::server::config::{Config, Log, LogFormat, REFERENCE};
use crate::server::door::Door;
use crate::server::stored::Written;
use crate::server::{self, Parts, Running, Server, traces};
use crate::store::{self, Caps};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration; `--print-config` shows every key.
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml")]
    config: PathBuf,
    /// Listen here instead of where the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) bind: Option<SocketAddr>,
    /// Serve the page of metrics here, instead of where the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "demo")]
    metrics: Option<SocketAddr>,
    /// Make changed flows live as soon as they compile. Without it, send SIGHUP.
    #[arg(long)]
    watch: bool,
    /// Print every key of the configuration with its default, and end.
    #[arg(long)]
    print_config: bool,
    /// Try the sample business on a page of this machine: a simulated number, no account, nothing kept.
    #[arg(long, conflicts_with_all = ["config", "watch", "print_config"])]
    demo: bool,
    /// With --demo: flows of your own. A service named "shop" is answered by a stand-in, others are really called.
    #[arg(long, value_name = "DIR", requires = "demo")]
    pub(super) flows: Option<PathBuf>,
    /// With --demo: the speech model, instead of the one that `make model` gets.
    #[arg(long, value_name = "FILE", requires = "demo")]
    pub(super) model: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.print_config {
        print!("{REFERENCE}");
        return Ok(Exit::Good);
    }
    let served = if args.demo {
        log_to_stderr(&demo::log(), None);
        in_runtime(0, demo::run(args))
    } else {
        let mut config = Config::load(&args.config)?;
        if let Some(bind) = args.bind {
            config.bind = bind;
        }
        config.metrics = args.metrics.or(config.metrics);
        in_runtime(config.limits.threads, async {
            let traces = traces::start(config.traces.as_ref())?;
            let (layer, sending) = traces.unzip();
            log_to_stderr(&config.log, layer);
            let path = args.config.clone();
            let served = serve(Written { config, path }, args.watch).await;
            if let Some(sending) = sending {
                sending.stop().await;
            }
            served
        })
    };
    served.map(|()| Exit::Good)
}

/// `threads`: 0 is as many as there are processors.
fn in_runtime(threads: usize, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    use tokio::runtime::Builder;
    let mut runtime = match threads {
        // Nobody to share with, and nobody to wake.
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 0 {
        runtime.worker_threads(threads);
    }
    let runtime = runtime
        .enable_all()
        .build()
        .context("the runtime can't be started")?;
    let done = runtime.block_on(work);
    // Work that did not finish in time must not hold the process back.
    runtime.shutdown_background();
    done
}

async fn serve(mut written: Written, watch: bool) -> anyhow::Result<()> {
    let mut reload = server::asked_to_reload()?;
    let stop = server::asked_to_stop()?;
    let voice = server::ear(&written.config)?;
    let parts = || Parts {
        voice: voice.clone(),
        ..Parts::default()
    };
    let mut store = store::open(&written.config.store, Caps::default(), server::clock()).await?;
    let (mut config, mut seen) = written.with_stored(&Door::Here(store.clone())).await?;
    let mut before: Option<Config> = None;
    tokio::pin!(stop);
    // Once, and again each time the numbers of the store have changed.
    loop {
        let started = Server::start(config.clone(), store.clone(), parts()).await;
        let running = match (started, before.take()) {
            (Ok(running), _) => running,
            (Err(why), None) => return Err(why.into()),
            (Err(why), Some(before)) => {
                tracing::error!(
                    "the numbers that were changed in the store can't start; those before go on:
{why}"
                );
                config = before;
                Server::start(config.clone(), store.clone(), parts()).await?
            }
        };
        // Where the system chose the port, it stays that one.
        written.config.bind = running.address();
        written.config.metrics = running.metrics_address();
        (config.bind, config.metrics) = (written.config.bind, written.config.metrics);
        eprintln!("listening on http://{}", running.address());
        if let Some(address) = running.metrics_address() {
            eprintln!("metrics on http://{address}/metrics");
        }
        if watch {
            running.watch();
        }
        notify::ready();
        let door = Door::Here(store.clone());
        let changed = written.changed(&door, seen);
        tokio::pin!(changed);
        let anew = loop {
            tokio::select! {
                () = &mut stop => break None,
                Some(()) = reload.recv() => reload_flows(&running).await,
                changed = &mut changed => break Some(changed),
            }
        };
        let Some(changed) = anew else {
            notify::stopping();
            running.shutdown().await;
            return Ok(());
        };
        tracing::info!(
            "the numbers of the store have changed: they start anew, and providers repeat what comes meanwhile"
        );
        running.shutdown().await;
        store = store::open(&written.config.store, Caps::default(), server::clock()).await?;
        before = Some(std::mem::replace(&mut config, changed.0));
        seen = changed.1;
    }
}

async fn reload_flows(running: &Running) {
    if let Err(why) = running.reload().await {
        tracing::error!("the changed flows don't go live; the last good ones stay:\n{why}");
    }
}

/// Logs on standard error, and hands spans to `traces`. `RUST_LOG` wins over the configuration.
fn log_to_stderr(log: &Log, traces: Option<traces::Spans>) {
    // What the speech library says of itself is not worth a line, unless somebody asks.
    let level = format!("{},{}", crate::voice::LOG_DIRECTIVE, log.level);
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(level))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    // Spans are for traces; a log line says by itself what it is about.
    let lines_only = filter.and(filter_fn(|metadata| !metadata.is_span()));
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_filter(lines_only)
            .boxed(),
        LogFormat::Json => lines.json().with_filter(lines_only).boxed(),
    };
    // A second subscriber can only come from a test that set its own.
    let _ = tracing_subscriber::registry().with(traces).with(lines).try_init();
}
