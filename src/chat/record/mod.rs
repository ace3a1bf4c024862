//! A stored conversation as a transcript: what the customer did, what services answered and what the bot said, at the
//! times when it happened, and without whose conversation it was.
//!
//! Who reads the store gives [`Fact`]s; here they become a `.chat`, which is played at once. A production fault becomes a
//! test with one command.

mod scrub;
mod secrets;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::run::{self, Played};
use super::sample::{each, other, sample};
use super::story::{Act, BeatKind, Given, GivenAnswer};
use super::transcript::Shown;
use super::written::{act_lines, can_say, given_line, quoted};
use super::{bless, parse, report};
use crate::engine::{Answer, Machine, Memory};
use crate::flow::fold::fold;
use crate::flow::program::{Program, StateKind, Trigger};
use scrub::Scrub;

/// Something that the store keeps of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    pub at: Timestamp,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Customer(Act),
    /// A message of the bot, as the customer's screen showed it.
    Bot(Shown),
    /// Somebody of the business wrote; who, is nobody's matter here.
    Person {
        text: String,
    },
    Returned,
    /// A service answered the call with this key ([`crate::engine::Call::key`]); `None`: its answer was too large to keep.
    /// What came of something `private` is not told, whether or not it was kept.
    Answered {
        key: String,
        answer: Option<Answer>,
        private: bool,
    },
    /// What was found out about the customer's message before.
    Meant {
        topic: Option<String>,
        links: Vec<String>,
    },
    /// Something that a transcript has no line for.
    Unsaid(String),
}

/// Whose conversation it is, as far as the run depends on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    pub memory: Memory,
    /// [`Memory::lot`].
    pub lot: u64,
    /// The first line that is kept is the first there was: nothing was remembered before.
    pub from_the_beginning: bool,
}

/// A transcript and how it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub chat: String,
    pub goes: Goes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goes {
    AsRecorded,
    /// The flows of today answer otherwise: the report of the run.
    Otherwise(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    #[error("nothing is kept of this conversation that a transcript could tell")]
    Nothing,
    #[error("the transcript can't be read back, at line {line}: {message}")]
    Unreadable { line: u32, message: String },
    #[error(
        "without the customer's data the conversation goes another way: {why}. Nothing was written; play it by hand with \
         `switchboard chat` and keep it with /save"
    )]
    GoesElsewhere { why: String },
}

const CUSTOMER: &str = "Maria";
/// A bot that speaks so long after whatever came before it was moved by the clock, not by an answer.
const BY_CLOCK: SignedDuration = SignedDuration::from_secs(50);
/// Seconds.
const SLACK: i64 = 3;

/// Makes a transcript of what is kept. `name` is its name for people, in reports.
pub fn record(
    machine: &Machine,
    name: &str,
    contact: &Contact,
    facts: &[Fact],
) -> Result<Recording, NotRecorded> {
    let told = |fact: &&Fact| matches!(fact.what, What::Customer(_) | What::Bot(_));
    if !facts.iter().any(|fact| told(&fact)) {
        return Err(NotRecorded::Nothing);
    }
    // What a service answered to something private nobody knows: other values of its types may fit what was said.
    let mut stand_ins = Instead::Usual;
    let as_it_was = |instead| transcript(machine, contact, facts, &mut Scrub::nothing(), instead);
    let (mut story, mut went) = play(machine, name, &as_it_was(stand_ins))?;
    if went.failure.is_some() && facts.iter().any(|fact| is_private(machine, &fact.what)) {
        let (other, otherwise) = play(machine, name, &as_it_was(Instead::Other))?;
        if otherwise.failure.is_none() {
            (stand_ins, story, went) = (Instead::Other, other, otherwise);
        }
    }
    let mut scrub = Scrub::of(machine.program(), contact, facts);
    scrub.secrets = secrets::secrets(machine, &story, facts);
    let scrubbed = transcript(machine, contact, facts, &mut scrub, stand_ins);
    if went.failure.is_some() {
        // The flows answer otherwise now: what is kept is what they said, without the customer's data.
        let scrubbed = with_warning(scrubbed, name, &scrub);
        let (story, played) = play(machine, name, &scrubbed)?;
        let report = match &played.failure {
            Some(failure) => report::failure(name, &scrubbed, &story, &played, failure),
            None => String::new(),
        };
        let goes = if report.is_empty() {
            Goes::AsRecorded
        } else {
            Goes::Otherwise(report)
        };
        return Ok(Recording { chat: scrubbed, goes });
    }
    // It goes as recorded; the sentences of the bot follow what was replaced.
    let (story, _) = play(machine, name, &scrubbed)?;
    let chat = bless::bless(machine, &scrubbed, &story).map_err(|different| {
        let why = report::headline(&run::Failure {
            beat: 0,
            kind: *different,
        });
        NotRecorded::GoesElsewhere { why }
    })?;
    let chat = with_warning(chat, name, &scrub);
    let (_, again) = play(machine, name, &chat)?;
    match &again.failure {
        None if again.log == went.log => Ok(Recording {
            chat,
            goes: Goes::AsRecorded,
        }),
        None => Err(NotRecorded::GoesElsewhere {
            why: format!("it ends in {} instead of {}", again.stands, went.stands),
        }),
        Some(failure) => Err(NotRecorded::GoesElsewhere {
            why: report::headline(failure),
        }),
    }
}

fn play(machine: &Machine, name: &str, chat: &str) -> Result<(super::story::Story, Played), NotRecorded> {
    let stories = parse::parse(name, chat).map_err(|mistakes| {
        let first = mistakes.into_iter().next();
        NotRecorded::Unreadable {
            line: first.as_ref().map_or(0, |mistake| mistake.line),
            message: first.map(|mistake| mistake.message).unwrap_or_default(),
        }
    })?;
    let story = stories.into_iter().next().ok_or(NotRecorded::Nothing)?;
    let played = run::play(machine, &story);
    Ok((story, played))
}

/// Which values stand for those of an answer that is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instead {
    Usual,
    Other,
}

/// `session.visit.flow/step.value`
fn state_of(key: &str) -> Option<&str> {
    key.splitn(3, '.').nth(2)
}

/// A service answered to something private: by what was kept then, or by the flows of today.
fn is_private(machine: &Machine, what: &What) -> bool {
    match what {
        What::Answered { key, private, .. } => {
            *private || state_of(key).is_some_and(|state| machine.is_private_call(state))
        }
        What::Customer(_)
        | What::Bot(_)
        | What::Person { .. }
        | What::Returned
        | What::Meant { .. }
        | What::Unsaid(_) => false,
    }
}

/// Names that people typed can't be told from other words: who keeps the transcript is told where to look.
fn with_warning(chat: String, name: &str, scrub: &Scrub) -> String {
    let Ok(stories) = parse::parse(name, &chat) else {
        return chat;
    };
    let beats = stories.iter().flat_map(|story| &story.beats);
    let lines: Vec<String> = beats
        .filter(|beat| match &beat.kind {
            BeatKind::Customer(act) => scrub.is_free(act),
            BeatKind::Person { text, .. } => scrub.is_free_text(text),
            _ => false,
        })
        // The warning itself is a line above them.
        .map(|beat| (beat.first_line + 1).to_string())
        .collect();
    match lines.as_slice() {
        [] => chat,
        lines => format!(
            "# Look at line {} before you keep this: people wrote there in their own words, and a name or an address in them can't be known.\n{chat}",
            lines.join(", ")
        ),
    }
}

/// The whole text.
fn transcript(
    machine: &Machine,
    contact: &Contact,
    facts: &[Fact],
    scrub: &mut Scrub,
    instead: Instead,
) -> String {
    let program = machine.program();
    let zone = TimeZone::get(&program.business.timezone).unwrap_or(TimeZone::UTC);
    let start = facts.first().map_or(Timestamp::UNIX_EPOCH, |fact| fact.at);
    let shown = zone.to_datetime(start);
    // A transcript begins at a full minute.
    let mut clock =
        start - SignedDuration::from_nanos(start.as_nanosecond().rem_euclid(60_000_000_000) as i64);
    let mut out = format!("chat \"Recorded on {}\"\n", shown.date());
    out += &format!("  customer {CUSTOMER}");
    if contact.memory.phone.is_some() {
        out += &format!(", phone \"+{}\"", scrub::PHONE);
    }
    if let Some(language) = contact.memory.language.as_ref().filter(|code| is_word(code)) {
        out += &format!(", language {language}");
    }
    out += &format!("\n  time {}\n", shown.strftime("%Y-%m-%d %H:%M"));
    out += &format!("  session rules on\n  seed {}\n", contact.lot);
    if !contact.from_the_beginning {
        for (field, kept) in &contact.memory.fields {
            let json = scrub.json(&kept.value.to_json());
            match json {
                serde_json::Value::String(text) => {
                    out += &format!("  contact {field} {}\n", quoted(&text));
                }
                serde_json::Value::Bool(yes) => {
                    out += &format!("  contact {field} {}\n", if yes { "yes" } else { "no" });
                }
                serde_json::Value::Number(number) => out += &format!("  contact {field} {number}\n"),
                other => {
                    out += &format!(
                        "  # contact {field} is {} and can't be declared\n",
                        kind_of(&other)
                    )
                }
            }
        }
    }
    for fact in facts {
        if let What::Answered { key, answer, .. } = &fact.what {
            let private = is_private(machine, &fact.what).then_some(instead);
            if private.is_some() {
                out += "  # this call was given something private: what it answered is not told, these are made up\n";
            }
            out += &match given(program, key, answer.as_ref(), private, scrub) {
                Ok(given) => format!("  {}\n", given_line(&given)),
                Err(why) => format!("  # {why}\n"),
            };
        }
    }
    out.push('\n');
    // The clock of what came before: the bot answers it in this moment, however long it took.
    let mut spoke = start;
    let mut silent = false;
    let mut acts = 0;
    for fact in facts {
        let passes = |what: &What| match what {
            What::Customer(_) | What::Person { .. } | What::Returned => true,
            What::Bot(_) => fact.at.duration_since(spoke) >= BY_CLOCK,
            What::Answered { .. } | What::Meant { .. } | What::Unsaid(_) => false,
        };
        if passes(&fact.what) {
            // A timer counts from when its question left, a moment after what is kept of it.
            let slack = if matches!(fact.what, What::Bot(_)) {
                SLACK
            } else {
                0
            };
            let whole = (fact.at.duration_since(clock).as_secs() + slack).max(0);
            if whole > 0 {
                out += &pass(whole);
                clock = clock
                    .checked_add(SignedDuration::from_secs(whole))
                    .unwrap_or(clock);
                silent = false;
            }
        }
        match &fact.what {
            What::Customer(act) => {
                let act = match scrub.secrets.get(&acts) {
                    Some(stands) => stands.clone(),
                    None => scrub.act(act),
                };
                acts += 1;
                if !can_say(&act) {
                    out += "# the customer wrote something here that a transcript can't say\n";
                    continue;
                }
                if silent {
                    out += "(silence)\n";
                }
                silent = !matches!(act, Act::Types(_));
                act_lines(CUSTOMER, &act).iter().for_each(|line| {
                    out += line;
                    out.push('\n');
                });
            }
            What::Bot(shown) => {
                silent = false;
                scrub.shown(shown).lines().iter().for_each(|line| {
                    out += line;
                    out.push('\n');
                });
            }
            What::Person { text } => {
                silent = false;
                let text = scrub.text(text);
                let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                out += &format!("Ana (team): {}\n", lines.next().unwrap_or("(a file)"));
                lines.for_each(|line| out += &format!("       | {line}\n"));
            }
            What::Returned => out += "(Ana returns the chat)\n",
            What::Meant { topic, links } => {
                out += &topic
                    .as_ref()
                    .map_or_else(String::new, |topic| format!("(topic {topic})\n"));
                // One tells which link it was; advertisements have several.
                let known = links.iter().find(|code| is_link(program, code)).or(links.first());
                out += &known.map_or_else(String::new, |code| format!("(link {})\n", quoted(code)));
            }
            What::Unsaid(what) => out += &format!("# {what}\n"),
            What::Answered { .. } => {}
        }
        if !matches!(
            fact.what,
            What::Answered { .. } | What::Meant { .. } | What::Unsaid(_)
        ) {
            spoke = fact.at;
        }
    }
    out
}

fn pass(seconds: i64) -> String {
    let (count, unit) = match seconds {
        seconds if seconds % 86_400 == 0 => (seconds / 86_400, "day"),
        seconds if seconds % 3600 == 0 => (seconds / 3600, "hour"),
        seconds if seconds % 60 == 0 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("({count} {unit}{} pass)\n", if count == 1 { "" } else { "s" })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn kind_of(json: &serde_json::Value) -> &'static str {
    match json {
        serde_json::Value::Array(_) => "a list",
        _ => "a record",
    }
}

/// Whether something starts or interrupts by this code.
fn is_link(program: &Program, code: &str) -> bool {
    program
        .triggers()
        .any(|trigger| matches!(trigger, Trigger::Link(own) if fold(own) == fold(code)))
}

/// What a service answered, by the state that asked it. `private`: what stands for it.
fn given(
    program: &Program,
    key: &str,
    answer: Option<&Answer>,
    private: Option<Instead>,
    scrub: &mut Scrub,
) -> Result<Given, String> {
    let gone = || "a service answered a step that the flows don't have any more".to_owned();
    let state = state_of(key).ok_or_else(gone)?;
    let state = program
        .states
        .iter()
        .find(|own| own.name == state)
        .ok_or_else(gone)?;
    let StateKind::Fetch(fetch) = &state.kind else {
        return Err(gone());
    };
    let service = program
        .business
        .services
        .get(fetch.service as usize)
        .ok_or_else(gone)?;
    let action = service.actions.get(fetch.action as usize).ok_or_else(gone)?;
    let made_up = |instead| {
        serde_json::Value::Object(match instead {
            Instead::Usual => each(&action.gives, sample),
            Instead::Other => each(&action.gives, other),
        })
    };
    let answer = match (answer, private) {
        (Some(Answer::TimedOut { .. }), _) => GivenAnswer::TimesOut,
        (Some(Answer::Down { .. }), _) => GivenAnswer::IsDown,
        (Some(Answer::Status { status, .. }), Some(_)) if !(200..300).contains(status) => {
            GivenAnswer::Status(*status, serde_json::Value::Null)
        }
        (Some(Answer::Status { .. }) | None, Some(instead)) => GivenAnswer::Status(200, made_up(instead)),
        (Some(Answer::Status { status, body }), None) => GivenAnswer::Status(*status, scrub.json(body)),
        (None, None) => {
            return Err(format!(
                "the answer of {}.{} was too large to keep",
                service.name, action.name
            ));
        }
    };
    Ok(Given {
        service: service.name.clone(),
        action: action.name.clone(),
        args: Vec::new(),
        answer,
        line: 0,
    })
}

#[cfg(test)]
mod tests;
