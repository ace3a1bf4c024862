//! `switchboard channel register`: tells a provider where webhooks go.

use anyhow::Context;

use super::Exit;
use super::channel::no_channel;
use crate::server::channels::{self, Unregistered};
use crate::server::config::Config;

pub(super) fn run(config: &Config, id: &str) -> anyhow::Result<Exit> {
    let wanted = config.channels.iter().find(|channel| channel.id == id);
    let channel = wanted.ok_or_else(|| no_channel(config, Some(id)))?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    match runtime.block_on(channels::register(config, channel)) {
        Ok(says) => {
            println!("{id}: {says}");
            Ok(Exit::Good)
        }
        Err(why @ Unregistered::Here(_)) => Err(Exit::Environment.because(format!("{id}: {why}"))),
        Err(why @ Unregistered::There(_)) => Err(Exit::Remote.because(format!("{id}: {why}"))),
    }
}
