//! What is told about the word under the cursor, and what a text looks like to the customer.

use std::fmt::Write as _;

use super::documents::Reading;
use super::mentions::{self, Mention, Symbol};
use crate::flow::check::{ShownText, shown_at};
use crate::flow::names::Names;
use crate::flow::source::{FileId, Span};
use crate::flow::tree::{Field, Flow, Method, TriggerKind};

/// Markdown, and the place it is about.
pub(super) fn hover(reading: &Reading, file: FileId, offset: usize) -> Option<(String, Span)> {
    if let Some(mention) = mentions::at(reading.mentions(), file, offset)
        && let Some(told) = of_symbol(reading, mention)
    {
        return Some((told, mention.span));
    }
    let shown = shown_at(&reading.sources, &reading.tree, file, offset as u32)?;
    Some((of_text(&shown), shown.span))
}

/// The text as a bubble, with its count.
fn of_text(shown: &ShownText) -> String {
    let mut told = String::new();
    for line in shown.text.lines() {
        let _ = writeln!(told, "> {line}  ");
    }
    let count = shown.characters;
    match shown.limit {
        Some(limit) if count > limit => {
            let _ = write!(
                told,
                "\n{}: {count}/{limit} characters, {} too many",
                shown.what,
                count - limit
            );
        }
        Some(limit) => {
            let _ = write!(told, "\n{}: {count}/{limit} characters", shown.what);
        }
        None => {
            let _ = write!(told, "\n{count} characters");
        }
    }
    told
}

fn of_symbol(reading: &Reading, mention: &Mention) -> Option<String> {
    let names = || Names::of(&reading.tree);
    let place = |span: Span| reading.sources.place(span).to_string();
    let mentioned = || {
        let all = reading
            .mentions()
            .iter()
            .filter(|other| other.symbol == mention.symbol && !other.declares);
        all.count()
    };
    Some(match &mention.symbol {
        Symbol::Flow(slug) => {
            let flow = reading.tree.flows.iter().find(|flow| flow.name.slug == *slug)?;
            of_flow(flow, &place(flow.name.span))
        }
        Symbol::Step(flow, slug) => {
            let flow = reading.tree.flows.get(*flow)?;
            let step = flow.steps.iter().find(|step| step.name.slug == *slug)?;
            let mut told = format!(
                "**step {}** of flow {} ({})\n\nid `{slug}`, {}",
                step.name.words,
                flow.name.words,
                place(step.name.span),
                many(mentioned(), "arrow leads here", "arrows lead here"),
            );
            if let Some(was) = &step.was {
                let _ = write!(told, ", was {}", was.words);
            }
            told
        }
        Symbol::Team(name) => {
            let team = names().team(name)?;
            let hours: Vec<&str> = team
                .hours
                .iter()
                .map(|hours| reading.sources.text(hours.span))
                .collect();
            let hours = if hours.is_empty() {
                "always open".to_owned()
            } else {
                hours.join(", ")
            };
            format!(
                "**team {name}** {} ({})\n\n{hours}",
                team.title.source,
                place(team.span)
            )
        }
        Symbol::Topic(name) => {
            let topic = names().topic(name)?;
            format!(
                "**topic {name}** ({})\n\n{}",
                place(topic.span),
                topic.about.source
            )
        }
        Symbol::Template(name) => {
            let template = names().template(name)?;
            let mut told = format!(
                "**template {name}** {} ({})\n",
                template.category.text,
                place(template.span)
            );
            for (language, text) in &template.texts {
                let _ = write!(told, "\n{}: {}  ", language.text, text.source.replace('\n', " "));
            }
            told
        }
        Symbol::Service(name) => {
            let service = names().service(name)?;
            format!(
                "**service {name}** {} ({})",
                service.url.source,
                place(service.span)
            )
        }
        Symbol::Action(service, name) => {
            let action = names().action(&[service.clone(), name.clone()])?;
            let method = match action.method {
                Method::Get => "GET",
                Method::Post => "POST",
                Method::Put => "PUT",
                Method::Delete => "DELETE",
            };
            let mut told = format!(
                "**action {service}.{name}** ({})\n\n`{method} {}`",
                place(action.span),
                action.path.source
            );
            if !action.needs.is_empty() {
                let needs: Vec<&str> = action.needs.iter().map(|name| name.text.as_str()).collect();
                let _ = write!(told, "\n\nneeds {}", needs.join(", "));
            }
            if !action.gives.is_empty() {
                let gives: Vec<String> = action.gives.iter().map(|field| written(reading, field)).collect();
                let _ = write!(told, "\n\ngives {}", gives.join(", "));
            }
            told
        }
        Symbol::Field(name) => {
            let field = names().field(name)?;
            format!(
                "**{}** ({})\n\nremembered of the customer",
                written(reading, field),
                place(field.span)
            )
        }
        Symbol::Later(name) => {
            let set = declared(reading, mention, &place);
            if set.is_empty() {
                return None;
            }
            let taken_back = many(mentioned(), "`cancel`", "`cancel`s");
            format!("**later {name}**\n\nset at {}; {taken_back}", set.join(", "))
        }
        Symbol::Value(flow, name) => {
            let learned = declared(reading, mention, &place);
            if learned.is_empty() {
                return None;
            }
            let flow = reading.tree.flows.get(*flow)?;
            format!(
                "**{name}**, a value of flow {}\n\nlearned at {}; {}",
                flow.name.words,
                learned.join(", "),
                many(mentioned(), "mention", "mentions"),
            )
        }
    })
}

/// The places that declare what is mentioned.
fn declared(reading: &Reading, mention: &Mention, place: &dyn Fn(Span) -> String) -> Vec<String> {
    let all = reading.mentions().iter();
    all.filter(|other| other.symbol == mention.symbol && other.declares)
        .map(|other| place(other.span))
        .collect()
}

fn of_flow(flow: &Flow, place: &str) -> String {
    let mut told = format!("**flow {}**", flow.name.words);
    if let Some(title) = &flow.title {
        let _ = write!(told, " {}", title.source);
    }
    let _ = write!(told, " ({place})\n\n{}", many(flow.steps.len(), "step", "steps"));
    if flow.called {
        told.push_str(", starts when called");
    }
    let words: Vec<String> = flow
        .starts
        .iter()
        .flat_map(|starts| &starts.triggers)
        .filter_map(|trigger| match &trigger.kind {
            TriggerKind::Words(words) => Some(format!("\"{words}\"")),
            _ => None,
        })
        .collect();
    if !words.is_empty() {
        let _ = write!(told, ", starts on {}", words.join(", "));
    }
    told
}

/// A field as its line says it: `contact.vip: yes or no = no`.
fn written(reading: &Reading, field: &Field) -> String {
    let text = reading.sources.text(field.span);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn many(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
