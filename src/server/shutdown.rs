//! What the system asks of the process: stop (SIGTERM, Ctrl-C), or read the flows again (SIGHUP). Both are heard from
//! the moment of the call, so that nothing is missed while the server still starts.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends when the process is asked to stop.
///
/// # Errors
/// If the system does not let signals be heard.
pub fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A stream of wishes to reload.
///
/// # Errors
/// If the system does not let signals be heard.
pub fn asked_to_reload() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
