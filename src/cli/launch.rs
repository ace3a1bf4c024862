//! `switchboard launch`: what has to be so before flows answer on a number, and somebody's name under it.

use std::path::PathBuf;

use anyhow::Context;

use super::Exit;
use super::channel::no_channel;
use super::numbers::Numbers;
use super::opened::{Format, Missing};
use super::publishing::coded;
use crate::server::launch::{self, Checklist, Stand, TERMS, VERSION};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The number's channel
    channel: String,
    /// Accept the terms in this name; if nothing else is open, Autopilot is switched on
    #[arg(long, value_name = "NAME")]
    accept: Option<String>,
    /// The configuration that names the channels
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml")]
    config: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.accept.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Exit::Usage.because("--accept takes the name of whoever accepts the terms"));
    }
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let missing = match args.accept {
        Some(_) => Missing::Make,
        // To look is no reason to make a store.
        None => Missing::Refuse,
    };
    let (list, autopilot) = runtime.block_on(async {
        let numbers = Numbers::open(&args.config, missing).await?;
        let done = work(args, &numbers).await;
        numbers.close().await?;
        done
    })?;
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&list)?),
        Format::Text => print!("{}", in_words(&list, autopilot)),
    }
    Ok(if list.lets_flows_answer() {
        Exit::Good
    } else {
        Exit::Findings
    })
}

async fn work(args: &Args, numbers: &Numbers) -> anyhow::Result<(Checklist, bool)> {
    let config = numbers.all().await?;
    let wanted = config.channels.iter().find(|channel| channel.id == args.channel);
    let channel = wanted.ok_or_else(|| no_channel(&config, Some(&args.channel)))?;
    let list = match &args.accept {
        Some(by) => launch::accept(&config, channel, numbers.to_change()?.1, by).await,
        None => launch::examine(&config, channel, numbers.to_look()?).await,
    };
    Ok((list.map_err(coded)?, channel.autopilot))
}

fn in_words(list: &Checklist, autopilot: bool) -> String {
    let mut text = format!("{}\n", list.channel);
    for item in &list.items {
        let sign = match item.stand {
            Stand::Done => "✓ done",
            Stand::Look => "! look",
            Stand::Open => "✗ open",
        };
        text.push_str(&format!("  {sign:<7} {}: {}\n", item.name, item.says));
        if let Some(next) = &item.next {
            text.push_str(&format!("          → {next}\n"));
        }
    }
    let unaccepted = list
        .items
        .iter()
        .any(|item| item.name == "legal" && item.stand == Stand::Open);
    if unaccepted {
        text.push_str(&format!("\nThe terms, version {VERSION}:\n{TERMS}\n\n"));
    }
    text.push_str(&match (&list.launched, list.needed) {
        (Some(act), _) => {
            let day = act.at.strftime("%Y-%m-%d");
            let now = if autopilot {
                ""
            } else {
                "; autopilot = false keeps them silent"
            };
            format!("Launched by {} on {day}: flows answer{now}.\n", act.by)
        }
        (None, false) => "Flows answer without it: no customer is reached by this number.\n".to_owned(),
        (None, true) => "Flows wait; people answer, and everything is kept.\n".to_owned(),
    });
    text
}
