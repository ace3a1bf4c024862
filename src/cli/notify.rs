//! Tells systemd how far the start and the end are (`Type=notify`). Without systemd nobody listens, and nothing happens.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

/// Webhooks are taken.
pub(super) fn ready() {
    tell("READY=1");
}

/// It was asked to stop; work in flight ends.
pub(super) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let told = UnixDatagram::unbound().and_then(|socket| match path.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address)
        }
        _ => socket.send_to(state.as_bytes(), &path),
    });
    if let Err(why) = told {
        tracing::warn!(%why, state, "systemd could not be told");
    }
}
