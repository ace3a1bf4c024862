//! `switchboard contact`: look at the contacts of a store that no server uses, hand one's data out, erase or merge them.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use serde_json::{Value, json};

use super::Exit;
use super::opened::{Format, Missing, Where, contact};
use crate::server::MaskedAlias;
use crate::store::{ContactId, Merged, Owner, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The contacts, most recently active first, their numbers masked
    List {
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Where one conversation stands
    Show {
        /// Its id, or an identity such as +6281100000011 or bsuid:ID.1
        contact: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Everything there is of a contact, as JSON: what a customer may ask for
    Export { contact: String },
    /// Remove every record of a contact for good
    Erase {
        contact: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Make two contacts one: the first goes, the second has all
    Merge { from: String, into: String },
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    args.at.work(Missing::Refuse, async |store| {
        let store = store.as_ref();
        match &args.command {
            Command::List { limit, format } => list(store, *limit, *format).await,
            Command::Show {
                contact: named,
                format,
            } => show(store, contact(store, named).await?, *format).await,
            Command::Export { contact: named } => export(store, contact(store, named).await?).await,
            Command::Erase { contact: named, yes } => erase(store, contact(store, named).await?, *yes).await,
            Command::Merge { from, into } => merge(store, from, into).await,
        }
    })
}

fn owner(owner: Owner) -> String {
    match owner {
        Owner::Bot => "bot".to_owned(),
        Owner::Human => "people".to_owned(),
        Owner::PausedUntil(until) => format!("people until {until}"),
    }
}

async fn summary(store: &dyn Store, id: ContactId) -> Result<Option<Value>> {
    let Some(known) = store.peek(id).await? else {
        return Ok(None);
    };
    let aliases: Vec<String> = known
        .aliases
        .iter()
        .map(|alias| MaskedAlias(alias).to_string())
        .collect();
    let last = store.history(id, 1).await?.last().map(|line| line.at.to_string());
    Ok(Some(json!({
        "contact": id, "channel": known.channel, "aliases": aliases, "owner": owner(known.owner),
        "waiting": known.events.len(), "last_line": last,
    })))
}

async fn list(store: &dyn Store, limit: usize, format: Format) -> Result<Exit> {
    let mut all = Vec::new();
    for id in store.contacts(limit).await? {
        match summary(store, id).await {
            Ok(shown) => all.extend(shown),
            // One that can't be read must not hide the others.
            Err(why) => all.push(json!({ "contact": id, "unreadable": why.to_string() })),
        }
    }
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&all)?),
        Format::Text => all.iter().for_each(line),
    }
    Ok(Exit::Good)
}

fn line(shown: &Value) {
    let text = |key: &str| shown[key].as_str().unwrap_or_default().to_owned();
    if let Some(why) = shown["unreadable"].as_str() {
        println!("{}  {why}", text("contact"));
        return;
    }
    let aliases = shown["aliases"].as_array().map_or_else(String::new, |all| {
        all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    });
    println!(
        "{}  {}  {aliases}  {}  {} waiting",
        text("contact"),
        text("channel"),
        text("owner"),
        shown["waiting"]
    );
}

async fn show(store: &dyn Store, id: ContactId, format: Format) -> Result<Exit> {
    let Some(shown) = summary(store, id).await? else {
        return Err(Exit::Findings.because(format!("there is no contact {id}")));
    };
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&shown)?),
        Format::Text => {
            for (key, value) in shown.as_object().into_iter().flatten() {
                let value = match value {
                    Value::String(text) => text.clone(),
                    Value::Array(items) => items
                        .iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join(", "),
                    other => other.to_string(),
                };
                println!("{:<10} {value}", key.replace('_', " "));
            }
        }
    }
    Ok(Exit::Good)
}

async fn export(store: &dyn Store, id: ContactId) -> Result<Exit> {
    let whole = store
        .whole(id)
        .await?
        .ok_or_else(|| Exit::Findings.because(format!("there is no contact {id}")))?;
    println!(
        "{}",
        serde_json::to_string_pretty(&crate::server::readable(&whole)?)?
    );
    Ok(Exit::Good)
}

async fn erase(store: &dyn Store, id: ContactId, yes: bool) -> Result<Exit> {
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(Exit::Usage.because("nobody is here to be asked; say --yes to erase without asking"));
        }
        if let Some(shown) = summary(store, id).await? {
            line(&shown);
        }
        print!("Erase this contact with its whole conversation, for good? Type yes: ");
        std::io::stdout().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            println!("Nothing was erased.");
            return Ok(Exit::Findings);
        }
    }
    store.erase(id).await?;
    crate::server::people_changed(store).await;
    println!("erased {id}");
    Ok(Exit::Good)
}

async fn merge(store: &dyn Store, from: &str, into: &str) -> Result<Exit> {
    // A merge that broke off is repeated by id, and then `from` is not known any more.
    let from = match from.parse() {
        Ok(id) => id,
        Err(_) => contact(store, from).await?,
    };
    let into = contact(store, into).await?;
    match crate::server::merged_with_wishes(store, from, into).await? {
        Merged::Done => {
            crate::server::people_changed(store).await;
            println!("{from} is now {into}");
        }
        Merged::Already => println!("{from} was {into} already"),
        Merged::Busy => {
            return Err(Exit::Remote.because("one of them is in work; try again in half a minute"));
        }
        Merged::Refused(why) => return Err(Exit::Findings.because(format!("they can't be merged: {why}"))),
    }
    Ok(Exit::Good)
}
