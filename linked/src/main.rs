//! The executable: reads the settings, brings the sessions back to where they were, and serves until it is told to end.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use switchboard_linked::api::{Sessions, router};
use switchboard_linked::instance::House;
use switchboard_linked::session::WhatsApp;
use switchboard_linked::settings::{Listen, Settings};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let settings = Settings::parse();
    // The crates below log through `log`, which nobody listens to here: they speak of keys and of codes.
    let filter = EnvFilter::try_from_env("LINKED_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,switchboard_linked=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads to run on: {error}");
            return ExitCode::from(3);
        }
    };
    match runtime.block_on(serve(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(3)
        }
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let key = settings.api_key()?;
    let listening = Listening::on(&settings.listen).await?;
    let house = House {
        engine: Arc::new(engine(&settings)),
        data: settings.data.clone(),
        files: settings.files(listening.address())?,
        per_minute: settings.per_minute,
        allow_strangers: settings.allow_strangers,
    };
    let sessions = Sessions::new(house, &key);
    sessions.restore().await?;
    println!("listening on {}", listening.shown());
    let app = router(sessions.clone());
    let ended = end();
    match listening {
        Listening::Tcp(listener) => axum::serve(listener, app).with_graceful_shutdown(ended).await?,
        Listening::Unix(listener, _) => axum::serve(listener, app).with_graceful_shutdown(ended).await?,
    }
    sessions.close().await;
    Ok(())
}

#[cfg(feature = "loopback-test")]
fn engine(settings: &Settings) -> WhatsApp {
    WhatsApp {
        url: settings.loopback_server.clone(),
    }
}

#[cfg(not(feature = "loopback-test"))]
fn engine(_settings: &Settings) -> WhatsApp {
    WhatsApp::default()
}

enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener, std::path::PathBuf),
}

impl Listening {
    async fn on(listen: &Listen) -> anyhow::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address)
                    .await
                    .with_context(|| format!("{address} cannot be listened on"))?;
                if !address.ip().is_loopback() {
                    tracing::warn!(
                        "{address} can be reached from outside, and what is said there is not encrypted"
                    );
                }
                Ok(Self::Tcp(listener))
            }
            Listen::Unix(path) => {
                use std::os::unix::fs::PermissionsExt as _;
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    anyhow::bail!(
                        "another process listens on {}; stop it, or listen elsewhere",
                        path.display()
                    );
                }
                // What is left of a process that was killed.
                let _ = std::fs::remove_file(path);
                let listener = UnixListener::bind(path)
                    .with_context(|| format!("{} cannot be listened on", path.display()))?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    fn address(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map(|address| format!("http://{address}"))
                .unwrap_or_default(),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

/// Until a person or the service manager ends it.
async fn end() {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!("no ending by SIGTERM: {error}");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { std::future::pending().await }
    }
}
