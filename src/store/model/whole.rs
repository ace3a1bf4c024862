//! A contact of the model as one value, and back.

use super::conversation::{End, Lease, Line, Person, Queued};
use crate::store::pace::Paced;
use crate::store::{
    Bytes, Caps, EndedAs, EndedLease, Fence, HistoryEntry, MailboxEvent, Nonce, OutboxEntry, SeenId, Sender,
    WholeContact, WholeEntry, WholeEvent, WholeLine, WholePace, millis,
};

impl Person {
    /// Without what the world holds of it: who was merged into it, timers, jobs, and what was put aside.
    pub(super) fn whole(&self, now: i64, caps: &Caps) -> WholeContact {
        let time = millis::timestamp;
        let mut outbox: Vec<WholeEntry> = self
            .outbox
            .iter()
            .map(|queued| WholeEntry {
                id: queued.entry.id.clone(),
                sender: queued.entry.sender,
                payload: Bytes(queued.entry.payload.clone()),
                not_before: queued.entry.not_before,
                ready_at: time(queued.ready_at),
                void: self.is_void(queued),
                attempts: queued.attempts,
                uncertain: queued.uncertain,
                doubts: queued.doubts,
            })
            .collect();
        if let (Some(until), Some(head)) = (self.sending, outbox.first_mut()) {
            head.uncertain = true;
            head.ready_at = time(until);
        }
        WholeContact {
            contact: self.id,
            channel: self.channel.clone(),
            aliases: self.aliases.clone(),
            merged: Vec::new(),
            owner: self.owner,
            takeovers: self.takeovers,
            said_at: self.said_at.map(time),
            active_at: time(self.active_at),
            session: self.session.clone().map(Bytes),
            memory: self.memory.clone().map(Bytes),
            mailbox: self
                .mailbox
                .iter()
                .map(|event| WholeEvent {
                    seq: event.seq,
                    at: event.at,
                    payload: Bytes(event.payload.clone()),
                })
                .collect(),
            last_seq: self.last_seq,
            seen: self
                .seen
                .iter()
                .filter(|(_, at)| millis::after(*at, caps.dedup_for) > now)
                .map(|(id, at)| SeenId {
                    id: id.clone(),
                    at: time(*at),
                })
                .collect(),
            burst_at: time(self.burst_at),
            run_at: self
                .lease
                .map(|lease: Lease| lease.until)
                .or(self.run_at)
                .map(time),
            rest_until: (self.rest_until != i64::MIN).then(|| time(self.rest_until)),
            fence: self.fence,
            crashes: self.crashes,
            failures: self.failures,
            ended: self.ended.map(|((fence, nonce), how)| EndedLease {
                fence: fence.0,
                nonce: nonce.0,
                how: match how {
                    End::Commit => EndedAs::Commit,
                    End::Retry(at) => EndedAs::Retry(time(at)),
                    End::Parked(seq) => EndedAs::Parked(seq),
                },
            }),
            outbox,
            send_fence: self.send_fence,
            sent_fence: self.sent_fence,
            pace: (self.paced.empty_at > 0).then(|| WholePace {
                empty_at: time(self.paced.empty_at),
                until: time(self.paced.until),
            }),
            thread: self
                .thread
                .iter()
                .map(|line| WholeLine {
                    seq: line.entry.seq,
                    at: line.entry.at,
                    payload: Bytes(line.entry.payload.clone()),
                    ours: line.entry.status.as_ref().map(|(ours, _)| ours.clone()),
                    state: line.entry.status.as_ref().map(|(_, state)| state.clone()),
                    message_id: line.message_id.clone(),
                    rank: line.rank,
                })
                .collect(),
            lines: self.lines,
            timers: Vec::new(),
            jobs: Vec::new(),
            parked: Vec::new(),
            erased: self.erased,
        }
    }

    pub(super) fn from_whole(whole: &WholeContact) -> Person {
        let mut person = Person::new(whole.contact, &whole.channel, millis::floor(whole.active_at));
        person.aliases = whole.aliases.clone();
        person.owner = whole.owner;
        person.takeovers = whole.takeovers;
        person.said_at = whole.said_at.map(millis::floor);
        person.session = whole.session.clone().map(|bytes| bytes.0);
        person.memory = whole.memory.clone().map(|bytes| bytes.0);
        person.mailbox = whole
            .mailbox
            .iter()
            .map(|event| MailboxEvent {
                seq: event.seq,
                at: event.at,
                payload: event.payload.0.clone(),
            })
            .collect();
        person.last_seq = whole.last_seq;
        person.seen = whole
            .seen
            .iter()
            .map(|seen| (seen.id.clone(), millis::floor(seen.at)))
            .collect();
        person.burst_at = millis::floor(whole.burst_at);
        person.run_at = whole.run_at.map(millis::floor);
        person.rest_until = whole.rest_until.map_or(i64::MIN, millis::floor);
        person.fence = whole.fence;
        person.crashes = whole.crashes;
        person.failures = whole.failures;
        person.ended = whole.ended.as_ref().map(|ended| {
            let how = match ended.how {
                EndedAs::Commit => End::Commit,
                EndedAs::Retry(at) => End::Retry(millis::floor(at)),
                EndedAs::Parked(seq) => End::Parked(seq),
            };
            ((Fence(ended.fence), Nonce(ended.nonce)), how)
        });
        person.outbox = whole
            .outbox
            .iter()
            .map(|entry| Queued {
                entry: OutboxEntry {
                    id: entry.id.clone(),
                    sender: entry.sender,
                    payload: entry.payload.0.clone(),
                    not_before: entry.not_before,
                },
                ready_at: millis::floor(entry.ready_at),
                void_after: match entry.sender {
                    Sender::Person => None,
                    Sender::Bot if entry.void => Some(u64::MAX),
                    Sender::Bot => Some(whole.takeovers),
                },
                attempts: entry.attempts,
                uncertain: entry.uncertain,
                doubts: entry.doubts,
            })
            .collect();
        person.send_fence = whole.send_fence;
        person.sent_fence = whole.sent_fence;
        person.paced = whole.pace.map_or_else(Paced::default, |pace| Paced {
            empty_at: millis::floor(pace.empty_at),
            until: millis::floor(pace.until),
        });
        person.thread = whole
            .thread
            .iter()
            .map(|line| Line {
                entry: HistoryEntry {
                    seq: line.seq,
                    at: line.at,
                    payload: line.payload.0.clone(),
                    status: line.ours.clone().zip(line.state.clone()),
                },
                message_id: line.message_id.clone(),
                rank: line.rank,
            })
            .collect();
        person.lines = whole.lines;
        person.erased = whole.erased;
        person
    }
}
