//! `switchboard channel register`: tells a provider where webhooks go.

use super::Exit;
use super::channel::no_channel;
use crate::server::channels::{self, Unregistered};
use crate::server::config::Config;

pub(super) async fn run(config: &Config, id: &str) -> anyhow::Result<Exit> {
    let wanted = config.channels.iter().find(|channel| channel.id == id);
    let channel = wanted.ok_or_else(|| no_channel(config, Some(id)))?;
    match channels::register(config, channel).await {
        Ok(says) => {
            println!("{id}: {says}");
            Ok(Exit::Good)
        }
        Err(why @ Unregistered::Here(_)) => Err(Exit::Environment.because(format!("{id}: {why}"))),
        Err(why @ Unregistered::There(_)) => Err(Exit::Remote.because(format!("{id}: {why}"))),
    }
}
