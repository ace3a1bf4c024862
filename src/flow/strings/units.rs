//! What of a flow can be translated: everything a customer reads, and the words by which they choose and begin.
//!
//! Values are not among it: `subject is "damaged"` means the same in every language. Nor is what the team reads, and
//! what has no words outside its blanks.

use std::collections::HashMap;

use super::read::DIGITS;
use crate::flow::check::walk::{self, Role};
use crate::flow::lines::slot_end;
use crate::flow::source::{FileId, Span};
use crate::flow::tree::{Choice, On, Question, Stmt, StmtKind, Text, TextKey, Tree, Trigger, TriggerKind};

/// One text to translate, with what is translated together with it.
#[derive(Debug)]
pub struct Unit<'t> {
    pub key: TextKey,
    /// The key it had before its step was renamed.
    pub was: Option<TextKey>,
    /// One text; of words that start something, all of the line.
    pub words: Vec<&'t str>,
    pub also: Vec<&'t str>,
    /// First characters of the hash of all of these.
    pub hash: String,
    /// Of the text, or of the first of the words: known in the tree by it.
    pub span: Span,
    pub(crate) kind: UnitKind<'t>,
    /// Index of the flow whose values it sees; `None` in the business file.
    pub flow: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum UnitKind<'t> {
    /// With its question, if it belongs to one.
    Text(Role, &'t Text, Option<&'t Question>),
    Words,
    /// What a team is called.
    Title,
}

impl Unit<'_> {
    /// Customers do without a translation of it: an address, a file's name, a team's title.
    pub fn is_optional(&self) -> bool {
        match self.kind {
            UnitKind::Text(role, ..) => matches!(role, Role::LinkUrl | Role::FileName),
            UnitKind::Words => false,
            UnitKind::Title => true,
        }
    }

    /// The source as one line, as comments show it.
    pub fn shown(&self) -> String {
        let quoted = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| one_line(word)).collect();
            words.join(", ")
        };
        match self.also.as_slice() {
            [] => quoted(&self.words),
            also => format!("{} also {}", quoted(&self.words), quoted(also)),
        }
    }
}

fn one_line(text: &str) -> String {
    format!("\"{}\"", text.replace('\n', "\\n"))
}

/// The units of one file, in the order of its lines as they are read.
pub fn units_of(tree: &Tree, file: FileId) -> Vec<Unit<'_>> {
    let mut list = List::default();
    for (index, flow) in tree
        .flows
        .iter()
        .enumerate()
        .filter(|(_, flow)| flow.file == file)
    {
        list.flow = Some(index);
        list.enter("start", None);
        flow.starts
            .iter()
            .for_each(|starts| list.triggers(&starts.triggers));
        for step in &flow.steps {
            list.enter(&step.name.slug, step.was.as_ref().map(|was| was.slug.as_str()));
            walk::in_body(&step.body, &mut |stmt| list.stmt(stmt));
        }
        flow.ons.iter().for_each(|on| list.on(on));
    }
    list.flow = None;
    if let Some(business) = tree.business.as_ref().filter(|business| business.file == file) {
        list.enter("defaults", None);
        let defaults = &business.defaults;
        if let Some(line) = &defaults.otherwise {
            list.tail(Role::Prompt, &line.tail);
        }
        defaults
            .no_reply
            .iter()
            .for_each(|line| list.tail(Role::Say, &line.tail));
        defaults
            .problem
            .iter()
            .for_each(|tail| list.tail(Role::Say, tail));
        defaults
            .closed
            .iter()
            .for_each(|text| list.text(Role::Say, text, None));
        business.ons.iter().for_each(|on| list.on(on));
        for team in &business.teams {
            list.enter(&team.name.text, None);
            let title = &team.title;
            list.add(
                "title",
                vec![title.source.as_str()],
                Vec::new(),
                title.span,
                UnitKind::Title,
            );
        }
    }
    list.units
}

#[derive(Default)]
struct List<'t> {
    units: Vec<Unit<'t>>,
    flow: Option<usize>,
    section: String,
    was: Option<String>,
    /// By section and kind, because a section's name may come again.
    counts: HashMap<(String, &'static str), u32>,
}

impl<'t> List<'t> {
    fn enter(&mut self, section: &str, was: Option<&str>) {
        self.section = section.to_owned();
        self.was = was.map(str::to_owned);
    }

    fn on(&mut self, on: &'t On) {
        let first = on.triggers.iter().find_map(|trigger| match &trigger.kind {
            TriggerKind::Words(words) | TriggerKind::Containing(words) | TriggerKind::Topic(words) => {
                Some(crate::flow::slug(words))
            }
            _ => None,
        });
        // What is no letter has no place in a key.
        let name: String = first
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        self.enter(&format!("on_{name}"), None);
        self.triggers(&on.triggers);
        walk::in_body(&on.body, &mut |stmt| self.stmt(stmt));
    }

    fn tail(&mut self, role: Role, tail: &'t crate::flow::tree::Tail) {
        tail.say.iter().for_each(|text| self.text(role, text, None));
        walk::in_body(&tail.body, &mut |stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &'t Stmt) {
        let question = match &stmt.kind {
            StmtKind::Question(question) => Some(&**question),
            _ => None,
        };
        walk::texts(stmt, &mut |role, text| self.text(role, text, question));
    }

    fn text(&mut self, role: Role, text: &'t Text, question: Option<&'t Question>) {
        let Some(kind) = kind_of(role) else { return };
        let option = question
            .filter(|_| role == Role::Label)
            .and_then(|question| option_of(question, text));
        let also: Vec<&str> = option
            .iter()
            .flat_map(|option| &option.also)
            .map(|text| text.source.as_str())
            .collect();
        if !has_words(&text.source) && also.is_empty() {
            return;
        }
        self.add(
            kind,
            vec![text.source.as_str()],
            also,
            text.span,
            UnitKind::Text(role, text, question),
        );
    }

    /// Words and parts of words; topics and the like have their own ways.
    fn triggers(&mut self, triggers: &'t [Trigger]) {
        for (kind, wanted) in [("words", false), ("containing", true)] {
            let found: Vec<(&str, Span)> = triggers
                .iter()
                .filter_map(|trigger| match (&trigger.kind, wanted) {
                    (TriggerKind::Words(words), false) | (TriggerKind::Containing(words), true) => {
                        Some((words.as_str(), trigger.span))
                    }
                    _ => None,
                })
                .collect();
            let Some((_, first)) = found.first().copied() else {
                continue;
            };
            let words = found.into_iter().map(|(words, _)| words).collect();
            self.add(kind, words, Vec::new(), first, UnitKind::Words);
        }
    }

    fn add(
        &mut self,
        kind: &'static str,
        words: Vec<&'t str>,
        also: Vec<&'t str>,
        span: Span,
        what: UnitKind<'t>,
    ) {
        let count = self.counts.entry((self.section.clone(), kind)).or_default();
        *count += 1;
        let key = |section: &str| TextKey {
            section: section.to_owned(),
            kind: kind.to_owned(),
            number: *count,
        };
        let (was, key) = (self.was.as_deref().map(key), key(&self.section));
        self.units.push(Unit {
            key,
            was,
            hash: hash_of(&words, &also),
            words,
            also,
            span,
            kind: what,
            flow: self.flow,
        });
    }
}

fn option_of<'t>(question: &'t Question, label: &Text) -> Option<&'t Choice> {
    question
        .options
        .iter()
        .find(|option| option.label.span == label.span)
}

/// The word for a text's kind in its key; `None`: no customer reads it.
fn kind_of(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::Say | Role::LinkBody => "say",
        Role::Prompt | Role::PlainPrompt => "ask",
        Role::LinkLabel => "link",
        Role::LinkUrl => "address",
        Role::Header => "header",
        Role::Footer => "footer",
        Role::Open => "open",
        Role::Section => "section",
        Role::Label => "menu",
        Role::Hint => "hint",
        Role::Caption => "caption",
        Role::FileName => "name",
        Role::Note | Role::Value => return None,
    })
}

/// Letters outside the blanks, or words written inside one.
fn has_words(source: &str) -> bool {
    let mut at = 0;
    while let Some(char) = source[at..].chars().next() {
        if let Some(end) = slot_end(source, at).filter(|_| char == '{') {
            if source[at..end].contains(['"', '\'']) {
                return true;
            }
            at = end;
            continue;
        }
        if char.is_alphabetic() {
            return true;
        }
        at += char.len_utf8();
    }
    false
}

fn hash_of(words: &[&str], also: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for word in words {
        hasher.update(word.as_bytes());
        hasher.update(b"\0");
    }
    for word in also {
        hasher.update(b"\x01");
        hasher.update(word.as_bytes());
    }
    hasher.finalize().to_hex()[..DIGITS].to_owned()
}
