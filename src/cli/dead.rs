//! `switchboard dead`: what was put aside in a store that no server uses: messages that could not be answered, and what
//! could not be read.

use anyhow::Result;
use serde_json::{Value, json};

use super::Exit;
use super::opened::{Format, Missing, Where};
use crate::server::{readable_parked, readable_quarantined};
use crate::store::{ParkedId, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What was put aside, newest first
    List {
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// One of them, with its content
    Show { id: String },
    /// Let the bot answer it after all
    Unpark { id: String },
    /// Forget it
    Discard { id: String },
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    args.at.work(Missing::Refuse, async |store| {
        let store = store.as_ref();
        match &args.command {
            Command::List { limit, format } => list(store, *limit, *format).await,
            Command::Show { id } => show(store, id).await,
            Command::Unpark { id } => {
                let id = &ParkedId(id.clone());
                if store.unpark(id).await? {
                    match id.is_unread() {
                        true => println!(
                            "what waits for {id} is tried again; it comes back if it still can't be read"
                        ),
                        false => println!("{id} is in its contact's mailbox again"),
                    }
                    return Ok(Exit::Good);
                }
                if store
                    .quarantined(usize::MAX)
                    .await?
                    .iter()
                    .any(|kept| kept.id == id.0)
                {
                    return Err(Exit::Usage.because("this could not be read: nobody can answer it"));
                }
                Err(nothing(&id.0))
            }
            Command::Discard { id } => {
                if store.discard(&ParkedId(id.clone())).await? || store.discard_quarantined(id).await? {
                    println!("{id} is gone");
                    return Ok(Exit::Good);
                }
                Err(nothing(id))
            }
        }
    })
}

fn nothing(id: &str) -> anyhow::Error {
    Exit::Findings.because(format!("nothing with the id {id:?} is put aside (any more)"))
}

async fn all(store: &dyn Store, limit: usize) -> Result<Vec<Value>> {
    let mut all: Vec<Value> = store.parked(limit).await?.iter().map(readable_parked).collect();
    all.extend(store.quarantined(limit).await?.iter().map(readable_quarantined));
    Ok(all)
}

async fn list(store: &dyn Store, limit: usize, format: Format) -> Result<Exit> {
    let mut all = all(store, limit).await?;
    for shown in &mut all {
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("content");
        }
    }
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&json!(all))?),
        Format::Text => {
            for shown in &all {
                let text = |key: &str| shown[key].as_str().unwrap_or_default();
                println!(
                    "{}  {}  {}  {}",
                    text("id"),
                    text("at"),
                    text("channel"),
                    text("why")
                );
            }
        }
    }
    Ok(Exit::Good)
}

async fn show(store: &dyn Store, id: &str) -> Result<Exit> {
    let all = all(store, usize::MAX).await?;
    let found = all
        .iter()
        .find(|shown| shown["id"] == id)
        .ok_or_else(|| nothing(id))?;
    println!("{}", serde_json::to_string_pretty(found)?);
    Ok(Exit::Good)
}
