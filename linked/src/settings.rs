//! What the operator sets when starting the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use thiserror::Error;

/// Holds WhatsApp devices linked by QR code, and serves them over the WAHA HTTP contract.
#[derive(Parser, Debug)]
#[command(
    version,
    about,
    after_help = "The key that every request must carry in X-Api-Key is read from LINKED_API_KEY, or from the file of --api-key-file."
)]
pub struct Settings {
    /// Where the sessions live: one private folder each.
    #[arg(long, env = "LINKED_DATA", default_value = "linked-data")]
    pub data: PathBuf,
    /// Where to listen: an address such as 127.0.0.1:3080, or unix:/run/linked.sock.
    #[arg(long, env = "LINKED_LISTEN", default_value = "127.0.0.1:3080")]
    pub listen: Listen,
    /// The address under which Switchboard reaches this server, for the addresses of files [default: where it listens].
    #[arg(long, env = "LINKED_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// A file with the key, instead of LINKED_API_KEY.
    #[arg(long, env = "LINKED_API_KEY_FILE")]
    pub api_key_file: Option<PathBuf>,
    /// How many messages a minute one session sends.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub per_minute: u32,
    /// Let the first message of a chat be ours. Writing to people who never wrote gets numbers banned.
    #[arg(long)]
    pub allow_strangers: bool,
    /// Where the stand-in listens. In a test build only.
    #[cfg(feature = "loopback-test")]
    #[arg(long, env = "LINKED_LOOPBACK_SERVER")]
    pub loopback_server: String,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Error)]
pub enum SettingsError {
    #[error(
        "there is no API key. Set LINKED_API_KEY to at least 16 characters, or name a file with --api-key-file"
    )]
    NoKey,
    #[error("the API key has {0} characters; take at least 16, for instance from `openssl rand -hex 32`")]
    ShortKey(usize),
    #[error("the file of the API key, {}, cannot be read: {error}", path.display())]
    KeyFile { path: PathBuf, error: std::io::Error },
    #[error("{0:?} is no address to reach this server at; write it like http://127.0.0.1:3080")]
    PublicUrl(String),
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("a path has to follow unix:".to_owned())
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|_| "write an address such as 127.0.0.1:3080, or unix:/run/linked.sock".to_owned())
    }
}

impl Settings {
    pub fn api_key(&self) -> Result<String, SettingsError> {
        let key = match &self.api_key_file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| SettingsError::KeyFile {
                path: path.clone(),
                error,
            })?,
            None => std::env::var("LINKED_API_KEY").map_err(|_| SettingsError::NoKey)?,
        };
        let key = key.trim().to_owned();
        match key.len() {
            0 => Err(SettingsError::NoKey),
            short @ 1..16 => Err(SettingsError::ShortKey(short)),
            _ => Ok(key),
        }
    }

    /// The address for files, without a slash at its end.
    pub fn files(&self, listening: Option<SocketAddr>) -> Result<String, SettingsError> {
        match (&self.public_url, listening) {
            (Some(url), _) if url.starts_with("http://") || url.starts_with("https://") => {
                Ok(url.trim_end_matches('/').to_owned())
            }
            (Some(url), _) => Err(SettingsError::PublicUrl(url.clone())),
            (None, Some(address)) => Ok(format!("http://{address}")),
            (None, None) => Ok("http://localhost".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_a_port_or_on_a_socket_file() {
        assert_eq!("unix:/run/x.sock".parse(), Ok(Listen::Unix("/run/x.sock".into())));
        assert_eq!("127.0.0.1:1".parse(), Ok(Listen::Tcp(([127, 0, 0, 1], 1).into())));
        assert!(
            "localhost"
                .parse::<Listen>()
                .unwrap_err()
                .contains("127.0.0.1:3080")
        );
        assert!("unix:".parse::<Listen>().is_err());
    }
}
