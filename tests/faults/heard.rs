//! What the provider's double was given to send, by customer, as it came.

use std::collections::BTreeSet;
use std::time::Instant;

use super::business::{Answer, NUDGE, PHONES, answer};
use super::double::Double;

/// One accepted message of the bot.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The bot's own id of it: the same if it is sent again.
    pub ours: String,
    pub text: String,
    /// `None`: no answer of the counting flow.
    pub answer: Option<Answer>,
    pub at: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Heard {
    pub by_contact: Vec<Vec<Reply>>,
    seen: usize,
}

impl Heard {
    pub fn new(contacts: usize) -> Heard {
        Heard {
            by_contact: vec![Vec::new(); contacts],
            seen: 0,
        }
    }

    /// Takes what has come since the last look.
    pub fn look(&mut self, double: &Double) {
        let by_contact = &mut self.by_contact;
        let seen = self.seen;
        self.seen = double.with_sent(|sent| {
            for sent in &sent[seen..] {
                let contact = sent
                    .to
                    .strip_prefix(PHONES)
                    .and_then(|digits| digits.parse::<usize>().ok());
                let Some(contact) = contact else {
                    continue;
                };
                if by_contact.len() <= contact {
                    by_contact.resize(contact + 1, Vec::new());
                }
                let replies = &mut by_contact[contact];
                let text = sent.text().to_owned();
                replies.push(Reply {
                    ours: sent.ours.clone().unwrap_or_default(),
                    answer: answer(&text),
                    text,
                    at: sent.accepted,
                });
            }
            sent.len()
        });
    }

    pub fn of(&self, contact: usize) -> &[Reply] {
        self.by_contact.get(contact).map_or(&[], Vec::as_slice)
    }

    /// When this message was answered first.
    pub fn answered_at(&self, contact: usize, number: u32) -> Option<Instant> {
        let answers = |reply: &&Reply| match &reply.answer {
            Some(answer) => answer.numbers.contains(&number) || (number == 0 && greets(reply)),
            None => false,
        };
        self.of(contact).iter().find(answers).map(|reply| reply.at)
    }

    /// When, after its last answer, this customer was asked whether they are there.
    pub fn asked_at(&self, contact: usize) -> Option<Instant> {
        let replies = self.of(contact);
        let last = replies.iter().rposition(|reply| reply.answer.is_some())?;
        let asked = replies[last..].iter().find(|reply| reply.text == NUDGE)?;
        Some(asked.at)
    }

    pub fn count(&self) -> usize {
        self.by_contact.iter().map(Vec::len).sum()
    }

    /// Whether each customer was answered on so many messages, the greeting and numbers 1, 2, ….
    pub fn answers(&self, taken: &[usize]) -> bool {
        taken.iter().enumerate().all(|(contact, taken)| {
            let replies = self.of(contact);
            let numbers: BTreeSet<u32> = numbers(replies).collect();
            let greeted = *taken == 0 || replies.iter().any(greets);
            greeted && (1..*taken).all(|number| numbers.contains(&(number as u32)))
        })
    }
}

pub fn greets(reply: &Reply) -> bool {
    reply
        .answer
        .as_ref()
        .is_some_and(|answer| answer.session == 0 && answer.numbers.is_empty())
}

pub fn numbers(replies: &[Reply]) -> impl Iterator<Item = u32> {
    replies
        .iter()
        .filter_map(|reply| reply.answer.as_ref())
        .flat_map(|answer| answer.numbers.iter().copied())
}
