//! What opens flows: two flows on the same words (F110), words that are also options (F111), `on` words that an
//! option hides (F112).

use std::collections::HashMap;

use super::Shop;
use super::walk::{self, Home};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::fold::fold;
use crate::flow::names::Names;
use crate::flow::source::Span;
use crate::flow::tree::{Choice, Flow, On, StmtKind, Target, TargetKind, Text, Trigger, TriggerKind};

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    let opened = two_flows(shop, found);
    let ons = OnWords::of(shop);
    walk::statements(shop.tree, |home, stmt| {
        let StmtKind::Question(question) = &stmt.kind else {
            return;
        };
        for option in &question.options {
            start_word(shop, &opened, home, option, found);
            ons.hidden_by(shop, home, option, found);
        }
    });
}

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

/// Folded start words with their flow and place.
type Opened<'t> = HashMap<String, (usize, &'t Trigger)>;

fn two_flows<'t>(shop: &Shop<'t>, found: &mut Vec<Diagnostic>) -> Opened<'t> {
    let mut seen: HashMap<String, (usize, Span, bool)> = HashMap::new();
    let mut opened = Opened::new();
    for (index, flow) in shop.tree.flows.iter().enumerate() {
        for starts in &flow.starts {
            for trigger in &starts.triggers {
                let key = key(trigger);
                if let Some(words) = key.strip_prefix("w ") {
                    opened.entry(words.to_owned()).or_insert((index, trigger));
                }
                match seen.get(&key) {
                    // With a condition on one of them both can be meant.
                    Some((other, span, conditional))
                        if *other != index && !conditional && starts.condition.is_none() =>
                    {
                        found.push(same_start(shop, flow, &shop.tree.flows[*other], trigger, *span));
                    }
                    Some(_) => {}
                    None => {
                        seen.insert(key, (index, trigger.span, starts.condition.is_some()));
                    }
                }
            }
        }
    }
    opened
}

fn same_start(shop: &Shop, flow: &Flow, other: &Flow, trigger: &Trigger, earlier: Span) -> Diagnostic {
    Diagnostic::new(
        Code::F110,
        trigger.span,
        "two flows start on the same words",
        format!("opens flow {} …", flow.name.words),
    )
    .label(earlier, format!("… and flow {}", other.name.words))
    .note(format!(
        "A customer who writes {} could get either. Keep it in one of them, or let one flow\nlead to the other with  -> flow {}",
        shop.sources.text(trigger.span),
        other.name.words
    ))
}

/// The options' words as the matcher reads them: label and synonyms.
fn readings(option: &Choice) -> impl Iterator<Item = &Text> {
    std::iter::once(&option.label).chain(&option.also)
}

fn start_word(shop: &Shop, opened: &Opened, home: Home, option: &Choice, found: &mut Vec<Diagnostic>) {
    // Where the option leads, if it leaves the flow that the word would open.
    let Some(target) = &option.then.go else { return };
    for text in readings(option) {
        let Some((flow, trigger)) = opened.get(&fold(&text.source)) else {
            continue;
        };
        let elsewhere = match &target.kind {
            TargetKind::Flow(name, _) => shop.names.flow_index(name) != Some(*flow),
            TargetKind::Step(_) | TargetKind::Start => home.flow != Some(*flow),
            TargetKind::Again
            | TargetKind::Resume
            | TargetKind::Back
            | TargetKind::Done(_)
            | TargetKind::Close
            | TargetKind::Handoff(_) => false,
        };
        if !elsewhere {
            continue;
        }
        let name = &shop.tree.flows[*flow].name.words;
        found.push(
            Diagnostic::new(
                Code::F111,
                text.span,
                format!("{} means two things", shop.sources.text(text.span)),
                "typed at this question it goes on here …",
            )
            .label(trigger.span, format!("… at any other time it opens flow {name}"))
            .note(format!(
                "A customer who types it a moment too late ends up in another place.\nLead the option there too (-> flow {name}), or reword one of the two."
            )),
        );
        return;
    }
}

/// `on` words by scope.
struct OnWords<'t> {
    /// Folded words of a flow's `on`s (`None`: the business's).
    words: HashMap<(Option<usize>, String), (&'t Trigger, &'t On)>,
}

impl<'t> OnWords<'t> {
    fn of(shop: &Shop<'t>) -> OnWords<'t> {
        let mut words = HashMap::new();
        let flows = shop.tree.flows.iter().enumerate();
        let all = flows
            .flat_map(|(index, flow)| flow.ons.iter().map(move |on| (Some(index), on)))
            .chain(
                shop.tree
                    .business
                    .iter()
                    .flat_map(|business| business.ons.iter().map(|on| (None, on))),
            );
        for (scope, on) in all {
            for trigger in &on.triggers {
                if let TriggerKind::Words(text) = &trigger.kind {
                    words.entry((scope, fold(text))).or_insert((trigger, on));
                }
            }
        }
        OnWords { words }
    }

    fn hidden_by(&self, shop: &Shop, home: Home, option: &Choice, found: &mut Vec<Diagnostic>) {
        if self.words.is_empty() {
            return;
        }
        for text in readings(option) {
            let word = fold(&text.source);
            let own = home
                .flow
                .and_then(|flow| self.words.get(&(Some(flow), word.clone())));
            let Some((trigger, on)) = own.or_else(|| self.words.get(&(None, word))) else {
                continue;
            };
            if same_way(shop.names, option.then.go.as_ref(), on) {
                continue;
            }
            found.push(
                Diagnostic::new(
                    Code::F112,
                    text.span,
                    format!("{} is also an `on` word", shop.sources.text(text.span)),
                    "at this question the option is taken …",
                )
                .label(trigger.span, "… so this `on` doesn't work here")
                .note("A question's own options are matched first. Reword one of the two, or let both lead to the same place."),
            );
            return;
        }
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
