//! What models are asked for: the topic of a message, and drafts for people, as long as the customer may cost it.

use super::{Counted, Table, Told, job};
use crate::engine::{Drafting, Event, EventKind, Incoming, Log, Mode};
use crate::server::inbound::mailbox::Drafted;
use crate::server::jobs::work::{DRAFT, TOPIC, Work};
use crate::server::turns::session::{Draft, Sorting};
use crate::server::turns::thread::{Line, NoteKind};

impl Table<'_> {
    /// A message that nothing but a topic might fit waits until its topic was looked for. The turn that said so is not
    /// carried out.
    pub(super) fn message(&mut self, incoming: Incoming) {
        if incoming.template.is_some() || !incoming.links.is_empty() {
            self.out.history.push(Line::Meant {
                topic: None,
                template: incoming.template.clone(),
                links: incoming.links.clone(),
            });
        }
        if !self.rules.sorts {
            return self.advance(EventKind::Message(incoming));
        }
        let event = Event {
            at: self.at,
            kind: EventKind::Message(incoming.clone()),
        };
        let turn = (self.advance)(&self.out.session.position, &self.out.memory, &event);
        let wanted = turn.log.iter().find_map(|entry| match entry {
            Log::TopicWanted { topics } => Some(topics.clone()),
            _ => None,
        });
        let Some(topics) = wanted.filter(|_| self.may_cost()) else {
            return self.carry_out(turn);
        };
        let note = format!("{}/{TOPIC}{}", self.contact, self.seq);
        let work = Work::Topic {
            note: note.clone(),
            text: incoming.text.clone(),
            topics,
        };
        self.out.jobs.push(job(note.clone(), &work));
        self.out.session.sorting = Some(Box::new(Sorting { note, incoming }));
    }

    pub(super) fn sorted(&mut self, note: &str, topic: Option<String>) {
        // People took the chat meanwhile: they have read the message.
        let sorting = self.out.session.sorting.take_if(|sorting| sorting.note == note);
        if let Some(sorting) = sorting {
            let mut incoming = sorting.incoming;
            if topic.is_some() {
                self.out.history.push(Line::Meant {
                    topic: topic.clone(),
                    template: None,
                    links: Vec::new(),
                });
            }
            incoming.topic = Some(topic.unwrap_or_default());
            self.advance(EventKind::Message(incoming));
        }
    }

    /// Whether a model may be asked for this customer. If not, the team is told once a day.
    pub(super) fn may_cost(&mut self) -> bool {
        let Some(spent) = self.out.session.spent_up(self.rules.tokens, self.at) else {
            return true;
        };
        let until = spent.until();
        if !std::mem::replace(&mut spent.told, true) {
            let text = format!(
                "This customer has used up the {} tokens of a day (tokens_per_customer); no model is asked for them until {}.",
                self.rules.tokens.unwrap_or_default(),
                self.in_words(until),
            );
            self.note(NoteKind::Fault, text);
        }
        false
    }

    /// People have the chat and want a draft. Nothing waits for it.
    pub(super) fn draft(&mut self, drafting: Box<Drafting>) {
        if !self.rules.drafts || !self.may_cost() {
            return;
        }
        let kind = format!("{}/{DRAFT}", self.contact);
        // Of several messages that are answered at once only the last one needs a draft.
        self.out.jobs.retain(|job| !job.id.0.starts_with(&kind));
        let id = self.seq.to_string();
        let work = Work::Draft {
            id: id.clone(),
            drafting,
        };
        self.out.jobs.push(job(format!("{kind}{id}"), &work));
        self.out.session.draft = Some(Box::new(Draft {
            id,
            text: None,
            knowledge: None,
            at: self.at,
        }));
    }

    pub(super) fn drafted(&mut self, id: String, drafted: Drafted) {
        let session = &mut self.out.session;
        let wanted = session
            .draft
            .take_if(|draft| draft.id == id && draft.text.is_none());
        let people = session.position.mode == Mode::Human;
        let counted = match drafted {
            _ if wanted.is_none() || !people => Counted::Outdated,
            Drafted::Text { text, knowledge } => {
                session.draft = Some(Box::new(Draft {
                    id: id.clone(),
                    text: Some(text.clone()),
                    knowledge: knowledge.clone(),
                    at: self.at,
                }));
                self.out.history.push(Line::Draft { id, text, knowledge });
                Counted::Shown
            }
            Drafted::Nothing => Counted::Silent,
            Drafted::Failed { why } => {
                // Once is enough: whoever has the chat can't change it.
                if let Some(handed) = session.handed.as_mut().filter(|handed| !handed.drafts_fail) {
                    handed.drafts_fail = true;
                    self.note(NoteKind::Handoff, format!("No answer could be drafted: {why}."));
                }
                Counted::Failed
            }
        };
        self.out.told.push(Told::Draft(counted));
    }
}
