//! Text of a `.chat` file to [`Story`]s. Every line is read by itself, so one run reports every mistake.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil;
use pest::Parser;
use pest::iterators::Pair;
use serde_json::Value as Json;

use super::story::{
    Act, Beat, BeatKind, Customer, Draft, Expected, Given, GivenAnswer, SessionRules, Setup, Story,
};
use super::transcript;
use crate::engine::Says;
use crate::message::MediaKind;

#[derive(pest_derive::Parser)]
#[grammar = "grammar/chat.pest"]
struct ChatGrammar;

/// A line that can't be used, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct Mistake {
    pub file: String,
    pub line: u32,
    pub message: String,
}

/// Reads a whole file. `file` is its name for people.
pub fn parse(file: &str, text: &str) -> Result<Vec<Story>, Vec<Mistake>> {
    let mut reader = Reader {
        file,
        stories: Vec::new(),
        mistakes: Vec::new(),
    };
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        reader.line(index as u32 + 1, line);
    }
    if reader.stories.is_empty() && reader.mistakes.is_empty() {
        reader.mistake(
            1,
            "there is no conversation here. A test begins with  chat \"What it shows\"".to_owned(),
        );
    }
    if reader.mistakes.is_empty() {
        Ok(reader.stories)
    } else {
        Err(reader.mistakes)
    }
}

struct Reader<'a> {
    file: &'a str,
    stories: Vec<Story>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn mistake(&mut self, line: u32, message: String) {
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            line,
            message,
        });
    }

    fn line(&mut self, number: u32, text: &str) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return;
        }
        let Some(pair) = ChatGrammar::parse(Rule::line, text)
            .ok()
            .and_then(|mut pairs| pairs.next())
        else {
            self.mistake(number, unreadable(text));
            return;
        };
        let rule = pair.as_rule();
        if rule == Rule::chat {
            let title = strings(&pair).into_iter().next().unwrap_or_default();
            self.stories.push(Story {
                published: BTreeMap::new(),
                title,
                line: number,
                setup: Setup::default(),
                beats: Vec::new(),
                golden: BTreeMap::new(),
            });
            return;
        }
        let Some(story) = self.stories.last_mut() else {
            self.mistake(
                number,
                "this stands before the first  chat \"…\"  heading".to_owned(),
            );
            return;
        };
        if let Err(message) = read_line(story, number, text, pair) {
            self.mistake(number, message);
        }
    }
}

/// What might have been meant by a line that no rule takes.
fn unreadable(text: &str) -> String {
    if text.starts_with('(') {
        return format!(
            "no stage direction reads like {text}. There are: (10 minutes pass), (time is 2026-03-02 10:00), (silence), \
             (service.action is called with a \"…\"), (handed to team), (team is told \"…\"), (the chat closes), \
             (topic name), (link \"code\"), (event name with a \"…\"), (window is closing), (window closes), (ai answers \"…\"), (ai is not sure), (ai is off topic), (ai is finished), (ai sees topic name), \
             (ai uses service.action with a \"…\"), (ai remembers contact.field value), (ai is down), (ai drafts \"…\"), (Ana takes the chat), (Ana returns the chat)"
        );
    }
    if let Some(word) = ["given", "time", "customer", "contact", "session", "flow"]
        .iter()
        .find(|word| text.starts_with(**word))
    {
        let shape = match *word {
            "given" => "given service.action with a \"…\" answers 200 {…}   (or: times out, is down)",
            "time" => "time 2026-03-02 10:00",
            "customer" => "customer Maria, phone \"+351910000001\", language en",
            "contact" => "contact first_name \"Maria\"",
            "flow" => "flow order tracking   or   flow identify with order \"A-12345\", guest yes",
            _ => "session asks after 300 seconds, ends after 600 seconds",
        };
        return format!("this can't be read. It is written  {shape}");
    }
    "this can't be read. Speech is written  Maria: hello  or  Bot: Hi!".to_owned()
}

fn read_line(story: &mut Story, number: u32, text: &str, pair: Pair<'_, Rule>) -> Result<(), String> {
    let started = !story.beats.is_empty();
    let setup = &mut story.setup;
    let beat = |kind| Beat {
        kind,
        first_line: number,
        last_line: number,
    };
    match pair.as_rule() {
        Rule::customer | Rule::contact | Rule::time | Rule::seed | Rule::session | Rule::flow if started => {
            return Err("this belongs above the conversation, under the  chat  heading".to_owned());
        }
        Rule::customer => setup.customer = customer(pair)?,
        Rule::contact => {
            let (name, value) = argument(pair)?;
            setup.contact.push((name, value));
        }
        Rule::time => setup.time = Some(moment(first(pair)?)?),
        Rule::seed => {
            setup.seed = first(pair)?
                .as_str()
                .parse()
                .map_err(|_| "this number is too large for a seed")?;
        }
        Rule::session => setup.session = Some(session(pair)?),
        Rule::flow => {
            let mut inner = pair.into_inner();
            let words = inner.next().ok_or("no flow is named")?;
            setup.flow = Some(words.as_str().trim().to_owned());
            setup.values = inner.map(argument).collect::<Result<_, _>>()?;
        }
        Rule::given => {
            let given = given(number, pair)?;
            if started {
                story.beats.push(beat(BeatKind::Given(given)))
            } else {
                setup.given.push(given)
            }
        }
        Rule::pass => story.beats.push(beat(BeatKind::Pass(duration(first(pair)?)?))),
        Rule::time_is => story.beats.push(beat(BeatKind::TimeIs(moment(first(pair)?)?))),
        Rule::silence => story.beats.push(beat(BeatKind::Silence)),
        Rule::called => {
            let mut inner = pair.into_inner();
            let (service, action) = service_action(inner.next().ok_or("no action is named")?.as_str())?;
            let args = inner.map(argument).collect::<Result<_, _>>()?;
            story.beats.push(beat(BeatKind::Called {
                service,
                action,
                args,
            }));
        }
        Rule::handed => {
            let mut inner = pair.into_inner();
            let team = inner.next().ok_or("no team is named")?.as_str().to_owned();
            let (mut note, mut priority, mut assist) = (None, None, false);
            for fact in inner {
                if fact.as_str().starts_with("assist") {
                    assist = true;
                    continue;
                }
                let told = strings(&fact).into_iter().next();
                match told {
                    Some(text) => note = Some(text),
                    None => priority = fact.into_inner().next().map(|word| word.as_str().to_owned()),
                }
            }
            story.beats.push(beat(BeatKind::Handed {
                team,
                note,
                priority,
                assist,
            }));
        }
        Rule::told => {
            let text = strings(&pair).into_iter().next().unwrap_or_default();
            let team = first(pair)?.as_str().to_owned();
            story.beats.push(beat(BeatKind::Told { team, text }));
        }
        Rule::closes => story.beats.push(beat(BeatKind::ChatCloses)),
        Rule::opts_out => story.beats.push(beat(BeatKind::OptsOut)),
        Rule::opts_in => story.beats.push(beat(BeatKind::OptsIn)),
        Rule::planned => {
            let mut inner = pair.into_inner();
            let plan = inner.next().ok_or("no plan is named")?.as_str().to_owned();
            let at = moment(inner.next().ok_or("no time is named")?)?;
            story.beats.push(beat(BeatKind::Planned { plan, at }));
        }
        Rule::lapses => story.beats.push(beat(BeatKind::Lapses {
            plan: first(pair)?.as_str().to_owned(),
        })),
        Rule::recorded => {
            let text = strings(&pair).into_iter().next();
            let mut inner = pair.into_inner();
            let name = inner
                .next()
                .ok_or("nothing is recorded here")?
                .as_str()
                .to_owned();
            let value = inner
                .next()
                .map(|value| text.unwrap_or_else(|| value.as_str().to_owned()));
            story.beats.push(beat(BeatKind::Recorded { name, value }));
        }
        Rule::tagged | Rule::untagged => {
            let on = pair.as_rule() == Rule::tagged;
            let tag = strings(&pair).into_iter().next().unwrap_or_default();
            story.beats.push(beat(BeatKind::Tagged { tag, on }));
        }
        Rule::subscribed | Rule::unsubscribed => {
            let on = pair.as_rule() == Rule::subscribed;
            let list = pair.into_inner().next().map(|name| name.as_str().to_owned());
            story.beats.push(beat(BeatKind::Subscribed { list, on }));
        }
        Rule::topic => story
            .beats
            .push(beat(BeatKind::Topic(first(pair)?.as_str().to_owned()))),
        Rule::link => {
            let code = strings(&pair).into_iter().next().unwrap_or_default();
            story.beats.push(beat(BeatKind::Link(code)));
        }
        Rule::happens => {
            let mut inner = pair.into_inner();
            let event = inner.next().ok_or("no event is named")?.as_str().to_owned();
            let values = inner.map(argument).collect::<Result<_, _>>()?;
            story.beats.push(beat(BeatKind::Happens { event, values }));
        }
        Rule::closing => story.beats.push(beat(BeatKind::WindowIsClosing)),
        Rule::window => story.beats.push(beat(BeatKind::WindowCloses)),
        Rule::ai => {
            let (says, remember) = ai(pair)?;
            story.beats.push(beat(BeatKind::Ai { says, remember }));
        }
        Rule::drafts => {
            let text = strings(&pair).into_iter().next().unwrap_or_default();
            let knowledge = pair.into_inner().find(|part| part.as_rule() == Rule::name);
            story.beats.push(beat(BeatKind::Drafts(Draft {
                text,
                knowledge: knowledge.map(|name| name.as_str().to_owned()),
            })));
        }
        Rule::takes => story.beats.push(beat(BeatKind::Takes {
            name: first(pair)?.as_str().to_owned(),
        })),
        Rule::publish => story.beats.push(beat(BeatKind::Publish(
            strings(&pair).into_iter().next().unwrap_or_default(),
        ))),
        Rule::returns => story.beats.push(beat(BeatKind::Returns {
            name: first(pair)?.as_str().to_owned(),
        })),
        Rule::check => story
            .beats
            .push(beat(BeatKind::Check(first(pair)?.as_str().trim().to_owned()))),
        Rule::cont | Rule::open | Rule::section | Rule::row_line | Rule::template_line => {
            return continuation(story, number, pair);
        }
        Rule::said => {
            let said = said(story, text, pair)?;
            story.beats.push(beat(said));
        }
        Rule::blank => {}
        other => return Err(format!("this can't be used here ({other:?})")),
    }
    Ok(())
}

/// A line that goes on with the message above it.
fn continuation(story: &mut Story, number: u32, pair: Pair<'_, Rule>) -> Result<(), String> {
    let rule = pair.as_rule();
    let Some(Beat { kind, last_line, .. }) = story.beats.last_mut() else {
        return Err("this belongs to a message, but there is none above".to_owned());
    };
    match kind {
        BeatKind::Bot(expected) => {
            *last_line = number;
            match rule {
                Rule::cont => expected.text.push(inner_text(pair)),
                Rule::open => expected.extras.push(transcript::open_line(&inner_text(pair))),
                Rule::section => expected.extras.push(transcript::section_line(&inner_text(pair))),
                _ => expected.extras.push(transcript::canonical_options(
                    &pair
                        .into_inner()
                        .map(|label| label.as_str().to_owned())
                        .collect::<Vec<_>>(),
                )),
            }
            Ok(())
        }
        BeatKind::Customer(Act::Types(text)) if rule == Rule::cont => {
            *last_line = number;
            text.push('\n');
            text.push_str(&inner_text(pair));
            Ok(())
        }
        BeatKind::Person { text, .. } if rule == Rule::cont => {
            *last_line = number;
            text.push('\n');
            text.push_str(&inner_text(pair));
            Ok(())
        }
        _ => Err("this belongs to a message of the bot, but the line above is none".to_owned()),
    }
}

fn said(story: &Story, text: &str, pair: Pair<'_, Rule>) -> Result<BeatKind, String> {
    let mut inner = pair.into_inner();
    let who = inner.next().ok_or("nobody speaks here")?.as_str().to_owned();
    let mut next = inner.next();
    let team = next.as_ref().is_some_and(|pair| pair.as_rule() == Rule::team);
    if team {
        next = inner.next();
    }
    if team || (who != "Bot" && who != story.setup.customer.name && has_person(story, &who)) {
        let text = next
            .map(|pair| pair.as_str().trim().to_owned())
            .unwrap_or_default();
        return Ok(BeatKind::Person { name: who, text });
    }
    if who == "Bot" {
        let said = text
            .split_once(':')
            .map_or("", |(_, said)| said.trim())
            .to_owned();
        return Ok(BeatKind::Bot(Expected {
            text: vec![said],
            extras: Vec::new(),
        }));
    }
    if who != story.setup.customer.name {
        return Err(format!(
            "who is {who}? The customer is {}; people of the business are written  {who} (team): …",
            story.setup.customer.name
        ));
    }
    let Some(next) = next else {
        return Err("nothing is said here".to_owned());
    };
    let act = match next.as_rule() {
        Rule::tap => Act::Taps(first(next)?.as_str().trim().to_owned()),
        Rule::media => media(first(next)?)?,
        Rule::quote => Act::Quotes {
            words: strings(&next).into_iter().next().unwrap_or_default(),
            template: first(next)?.as_str().to_owned(),
        },
        _ => {
            let text = next.as_str().trim();
            if text.starts_with('(') && text.ends_with(')') {
                return Err(format!(
                    "{text} is not something a customer can send here. There are: (voice 0:04 \"words\"), (photo x.jpg), \
                     (video …), (audio …), (document …), (sticker), (form {{\"field\":\"…\"}}), (location 41.1, -8.6), \
                     (reply to visit_reminder \"words\")"
                ));
            }
            Act::Types(text.to_owned())
        }
    };
    Ok(BeatKind::Customer(act))
}

/// Whether someone of that name already wrote as a person of the business.
fn has_person(story: &Story, who: &str) -> bool {
    story.beats.iter().any(|beat| match &beat.kind {
        BeatKind::Person { name, .. } | BeatKind::Takes { name } => name == who,
        _ => false,
    })
}

fn media(pair: Pair<'_, Rule>) -> Result<Act, String> {
    let rule = pair.as_rule();
    let mut said = strings(&pair).into_iter();
    let mut inner = pair.into_inner();
    match rule {
        Rule::voice => {
            let clock = inner.find(|pair| pair.as_rule() == Rule::clock);
            let seconds = clock.and_then(|clock| {
                let (minutes, seconds) = clock.as_str().split_once(':')?;
                Some(minutes.parse::<u32>().ok()? * 60 + seconds.parse::<u32>().ok()?)
            });
            Ok(Act::Voice {
                seconds,
                words: said.next(),
            })
        }
        Rule::filled => {
            let json = inner.next().map_or("", |json| json.as_str());
            serde_json::from_str(json.trim()).map(Act::Form).map_err(|why| {
                format!("what is filled in is not JSON: {why}. It is written  (form {{\"street\":\"…\"}})")
            })
        }
        Rule::location => {
            let mut number = || inner.next().and_then(|pair| pair.as_str().parse::<f64>().ok());
            let (Some(lat), Some(lng)) = (number(), number()) else {
                return Err("a location is written  (location 41.1, -8.6)".to_owned());
            };
            Ok(Act::Location {
                lat,
                lng,
                name: said.next(),
            })
        }
        _ => {
            let kind = match inner.next().map(|pair| pair.as_str()) {
                Some("photo") => MediaKind::Photo,
                Some("video") => MediaKind::Video,
                Some("audio") => MediaKind::Audio,
                Some("sticker") => MediaKind::Sticker,
                _ => MediaKind::Document,
            };
            let name = inner
                .find(|pair| pair.as_rule() == Rule::file_name)
                .map(|pair| pair.as_str().to_owned());
            Ok(Act::Sends {
                kind,
                name,
                caption: said.next(),
            })
        }
    }
}

fn customer(pair: Pair<'_, Rule>) -> Result<Customer, String> {
    let mut inner = pair.into_inner();
    let name = inner
        .next()
        .ok_or("the customer needs a name")?
        .as_str()
        .to_owned();
    if name == "Bot" {
        return Err("the customer can't be called Bot".to_owned());
    }
    let mut customer = Customer {
        name,
        phone: None,
        language: None,
    };
    for fact in inner.filter(|fact| fact.as_rule() == Rule::customer_fact) {
        let said = strings(&fact).into_iter().next();
        let mut words = fact.into_inner();
        let what = words
            .next()
            .map(|word| word.as_str().to_owned())
            .unwrap_or_default();
        let value = said
            .or_else(|| words.next().map(|word| word.as_str().to_owned()))
            .unwrap_or_default();
        match what.as_str() {
            "phone" => customer.phone = Some(value.trim_start_matches('+').to_owned()),
            "language" => customer.language = Some(value),
            other => return Err(format!("a customer has a phone and a language, no {other}")),
        }
    }
    Ok(customer)
}

fn session(pair: Pair<'_, Rule>) -> Result<SessionRules, String> {
    let mut rules = SessionRules {
        on: true,
        ask_after: None,
        end_after: None,
    };
    let mut durations = Vec::new();
    for inner in pair.into_inner() {
        match inner.as_rule() {
            Rule::on_off => rules.on = inner.as_str() == "on",
            Rule::duration => durations.push(duration(inner)?),
            _ => {}
        }
    }
    let mut durations = durations.into_iter();
    rules.ask_after = durations.next();
    rules.end_after = durations.next();
    Ok(rules)
}

fn given(line: u32, pair: Pair<'_, Rule>) -> Result<Given, String> {
    let mut inner = pair.into_inner();
    let (service, action) = service_action(inner.next().ok_or("no action is named")?.as_str())?;
    let mut given = Given {
        service,
        action,
        args: Vec::new(),
        answer: GivenAnswer::IsDown,
        line,
    };
    for part in inner {
        match part.as_rule() {
            Rule::argument => given.args.push(argument(part)?),
            Rule::answers => given.answer = answer(part)?,
            Rule::times_out => given.answer = GivenAnswer::TimesOut,
            _ => {}
        }
    }
    Ok(given)
}

/// What the model says, and what it wants remembered.
fn ai(pair: Pair<'_, Rule>) -> Result<(Option<Says>, BTreeMap<String, Json>), String> {
    let (mut says, mut remember) = (None, BTreeMap::new());
    for part in pair.into_inner() {
        let text = strings(&part).into_iter().next();
        match part.as_rule() {
            Rule::ai_answers => says = text.map(Says::Text),
            Rule::ai_not_sure => says = Some(Says::NotSure),
            Rule::ai_off_topic => says = Some(Says::OffTopic),
            Rule::ai_finished => says = Some(Says::Finished(text)),
            Rule::ai_down => {
                says = Some(Says::Problem {
                    why: "it can't be reached".to_owned(),
                });
            }
            Rule::ai_topic => says = Some(Says::Topic(first(part)?.as_str().to_owned())),
            Rule::ai_uses => {
                let mut inner = part.into_inner();
                let action = inner.next().ok_or("no action is named")?.as_str().to_owned();
                let args = inner.map(argument).collect::<Result<_, _>>()?;
                says = Some(Says::Use { action, args });
            }
            _ => {
                let (field, value) = argument(part)?;
                remember.insert(field, value);
            }
        }
    }
    Ok((says, remember))
}

fn answer(pair: Pair<'_, Rule>) -> Result<GivenAnswer, String> {
    let mut inner = pair.into_inner();
    let status = inner
        .next()
        .and_then(|status| status.as_str().parse().ok())
        .ok_or("an answer needs a status")?;
    let body = match inner.next() {
        None => Json::Null,
        Some(json) => serde_json::from_str(json.as_str().trim()).map_err(|error| {
            format!("the answer is not JSON: {error}. The whole answer stands on this line")
        })?,
    };
    Ok(GivenAnswer::Status(status, body))
}

/// The last part is the action, what is before it the service.
fn service_action(path: &str) -> Result<(String, String), String> {
    let (service, action) = path
        .rsplit_once('.')
        .ok_or("an action is written  service.action")?;
    Ok((service.to_owned(), action.to_owned()))
}

/// `name value`, as an argument or a `contact` line.
fn argument(pair: Pair<'_, Rule>) -> Result<(String, Json), String> {
    let mut inner = pair.into_inner();
    let name = inner.next().ok_or("a name is missing")?.as_str().to_owned();
    let value = inner.next().ok_or("a value is missing")?;
    if value.as_str().starts_with(['[', '{']) {
        let json = serde_json::from_str(value.as_str())
            .map_err(|why| format!("the value of {name} is not JSON: {why}"))?;
        return Ok((name, json));
    }
    let value = strings(&value)
        .into_iter()
        .next()
        .map(Json::String)
        .unwrap_or_else(|| match value.as_str() {
            "yes" | "true" => Json::Bool(true),
            "no" | "false" => Json::Bool(false),
            text => serde_json::from_str::<serde_json::Number>(text)
                .map_or_else(|_| Json::String(text.to_owned()), Json::Number),
        });
    Ok((name, value))
}

fn moment(pair: Pair<'_, Rule>) -> Result<civil::DateTime, String> {
    let mut inner = pair.into_inner();
    let date = inner
        .next()
        .map(|date| date.as_str().to_owned())
        .unwrap_or_default();
    let clock = inner.next().map_or("00:00", |clock| clock.as_str());
    let clock = if clock.len() == 4 {
        format!("0{clock}")
    } else {
        clock.to_owned()
    };
    let (date, clock) = (date.parse::<civil::Date>(), clock.parse::<civil::Time>());
    match (date, clock) {
        (Ok(date), Ok(clock)) => Ok(date.to_datetime(clock)),
        _ => Err("there is no such day or time. It is written  2026-03-02 10:00".to_owned()),
    }
}

fn duration(pair: Pair<'_, Rule>) -> Result<Duration, String> {
    let mut inner = pair.into_inner();
    let count: u64 = inner
        .next()
        .and_then(|digits| digits.as_str().parse().ok())
        .ok_or("that is too long")?;
    let seconds = match inner.next().map(|unit| unit.as_str().trim_end_matches('s')) {
        Some("second") => 1,
        Some("minute") => 60,
        Some("hour") => 3600,
        Some("day") => 86_400,
        _ => 7 * 86_400,
    };
    count
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(|| "that is too long".to_owned())
}

fn first(pair: Pair<'_, Rule>) -> Result<Pair<'_, Rule>, String> {
    pair.into_inner()
        .next()
        .ok_or_else(|| "something is missing here".to_owned())
}

fn inner_text(pair: Pair<'_, Rule>) -> String {
    pair.into_inner()
        .next()
        .map(|inner| inner.as_str().trim().to_owned())
        .unwrap_or_default()
}

/// All quoted texts below a pair, unescaped.
fn strings(pair: &Pair<'_, Rule>) -> Vec<String> {
    pair.clone()
        .into_inner()
        .flatten()
        .filter(|inner| inner.as_rule() == Rule::string_body)
        .map(|body| {
            let mut text = String::with_capacity(body.as_str().len());
            let mut escaped = false;
            for c in body.as_str().chars() {
                match (escaped, c) {
                    (false, '\\') => escaped = true,
                    (true, 'n') => {
                        text.push('\n');
                        escaped = false;
                    }
                    (_, c) => {
                        text.push(c);
                        escaped = false;
                    }
                }
            }
            text
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = r#"
chat "A shipped order"
  customer Maria, phone "+351910000001", language en
  contact first_name "Maria"
  time 2026-03-02 10:00
  given shop.get_order with number "A-12345" answers 200 {"status":"shipped"}

Maria: hello
Bot:   Hi Maria!
       | How are you? …
       [Track my order] [Book a fitting]
(shop.get_order is called with number "A-12345")
Maria: [Track my order]
Maria: (voice 0:04 "I don't have it")
Ana (support): Hi Maria
Ana: still here
(30 minutes pass)
(Ana returns the chat)
check  contact.last_order is "A-12345"
(the chat closes)
"#;

    #[test]
    fn a_story_is_read_beat_by_beat() {
        let stories = parse("t.chat", STORY).unwrap();
        let story = &stories[0];
        assert_eq!(
            (story.title.as_str(), story.line, story.beats.len()),
            ("A shipped order", 2, 11)
        );
        assert_eq!(story.setup.customer.phone.as_deref(), Some("351910000001"));
        let expected = Expected {
            text: vec!["Hi Maria!".to_owned(), "How are you? …".to_owned()],
            extras: vec!["[Track my order] [Book a fitting]".to_owned()],
        };
        assert_eq!(story.beats[1].kind, BeatKind::Bot(expected));
        assert_eq!((story.beats[1].first_line, story.beats[1].last_line), (9, 11));
        assert_eq!(
            story.beats[4].kind,
            BeatKind::Customer(Act::Voice {
                seconds: Some(4),
                words: Some("I don't have it".to_owned())
            })
        );
        assert!(matches!(&story.beats[6].kind, BeatKind::Person { name, .. } if name == "Ana"));
    }

    #[test]
    fn every_mistake_of_a_file_is_reported_with_its_line() {
        let mistakes = parse(
            "t.chat",
            "Maria: too early\nchat \"x\"\n  customer Maria\nMaria: hi\nPedro: who am I\n(the moon rises)\n  time 2026-03-02\n\
             given shop.x answers 200 {nope\n",
        )
        .unwrap_err();
        let lines: Vec<u32> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 5, 6, 7, 8], "{mistakes:#?}");
        assert!(mistakes[1].message.contains("who is Pedro?"), "{}", mistakes[1]);
    }

    #[test]
    fn a_flow_is_started_with_what_it_needs() {
        let stories = parse(
            "t.chat",
            "chat \"x\"\n  flow ask who with love with order \"A-1\", guest yes, price 2.5 # as called\n",
        );
        // `with` ends the name of a flow, so the second is a mistake.
        assert!(stories.is_err(), "{stories:?}");
        let stories = parse(
            "t.chat",
            "chat \"x\"\n  flow ask who with order \"A-1\", guest yes, price 2.5 # as called\nchat \"y\"\n  flow ask who # alone\n",
        )
        .unwrap();
        let setup = &stories[0].setup;
        assert_eq!(setup.flow.as_deref(), Some("ask who"));
        let values = ["\"A-1\"", "true", "2.5"].map(|json| serde_json::from_str(json).unwrap());
        let names = ["order", "guest", "price"].map(str::to_owned);
        assert_eq!(setup.values, names.into_iter().zip(values).collect::<Vec<_>>());
        assert_eq!(stories[1].setup.flow.as_deref(), Some("ask who"));
        let mistakes = parse("t.chat", "chat \"x\"\n  flow identify with order\n").unwrap_err();
        assert!(
            mistakes[0]
                .message
                .contains("flow identify with order \"A-12345\""),
            "{}",
            mistakes[0]
        );
    }

    #[test]
    fn what_an_event_brings_may_be_a_list_or_a_record() {
        let stories = parse(
            "t.chat",
            "chat \"x\"\n(event order.shipped with items [\"a]\", {\"n\": 1}], place {\"name\":\"{x}\"}, big yes)\n",
        )
        .unwrap();
        let wanted = BeatKind::Happens {
            event: "order.shipped".to_owned(),
            values: vec![
                ("items".to_owned(), serde_json::json!(["a]", { "n": 1 }])),
                ("place".to_owned(), serde_json::json!({ "name": "{x}" })),
                ("big".to_owned(), serde_json::json!(true)),
            ],
        };
        assert_eq!(stories[0].beats[0].kind, wanted);
        let mistakes = parse("t.chat", "chat \"x\"\n(event a with b [1,])\n").unwrap_err();
        assert!(
            mistakes[0].message.contains("the value of b is not JSON"),
            "{}",
            mistakes[0]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(chat \"x\"\n)?([(\\[{<|a-zA-Z:\"0-9 \\-…)\\]}>.,\n]{0,120})") {
            let _ = parse("any.chat", &text);
        }
    }
}
