//! What a customer answered to `private` questions: it is told as something else that answers them.

use std::collections::BTreeMap;

use super::{Fact, What};
use crate::chat::run::Player;
use crate::chat::sample::{each, file, place, sample};
use crate::chat::story::{Act, BeatKind, Story};
use crate::chat::written::can_say;
use crate::engine::{Exit, Log, Machine};
use crate::flow::program::Question;
use crate::flow::tree::Kind;

/// What stands for what the customer did, by how many acts of theirs came before. The story is the conversation as it
/// was; what comes after it goes otherwise is not known.
pub(super) fn secrets(machine: &Machine, story: &Story, facts: &[Fact]) -> BTreeMap<usize, Act> {
    let acts = facts.iter().filter_map(|fact| match &fact.what {
        What::Customer(act) => Some(act),
        _ => None,
    });
    // Those that a transcript can't say have no beat.
    let mut told = acts
        .enumerate()
        .filter(|(_, act)| can_say(act))
        .map(|(nth, _)| nth);
    let mut secrets = BTreeMap::new();
    let mut player = Player::new(machine, story);
    if player.open().is_err() {
        return secrets;
    }
    // What was done and not yet answered: texts in a row are one answer.
    let mut open: Vec<usize> = Vec::new();
    for (index, beat) in story.beats.iter().enumerate() {
        let customer = matches!(beat.kind, BeatKind::Customer(_));
        if customer {
            open.extend(told.next());
        }
        let before = player.rehearsal.log.len();
        let went = player.beat(index, beat);
        found(machine, &player.rehearsal.log[before..], &open, &mut secrets);
        if went.is_err() {
            return secrets;
        }
        if !customer {
            open.clear();
        }
    }
    let before = player.rehearsal.log.len();
    let _ = player.flush();
    found(machine, &player.rehearsal.log[before..], &open, &mut secrets);
    secrets
}

fn found(machine: &Machine, log: &[Log], open: &[usize], secrets: &mut BTreeMap<usize, Act>) {
    for entry in log {
        let Log::Left { state, exit } = entry else {
            continue;
        };
        let Some(question) = machine.private_question(state) else {
            continue;
        };
        let stands = match exit {
            Exit::Answer | Exit::Check(_) => answer(question),
            // A try that was not understood tells something, too.
            Exit::Otherwise | Exit::OtherwiseUsedUp => Act::Types("something private".to_owned()),
            _ => continue,
        };
        secrets.extend(open.iter().map(|nth| (*nth, stands.clone())));
    }
}

/// Something that answers the question.
fn answer(question: &Question) -> Act {
    if let Some(form) = &question.form_of {
        return Act::Form(serde_json::Value::Object(each(&form.gives, sample)));
    }
    match question.accept.first() {
        None | Some(Kind::Text) => Act::Types("something private".to_owned()),
        Some(Kind::Media(kind)) => file(*kind, None),
        Some(Kind::Location) => place(None),
        Some(Kind::YesNo) => Act::Types("yes".to_owned()),
        Some(kind) => Act::Types(match sample("answer", kind) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }),
    }
}
