//! `switchboard channel`: the numbers of the configuration and of the store, what to hand to their providers, how they are,
//! and what is changed of those in the store.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use secrecy::SecretString;

use super::Exit;
use super::numbers::{self, Numbers};
use super::opened::{Format, Missing};
use super::{pair, register};
use crate::server::channels::{self, Listed, Secrets, State, Verified};
use crate::server::config::Config;
use crate::server::doctor::Report;
use crate::server::stored::{self, Changes};
use crate::server::versions::Really;

#[derive(Debug, clap::Args)]
#[command(after_help = pair::EXIT_CODES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// The configuration that names the channels, and the store that holds more
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
    /// Set keys of a number that the store holds; one that is not there is made
    Set {
        id: String,
        /// Keys as the configuration has them, such as autopilot=false or session.ask_after_seconds=60
        #[arg(value_name = "KEY=VALUE")]
        keys: Vec<String>,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        without: Vec<String>,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Make the store's numbers what a file says, in the words of the configuration
    Apply {
        file: PathBuf,
        /// Take numbers away that the file does not name
        #[arg(long)]
        prune: bool,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Take a number out of the store
    Remove {
        id: String,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a secret into the store, sealed; it is read from standard input, and numbers name it "store:NAME"
    Secret { name: String },
    /// Give a number a new secret at the end of its webhook's address; the one before stays good for a while
    RotateSecret {
        id: String,
        /// How long the address before is taken, in hours
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        overlap: u64,
    },
    /// Seal all secrets of the store with the first key of store_key
    Reseal,
    /// Link the phone of a channel: shows a QR code to scan, and sends a test message to the number itself
    Pair(pair::PairArgs),
    /// Stop Engine: nothing leaves a linked number any more, and the phone stays linked
    Stop(pair::StopArgs),
    /// Let go what a stop has kept
    Resume(pair::ResumeArgs),
    /// Reset Login: unlink the phone and link it anew; asks for the channel's name first
    Reset(pair::ResetArgs),
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    runtime.block_on(async {
        let missing = match &args.what {
            // To look is no reason to make a store.
            What::List { .. } | What::Verify { .. } | What::Register { .. } => Missing::Refuse,
            What::Set { .. }
            | What::Apply { .. }
            | What::Remove { .. }
            | What::Secret { .. }
            | What::RotateSecret { .. }
            | What::Reseal
            | What::Pair(_)
            | What::Stop(_)
            | What::Resume(_)
            | What::Reset(_) => Missing::Make,
        };
        let numbers = Numbers::open(&args.config, missing).await?;
        let done = work(args, &numbers).await;
        numbers.close().await?;
        done
    })
}

async fn work(args: &Args, numbers: &Numbers) -> anyhow::Result<Exit> {
    let format = args.format;
    match &args.what {
        What::List { show_secret } => {
            let secrets = if *show_secret {
                Secrets::Shown
            } else {
                Secrets::Hidden
            };
            let config = numbers.all().await?;
            let mut listed = channels::list(&config, secrets);
            // Nothing in the configuration says whether a phone is linked.
            channels::see_links(&config, &mut listed).await;
            match format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&listed)?),
                Format::Text => print!("{}", listing(&listed, &config)),
            }
            Ok(Exit::Good)
        }
        What::Verify { id } => verify(numbers, id.as_deref(), format).await,
        What::Register { id } => register::run(&numbers.all().await?, id).await,
        What::Set {
            id,
            keys,
            without,
            dry_run,
        } => {
            let keys = keys
                .iter()
                .map(|key| assignment(key))
                .collect::<Result<Vec<_>, _>>()?;
            let really = really(*dry_run);
            let (written, door) = numbers.to_change()?;
            let changed = stored::set(written, door, id, (&keys, without), really).await;
            told_changes(&changed.map_err(numbers::explained)?, really, format)
        }
        What::Apply { file, prune, dry_run } => {
            let text = std::fs::read_to_string(file)
                .map_err(|why| Exit::Usage.because(format!("{} can't be read: {why}", file.display())))?;
            let really = really(*dry_run);
            let (written, door) = numbers.to_change()?;
            let changed = stored::apply(written, door, (&text, file), *prune, really).await;
            told_changes(&changed.map_err(numbers::explained)?, really, format)
        }
        What::Remove { id, dry_run } => {
            let really = really(*dry_run);
            let (written, door) = numbers.to_change()?;
            let changed = stored::remove(written, door, id, really).await;
            told_changes(&changed.map_err(numbers::explained)?, really, format)
        }
        What::Secret { name } => {
            let value = secret()?;
            let (written, door) = numbers.to_change()?;
            let used = stored::put_secret(written, door, name, &value).await;
            let used = used.map_err(numbers::explained)?;
            println!(
                "{name} is in the store, sealed. {}",
                if used {
                    TAKES_OVER.to_owned()
                } else {
                    format!("No number uses it yet: name \"store:{name}\" where a variable is named.")
                }
            );
            Ok(Exit::Good)
        }
        What::RotateSecret { id, overlap } => {
            let overlap = Duration::from_secs(overlap.saturating_mul(3600));
            let (written, door) = numbers.to_change()?;
            let rotated = stored::rotate(written, door, id, overlap).await;
            let rotated = rotated.map_err(numbers::explained)?;
            if format == Format::Json {
                println!("{}", serde_json::to_string_pretty(&rotated)?);
                return Ok(Exit::Good);
            }
            let next = if rotated.by_register {
                format!("run `switchboard channel register {id}`, which tells the provider")
            } else {
                "give the provider the new one: `switchboard channel list --show-secret` spells it out"
                    .to_owned()
            };
            let until = rotated.until.strftime("%Y-%m-%d %H:%M UTC");
            println!(
                "{id} has a new webhook address. The one before is taken until {until}; by then, {next}."
            );
            println!("{TAKES_OVER}");
            Ok(Exit::Good)
        }
        What::Reseal => {
            let (written, door) = numbers.to_change()?;
            let resealed = stored::reseal(&written.config, door).await;
            let (done, all) = resealed.map_err(numbers::explained)?;
            println!("{done} of {all} secrets were sealed anew; the former keys can go from store_key.");
            Ok(Exit::Good)
        }
        What::Pair(args) => pair::pair(&numbers.all().await?, numbers.to_change()?.1, args).await,
        What::Stop(args) => pair::stop(&numbers.all().await?, numbers.to_change()?.1, args).await,
        What::Resume(args) => pair::resume(&numbers.all().await?, numbers.to_change()?.1, args).await,
        What::Reset(args) => pair::reset(&numbers.all().await?, numbers.to_change()?.1, args).await,
    }
}

/// Servers look each second, and start their numbers anew.
const TAKES_OVER: &str = "A running server takes it over by itself within a few seconds.";

fn really(dry_run: bool) -> Really {
    if dry_run { Really::Show } else { Really::Do }
}

fn assignment(written: &str) -> anyhow::Result<(String, String)> {
    match written.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        Some(_) | None => Err(Exit::Usage.because(format!(
            "{written:?} sets nothing: write KEY=VALUE, such as autopilot=false"
        ))),
    }
}

/// From standard input, so that it stands in no list of processes and no history of a shell.
fn secret() -> anyhow::Result<SecretString> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("Paste the secret, and end with Ctrl-D on a line of its own:");
    }
    let mut text = String::new();
    input
        .read_to_string(&mut text)
        .context("the secret can't be read")?;
    if text.trim().is_empty() {
        return Err(
            Exit::Usage.because("there is no secret on standard input: `… channel secret NAME < FILE`")
        );
    }
    Ok(SecretString::from(text.trim().to_owned()))
}

fn told_changes(changes: &Changes, really: Really, format: Format) -> anyhow::Result<Exit> {
    if format == Format::Json {
        println!("{}", serde_json::to_string_pretty(changes)?);
        return Ok(Exit::Good);
    }
    for (id, lines) in &changes.numbers {
        match lines.as_slice() {
            [] => println!("{id}: as it is"),
            [line] => println!("{id}: {line}"),
            lines => {
                println!("{id}:");
                lines.iter().for_each(|line| println!("  {line}"));
            }
        }
    }
    for id in &changes.unnamed {
        println!("{id}: not in the file, and stays; --prune takes it away");
    }
    match (changes.is_empty(), really) {
        (true, _) => println!("Nothing to change."),
        (false, Really::Show) => println!("Nothing was changed: that would be."),
        (false, Really::Do) => println!("{TAKES_OVER}"),
    }
    Ok(Exit::Good)
}

async fn verify(numbers: &Numbers, id: Option<&str>, format: Format) -> anyhow::Result<Exit> {
    let config = &numbers.all().await?;
    let wanted: Vec<_> = config
        .channels
        .iter()
        .filter(|channel| id.is_none_or(|id| channel.id == id))
        .collect();
    if wanted.is_empty() {
        return Err(no_channel(config, id));
    }
    let mut verified: Vec<Verified> = Vec::new();
    for channel in wanted {
        let mut one = channels::verify(config, channel).await;
        // A store that can't be asked was spoken of above.
        if let Ok(Some(door)) = numbers.to_look()
            && let Ok(paused) = channels::paused(door, channel).await
        {
            one.checks.extend(paused);
        }
        verified.push(one);
    }
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
            line("flows", one.flows);
        }
        if one.stored {
            line("stands", "in the store");
        }
        line("autopilot", if one.autopilot { "on" } else { "off" });
        if let Some(link) = &one.link {
            line("link", link);
        }
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
