//! What opens flows: two flows on the same words (F110), words that are also options (F111), `on` words that an
//! option hides (F112). To a customer of a further language its words and the flow's own count, so each is looked at
//! together with them.

use std::collections::HashMap;

use super::Shop;
use super::walk::{self, Home};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::fold::fold;
use crate::flow::locale::name_of;
use crate::flow::names::Names;
use crate::flow::source::Span;
use crate::flow::strings::Pairs;
use crate::flow::strings::pair::{BySpan, by_span};
use crate::flow::tree::{Choice, Flow, On, StmtKind, Target, TargetKind, Trigger, TriggerKind};

pub(super) fn check<'t>(shop: &Shop<'t>, pairs: &[Pairs<'t>], found: &mut Vec<Diagnostic>) {
    Tongue::own(shop).check(found);
    let languages = shop.tree.business.iter().flat_map(|business| &business.languages);
    for language in languages.skip(1) {
        let tongue = Tongue::further(shop, pairs, &language.text);
        if !tongue.said.is_empty() {
            tongue.check(found);
        }
    }
}

/// What customers of one language say.
struct Tongue<'a, 't> {
    shop: &'a Shop<'t>,
    /// Translations, by the place of what they translate.
    said: BySpan<'t>,
    /// "in Portuguese", behind what is found; nothing for the flow's own language.
    named: String,
}

/// Where a word is written.
#[derive(Clone, Copy)]
struct Word {
    span: Span,
    translated: bool,
}

impl Word {
    fn own(span: Span) -> Word {
        Word {
            span,
            translated: false,
        }
    }

    fn translated(span: Span) -> Word {
        Word {
            span,
            translated: true,
        }
    }
}

impl<'a, 't> Tongue<'a, 't> {
    fn own(shop: &'a Shop<'t>) -> Tongue<'a, 't> {
        Tongue {
            shop,
            said: BySpan::new(),
            named: String::new(),
        }
    }

    fn further(shop: &'a Shop<'t>, pairs: &[Pairs<'t>], language: &str) -> Tongue<'a, 't> {
        Tongue {
            shop,
            said: by_span(pairs, language),
            named: format!(" in {}", name_of(language)),
        }
    }

    fn check(&self, found: &mut Vec<Diagnostic>) {
        let opened = self.two_flows(found);
        let ons = self.on_words();
        walk::statements(self.shop.tree, |home, stmt| {
            let StmtKind::Question(question) = &stmt.kind else {
                return;
            };
            for option in &question.options {
                if option.then.go.is_none() && ons.is_empty() {
                    continue;
                }
                let words = self.readings(option);
                self.start_word(&opened, home, option, &words, found);
                self.hidden_by(&ons, home, option, &words, found);
            }
        });
    }

    /// What two words in the flow's own language do is said once, and not for each language again.
    fn is_new(&self, one: Word, other: Word) -> bool {
        self.named.is_empty() || one.translated || other.translated
    }

    /// What these triggers listen to, so that equal ones have equal keys: the flow's own, then their translations.
    fn heard(&self, triggers: &[Trigger]) -> Vec<(String, Word)> {
        let own = triggers
            .iter()
            .map(|trigger| (key(trigger), Word::own(trigger.span)));
        // The words of a line are translated together, under the first of them.
        let further = triggers.iter().flat_map(|trigger| {
            let letter = match &trigger.kind {
                TriggerKind::Words(_) => "w",
                TriggerKind::Containing(_) => "c",
                _ => return Vec::new(),
            };
            let translation = self.said.get(&trigger.span);
            let texts = translation.into_iter().flat_map(|entry| &entry.texts);
            texts
                .filter(|text| !text.source.trim().is_empty())
                .map(|text| {
                    let key = format!("{letter} {}", fold(&text.source));
                    (key, Word::translated(text.span))
                })
                .collect()
        });
        own.chain(further).collect()
    }

    /// The option's words as the matcher reads them: label and synonyms, folded.
    fn readings(&self, option: &Choice) -> Vec<(String, Word)> {
        let own = std::iter::once(&option.label).chain(&option.also);
        let translation = self.said.get(&option.label.span);
        let further = translation
            .into_iter()
            .flat_map(|entry| entry.texts.iter().take(1).chain(&entry.also));
        own.map(|text| (fold(&text.source), Word::own(text.span)))
            .chain(further.map(|text| (fold(&text.source), Word::translated(text.span))))
            .collect()
    }

    fn two_flows(&self, found: &mut Vec<Diagnostic>) -> Opened {
        let mut seen: HashMap<String, (usize, Word, bool)> = HashMap::new();
        let mut opened = Opened::new();
        for (index, flow) in self.shop.tree.flows.iter().enumerate() {
            for starts in &flow.starts {
                for (key, word) in self.heard(&starts.triggers) {
                    if let Some(words) = key.strip_prefix("w ") {
                        opened.entry(words.to_owned()).or_insert((index, word));
                    }
                    match seen.get(&key) {
                        // With a condition on one of them both can be meant.
                        Some((other, earlier, conditional))
                            if *other != index
                                && !conditional
                                && starts.condition.is_none()
                                && self.is_new(word, *earlier) =>
                        {
                            let other = &self.shop.tree.flows[*other];
                            found.push(self.same_start(flow, other, word, earlier.span));
                        }
                        Some(_) => {}
                        None => {
                            seen.insert(key, (index, word, starts.condition.is_some()));
                        }
                    }
                }
            }
        }
        opened
    }

    fn same_start(&self, flow: &Flow, other: &Flow, word: Word, earlier: Span) -> Diagnostic {
        Diagnostic::new(
            Code::F110,
            word.span,
            format!("two flows start on the same words{}", self.named),
            format!("opens flow {} …", flow.name.words),
        )
        .label(earlier, format!("… and flow {}", other.name.words))
        .note(format!(
            "A customer who writes {} could get either. Keep it in one of them, or let one flow\nlead to the other with  -> flow {}",
            self.shop.sources.text(word.span),
            other.name.words
        ))
    }

    fn start_word(
        &self,
        opened: &Opened,
        home: Home,
        option: &Choice,
        words: &[(String, Word)],
        found: &mut Vec<Diagnostic>,
    ) {
        // Where the option leads, if it leaves the flow that the word would open.
        let Some(target) = &option.then.go else { return };
        for (text, word) in words {
            let Some((flow, start)) = opened.get(text) else {
                continue;
            };
            let elsewhere = match &target.kind {
                TargetKind::Flow(name, _) => self.shop.names.flow_index(name) != Some(*flow),
                TargetKind::Step(_) | TargetKind::Start => home.flow != Some(*flow),
                TargetKind::Again
                | TargetKind::Resume
                | TargetKind::Back
                | TargetKind::Done(_)
                | TargetKind::Close
                | TargetKind::Handoff(_) => false,
            };
            if !elsewhere || !self.is_new(*word, *start) {
                continue;
            }
            let name = &self.shop.tree.flows[*flow].name.words;
            found.push(
                Diagnostic::new(
                    Code::F111,
                    word.span,
                    format!("{} means two things{}", self.shop.sources.text(word.span), self.named),
                    "typed at this question it goes on here …",
                )
                .label(start.span, format!("… at any other time it opens flow {name}"))
                .note(format!(
                    "A customer who types it a moment too late ends up in another place.\nLead the option there too (-> flow {name}), or reword one of the two."
                )),
            );
            return;
        }
    }

    fn on_words(&self) -> OnWords<'a> {
        let mut words = OnWords::new();
        let tree = self.shop.tree;
        let flows = tree.flows.iter().enumerate();
        let all = flows
            .flat_map(|(index, flow)| flow.ons.iter().map(move |on| (Some(index), on)))
            .chain(
                tree.business
                    .iter()
                    .flat_map(|business| business.ons.iter().map(|on| (None, on))),
            );
        for (scope, on) in all {
            for (key, word) in self.heard(&on.triggers) {
                if let Some(text) = key.strip_prefix("w ") {
                    words.entry((scope, text.to_owned())).or_insert((word, on));
                }
            }
        }
        words
    }

    fn hidden_by(
        &self,
        ons: &OnWords,
        home: Home,
        option: &Choice,
        words: &[(String, Word)],
        found: &mut Vec<Diagnostic>,
    ) {
        for (text, word) in words {
            let own = home.flow.and_then(|flow| ons.get(&(Some(flow), text.clone())));
            let Some((listened, on)) = own.or_else(|| ons.get(&(None, text.clone()))) else {
                continue;
            };
            if same_way(self.shop.names, option.then.go.as_ref(), on) || !self.is_new(*word, *listened) {
                continue;
            }
            found.push(
                Diagnostic::new(
                    Code::F112,
                    word.span,
                    format!("{} is also an `on` word{}", self.shop.sources.text(word.span), self.named),
                    "at this question the option is taken …",
                )
                .label(listened.span, "… so this `on` doesn't work here")
                .note("A question's own options are matched first. Reword one of the two, or let both lead to the same place."),
            );
            return;
        }
    }
}

/// Folded start words with their flow and place.
type Opened = HashMap<String, (usize, Word)>;

/// Folded words of a flow's `on`s (`None`: the business's).
type OnWords<'t> = HashMap<(Option<usize>, String), (Word, &'t On)>;

/// Whether something other than a message may have set it off.
pub(super) fn without_message<'t>(triggers: impl IntoIterator<Item = &'t Trigger>) -> bool {
    triggers
        .into_iter()
        .any(|trigger| trigger.kind.brings_no_message())
}

/// What a trigger listens to, so that equal ones have equal keys.
fn key(trigger: &Trigger) -> String {
    match &trigger.kind {
        TriggerKind::Words(words) => format!("w {}", fold(words)),
        TriggerKind::Containing(words) => format!("c {}", fold(words)),
        TriggerKind::Topic(topic) => format!("t {topic}"),
        TriggerKind::Event(name) => format!("e {name}"),
        TriggerKind::Link(code) => format!("k {}", fold(code)),
        TriggerKind::WindowClosing => "window".to_owned(),
        TriggerKind::FirstMessage => "first".to_owned(),
        TriggerKind::AnyMessage => "any".to_owned(),
        TriggerKind::Media(kind) => format!("m {kind:?}"),
        TriggerKind::Location => "l".to_owned(),
        TriggerKind::Reply(template) => format!("r {template}"),
    }
}

/// Whether the option and the `on` do nothing but lead to the same place.
fn same_way(names: &Names, option: Option<&Target>, on: &On) -> bool {
    let [stmt] = on.body.as_slice() else { return false };
    let (Some(option), StmtKind::Go(target)) = (option, &stmt.kind) else {
        return false;
    };
    same_place(names, option, target)
}

pub(super) fn same_place(names: &Names, one: &Target, other: &Target) -> bool {
    match (&one.kind, &other.kind) {
        (TargetKind::Step(one), TargetKind::Step(other)) => one.slug == other.slug,
        (TargetKind::Flow(one, with), TargetKind::Flow(other, other_with)) => {
            names.flow_index(one) == names.flow_index(other)
                && one.slug == other.slug
                && with.is_empty()
                && other_with.is_empty()
        }
        (TargetKind::Handoff(one), TargetKind::Handoff(other)) => {
            one.as_ref().map(|name| &name.text) == other.as_ref().map(|name| &name.text)
        }
        (TargetKind::Done(one), TargetKind::Done(other)) => one.is_empty() && other.is_empty(),
        (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}
