//! One contact of the model: mailbox, lease, outbox and thread.

use std::time::Duration;

use crate::store::pace::Paced;
use crate::store::{
    Alias, Caps, Claim, ContactId, Fence, HistoryEntry, MailboxEvent, Nonce, OutboxEntry, Owner, SendClaim,
    SendOutcome, Sender, Seq, Status, TurnCommit, millis,
};

#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: ContactId,
    pub(super) channel: String,
    pub(super) aliases: Vec<Alias>,
    pub(super) owner: Owner,
    pub(super) takeovers: u64,
    pub(super) said_at: Option<i64>,
    pub(super) active_at: i64,
    pub(super) session: Option<Vec<u8>>,
    pub(super) memory: Option<Vec<u8>>,
    pub(super) mailbox: Vec<MailboxEvent>,
    pub(super) last_seq: Seq,
    pub(super) seen: Vec<(String, i64)>,
    pub(super) burst_at: i64,
    /// When it is due, if it is not leased.
    pub(super) run_at: Option<i64>,
    pub(super) rest_until: i64,
    pub(super) lease: Option<Lease>,
    pub(super) fence: u64,
    pub(super) crashes: u32,
    pub(super) failures: u32,
    pub(super) ended: Option<((Fence, Nonce), End)>,
    pub(super) outbox: Vec<Queued>,
    /// The end of the sender's lease.
    pub(super) sending: Option<i64>,
    pub(super) send_fence: u64,
    pub(super) sent_fence: u64,
    pub(super) paced: Paced,
    pub(super) thread: Vec<Line>,
    pub(super) lines: u64,
    /// It was erased and is a fresh one since.
    pub(super) erased: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) holder: (Fence, Nonce),
    pub(super) until: i64,
    pub(super) takeovers: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    Retry(i64),
    Parked(Seq),
}

#[derive(Debug)]
pub(super) struct Queued {
    pub(super) entry: OutboxEntry,
    pub(super) ready_at: i64,
    /// Takeovers after which the bot may no longer say it.
    pub(super) void_after: Option<u64>,
    pub(super) attempts: u32,
    pub(super) uncertain: bool,
    pub(super) doubts: u32,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) entry: HistoryEntry,
    pub(super) message_id: Option<String>,
    pub(super) rank: Option<u8>,
}

impl Person {
    pub(super) fn new(id: ContactId, channel: &str, now: i64) -> Person {
        Person {
            id,
            channel: channel.to_owned(),
            aliases: Vec::new(),
            owner: Owner::Bot,
            takeovers: 0,
            said_at: None,
            active_at: now,
            session: None,
            memory: None,
            mailbox: Vec::new(),
            last_seq: 0,
            seen: Vec::new(),
            burst_at: now,
            run_at: None,
            rest_until: i64::MIN,
            lease: None,
            fence: 0,
            crashes: 0,
            failures: 0,
            ended: None,
            outbox: Vec::new(),
            sending: None,
            send_fence: 0,
            sent_fence: 0,
            paced: Paced::default(),
            thread: Vec::new(),
            lines: 0,
            erased: false,
        }
    }

    pub(super) fn view(&self, limit: usize) -> Claim {
        let (fence, nonce) = match (&self.lease, &self.ended) {
            (Some(lease), _) => lease.holder,
            (None, Some((holder, _))) => *holder,
            (None, None) => (Fence(0), Nonce(0)),
        };
        Claim {
            contact: self.id,
            channel: self.channel.clone(),
            aliases: self.aliases.clone(),
            owner: self.owner,
            fence,
            nonce,
            session: self.session.clone(),
            memory: self.memory.clone(),
            events: self.mailbox.iter().take(limit).cloned().collect(),
            failures: self.failures,
        }
    }

    pub(super) fn append(&mut self, now: i64, payload: Vec<u8>, quiet: Duration, quiet_max: Duration) -> Seq {
        if self.mailbox.is_empty() {
            self.burst_at = now;
        }
        self.last_seq += 1;
        self.active_at = now;
        self.mailbox.push(MailboxEvent {
            seq: self.last_seq,
            at: millis::timestamp(now),
            payload,
        });
        self.queue(now, quiet, quiet_max);
        self.last_seq
    }

    pub(super) fn queue(&mut self, now: i64, quiet: Duration, quiet_max: Duration) {
        if self.lease.is_some() || self.run_at.is_some_and(|at| at <= now) {
            return;
        }
        let at = if quiet.is_zero() {
            now
        } else {
            let extended = millis::after(now, quiet).max(self.run_at.unwrap_or(now));
            extended.min(millis::after(self.burst_at, quiet_max)).max(now)
        };
        self.run_at = Some(at.max(self.rest_until));
    }

    /// After a lease: runnable again if events are left.
    pub(super) fn end(&mut self, now: i64, how: End, again_at: i64) {
        if let Some(lease) = self.lease.take() {
            self.ended = Some((lease.holder, how));
        }
        self.rest_until = match how {
            End::Retry(at) => at,
            End::Commit | End::Parked(_) => i64::MIN,
        };
        self.run_at = None;
        if !self.mailbox.is_empty() {
            self.run_at = Some(again_at);
            if !matches!(how, End::Retry(_)) {
                self.burst_at = now;
            }
        }
    }

    pub(super) fn write(&mut self, now: i64, caps: &Caps, payload: &[u8], ours: Option<&str>) {
        self.lines += 1;
        self.thread.push(Line {
            entry: HistoryEntry {
                seq: self.lines,
                at: millis::timestamp(now),
                payload: payload.to_vec(),
                status: ours.map(|ours| (ours.to_owned(), "queued".to_owned())),
            },
            message_id: None,
            rank: None,
        });
        let over = self.thread.len().saturating_sub(caps.history_entries);
        self.thread.drain(..over);
    }

    pub(super) fn last_lines(&self, limit: usize) -> Vec<HistoryEntry> {
        let from = self.thread.len().saturating_sub(limit);
        self.thread[from..]
            .iter()
            .map(|line| line.entry.clone())
            .collect()
    }

    fn line(&mut self, ours: &str) -> Option<&mut Line> {
        let is_it = |line: &&mut Line| line.entry.status.as_ref().is_some_and(|(id, _)| id == ours);
        self.thread.iter_mut().find(is_it)
    }

    fn set_state(&mut self, ours: &str, state: &str) {
        if let Some(line) = self.line(ours)
            && line.rank.is_none()
        {
            line.entry.status = Some((ours.to_owned(), state.to_owned()));
        }
    }

    /// The entries of a turn that are not known yet.
    pub(super) fn unknown<'a>(&mut self, turn: &'a TurnCommit) -> Vec<&'a OutboxEntry> {
        let mut new: Vec<&OutboxEntry> = Vec::new();
        for entry in &turn.outbox {
            let queued = self.outbox.iter().any(|queued| queued.entry.id == entry.id);
            if !queued && self.line(&entry.id).is_none() && new.iter().all(|other| other.id != entry.id) {
                new.push(entry);
            }
        }
        new
    }

    pub(super) fn outbox_len(&self) -> usize {
        self.outbox.len()
    }

    pub(super) fn enqueue(
        &mut self,
        now: i64,
        caps: &Caps,
        turn: &TurnCommit,
        new: &[&OutboxEntry],
        claimed_after: u64,
    ) {
        let at = millis::timestamp(now);
        let may_speak =
            self.owner.lets_bot_speak(at) || turn.owner.is_some_and(|owner| owner.lets_bot_speak(at));
        for entry in new {
            let void_after = match entry.sender {
                Sender::Person => None,
                Sender::Bot if may_speak => Some(claimed_after),
                // Already void.
                Sender::Bot => Some(u64::MAX),
            };
            self.outbox.push(Queued {
                entry: OutboxEntry {
                    not_before: entry.not_before.map(|at| millis::timestamp(millis::ceil(at))),
                    ..(*entry).clone()
                },
                ready_at: entry.not_before.map_or(now, millis::ceil),
                void_after,
                attempts: 0,
                uncertain: false,
                doubts: 0,
            });
            self.write(now, caps, &entry.payload, Some(&entry.id));
        }
    }

    fn head_is_void(&self) -> bool {
        self.outbox.first().is_some_and(|head| self.is_void(head))
    }

    pub(super) fn is_void(&self, queued: &Queued) -> bool {
        match queued.void_after {
            None => false,
            Some(u64::MAX) => true,
            Some(takeovers) => takeovers < self.takeovers,
        }
    }

    /// Somebody works on it or sends for it.
    pub(super) fn is_held(&self, now: i64) -> bool {
        self.lease.is_some_and(|lease| lease.until > now) || self.sending.is_some_and(|until| until > now)
    }

    pub(super) fn send_at(&self) -> Option<i64> {
        let head = self.outbox.first()?;
        Some(match self.sending {
            Some(until) => until,
            None if self.head_is_void() => i64::MIN,
            None => self.paced.allows(head.ready_at),
        })
    }

    pub(super) fn send_claim(&mut self, now: i64, lease: Duration) -> Option<SendClaim> {
        if self.send_at()? > now {
            return None;
        }
        let mut holder_died = self.sending.take().is_some();
        if holder_died {
            self.outbox.first_mut()?.uncertain = true;
        }
        while self.head_is_void() {
            let head = self.outbox.remove(0);
            holder_died = false;
            let why = if head.uncertain {
                "dropped: a person took over; it may have been sent before"
            } else {
                "dropped: a person took over"
            };
            self.set_state(&head.entry.id, why);
        }
        let paced = self.paced;
        let head = self.outbox.first_mut()?;
        if paced.allows(head.ready_at) > now {
            return None;
        }
        head.attempts += 1;
        self.send_fence += 1;
        self.sending = Some(millis::after(now, lease));
        let claim = SendClaim {
            contact: self.id,
            channel: self.channel.clone(),
            aliases: self.aliases.clone(),
            entry: head.entry.clone(),
            fence: Fence(self.send_fence),
            attempt: head.attempts,
            uncertain: head.uncertain,
            doubts: head.doubts,
            holder_died,
            last_in: self.said_at.map(millis::timestamp),
        };
        self.set_state(&claim.entry.id, "sending");
        Some(claim)
    }

    pub(super) fn send_done(&mut self, now: i64, claim: &SendClaim, outcome: &SendOutcome) -> bool {
        if self.sent_fence == claim.fence.0 {
            return true;
        }
        if self.sending.is_none() || self.send_fence != claim.fence.0 {
            return false;
        }
        self.sending = None;
        self.sent_fence = self.send_fence;
        let ours = claim.entry.id.as_str();
        match outcome {
            SendOutcome::Accepted { message_id, pace } => {
                self.outbox.remove(0);
                if let Some(pace) = pace {
                    self.paced = self.paced.after_a_message(now, *pace);
                }
                self.set_state(ours, "accepted");
                if let Some(line) = self.line(ours) {
                    line.message_id.clone_from(message_id);
                }
            }
            SendOutcome::Dead { why } => {
                self.outbox.remove(0);
                self.set_state(ours, &format!("dead: {why}"));
            }
            SendOutcome::Retry { at, why } => {
                self.outbox[0].ready_at = millis::ceil(*at);
                self.set_state(ours, &format!("queued: {why}"));
            }
            SendOutcome::NotYet { at, why } => {
                self.outbox[0].ready_at = millis::ceil(*at);
                self.outbox[0].attempts -= 1;
                self.set_state(ours, &format!("queued: {why}"));
            }
            SendOutcome::Uncertain { until, why } => {
                self.outbox[0].ready_at = millis::ceil(*until);
                self.outbox[0].uncertain = true;
                self.outbox[0].doubts += 1;
                self.set_state(ours, &format!("uncertain: {why}"));
            }
        }
        true
    }

    pub(super) fn knows(&self, ours: &str) -> bool {
        let in_thread = |line: &Line| line.entry.status.as_ref().is_some_and(|(id, _)| id == ours);
        self.thread.iter().any(in_thread) || self.outbox.iter().any(|queued| queued.entry.id == ours)
    }

    pub(super) fn ours_of(&self, message_id: &str) -> Option<String> {
        let line = self
            .thread
            .iter()
            .find(|line| line.message_id.as_deref() == Some(message_id))?;
        line.entry.status.as_ref().map(|(ours, _)| ours.clone())
    }

    pub(super) fn reconcile(&mut self, now: i64, ours: &str, status: &Status) {
        if let Some(line) = self.line(ours) {
            line.message_id.get_or_insert_with(|| status.message_id.clone());
            if line.rank.is_none_or(|rank| rank < status.rank) {
                line.rank = Some(status.rank);
                let state = match &status.error {
                    None => status.state.clone(),
                    Some(error) => format!("{}: {error}", status.state),
                };
                line.entry.status = Some((ours.to_owned(), state));
            }
        }
        if let Some(place) = self.outbox.iter().position(|queued| queued.entry.id == ours) {
            self.outbox.remove(place);
            if place == 0 {
                if self.sending.take().is_some() {
                    self.sent_fence = self.send_fence;
                }
                if let Some(pace) = status.pace {
                    self.paced = self.paced.after_a_message(now, pace);
                }
            }
        }
    }

    pub(super) fn set_owner(&mut self, now: i64, owner: Owner) {
        self.owner = match owner {
            Owner::Bot | Owner::Human => owner,
            Owner::PausedUntil(until) => Owner::PausedUntil(millis::timestamp(millis::ceil(until))),
        };
        if !owner.lets_bot_speak(millis::timestamp(now)) {
            self.takeovers += 1;
        }
    }
}
