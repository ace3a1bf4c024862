//! What people see of a thread: not what only a replay needs, not a draft that is outdated, and not what the customer
//! answered to a private question.

use std::collections::HashSet;

use jiff::Timestamp;

use super::session::Session;
use super::thread::Line;
use crate::message::InboundBody;
use crate::store::HistoryEntry;

/// A line of the thread.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadEntry {
    pub seq: u64,
    pub at: Timestamp,
    /// `None`: this version can't read it.
    pub line: Option<Line>,
    /// For our messages: id and how far it got.
    pub status: Option<(String, String)>,
}

/// Of these lines, oldest first, those that people see; `session` is the conversation's, read before them. `None`: nobody
/// can tell where it stands.
pub(in crate::server) fn shown(lines: Vec<HistoryEntry>, session: Option<&Session>) -> Vec<ThreadEntry> {
    let mut lines: Vec<ThreadEntry> = lines.into_iter().map(entry).collect();
    let private: HashSet<String> = lines.iter_mut().flat_map(private_messages).collect();
    // What no turn has taken yet may answer the question that is open.
    let answered = session.filter(|session| session.asks_privately);
    let answered = answered.and_then(|session| session.position.last);
    let draft = session.and_then(Session::shown_draft);
    let of_private = |name: &Option<String>| name.as_ref().is_some_and(|name| private.contains(name));
    lines.retain_mut(|entry| match &mut entry.line {
        Some(Line::Customer { body, message_id, at }) => {
            let waits = answered.is_some_and(|last| entry.at > last) && body.starts_a_turn();
            let edits = matches!(body, InboundBody::Edited { target, .. } if private.contains(target));
            if waits || edits || of_private(message_id) {
                let (message_id, at) = (message_id.take(), *at);
                entry.line = Some(Line::Withheld { message_id, at });
            }
            true
        }
        Some(Line::Heard { private, .. }) => !*private,
        Some(Line::Draft { id, .. }) => draft.is_some_and(|draft| draft.id == *id),
        Some(Line::Answered { .. } | Line::Meant { .. } | Line::Private { .. }) => false,
        Some(Line::Echo { .. } | Line::Ours(_) | Line::Withheld { .. } | Line::Note { .. }) | None => true,
    });
    lines
}

fn entry(line: HistoryEntry) -> ThreadEntry {
    ThreadEntry {
        seq: line.seq,
        at: line.at,
        line: Line::read(&line.payload).ok(),
        status: line.status,
    }
}

fn private_messages(entry: &mut ThreadEntry) -> Vec<String> {
    let Some(Line::Private { messages }) = &mut entry.line else {
        return Vec::new();
    };
    std::mem::take(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + n).unwrap()
    }

    fn thread(lines: &[Line]) -> Vec<HistoryEntry> {
        let entry = |(n, line): (usize, &Line)| HistoryEntry {
            seq: n as u64 + 1,
            at: second(n as i64),
            payload: line.to_bytes(),
            status: None,
        };
        lines.iter().enumerate().map(entry).collect()
    }

    fn customer(id: &str, body: InboundBody) -> Line {
        Line::Customer {
            body,
            message_id: Some(id.into()),
            at: None,
        }
    }

    fn text(id: &str, body: &str) -> Line {
        customer(id, InboundBody::Text { body: body.into() })
    }

    /// The words that people see, `•` for each line that is withheld.
    fn seen(lines: &[Line], session: Option<&Session>) -> Vec<String> {
        let words = |entry: ThreadEntry| match entry.line.unwrap() {
            Line::Customer {
                body: InboundBody::Text { body },
                ..
            } => body,
            Line::Customer {
                body: InboundBody::Reaction { emoji, .. },
                ..
            } => emoji.unwrap(),
            Line::Heard { text, .. } => text,
            Line::Withheld { message_id, .. } => format!("• {}", message_id.unwrap()),
            other => panic!("{other:?} is shown"),
        };
        shown(thread(lines), session).into_iter().map(words).collect()
    }

    /// Its private question was asked at that second.
    fn asked(at: i64) -> Session {
        let mut session = Session {
            asks_privately: true,
            ..Session::default()
        };
        session.position.last = Some(second(at));
        session
    }

    #[test]
    fn of_private_messages_people_see_that_there_are_some_and_no_word_of_them_or_their_edits() {
        let edited = InboundBody::Edited {
            target: "m3".into(),
            body: Box::new(InboundBody::Text { body: "4712".into() }),
        };
        let private = |ids: &[&str]| Line::Private {
            messages: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let lines = [
            text("m1", "hi"),
            text("m2", "47"),
            text("m3", "11"),
            private(&["m2", "m3"]),
            text("m4", "(a voice note)"),
            private(&["m4"]),
            Line::Heard {
                text: "4713".into(),
                private: true,
            },
            customer("m5", edited),
            Line::Heard {
                text: "is it ready?".into(),
                private: false,
            },
            text("m6", "thanks"),
        ];
        let expected = ["hi", "• m2", "• m3", "• m4", "• m5", "is it ready?", "thanks"];
        for session in [None, Some(&Session::default())] {
            assert_eq!(seen(&lines, session), expected);
        }
    }

    #[test]
    fn what_no_turn_has_read_yet_is_withheld_while_a_private_question_is_open() {
        let reaction = InboundBody::Reaction {
            target: "m0".into(),
            emoji: Some("👍".into()),
        };
        let lines = [
            text("m1", "my code"),
            text("m2", "4711"),
            customer("m3", reaction),
        ];
        assert_eq!(seen(&lines, Some(&asked(0))), ["my code", "• m2", "👍"]);
        assert_eq!(seen(&lines, Some(&asked(1))), ["my code", "4711", "👍"]);
        let open = Session {
            asks_privately: false,
            ..asked(0)
        };
        assert_eq!(seen(&lines, Some(&open)), ["my code", "4711", "👍"]);
    }
}
