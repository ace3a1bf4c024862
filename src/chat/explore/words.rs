//! The words that mean something to a business: what starts and interrupts its flows, what it compares with.

use std::collections::BTreeSet;

use super::chance::Chance;
use super::outside::Outside;
use crate::chat::written::is_writable;
use crate::flow::program::{Expr, Program, StateKind, Trigger};

/// What everybody says, whatever the business. `stop` ends all messages on our own account.
const ORDINARY: [&str; 9] = [
    "hello", "yes", "no", "thanks", "stop", "start", "A-12345", "1200-109", "Maria",
];

#[derive(Debug, Clone)]
pub(in crate::chat) struct Words {
    /// They open or interrupt something.
    pub triggers: Vec<String>,
    /// Texts that flows compare values with, such as `"shipped"`.
    pub compared: Vec<String>,
    /// Fields that flows read of something: `x.time`.
    pub fields: Vec<String>,
    pub topics: Vec<String>,
    /// What reaches the flows beside words.
    pub outside: Outside,
}

impl Words {
    pub fn of(program: &Program) -> Words {
        let mut triggers = Vec::new();
        for trigger in program.triggers() {
            if let Trigger::Words(words) | Trigger::Containing(words) = trigger {
                triggers.push(words.clone());
            }
        }
        let (mut compared, mut fields) = (BTreeSet::new(), BTreeSet::new());
        for expr in &program.exprs {
            walk(expr, &mut |part| match part {
                Expr::Text(text) => {
                    let text = program.texts.get(*text as usize);
                    let short =
                        text.filter(|text| text.fixed && text.source.len() < 40 && is_writable(&text.source));
                    compared.extend(short.map(|text| text.source.clone()));
                }
                Expr::Path(path) => fields.extend(path.get(1).cloned()),
                _ => {}
            });
        }
        for text in program.texts.iter().filter(|text| !text.fixed) {
            fields.extend(fields_of(&text.source));
        }
        for state in &program.states {
            if let StateKind::Question(question) = &state.kind {
                compared.extend(question.options.iter().flat_map(|choice| choice.also.clone()));
            }
        }
        Words {
            triggers,
            compared: compared.into_iter().collect(),
            fields: fields.into_iter().collect(),
            topics: program
                .business
                .topics
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            outside: Outside::of(program),
        }
    }

    pub fn one(&self, chance: &mut Chance) -> String {
        let from: &[String] = match chance.below(3) {
            0 => &self.triggers,
            1 => &self.compared,
            _ => &[],
        };
        match chance.of(from) {
            Some(word) => word.clone(),
            None => chance.of(&ORDINARY).map_or("hello", |word| word).to_owned(),
        }
    }
}

/// `time` of `{{ x.time }}`.
fn fields_of(source: &str) -> impl Iterator<Item = String> {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    source
        .split("{{")
        .skip(1)
        .filter_map(move |blank| {
            let path = blank.split(['|', '}', ' ', '(']).find(|part| !part.is_empty())?;
            let (_, field) = path.split_once('.')?;
            let field: String = field.chars().take_while(|c| name(*c)).collect();
            (!field.is_empty()).then_some(field)
        })
        .collect::<Vec<_>>()
        .into_iter()
}

fn walk<'e>(expr: &'e Expr, found: &mut impl FnMut(&'e Expr)) {
    found(expr);
    match expr {
        Expr::Binary(_, left, right) => {
            walk(left, found);
            walk(right, found);
        }
        Expr::Not(inner) => walk(inner, found),
        Expr::Test { subject, .. } | Expr::Filter { subject, .. } => walk(subject, found),
        Expr::List(items) => items.iter().for_each(|item| walk(item, found)),
        Expr::Text(_)
        | Expr::Number(_)
        | Expr::YesNo(_)
        | Expr::Nothing
        | Expr::Date(_)
        | Expr::Time(_)
        | Expr::Duration(_)
        | Expr::Path(_) => {}
    }
}
