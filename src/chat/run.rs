//! Plays a story and compares, beat by beat. Speech is strict: a message that is not in the transcript fails it.
//! Effects are lenient: a call or timer that nobody mentions is fine.

use super::check;
use super::golden;
use super::rehearsal::{Happened, Rehearsal, Said, Stuck, same, with_args};
use super::story::{Act, Beat, BeatKind, Expected, Story, exactly};
use super::written::with_values;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{CLOSING_BEFORE, EventKind, Log, Machine, Noted, Reply, SessionSettings, WINDOW};
use crate::flow::program::Pc;
use crate::flow::value::Value;
use jiff::civil;

/// How one story went.
#[derive(Debug, Clone)]
pub struct Played {
    pub title: String,
    pub line: u32,
    /// Beats that came true, before the end or the failure.
    pub passed: usize,
    pub failure: Option<Failure>,
    pub log: Vec<Log>,
    /// [`Rehearsal::went`].
    pub went: BTreeSet<Pc>,
    /// Where the conversation stood at the end, in words.
    pub stands: String,
    /// Values known at the end, for the report: name and value as JSON.
    pub values: Vec<(String, String)>,
    /// The file that `check  sends exactly "…"` names and what it should hold now, if the story fails there.
    pub wanted: Option<(String, String)>,
}

/// The first thing that went differently.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Index into the story's beats; its length for what happens after the last one.
    pub beat: usize,
    pub kind: Different,
}

#[derive(Debug, Clone)]
pub enum Different {
    /// Another message than the transcript's.
    Said {
        expected: Expected,
        said: Box<Said>,
    },
    /// Nothing was said where the transcript has a message.
    Missing {
        expected: Expected,
    },
    /// The bot said something that is not in the transcript.
    Unexpected {
        said: Box<Said>,
    },
    /// A stage direction or check that is not true.
    Untrue {
        line: String,
        why: String,
    },
    Stuck(Stuck),
}

impl From<Stuck> for Different {
    fn from(stuck: Stuck) -> Different {
        Different::Stuck(stuck)
    }
}

/// Plays a story to its end or to the first difference.
pub fn play(machine: &Machine, story: &Story) -> Played {
    let mut player = Player::new(machine, story);
    let mut outcome = player.open();
    let mut passed = 0;
    if outcome.is_ok() {
        for (index, beat) in story.beats.iter().enumerate() {
            outcome = player.beat(index, beat);
            if outcome.is_err() {
                break;
            }
            passed = index + 1;
        }
    }
    if outcome.is_ok() {
        outcome = player.finish();
    }
    let failure = outcome.err().map(|kind| Failure { beat: passed, kind });
    Played {
        title: story.title.clone(),
        line: story.line,
        passed,
        failure,
        stands: check::stands(&player.rehearsal),
        values: check::values(&player.rehearsal),
        wanted: player.wanted,
        went: player.rehearsal.went,
        log: player.rehearsal.log,
    }
}

/// A story being played; [`super::bless`] uses it too.
pub(super) struct Player<'a> {
    pub(super) rehearsal: Rehearsal<'a>,
    story: &'a Story,
    /// Typed by the customer and not yet given to the machine: texts in a row are one answer.
    burst: Vec<String>,
    topic: Option<String>,
    /// How much of what happened the transcript has mentioned.
    mentioned: usize,
    wanted: Option<(String, String)>,
}

impl<'a> Player<'a> {
    pub(super) fn new(machine: &'a Machine, story: &'a Story) -> Player<'a> {
        let setup = &story.setup;
        let mut settings = SessionSettings {
            silence_rules: false,
            ..SessionSettings::default()
        };
        if let Some(rules) = &setup.session {
            settings.silence_rules = rules.on;
            settings.ask_after_seconds = rules
                .ask_after
                .map_or(settings.ask_after_seconds, |after| after.as_secs());
            settings.end_after_seconds = rules
                .end_after
                .map_or(settings.end_after_seconds, |after| after.as_secs());
        }
        let mut rehearsal = Rehearsal::new(machine, settings, setup.time);
        rehearsal.memory.name = Some(setup.customer.name.clone());
        rehearsal.memory.phone = setup.customer.phone.clone();
        rehearsal.memory.language = setup.customer.language.clone();
        rehearsal.memory.lot = setup.seed;
        check::remember(&mut rehearsal, &setup.contact);
        setup.given.iter().for_each(|given| rehearsal.mock(given.clone()));
        Player {
            rehearsal,
            story,
            burst: Vec::new(),
            topic: None,
            mentioned: 0,
            wanted: None,
        }
    }

    pub(super) fn open(&mut self) -> Result<(), Different> {
        self.ai_ahead(None);
        let setup = &self.story.setup;
        if let Some(words) = &setup.flow {
            let flow = crate::flow::slug(words);
            let values = setup.values.iter().cloned().collect();
            let machine = self.rehearsal.machine();
            machine
                .takes_start(&flow, &values)
                .map_err(|why| Different::Untrue {
                    line: format!("{}: flow {words}{}", self.story.line, with_values(&setup.values)),
                    why,
                })?;
            self.rehearsal.apply(EventKind::Start { flow, values })?;
        }
        Ok(())
    }

    /// Gives the machine what the customer typed so far.
    pub(super) fn flush(&mut self) -> Result<(), Different> {
        if !self.burst.is_empty() {
            let text = std::mem::take(&mut self.burst).join("\n");
            self.rehearsal.act(&Act::Types(text), self.topic.take())?;
        }
        Ok(())
    }

    pub(super) fn beat(&mut self, index: usize, beat: &Beat) -> Result<(), Different> {
        match &beat.kind {
            BeatKind::Customer(act) => {
                let begins = self.burst.is_empty();
                if begins {
                    self.nothing_more()?;
                    self.ai_unused()?;
                    self.ai_ahead(Some(index));
                }
                match act {
                    Act::Types(text) => self.burst.push(text.clone()),
                    act => {
                        if !begins {
                            self.flush()?;
                            self.ai_ahead(Some(index));
                        }
                        let topic = self.topic_ahead(index);
                        self.rehearsal.act(act, topic)?;
                    }
                }
                return Ok(());
            }
            BeatKind::Topic(topic) => {
                self.topic = Some(topic.clone());
                return Ok(());
            }
            // Taken with the event that it follows.
            BeatKind::Ai { .. } | BeatKind::Drafts(_) => return Ok(()),
            BeatKind::Link(code) => {
                self.rehearsal.links.push(code.clone());
                return Ok(());
            }
            _ => self.flush()?,
        }
        if is_event(&beat.kind) {
            self.nothing_more()?;
            self.ai_unused()?;
            self.ai_ahead(Some(index));
        }
        match &beat.kind {
            BeatKind::Customer(_)
            | BeatKind::Topic(_)
            | BeatKind::Ai { .. }
            | BeatKind::Drafts(_)
            | BeatKind::Link(_) => {}
            BeatKind::Happens { event, values } => {
                let values = values.iter().cloned().collect();
                self.rehearsal
                    .machine()
                    .takes_event(event, &values)
                    .map_err(|why| untrue(beat, &format!("(event {event} …)"), why))?;
                let event = event.clone();
                self.rehearsal.apply(EventKind::Happened { event, values })?;
            }
            BeatKind::WindowIsClosing => {
                self.rehearsal.window_is(WINDOW - CLOSING_BEFORE)?;
            }
            BeatKind::WindowCloses => {
                self.rehearsal.window_is(WINDOW)?;
            }
            BeatKind::Bot(expected) => return self.bot(expected),
            BeatKind::Person { name, .. } => {
                self.rehearsal
                    .apply(EventKind::PersonSaid { agent: name.clone() })?;
            }
            BeatKind::Takes { name } => {
                self.rehearsal.apply(EventKind::Taken { agent: name.clone() })?;
            }
            BeatKind::Returns { .. } => {
                self.rehearsal.apply(EventKind::Returned)?;
            }
            BeatKind::Publish(folder) => {
                self.nothing_more()?;
                let story = self.story;
                match story.published.get(folder) {
                    Some(version) => self.rehearsal.publish(folder, &version.0),
                    None => {
                        let why = "the flows of this folder were not loaded";
                        return Err(untrue(beat, &format!("(publish {folder:?})"), why));
                    }
                }
            }
            BeatKind::Pass(by) => {
                self.rehearsal.pass(*by)?;
            }
            BeatKind::TimeIs(time) => {
                self.rehearsal.time_is(*time)?;
            }
            BeatKind::Silence => self.nothing_more()?,
            BeatKind::Given(given) => self.rehearsal.mock(given.clone()),
            BeatKind::Check(text) if exactly(text).is_some() => {
                let name = exactly(text).unwrap_or_default();
                let golden = self.story.golden.get(name).map(String::as_str);
                if let Err((why, sent)) = golden::fits(&self.rehearsal, name, golden) {
                    self.wanted = Some((name.to_owned(), sent));
                    return Err(untrue(beat, text, why));
                }
            }
            BeatKind::Check(text) => {
                check::holds(&self.rehearsal, text).map_err(|why| untrue(beat, text, why))?
            }
            BeatKind::Called {
                service,
                action,
                args,
            } => {
                let wanted = format!("({service}.{action} is called …)");
                self.mention(beat, &wanted, |happened| match happened {
                    Happened::Called(call) if call.service == *service && call.action == *action => {
                        Some(args.iter().all(|(name, wanted)| {
                            call.args
                                .iter()
                                .any(|(given, value)| given == name && same(&value.to_json(), wanted))
                        }))
                    }
                    _ => None,
                })?;
            }
            BeatKind::Handed {
                team,
                note,
                priority,
                assist,
            } => {
                let wanted = format!("(handed to {team} …)");
                self.mention(beat, &wanted, |happened| match happened {
                    Happened::Handed(handed) => Some(
                        handed.team == *team
                            && (handed.assist || !assist)
                            && note
                                .as_ref()
                                .is_none_or(|note| handed.note.as_ref() == Some(note))
                            && priority
                                .as_ref()
                                .is_none_or(|level| handed.priority.as_ref() == Some(level)),
                    ),
                    _ => None,
                })?;
            }
            BeatKind::Told { team, text } => {
                let wanted = format!("({team} is told …)");
                self.mention(beat, &wanted, |happened| match happened {
                    Happened::Told {
                        team: told,
                        text: said,
                    } => Some(told == team && said == text),
                    _ => None,
                })?;
            }
            BeatKind::Planned { plan, at } => {
                let planned = self.rehearsal.planned(plan);
                if planned != Some(*at) {
                    let when = |at: civil::DateTime| at.strftime("%Y-%m-%d %H:%M").to_string();
                    let why = match planned {
                        Some(at) => format!("it is planned for {}", when(at)),
                        None => format!("nothing is planned under the name {plan}"),
                    };
                    return Err(untrue(beat, &format!("(later {plan} at {})", when(*at)), why));
                }
            }
            BeatKind::Lapses { plan } => {
                self.mention(beat, &format!("({plan} lapses)"), |happened| match happened {
                    Happened::Lapsed { plan: gone } => Some(gone == plan),
                    _ => None,
                })?;
            }
            BeatKind::Recorded { name, value } => {
                let wanted = format!("(recorded {name} …)");
                let value = value.as_deref();
                self.mention(beat, &wanted, |happened| match happened {
                    Happened::Noted(Noted::Record {
                        name: kept,
                        value: what,
                    }) => Some(kept == name && what.as_ref().map(written).as_deref() == value),
                    _ => None,
                })?;
            }
            BeatKind::Tagged { tag, on } => {
                let wanted = format!("({}tagged {tag:?})", if *on { "" } else { "un" });
                self.mention(beat, &wanted, |happened| match happened {
                    Happened::Noted(Noted::Tag { tag: kept, on: is }) => Some(kept == tag && is == on),
                    _ => None,
                })?;
            }
            BeatKind::Subscribed { list, on } => {
                let wanted = format!("({}subscribed …)", if *on { "" } else { "un" });
                self.mention(beat, &wanted, |happened| match happened {
                    Happened::Noted(Noted::Subscribe { list: kept, on: is }) => {
                        Some(kept == list && is == on)
                    }
                    _ => None,
                })?;
            }
            BeatKind::ChatCloses => self.mention(beat, "(the chat closes)", |happened| match happened {
                Happened::Closed(_) => Some(true),
                _ => None,
            })?,
            BeatKind::OptsOut => {
                self.mention(beat, "(the customer opts out)", |happened| match happened {
                    Happened::OptedOut => Some(true),
                    _ => None,
                })?
            }
            BeatKind::OptsIn => self.mention(beat, "(the customer opts in)", |happened| match happened {
                Happened::OptedIn => Some(true),
                _ => None,
            })?,
        }
        Ok(())
    }

    /// `(topic …)` stands after the message it belongs to.
    fn topic_ahead(&self, index: usize) -> Option<String> {
        match self.story.beats.get(index + 1).map(|beat| &beat.kind) {
            Some(BeatKind::Topic(topic)) => Some(topic.clone()),
            _ => None,
        }
    }

    /// What the model says up to the next event, whatever the bot says in between.
    fn ai_ahead(&mut self, index: Option<usize>) {
        let types = |beat: &Beat| matches!(beat.kind, BeatKind::Customer(Act::Types(_)));
        let all = &self.story.beats;
        let mut next = index.map_or(0, |index| index + 1);
        // Texts in a row are one message.
        if index.is_some_and(|index| types(&all[index])) {
            next += all[next..].iter().take_while(|beat| types(beat)).count();
        }
        let beats = all[next..].iter().map(|beat| &beat.kind);
        let mut wishes = BTreeMap::new();
        for kind in beats.take_while(|kind| !is_event(kind) && !matches!(kind, BeatKind::Customer(_))) {
            let (says, remember) = match kind {
                BeatKind::Ai { says, remember } => (says, remember),
                BeatKind::Drafts(draft) => {
                    self.rehearsal.drafts.push_back(draft.clone());
                    continue;
                }
                _ => continue,
            };
            wishes.extend(remember.clone());
            if let Some(says) = says {
                self.rehearsal.replies.push_back(Reply {
                    says: says.clone(),
                    remember: std::mem::take(&mut wishes),
                });
            }
        }
        if let Some(last) = self.rehearsal.replies.back_mut() {
            last.remember.extend(wishes);
        }
    }

    /// A line of the model that nobody asked for is a mistake of the story, or of the flow.
    fn ai_unused(&mut self) -> Result<(), Different> {
        let unused = match (
            self.rehearsal.replies.pop_front(),
            self.rehearsal.drafts.pop_front(),
        ) {
            (None, None) => return Ok(()),
            (Some(reply), _) => (format!("{:?}", reply.says), "the model was not asked"),
            (None, Some(draft)) => (
                format!("(ai drafts {:?})", draft.text),
                "no draft was wanted: people must have the chat by a handoff with `assist on`, and the business needs \
                 knowledge",
            ),
        };
        Err(Different::Untrue {
            line: unused.0,
            why: unused.1.to_owned(),
        })
    }

    fn bot(&mut self, expected: &Expected) -> Result<(), Different> {
        match self.rehearsal.said.pop_front() {
            None => Err(Different::Missing {
                expected: expected.clone(),
            }),
            Some(said) if said.shown.fits(expected) => Ok(()),
            Some(said) => Err(Different::Said {
                expected: expected.clone(),
                said: Box::new(said),
            }),
        }
    }

    /// Everything the bot has said must be in the transcript by now.
    fn nothing_more(&mut self) -> Result<(), Different> {
        match self.rehearsal.said.pop_front() {
            None => Ok(()),
            Some(said) => Err(Different::Unexpected { said: Box::new(said) }),
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), Different> {
        self.flush()?;
        self.nothing_more()?;
        self.ai_unused()
    }

    /// An effect must have happened since the one mentioned before. `fits` gives `None` for effects of another kind.
    fn mention(
        &mut self,
        beat: &Beat,
        wanted: &str,
        fits: impl Fn(&Happened) -> Option<bool>,
    ) -> Result<(), Different> {
        let mut near = None;
        for (index, happened) in self.rehearsal.happened.iter().enumerate().skip(self.mentioned) {
            match fits(happened) {
                Some(true) => {
                    self.mentioned = index + 1;
                    return Ok(());
                }
                Some(false) => near = Some(describe(happened)),
                None => {}
            }
        }
        let why = match near {
            Some(near) => format!("what happened is {near}"),
            None => {
                let all: Vec<String> = self
                    .rehearsal
                    .happened
                    .iter()
                    .skip(self.mentioned)
                    .map(describe)
                    .collect();
                if all.is_empty() {
                    "nothing of the kind happened here".to_owned()
                } else {
                    format!("what happened is {}", all.join(", "))
                }
            }
        };
        Err(untrue(beat, wanted, why))
    }
}

/// Something happens that the bot may answer. The customer's acts are looked at by themselves.
fn is_event(kind: &BeatKind) -> bool {
    matches!(
        kind,
        BeatKind::Person { .. }
            | BeatKind::Takes { .. }
            | BeatKind::Returns { .. }
            | BeatKind::Pass(_)
            | BeatKind::TimeIs(_)
            | BeatKind::Happens { .. }
            | BeatKind::WindowIsClosing
            | BeatKind::WindowCloses
    )
}

fn untrue(beat: &Beat, what: &str, why: impl Into<String>) -> Different {
    Different::Untrue {
        line: format!("{}: {what}", beat.first_line),
        why: why.into(),
    }
}

/// A recorded value as a transcript writes it.
fn written(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// An effect as a stage direction.
pub(super) fn describe(happened: &Happened) -> String {
    match happened {
        Happened::Called(call) => {
            format!("({}.{} is called{})", call.service, call.action, with_args(call))
        }
        Happened::Handed(handed) => {
            let note = handed
                .note
                .as_ref()
                .map(|note| format!(", note {note:?}"))
                .unwrap_or_default();
            let priority = handed
                .priority
                .as_ref()
                .map(|level| format!(", priority {level}"))
                .unwrap_or_default();
            let assist = if handed.assist { ", assist on" } else { "" };
            format!("(handed to {}{note}{priority}{assist})", handed.team)
        }
        Happened::Told { team, text } => format!("({team} is told {text:?})"),
        Happened::Closed(_) => "(the chat closes)".to_owned(),
        Happened::OptedOut => "(the customer opts out)".to_owned(),
        Happened::OptedIn => "(the customer opts in)".to_owned(),
        Happened::Noted(Noted::Record { name, value }) => match value {
            Some(value) => format!("(recorded {name} = {:?})", written(value)),
            None => format!("(recorded {name})"),
        },
        Happened::Noted(Noted::Tag { tag, on }) => {
            format!("({}tagged {tag:?})", if *on { "" } else { "un" })
        }
        Happened::Noted(Noted::Subscribe { list, on }) => match (list, on) {
            (Some(list), true) => format!("(subscribed to {list})"),
            (Some(list), false) => format!("(unsubscribed from {list})"),
            (None, _) => "(unsubscribed)".to_owned(),
        },
        Happened::Lapsed { plan } => format!("({plan} lapses)"),
        Happened::Fault(fault) => format!("a fault at {}: {}", fault.place, fault.what),
    }
}
