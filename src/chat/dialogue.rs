//! Talking by hand: what a person types becomes beats of a rehearsal, and the rehearsal becomes a transcript.
//!
//! The terminal (`switchboard chat`) reads and prints; everything else is here, so that it can be tested.

use std::time::Duration;

use super::parse;
use super::rehearsal::{Rehearsal, Stuck};
use super::story::{Act, BeatKind, Story};
use crate::engine::EventKind;

/// A conversation typed by a person, with everything needed to undo and to save it.
#[derive(Debug)]
pub struct Dialogue<'a> {
    now: Snapshot<'a>,
    before: Vec<Snapshot<'a>>,
}

#[derive(Debug, Clone)]
struct Snapshot<'a> {
    rehearsal: Rehearsal<'a>,
    /// The transcript so far, and the `given` lines it needs.
    lines: Vec<String>,
    given: Vec<String>,
}

/// What to show after one line of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Lines to print.
    Show(Vec<String>),
    /// The transcript, to be written to a file.
    Save {
        transcript: String,
        file: Option<String>,
    },
    Quit,
}

/// The customer's name in saved transcripts.
const CUSTOMER: &str = "Maria";

pub const HELP: &str = "\
Type as the customer. A number or a label answers a question. Commands:
  /tap 2                     tap the second option on the screen
  /wait 10 minutes           let time pass
  /voice words of the note   send a voice note
  /photo [name]              send a photo (also /video, /document, /audio)
  /pin 41.1, -8.6            send a location
  /given shop.get_order with number \"A-1\" answers 200 {…}   declare a service's answer
  /down shop.get_order       let a service be down
  /staff hello               write as a person of the business
  /return                    give the chat back to the bot
  /state   /memory   /why    where it stands, what is remembered, what happened last
  /undo    /new              take the last line back, start over
  /save \"title\" [file]       keep this conversation as a .chat test
  /quit";

impl<'a> Dialogue<'a> {
    pub fn new(mut rehearsal: Rehearsal<'a>) -> Dialogue<'a> {
        rehearsal.undeclared = Some(Vec::new());
        Dialogue {
            now: Snapshot {
                rehearsal,
                lines: Vec::new(),
                given: Vec::new(),
            },
            before: Vec::new(),
        }
    }

    /// Takes one line of input.
    pub fn line(&mut self, input: &str) -> Reply {
        let input = input.trim();
        if input.is_empty() {
            return Reply::Show(Vec::new());
        }
        let (command, rest) = match input.strip_prefix('/') {
            Some(command) => command.split_once(char::is_whitespace).unwrap_or((command, "")),
            None => return self.play(Act::Types(input.to_owned())),
        };
        let rest = rest.trim();
        match command {
            "help" | "?" => Reply::Show(HELP.lines().map(str::to_owned).collect()),
            "quit" | "exit" => Reply::Quit,
            "tap" => self.tap(rest),
            "wait" => self.wait(rest),
            "voice" => self.play(Act::Voice {
                seconds: None,
                words: (!rest.is_empty()).then(|| rest.to_owned()),
            }),
            "photo" | "video" | "document" | "audio" => self.beat(&format!("{CUSTOMER}: ({command} {rest})")),
            "pin" => self.beat(&format!("{CUSTOMER}: (location {rest})")),
            "given" => self.given(&format!("given {rest}")),
            "down" => {
                if let Some((service, action)) = rest.rsplit_once('.') {
                    self.now.rehearsal.forget_mocks_of(service, action);
                }
                self.given(&format!("given {rest} is down"))
            }
            "staff" => {
                self.remember();
                self.now.lines.push(format!("Ana (support): {rest}"));
                self.after(|rehearsal| {
                    rehearsal.apply(EventKind::PersonSaid {
                        agent: "Ana".to_owned(),
                    })
                })
            }
            "return" => {
                self.remember();
                self.now.lines.push("(Ana returns the chat)".to_owned());
                self.after(|rehearsal| rehearsal.apply(EventKind::Returned))
            }
            "state" => Reply::Show(self.state()),
            "memory" => Reply::Show(self.memory()),
            "why" => Reply::Show(
                self.now
                    .rehearsal
                    .log
                    .iter()
                    .rev()
                    .take(8)
                    .rev()
                    .map(|log| format!("{log:?}"))
                    .collect(),
            ),
            "undo" | "back" => match self.before.pop() {
                Some(before) => {
                    self.now = before;
                    Reply::Show(vec!["(taken back)".to_owned()])
                }
                None => Reply::Show(vec!["(there is nothing to take back)".to_owned()]),
            },
            "new" => {
                if let Some(first) = self.before.drain(..).next() {
                    self.now = first;
                }
                Reply::Show(vec!["(a new conversation)".to_owned()])
            }
            "save" => self.save(rest),
            other => Reply::Show(vec![format!("there is no command /{other}; /help lists them")]),
        }
    }

    fn remember(&mut self) {
        self.before.push(self.now.clone());
    }

    fn play(&mut self, act: Act) -> Reply {
        self.remember();
        let line = match &act {
            Act::Types(text) => format!("{CUSTOMER}: {text}"),
            Act::Taps(label) => format!("{CUSTOMER}: [{label}]"),
            Act::Voice {
                words: Some(words), ..
            } => format!("{CUSTOMER}: (voice 0:04 {words:?})"),
            Act::Voice { words: None, .. } => format!("{CUSTOMER}: (voice 0:04)"),
            // These are typed as transcript lines already.
            Act::Sends { .. } | Act::Location { .. } | Act::Quotes { .. } | Act::Form(_) => String::new(),
        };
        self.now.lines.extend((!line.is_empty()).then_some(line));
        self.after(|rehearsal| rehearsal.act(&act, None))
    }

    fn tap(&mut self, which: &str) -> Reply {
        let options = self.now.rehearsal.options();
        let by_number = which
            .parse::<usize>()
            .ok()
            .and_then(|number| options.get(number.wrapping_sub(1)));
        match by_number.or_else(|| options.iter().find(|label| label.as_str() == which)) {
            Some(label) => self.play(Act::Taps(label.clone())),
            None if options.is_empty() => Reply::Show(vec!["(there is nothing to tap)".to_owned()]),
            None => Reply::Show(vec![format!("(tap 1 to {})", options.len())]),
        }
    }

    fn wait(&mut self, how_long: &str) -> Reply {
        match self
            .read(&format!("({how_long} pass)"))
            .as_ref()
            .map(|story| story.beats.as_slice())
        {
            Ok([beat]) => {
                let BeatKind::Pass(by) = beat.kind else {
                    return Reply::Show(vec!["a time is written  /wait 10 minutes".to_owned()]);
                };
                self.remember();
                self.now.lines.push(format!("({how_long} pass)"));
                self.pass(by)
            }
            _ => Reply::Show(vec!["a time is written  /wait 10 minutes".to_owned()]),
        }
    }

    fn pass(&mut self, by: Duration) -> Reply {
        self.after(|rehearsal| rehearsal.pass(by))
    }

    /// A transcript line, as it stands.
    fn beat(&mut self, line: &str) -> Reply {
        match self
            .read(line)
            .map(|story| story.beats.into_iter().next().map(|beat| beat.kind))
        {
            Ok(Some(BeatKind::Customer(act))) => {
                let reply = self.play(act);
                let at = self.before.last().map_or(0, |before| before.lines.len());
                if self.now.lines.get(at).is_none_or(|there| there != line) {
                    self.now.lines.insert(at, line.to_owned());
                }
                reply
            }
            Ok(_) => Reply::Show(vec![format!("this can't be sent: {line}")]),
            Err(why) => Reply::Show(vec![why]),
        }
    }

    fn given(&mut self, line: &str) -> Reply {
        match self.read(line) {
            Ok(story) => {
                self.remember();
                story
                    .setup
                    .given
                    .into_iter()
                    .for_each(|given| self.now.rehearsal.mock(given));
                self.now.given.push(line.to_owned());
                Reply::Show(vec![format!("({line})")])
            }
            Err(why) => Reply::Show(vec![why]),
        }
    }

    /// Reads one line of a transcript.
    fn read(&self, line: &str) -> Result<Story, String> {
        let text = format!("chat \"now\"\n  customer {CUSTOMER}\n{line}\n");
        match parse::parse("chat", &text) {
            Ok(stories) => stories.into_iter().next().ok_or_else(|| "nothing".to_owned()),
            Err(mistakes) => Err(mistakes
                .into_iter()
                .map(|mistake| mistake.message)
                .collect::<Vec<_>>()
                .join("\n")),
        }
    }

    /// Does something and gives what the bot says to it.
    fn after(&mut self, what: impl FnOnce(&mut Rehearsal<'a>) -> Result<(), Stuck>) -> Reply {
        let happened = self.now.rehearsal.happened.len();
        let outcome = what(&mut self.now.rehearsal);
        let mut show = Vec::new();
        let number = self.now.rehearsal.options();
        for said in self.now.rehearsal.said.drain(..) {
            self.now.lines.extend(said.shown.lines());
            show.extend(said.shown.lines());
            for (index, (label, _)) in said.shown.options.iter().enumerate() {
                if number.contains(label) {
                    show.push(format!("         {} {label}", index + 1));
                }
            }
        }
        for happened in &self.now.rehearsal.happened[happened..] {
            let line = super::run::describe(happened);
            self.now.lines.push(line.clone());
            show.push(line);
        }
        for call in self
            .now
            .rehearsal
            .undeclared
            .iter_mut()
            .flat_map(|calls| calls.drain(..))
        {
            show.push(format!(
                "(nothing is declared for this call, so it was down; try  /{call})"
            ));
            // Saved as a test, the conversation needs the same answer.
            self.now.given.push(call.replace(" answers 200 {}", " is down"));
        }
        if let Err(stuck) = outcome {
            show.push(format!("({stuck})"));
        }
        if show.is_empty() {
            show.push("(silence)".to_owned());
        }
        Reply::Show(show)
    }

    fn state(&self) -> Vec<String> {
        let rehearsal = &self.now.rehearsal;
        let mut lines = vec![
            format!("at    {}", super::check::stands(rehearsal)),
            format!("mode  {:?}", rehearsal.position.mode),
            format!("time  {}", rehearsal.time()),
        ];
        lines.extend(rehearsal.timers().map(|(id, due)| format!("timer {id} at {due}")));
        lines.extend(
            super::check::values(rehearsal)
                .into_iter()
                .map(|(name, value)| format!("{name} = {value}")),
        );
        lines
    }

    fn memory(&self) -> Vec<String> {
        let fields = self.now.rehearsal.memory.fields.iter();
        let lines: Vec<String> = fields
            .map(|(name, kept)| format!("contact.{name} = {}", kept.value.to_json()))
            .collect();
        if lines.is_empty() {
            vec!["(nothing is remembered)".to_owned()]
        } else {
            lines
        }
    }

    fn save(&self, rest: &str) -> Reply {
        let (title, file) = match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((title, file)) => (title.to_owned(), file.trim()),
            None => ("A conversation".to_owned(), rest),
        };
        let mut transcript = format!("chat {title:?}\n  customer {CUSTOMER}\n");
        let start = self
            .before
            .first()
            .map_or(&self.now, |first| first)
            .rehearsal
            .time();
        transcript += &format!("  time {}\n", start.strftime("%Y-%m-%d %H:%M"));
        self.now
            .given
            .iter()
            .for_each(|given| transcript += &format!("  {given}\n"));
        transcript.push('\n');
        self.now
            .lines
            .iter()
            .for_each(|line| transcript += &format!("{line}\n"));
        Reply::Save {
            transcript,
            file: (!file.is_empty()).then(|| file.to_owned()),
        }
    }
}
