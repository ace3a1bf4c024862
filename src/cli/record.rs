//! `switchboard record`: a stored conversation as a `.chat` test, without the customer's data.

use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::opened::{Missing, Where, contact};
use super::{Exit, files, test};
use crate::chat::record::{self, Contact, Fact, Goes, What};
use crate::chat::story::Act;
use crate::chat::transcript;
use crate::engine::Machine;
use crate::message::{InboundBody, MediaKind};
use crate::server::{self, Line, NoteKind, Session};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose conversation: a number such as +6281100000011, an identity such as bsuid:ID.1, or a contact's id
    contact: String,
    /// Folder of the flows [default: flows, else this folder]
    #[arg(long, value_name = "DIR")]
    flows: Option<PathBuf>,
    /// Write it to this new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    at: Where,
}

/// Lines of a thread that are read.
const MOST: usize = 2_000;

pub(super) fn run(args: &Args) -> Result<Exit> {
    let folder = args.flows.clone().unwrap_or_else(files::default_flows);
    let sources = files::sources(&[folder])?;
    let Some(program) = test::program(&sources) else {
        return Ok(Exit::Findings);
    };
    if let Some(out) = args.out.as_ref().filter(|out| out.exists()) {
        return Err(Exit::Usage.because(format!("{} is there already; name a new file", out.display())));
    }
    let machine = Machine::load(program);
    let (whose, facts) = args.at.work(Missing::Refuse, async |store| {
        read(store.as_ref(), &args.contact).await
    })?;
    let name = args
        .out
        .as_ref()
        .map_or_else(|| "recorded.chat".to_owned(), |out| files::shown(out));
    let recording = record::record(&machine, &name, &whose, &facts)
        .map_err(|why| Exit::Findings.because(why.to_string()))?;
    match &args.out {
        None => print!("{}", recording.chat),
        Some(out) => {
            std::fs::write(out, &recording.chat).with_context(|| format!("can't write {}", out.display()))?;
            eprintln!("wrote {}", out.display());
        }
    }
    match recording.goes {
        Goes::AsRecorded => {
            eprintln!("it goes as recorded");
            Ok(Exit::Good)
        }
        Goes::Otherwise(report) => {
            eprint!("{report}");
            eprintln!("it does not go as recorded: the flows answer otherwise than the stored conversation");
            Ok(Exit::Findings)
        }
    }
}

async fn read(store: &dyn Store, named: &str) -> Result<(Contact, Vec<Fact>)> {
    let id = contact(store, named).await?;
    let claim = store
        .peek(id)
        .await?
        .ok_or_else(|| Exit::Findings.because(format!("there is no contact {id}")))?;
    let (_, memory) = Session::of(&claim)?;
    let lines = store.history(id, MOST).await?;
    let mut facts = Vec::new();
    let mut beginning = false;
    let mut lines = lines
        .into_iter()
        .map(|entry| (entry.at, serde_json::from_slice::<Line>(&entry.payload).ok()))
        // Playing it again tells what is private.
        .filter(|(_, line)| !matches!(line, Some(Line::Private { .. })))
        .peekable();
    while let Some((at, line)) = lines.next() {
        let next = lines.peek().and_then(|(_, next)| next.as_ref());
        match line {
            Some(Line::Note {
                kind: NoteKind::Session,
                text,
                ..
            }) => beginning |= text.starts_with("Session 1 begins"),
            Some(Line::Meant {
                topic,
                template,
                links,
            }) => {
                if let Some(template) = template {
                    quotes(&mut facts, template);
                }
                if topic.is_some() || !links.is_empty() {
                    facts.push(Fact {
                        at,
                        what: What::Meant { topic, links },
                    });
                }
            }
            Some(line) => facts.extend(fact(at, line, next)),
            None => facts.push(Fact {
                at,
                what: What::Unsaid("a line that this version can't read".to_owned()),
            }),
        }
    }
    let whose = Contact {
        memory,
        lot: server::lot(id),
        from_the_beginning: beginning,
    };
    Ok((whose, facts))
}

/// The customer's last message quotes this template.
fn quotes(facts: &mut [Fact], template: String) {
    let last = facts.iter_mut().rev().find_map(|fact| match &mut fact.what {
        What::Customer(act) => Some(act),
        _ => None,
    });
    if let Some(act) = last
        && let Act::Types(words) | Act::Taps(words) = act
    {
        let words = std::mem::take(words);
        *act = Act::Quotes { template, words };
    }
}

/// A line of the thread as a transcript tells it; `next` is the line behind it.
fn fact(at: Timestamp, line: Line, next: Option<&Line>) -> Option<Fact> {
    let what = match line {
        Line::Customer { body, .. } => customer(body, next)?,
        Line::Echo {
            body: InboundBody::Text { body },
        } => What::Person { text: body },
        Line::Echo { .. } => What::Unsaid("a person sent something from the phone".to_owned()),
        Line::Ours(ours) if ours.notify.is_some() => {
            What::Unsaid("a system of the business sent a message".to_owned())
        }
        Line::Ours(ours) => {
            let shown = transcript::sent(&ours.step)?;
            match ours.agent {
                Some(_) => What::Person {
                    text: shown.text.join("\n"),
                },
                None => What::Bot(shown),
            }
        }
        Line::Answered { key, answer, private } => What::Answered { key, answer, private },
        // The bot is back because the session ended: that comes by itself.
        Line::Note {
            kind: NoteKind::Returned,
            ..
        } => match next {
            Some(Line::Note {
                kind: NoteKind::Session,
                ..
            }) => return None,
            _ => What::Returned,
        },
        // Nobody has said what was drafted.
        Line::Heard { .. }
        | Line::Private { .. }
        | Line::Withheld { .. }
        | Line::Draft { .. }
        | Line::Note { .. }
        | Line::Meant { .. } => return None,
    };
    Some(Fact { at, what })
}

fn customer(body: InboundBody, next: Option<&Line>) -> Option<What> {
    let act = match body {
        InboundBody::Text { body } => Act::Types(body.trim().to_owned()),
        InboundBody::Choice { title, .. } => Act::Taps(title),
        InboundBody::Location(place) => Act::Location {
            lat: place.lat,
            lng: place.lng,
            name: place.name,
        },
        InboundBody::Media(media) if media.media == MediaKind::Voice => Act::Voice {
            seconds: None,
            words: match next {
                Some(Line::Heard { text, .. }) if !text.starts_with('(') => Some(text.clone()),
                _ => None,
            },
        },
        InboundBody::Media(media) => Act::Sends {
            kind: media.media,
            name: None,
            caption: media.caption,
        },
        InboundBody::Contacts { .. } => {
            return Some(What::Unsaid("the customer sent a contact card".to_owned()));
        }
        InboundBody::FormReply { mut response } => {
            // What the form was sent with is of that conversation only.
            if let Some(fields) = response.as_object_mut() {
                fields.remove("flow_token");
            }
            match response.is_object() {
                true => Act::Form(response),
                false => return Some(What::Unsaid("the customer sent a form".to_owned())),
            }
        }
        InboundBody::Order { .. } => return Some(What::Unsaid("the customer sent an order".to_owned())),
        // No event of the machine comes of these.
        InboundBody::Reaction { .. }
        | InboundBody::Edited { .. }
        | InboundBody::Revoked { .. }
        | InboundBody::Identity { .. }
        | InboundBody::Status(_)
        | InboundBody::Preference { .. }
        | InboundBody::Echo { .. }
        | InboundBody::Call { .. }
        | InboundBody::Room { .. }
        | InboundBody::Account { .. }
        | InboundBody::Unsupported { .. }
        | InboundBody::Unknown { .. } => return None,
    };
    Some(What::Customer(act))
}
