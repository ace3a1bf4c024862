//! A customer who does anything: taps, typos, old buttons, silence, photos, nonsense, while services fail.
//!
//! Everything is drawn from a seed, so a finding can be played again. What must hold after every turn is written in
//! [`Broken`]; what a business promises its customers beyond that is written in transcripts.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::rehearsal::{Happened, Rehearsal, Stuck};
use super::run::describe;
use super::story::{Act, Given, GivenAnswer};
use crate::engine::{EventKind, Log, Machine, Mode, Position, SessionSettings};
use crate::flow::program::{Expr, Program, StateKind, Trigger};
use crate::flow::tree::Kind;
use crate::message::{Limits, MediaKind, measure};

/// What may never happen, whatever the customer does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("something went wrong inside, with every service in good health: {what} ({place})")]
    Fault { what: String, place: String },
    #[error("the customer wrote, the bot has the chat, and nothing is said (at {at})")]
    Unanswered { at: String },
    #[error("WhatsApp would refuse this: {what}")]
    OverLimit { what: String },
    #[error("{count} messages at once")]
    Flood { count: usize },
    #[error("it goes round in a circle: {how}")]
    Circle { how: String },
    #[error("the conversation stands at {at}, which the program does not have")]
    Nowhere { at: String },
    #[error("where the conversation stands does not survive being written down")]
    NotKept,
    #[error("after a month of silence the chat is still open (at {at})")]
    NeverEnds { at: String },
    #[error("the same seed gave another conversation")]
    NotRepeated,
}

/// Something that may never happen, and how it came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub seed: u64,
    /// From 1.
    pub turn: u32,
    pub what: Broken,
    /// The conversation so far, as a transcript reads.
    pub lines: Vec<String>,
}

/// More messages than this at once are a flood; F208 warns of more than five.
const MOST_AT_ONCE: usize = 20;

/// Plays one random customer, twice; gives what went wrong first.
pub fn explore(machine: &Machine, seed: u64, turns: u32) -> Result<Vec<Log>, Box<Finding>> {
    let first = Walk::new(machine, seed).go(turns)?;
    let second = Walk::new(machine, seed).go(turns)?;
    if first.position != second.position || first.lines != second.lines {
        return Err(Box::new(Finding {
            seed,
            turn: turns,
            what: Broken::NotRepeated,
            lines: second.lines,
        }));
    }
    Ok(first.log)
}

/// How a walk ended.
struct Walked {
    position: String,
    lines: Vec<String>,
    log: Vec<Log>,
}

struct Walk<'a> {
    rehearsal: Rehearsal<'a>,
    program: &'a Program,
    chance: Chance,
    seed: u64,
    /// Labels that were ever on the screen, newest last.
    labels: Vec<String>,
    /// Words that mean something to this business.
    words: Vec<String>,
    lines: Vec<String>,
}

/// What happens next.
enum Move {
    Customer(Act),
    Silence(Duration),
    Takes,
    Returns,
}

impl<'a> Walk<'a> {
    fn new(machine: &'a Machine, seed: u64) -> Walk<'a> {
        let settings = SessionSettings::default();
        let mut rehearsal = Rehearsal::new(machine, settings, None);
        rehearsal.memory.name = Some("Maria".to_owned());
        rehearsal.memory.phone = Some("+351910000001".to_owned());
        rehearsal.undeclared = Some(Vec::new());
        let program = machine.program();
        Walk {
            rehearsal,
            program,
            chance: Chance(seed),
            seed,
            labels: Vec::new(),
            words: words(program),
            lines: Vec::new(),
        }
    }

    fn go(mut self, turns: u32) -> Result<Walked, Box<Finding>> {
        for turn in 1..=turns {
            self.turn().map_err(|what| self.finding(turn, what))?;
        }
        self.must_end().map_err(|what| self.finding(turns, what))?;
        Ok(Walked {
            position: serde_json::to_string(&self.rehearsal.position).unwrap_or_default(),
            lines: self.lines,
            log: self.rehearsal.log,
        })
    }

    fn finding(&self, turn: u32, what: Broken) -> Box<Finding> {
        Box::new(Finding {
            seed: self.seed,
            turn,
            what,
            lines: self.lines.clone(),
        })
    }

    fn turn(&mut self) -> Result<(), Broken> {
        let healthy = !self.chance.one_in(4);
        self.services(healthy);
        let next = self.choose();
        let before = self.rehearsal.position.mode;
        let (happened, logged) = (self.rehearsal.happened.len(), self.rehearsal.log.len());
        let spoke = matches!(next, Move::Customer(_));
        self.lines.push(written(&next));
        let outcome = match next {
            Move::Customer(act) => self.rehearsal.act(&act, None),
            Move::Silence(by) => self.rehearsal.pass(by),
            Move::Takes => self.rehearsal.apply(EventKind::Taken {
                agent: "Ana".to_owned(),
            }),
            Move::Returns => self.rehearsal.apply(EventKind::Returned),
        };
        match outcome {
            Ok(()) => {}
            Err(Stuck::Endless(how)) => return Err(Broken::Circle { how }),
            // A label that is gone from the screen; services that are not declared are down.
            Err(Stuck::NoSuchButton { .. } | Stuck::ClockBack { .. } | Stuck::NoMock { .. }) => return Ok(()),
        }
        let said = self.heard()?;
        let news: Vec<Happened> = self.rehearsal.happened[happened..].to_vec();
        self.lines.extend(news.iter().map(describe));
        if healthy
            && let Some(Happened::Fault(fault)) = news.iter().find(|news| matches!(news, Happened::Fault(_)))
        {
            return Err(Broken::Fault {
                what: fault.what.clone(),
                place: fault.place.to_string(),
            });
        }
        if said > MOST_AT_ONCE {
            return Err(Broken::Flood { count: said });
        }
        self.must_stand()?;
        let news = !news.is_empty();
        let log = &self.rehearsal.log[logged..];
        if spoke && said == 0 && !news && before == Mode::Autopilot {
            self.may_be_silent(log)?;
        }
        Ok(())
    }

    /// Looks at what was said; how many messages that were.
    fn heard(&mut self) -> Result<usize, Broken> {
        let limits = Limits::META;
        let mut count = 0;
        while let Some(said) = self.rehearsal.said.pop_front() {
            count += 1;
            self.lines.extend(said.shown.lines());
            let over = |what: &str, text: &str, limit: usize| {
                let scalars = measure(text).scalars;
                (scalars > limit).then(|| Broken::OverLimit {
                    what: format!("{what} of {scalars} characters, {limit} are taken: {text}"),
                })
            };
            let options = &said.shown.options;
            let body = said.shown.text.join("\n");
            if let Some(broken) = over("a message", &body, limits.text) {
                return Err(broken);
            }
            if let Some(broken) = options.iter().find_map(|(label, _)| over("an option", label, limits.row_label)) {
                return Err(broken);
            }
            if options.len() > limits.rows {
                return Err(Broken::OverLimit {
                    what: format!("{} options, {} are taken", options.len(), limits.rows),
                });
            }
            self.labels.extend(options.iter().map(|(label, _)| label.clone()));
            let old = self.labels.len().saturating_sub(40);
            self.labels.drain(..old);
        }
        Ok(count)
    }

    fn at(&self) -> String {
        let frame = self.rehearsal.position.frames.last();
        frame.map_or_else(|| "idle".to_owned(), |frame| frame.at.clone())
    }

    /// The position is one of the program, and can be written down and read again.
    fn must_stand(&self) -> Result<(), Broken> {
        let position = &self.rehearsal.position;
        for frame in position.frames.iter().chain(position.interrupted.iter().flatten()) {
            if !self.program.states.iter().any(|state| state.name == frame.at) {
                return Err(Broken::Nowhere { at: frame.at.clone() });
            }
        }
        let kept = serde_json::to_string(position)
            .ok()
            .and_then(|json| serde_json::from_str::<Position>(&json).ok());
        if kept.as_ref() != Some(position) {
            return Err(Broken::NotKept);
        }
        Ok(())
    }

    /// Nothing was said to the customer: fine if the flow ended with the answer, if a button came too late, or if
    /// the customer wants no more messages.
    fn may_be_silent(&self, log: &[Log]) -> Result<(), Broken> {
        let position = &self.rehearsal.position;
        let ended = position.frames.is_empty() && log.iter().any(|entry| matches!(entry, Log::Left { .. }));
        let late = log.iter().any(|entry| matches!(entry, Log::Stale { .. }));
        let nobody = position.frames.is_empty() && self.program.business.front_door.is_none();
        if self.rehearsal.memory.opted_out || position.mode == Mode::Human || ended || late || nobody {
            return Ok(());
        }
        Err(Broken::Unanswered { at: self.at() })
    }

    /// Left alone, every chat ends by itself.
    fn must_end(&mut self) -> Result<(), Broken> {
        for _ in 0..30 {
            if !self.rehearsal.position.open {
                return Ok(());
            }
            if let Err(Stuck::Endless(how)) = self.rehearsal.pass(Duration::from_secs(25 * 3600)) {
                return Err(Broken::Circle { how });
            }
            self.heard()?;
        }
        Err(Broken::NeverEnds { at: self.at() })
    }

    /// Declares what every service answers in this turn.
    fn services(&mut self, healthy: bool) {
        for service in &self.program.business.services {
            for action in &service.actions {
                self.rehearsal.forget_mocks_of(&service.name, &action.name);
                let answer = if healthy {
                    let gives = action.gives.iter();
                    let body = gives
                        .map(|(name, kind)| (name.clone(), self.chance.value(kind, &self.words)))
                        .collect();
                    match self.chance.below(6) {
                        0 => GivenAnswer::Status(404, json!({})),
                        1 => GivenAnswer::Status(409, json!({})),
                        _ => GivenAnswer::Status(200, Json::Object(body)),
                    }
                } else {
                    match self.chance.below(5) {
                        0 => GivenAnswer::TimesOut,
                        1 => GivenAnswer::IsDown,
                        2 => GivenAnswer::Status(500, json!("oops")),
                        3 => GivenAnswer::Status(401, Json::Null),
                        _ => GivenAnswer::Status(200, json!([[]])),
                    }
                };
                self.rehearsal.mock(Given {
                    service: service.name.clone(),
                    action: action.name.clone(),
                    args: Vec::new(),
                    answer,
                    line: 0,
                });
            }
        }
    }

    fn choose(&mut self) -> Move {
        if self.rehearsal.position.mode == Mode::Human && self.chance.one_in(3) {
            return Move::Returns;
        }
        let options = self.rehearsal.options();
        let act = match self.chance.below(20) {
            0..=5 if !options.is_empty() => Act::Taps(self.chance.of(&options).clone()),
            6 if !self.labels.is_empty() => Act::Taps(self.chance.of(&self.labels).clone()),
            7 | 8 if !options.is_empty() => {
                let label = self.chance.of(&options).clone();
                Act::Types(self.chance.misspelt(&label))
            }
            9 => Act::Types((1 + self.chance.below(11)).to_string()),
            10 => return Move::Silence(self.chance.silence()),
            11 if self.chance.one_in(6) => return Move::Takes,
            12 => self.chance.media(),
            13 => Act::Types(self.chance.nonsense()),
            14 | 15 => Act::Types(self.chance.of(&self.words).clone()),
            _ => match self.wanted() {
                Some(kind) => self.chance.answer(&kind, &self.words),
                None => Act::Types(self.chance.of(&self.words).clone()),
            },
        };
        Move::Customer(act)
    }

    /// A kind of answer that the open question takes.
    fn wanted(&mut self) -> Option<Kind> {
        let at = self.at();
        let state = self.program.states.iter().find(|state| state.name == at)?;
        let StateKind::Question(question) = &state.kind else {
            return None;
        };
        (!question.accept.is_empty()).then(|| self.chance.of(&question.accept).clone())
    }
}

/// What starts or interrupts flows, what is compared with, and what everybody says.
fn words(program: &Program) -> Vec<String> {
    let triggers = program
        .starts
        .iter()
        .map(|start| &start.trigger)
        .chain(program.ons.iter().flat_map(|on| &on.triggers));
    let mut words: Vec<String> = triggers
        .filter_map(|trigger| match trigger {
            Trigger::Words(words) | Trigger::Containing(words) => Some(words.clone()),
            _ => None,
        })
        .collect();
    let compared = program.exprs.iter().filter_map(|expr| match expr {
        Expr::Text(text) => program.texts.get(*text as usize).map(|text| text.source.clone()),
        _ => None,
    });
    words.extend(compared.filter(|text| !text.contains('{') && text.len() < 40));
    words.extend(["hello", "yes", "no", "thanks", "stop", "start", "?", "A-12345", "1200-109"].map(str::to_owned));
    words
}

fn written(next: &Move) -> String {
    match next {
        Move::Customer(Act::Types(text)) => format!("Maria: {}", text.chars().take(200).collect::<String>()),
        Move::Customer(Act::Taps(label)) => format!("Maria: [{label}]"),
        Move::Customer(Act::Voice { words, .. }) => format!("Maria: (voice 0:04 {:?})", words.as_deref().unwrap_or("")),
        Move::Customer(Act::Sends { kind, .. }) => format!("Maria: ({})", super::transcript::word_for(*kind)),
        Move::Customer(Act::Location { lat, lng, .. }) => format!("Maria: (location {lat}, {lng})"),
        Move::Silence(by) => format!("({} minutes pass)", by.as_secs() / 60),
        Move::Takes => "(Ana takes the chat)".to_owned(),
        Move::Returns => "(Ana returns the chat)".to_owned(),
    }
}

/// Draws, always the same from the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of several; there is at least one.
    fn of<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.below(values.len() as u64) as usize]
    }

    fn misspelt(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.to_lowercase().chars().collect();
        if chars.is_empty() {
            return "?".to_owned();
        }
        let at = self.below(chars.len() as u64) as usize;
        match self.below(4) {
            0 => {
                chars.remove(at);
            }
            1 => chars.insert(at, 'x'),
            2 if at + 1 < chars.len() => chars.swap(at, at + 1),
            _ => {}
        }
        chars.into_iter().collect()
    }

    fn silence(&mut self) -> Duration {
        let minutes = *self.of(&[1, 5, 11, 31, 61, 121, 13 * 60, 25 * 60]);
        Duration::from_secs(minutes * 60)
    }

    fn media(&mut self) -> Act {
        match self.below(4) {
            0 => Act::Voice {
                seconds: Some(4),
                words: Some(self.nonsense()),
            },
            1 => Act::Voice {
                seconds: Some(1),
                words: None,
            },
            2 => Act::Location {
                lat: 41.1,
                lng: -8.6,
                name: None,
            },
            _ => Act::Sends {
                kind: *self.of(&[MediaKind::Image, MediaKind::Video, MediaKind::Document]),
                name: None,
                caption: None,
            },
        }
    }

    fn nonsense(&mut self) -> String {
        match self.below(7) {
            0 => "👟🔥".to_owned(),
            1 => "x".repeat(5_000),
            2 => "{{ contact.first_name }}{% set a = 1 %}".to_owned(),
            3 => "Ünïcödé \u{202E}gnirts".to_owned(),
            4 => "a\nb\n\nc".to_owned(),
            5 => "0".to_owned(),
            _ => "I would like to know something else entirely".to_owned(),
        }
    }

    fn answer(&mut self, kind: &Kind, words: &[String]) -> Act {
        let text = match kind {
            Kind::Text | Kind::TextMatching(_) => self.of(words).clone(),
            Kind::TextLike(pattern) => pattern
                .chars()
                .map(|mark| match mark {
                    '#' => char::from(b'0' + self.below(10) as u8),
                    '@' => char::from(b'a' + self.below(26) as u8),
                    '*' => 'z',
                    other => other,
                })
                .collect(),
            Kind::Number { .. } | Kind::WholeNumber { .. } | Kind::Rating { .. } => self.below(12).to_string(),
            Kind::Money => "12.50".to_owned(),
            Kind::YesNo => (*self.of(&["yes", "no"])).to_owned(),
            Kind::Date(_) => (*self.of(&["tomorrow", "friday", "12 March", "2026-03-20", "1 January 2020"])).to_owned(),
            Kind::Time => "10:30".to_owned(),
            Kind::Email => "maria@example.com".to_owned(),
            Kind::Phone => "+351910000001".to_owned(),
            Kind::WebAddress => "https://example.com".to_owned(),
            Kind::Media(MediaKind::Voice) => {
                return Act::Voice {
                    seconds: Some(4),
                    words: Some("it is broken".to_owned()),
                };
            }
            Kind::Media(kind) => {
                return Act::Sends {
                    kind: *kind,
                    name: None,
                    caption: None,
                };
            }
            Kind::Location => {
                return Act::Location {
                    lat: 41.1,
                    lng: -8.6,
                    name: Some("Porto".to_owned()),
                };
            }
            Kind::List(_) => "one, two".to_owned(),
        };
        Act::Types(text)
    }

    /// What a service gives.
    fn value(&mut self, kind: &Kind, words: &[String]) -> Json {
        match kind {
            Kind::Text | Kind::TextLike(_) | Kind::TextMatching(_) => json!(self.of(words)),
            Kind::Email => json!("maria@example.com"),
            Kind::Phone => json!("+351910000001"),
            Kind::WebAddress => json!("https://example.com/a"),
            Kind::Number { .. } | Kind::WholeNumber { .. } | Kind::Money | Kind::Rating { .. } => json!(self.below(5)),
            Kind::YesNo => json!(self.one_in(2)),
            Kind::Date(_) => json!("2026-03-20"),
            Kind::Time => json!("10:30"),
            // A list of records tells nobody what is in them.
            Kind::List(None) | Kind::Media(_) | Kind::Location => json!([]),
            Kind::List(Some(item)) => {
                let count = self.below(4);
                (0..count).map(|_| self.value(item, words)).collect()
            }
        }
    }
}
