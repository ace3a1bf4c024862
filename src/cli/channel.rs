//! `switchboard channel`: the numbers of the configuration, what to hand to their providers, and how they are.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;

use super::Exit;
use super::opened::Format;
use super::register;
use crate::server::channels::{self, Listed, Secrets, State, Verified};
use crate::server::config::Config;
use crate::server::doctor::Report;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// The configuration that names the channels
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml", global = true)]
    config: PathBuf,
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every channel with its provider, its number and the webhook address to hand over
    List {
        /// Spell out the secret that ends the address
        #[arg(long)]
        show_secret: bool,
    },
    /// Ask the provider how a channel is, and say what to do
    Verify {
        /// One channel; without it all of them
        id: Option<String>,
    },
    /// Tell the provider where webhooks go (Qontak's Set Endpoint); the server must run, for the provider checks it
    Register {
        /// The channel; at Qontak the address is that of the whole organisation
        id: String,
    },
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let config = Config::load(&args.config)?;
    match &args.what {
        What::List { show_secret } => {
            let secrets = if *show_secret {
                Secrets::Shown
            } else {
                Secrets::Hidden
            };
            let listed = channels::list(&config, secrets);
            match args.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&listed)?),
                Format::Text => print!("{}", listing(&listed, &config)),
            }
            Ok(Exit::Good)
        }
        What::Verify { id } => verify(&config, id.as_deref(), args.format),
        What::Register { id } => register::run(&config, id),
    }
}

fn verify(config: &Config, id: Option<&str>, format: Format) -> anyhow::Result<Exit> {
    let wanted: Vec<_> = config
        .channels
        .iter()
        .filter(|channel| id.is_none_or(|id| channel.id == id))
        .collect();
    if wanted.is_empty() {
        return Err(no_channel(config, id));
    }
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let verified: Vec<Verified> = runtime.block_on(async {
        let mut all = Vec::new();
        for channel in wanted {
            all.push(channels::verify(config, channel).await);
        }
        all
    });
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&verified)?),
        Format::Text => verified.iter().for_each(|one| print!("{}", told(one))),
    }
    let bad = verified.iter().any(|one| one.state.must_be_mended());
    Ok(if bad { Exit::Remote } else { Exit::Good })
}

pub(super) fn no_channel(config: &Config, id: Option<&str>) -> anyhow::Error {
    let ids: Vec<&str> = config
        .channels
        .iter()
        .map(|channel| channel.id.as_str())
        .collect();
    Exit::Usage.because(match id {
        Some(id) if !ids.is_empty() => {
            format!("there is no channel {id:?}; there are {}", ids.join(", "))
        }
        Some(_) | None => "no channel is configured; add a [[channel]] table".to_owned(),
    })
}

fn listing(listed: &[Listed], config: &Config) -> String {
    let mut text = String::new();
    for one in listed {
        let known = |value: &str| if value.is_empty() { "–" } else { value }.to_owned();
        text.push_str(&format!("{}\n", one.id));
        let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<9} {value}\n"));
        line("provider", one.provider);
        line("number", &known(&one.number));
        line("account", &known(one.account.as_deref().unwrap_or_default()));
        if let Some(agent) = &one.agent {
            line("agent", agent);
        }
        line("flows", one.flows);
        line("autopilot", if one.autopilot { "on" } else { "off" });
        line(
            "webhook",
            one.webhook.as_deref().unwrap_or("none: it is simulated"),
        );
    }
    if listed.is_empty() {
        text.push_str("no channel is configured; add a [[channel]] table\n");
    } else if config.public_url.is_none() {
        text.push_str("Write public_url = \"https://…\" in the configuration to see whole addresses.\n");
    }
    text
}

fn told(one: &Verified) -> String {
    let report = Report {
        checks: one.checks.clone(),
    };
    // The report's headline is its group; here it is the channel.
    let checks: String = report
        .to_string()
        .lines()
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    let state: State = one.state;
    format!("{} ({}): {}\n{checks}", one.id, one.provider, state.in_words())
}
