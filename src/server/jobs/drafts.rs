//! Drafts for the people who have a chat: what was said is read from the thread, and a model proposes an answer. Whatever
//! happens here the customer never hears of, and nothing waits for.

use jiff::{SignedDuration, Timestamp};

use super::ai::{Costed, Proposed};
use crate::channel::{Show, Step};
use crate::engine::{Drafting, Mode, Spoken};
use crate::message::InboundBody;
use crate::server::inbound::mailbox::Drafted;
use crate::server::parts::Shared;
use crate::server::turns::session::Session;
use crate::server::turns::shown::{ThreadEntry, shown};
use crate::server::turns::thread::Line;
use crate::server::watch::metrics::Draft;
use crate::store::{JobClaim, StoreError};

/// Lines of the thread that are looked at.
const LINES: usize = 60;
/// What was said longer ago than this is another matter.
const OLD: SignedDuration = SignedDuration::from_hours(24);

/// A draft of this id, if it is still wanted.
pub(super) async fn draft(
    shared: &Shared,
    claim: &JobClaim,
    id: &str,
    drafting: Drafting,
) -> Costed<Drafted> {
    let failed = |why: &str| Costed::free(Drafted::Failed { why: why.to_owned() });
    let number = shared.numbers.get(&claim.channel);
    let (Some(mind), Some(number)) = (&shared.mind, number.filter(|number| number.config.assist)) else {
        // It was switched off meanwhile.
        return Costed::free(Drafted::Nothing);
    };
    let session = match session(shared, claim).await {
        Ok(Some(session)) => session,
        Ok(None) => return Costed::free(Drafted::Nothing),
        Err(why) => {
            tracing::warn!(%why, "a chat can't be read; nothing is drafted for it");
            return failed("the chat could not be read");
        }
    };
    let waits = |session: &Session| session.draft.as_ref().is_some_and(|draft| draft.id == id);
    if !waits(&session) || session.position.mode != Mode::Human {
        // No need to ask: it would be dropped.
        return Costed::free(Drafted::Nothing);
    }
    let handed = session.handed.as_ref();
    let lines = match shared.store.history(claim.contact, LINES).await {
        Ok(lines) => shown(lines, Some(&session)),
        Err(why) => {
            tracing::warn!(%why, "a thread can't be read; nothing is drafted for it");
            return failed("the chat could not be read");
        }
    };
    // Of what came before only the machine's part may be told, if any.
    let since = handed.map_or(Timestamp::MAX, |handed| handed.since);
    let since = (!drafting.from_the_beginning).then_some(since);
    let mut asked = drafting.asked;
    asked.talk = said(&lines, since, asked.talk);
    let note = handed.and_then(|handed| handed.note.as_deref());
    shared.metrics.drafts.of(Draft::Asked).increment(1);
    let drafted = mind.draft(&shared.flows, number.config.runs(), asked, note).await;
    Costed {
        came: match drafted.came {
            Ok(Some(Proposed { text, knowledge })) => Drafted::Text { text, knowledge },
            Ok(None) => Drafted::Nothing,
            Err(why) => Drafted::Failed { why },
        },
        tokens: drafted.tokens,
    }
}

async fn session(shared: &Shared, claim: &JobClaim) -> Result<Option<Session>, StoreError> {
    let Some(known) = shared.store.peek(claim.contact).await? else {
        return Ok(None);
    };
    // One that can't be read is told to the team by its next turn.
    Ok(Session::of(&known).ok().map(|(session, _)| session))
}

/// What a model is told: what was said before the chat was people's, if the machine gives it, then the lines of the
/// thread, and at the end what the customer wrote now.
fn said(lines: &[ThreadEntry], since: Option<Timestamp>, mut before: Vec<Spoken>) -> Vec<Spoken> {
    let now = before.pop();
    let newest = lines.last().map(|line| line.at);
    let is_of_it = |line: &&ThreadEntry| {
        newest.is_none_or(|newest| line.at.duration_until(newest) <= OLD)
            && since.is_none_or(|since| line.at > since)
    };
    let mut talk = before;
    for line in lines.iter().filter(is_of_it) {
        if let Some((customer, text)) = spoken(line) {
            Spoken::add(&mut talk, customer, &text);
        }
    }
    if let Some(now) = now
        && talk.last().is_none_or(|last| !last.customer)
    {
        Spoken::add(&mut talk, true, &now.text);
    }
    talk
}

/// Words of the customer's, or that the customer has got. Notes and drafts are none.
fn spoken(line: &ThreadEntry) -> Option<(bool, String)> {
    match line.line.clone()? {
        Line::Customer { body, .. } => {
            let words = match body {
                InboundBody::Text { body } => body,
                InboundBody::Choice { title, .. } => title,
                InboundBody::Media(media) => media.caption?,
                _ => return None,
            };
            Some((true, words))
        }
        // `(nobody speaks)` and its like are for the team.
        Line::Heard { text, .. } if !text.starts_with('(') => Some((true, text)),
        Line::Echo {
            body: InboundBody::Text { body },
        } => Some((false, body)),
        Line::Ours(ours) => {
            let state = line.status.as_ref().map_or("", |(_, state)| state.as_str());
            if state.starts_with("dead") || state.starts_with("dropped") {
                return None;
            }
            words(ours.step).map(|text| (false, text))
        }
        Line::Heard { .. }
        | Line::Echo { .. }
        | Line::Answered { .. }
        | Line::Meant { .. }
        | Line::Private { .. }
        | Line::Withheld { .. }
        | Line::Draft { .. }
        | Line::Note { .. } => None,
    }
}

fn words(step: Step) -> Option<String> {
    match step {
        Step::Send { show, .. } => match show {
            Show::Text { body, .. }
            | Show::Buttons { body, .. }
            | Show::List { body, .. }
            | Show::Link { body, .. }
            | Show::Form { body, .. }
            | Show::AskLocation { body }
            | Show::Template { text: body, .. } => Some(body),
            Show::Media { caption, .. } => caption,
            Show::React { .. } | Show::Location(_) => None,
        },
        Step::Seen { .. } | Step::HandOff { .. } | Step::Resolve { .. } => None,
    }
}
