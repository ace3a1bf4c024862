//! The store that a command works on: named by the configuration, or by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::Exit;
use crate::server;
use crate::server::config::Config;
use crate::store::{self, Alias, Caps, ContactId, Store, StoreAddress, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The configuration that names the store
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml", global = true)]
    config: PathBuf,
    /// The store itself instead, such as sqlite:switchboard.db
    #[arg(long, value_name = "ADDRESS", global = true)]
    store: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// An embedded store that is not there is made.
    Make,
    Refuse,
}

impl Where {
    fn address(&self) -> Result<StoreAddress> {
        match &self.store {
            Some(written) => StoreAddress::parse(written, Path::new(""))
                .map_err(|why| Exit::Usage.because(why.to_string())),
            None => Ok(Config::load(&self.config)?.store),
        }
    }

    /// Opens the store, works on it and closes it.
    pub(super) fn work<T>(
        &self,
        missing: Missing,
        work: impl AsyncFnOnce(Arc<dyn Store>) -> Result<T>,
    ) -> Result<T> {
        let address = self.address()?;
        if missing == Missing::Refuse && !address.exists() {
            return Err(Exit::Usage.because(format!("there is no store {address}")));
        }
        let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
        runtime.block_on(async {
            let store = store::open(&address, Caps::default(), server::clock())
                .await
                .map_err(|why| of_running_server(why, &address))?;
            let done = work(store.clone()).await;
            store.close().await?;
            done
        })
    }
}

fn of_running_server(why: StoreError, address: &StoreAddress) -> anyhow::Error {
    let locked = matches!(why, StoreError::Locked(_));
    let context = if locked {
        format!("the store {address} is in use; ask the running server over its HTTP API, or stop it first")
    } else {
        format!("the store {address} can't be opened")
    };
    anyhow::Error::new(why).context(context)
}

/// The contact that somebody names: by its id, or by an identity such as `phone:6281100000011` or `+6281100000011`.
pub(super) async fn contact(store: &dyn Store, named: &str) -> Result<ContactId> {
    if let Ok(id) = named.parse::<ContactId>() {
        return match store.peek(id).await? {
            Some(_) => Ok(id),
            None => Err(Exit::Findings.because(format!("there is no contact {id}"))),
        };
    }
    let alias = match named.split_once(':') {
        Some(_) => Alias(named.to_owned()),
        None => Alias(format!("phone:{}", named.trim_start_matches('+'))),
    };
    let mut found = Vec::new();
    for id in store.contacts(usize::MAX).await? {
        // One that can't be read must not hide the others.
        if let Ok(Some(known)) = store.peek(id).await
            && known.aliases.contains(&alias)
        {
            found.push((id, known.channel));
        }
    }
    match found.as_slice() {
        [(id, _)] => Ok(*id),
        [] => Err(Exit::Findings.because(format!("there is no contact {named:?}"))),
        several => {
            let ids: Vec<String> = several
                .iter()
                .map(|(id, channel)| format!("{id} on {channel}"))
                .collect();
            Err(Exit::Usage.because(format!(
                "{named:?} is several contacts; name one of {}",
                ids.join(", ")
            )))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
}
