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
        in_runtime(demo::run(args))
    } else {
        let mut config = Config::load(&args.config)?;
        if let Some(bind) = args.bind {
            config.bind = bind;
        }
        config.metrics = args.metrics.or(config.metrics);
        in_runtime(async {
            let traces = traces::start(config.traces.as_ref())?;
            let (layer, sending) = traces.unzip();
            log_to_stderr(&config.log, layer);
            let served = serve(config, args.watch).await;
            if let Some(sending) = sending {
                sending.stop().await;
            }
            served
        })
    };
    served.map(|()| Exit::Good)
}

fn in_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let done = runtime.block_on(work);
    // Work that did not finish in time must not hold the process back.
    runtime.shutdown_background();
    done
}

async fn serve(config: Config, watch: bool) -> anyhow::Result<()> {
    let mut reload = server::asked_to_reload()?;
    let stop = server::asked_to_stop()?;
    let store = store::open(&config.store, Caps::default(), server::clock()).await?;
    let parts = Parts {
        voice: server::ear(&config)?,
        ..Parts::default()
    };
    let running = Server::start(config, store, parts).await?;
    eprintln!("listening on http://{}", running.address());
    if let Some(address) = running.metrics_address() {
        eprintln!("metrics on http://{address}/metrics");
    }
    if watch {
        running.watch();
    }
    notify::ready();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(()) = reload.recv() => reload_flows(&running).await,
        }
    }
    notify::stopping();
    running.shutdown().await;
    Ok(())
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
