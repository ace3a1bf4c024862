//! What `answer` names: knowledge and topics (F105), actions (F104), of which the model may only read (F602), and the
//! file behind a piece of knowledge.

use super::Shop;
use super::declared::{business_names, no_action, topic_named, unknown};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::names::nearest;
use crate::flow::tree::{Answer, AnswerExitKind, Method, Name, Path};

pub(super) fn names(shop: &Shop, answer: &Answer, found: &mut Vec<Diagnostic>) {
    answer.from.iter().for_each(|name| knowledge(shop, name, found));
    for name in &answer.about {
        let why = "The model would be told to stay with something that nobody has described.";
        topic_named(shop, &name.text, name.span, why, found);
    }
    for exit in &answer.exits {
        if let AnswerExitKind::Topic(name) = &exit.kind {
            let why = "Nothing would ever be recognised as this topic, so nobody would go this way.";
            topic_named(shop, &name.text, name.span, why, found);
        }
    }
    answer.uses.iter().for_each(|path| action(shop, path, found));
}

fn knowledge(shop: &Shop, name: &Name, found: &mut Vec<Diagnostic>) {
    if shop.names.knowledge(&name.text).is_some() {
        return;
    }
    let declared = business_names(shop, |business| {
        business.knowledge.iter().map(|each| &each.name).collect()
    });
    let near = nearest(&name.text, declared.iter().copied());
    found.push(unknown(
        Code::F105,
        "knowledge",
        &name.text,
        name.span,
        near,
        &declared,
        "The model would have nothing to answer from, and would never be sure.",
    ));
}

fn action(shop: &Shop, path: &Path, found: &mut Vec<Diagnostic>) {
    let Some(action) = shop.names.action(&path.parts) else {
        return no_action(shop, path, found);
    };
    if action.method != Method::Get {
        found.push(
            Diagnostic::new(
                Code::F602,
                path.span,
                format!("{} changes something", path.parts.join(".")),
                "the model may only look things up",
            )
            .label(action.span, "this action is not a `get`")
            .note("A customer could talk the model into it. Let the flow do it instead: lead out with an exit, and call\nthe action with  fetch  after the customer has confirmed."),
        );
    }
}
