//! A contact as one value: all there is of it, read in one step. `put` writes one in the place of what was there.

use std::collections::HashMap;

use jiff::Timestamp;

use super::RedisStore;
use super::link::Durable;
use super::lists::line;
use super::names::Own;
use super::outbox::entry;
use super::packed::{Ended, Sends, Turn};
use super::scripts::WHOLE;
use super::turn::{event, owner, unreadable};
use super::wire::Answer;
use crate::store::{
    Alias, Bytes, ContactId, EndedAs, EndedLease, SeenId, Sender, StoreError, WholeContact, WholeEntry,
    WholeEvent, WholeJob, WholeLine, WholePace, WholeParked, WholeTimer, millis,
};

/// A contact and what its hash was when it was read: whoever writes says it, and is refused if it is another by then.
#[derive(Debug)]
pub(super) struct AsRead {
    pub(super) whole: WholeContact,
    pub(super) token: Vec<u8>,
    /// Its turn or its outbox is in somebody's hands.
    pub(super) held: bool,
}

pub(super) fn keys(own: &Own) -> Vec<Vec<u8>> {
    let mut keys = vec![
        own.contact(),
        own.body(),
        own.mailbox(),
        own.seen(),
        own.outbox(),
        own.thread(),
        own.fates(),
    ];
    keys.extend(["timers", "jobs", "active", "parked"].map(|queue| own.queue(queue)));
    keys
}

fn list(answer: &mut Answer) -> Result<Vec<Vec<u8>>, StoreError> {
    let (mut all, mut list) = (Vec::new(), answer.list()?);
    while !list.is_done() {
        all.push(list.bytes()?);
    }
    Ok(all)
}

/// The bytes of a value that begins with its format and schema.
fn opened(own: &Own, kept: &[u8]) -> Result<Vec<u8>, StoreError> {
    match kept.strip_prefix(&super::wire::BLOB) {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Err(unreadable(
            own.contact(),
            "a value of another format or schema".into(),
        )),
    }
}

fn time(millis: i64) -> Timestamp {
    millis::timestamp(millis)
}

struct Fields<'a> {
    own: &'a Own,
    all: HashMap<String, Vec<u8>>,
}

impl<'a> Fields<'a> {
    fn text(&self, name: &str) -> Option<String> {
        self.all
            .get(name)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn kept(&self, name: &str) -> Option<&[u8]> {
        self.all.get(name).map(Vec::as_slice)
    }

    /// Its numbers, in whichever format they are kept.
    fn numbers(&self) -> Result<(Turn, Sends, Option<Ended>), StoreError> {
        let wrong = |name: &str| unreadable(self.own.contact(), format!("its field {name}"));
        match self.kept("v") {
            Some(b"1") => {
                let text = ["m", "l", "i", "s", "p", "o", "e"].map(|name| self.text(name));
                let [m, l, i, s, p, o, e] = text.each_ref().map(Option::as_deref);
                let turn = Turn::of_text(m.unwrap_or("0 0 0 - 0 0"), l, i, self.kept("z").is_some());
                let sends = Sends::of_text(s, p, o);
                let ended = e.map(|e| Ended::of_text(e).ok_or_else(|| wrong("e")));
                Ok((
                    turn.ok_or_else(|| wrong("m or l"))?,
                    sends.ok_or_else(|| wrong("s, p or o"))?,
                    ended.transpose()?,
                ))
            }
            Some(b"2") => {
                let turn = self.kept("r").and_then(Turn::read).ok_or_else(|| wrong("r"))?;
                let sends = match self.kept("s") {
                    None => Sends::of_text(None, None, None),
                    Some(kept) => Sends::read(kept),
                };
                let ended = self.kept("e").map(|e| Ended::read(e).ok_or_else(|| wrong("e")));
                Ok((turn, sends.ok_or_else(|| wrong("s"))?, ended.transpose()?))
            }
            _ => Err(unreadable(self.own.contact(), "its schema".into())),
        }
    }
}

impl RedisStore {
    pub(super) async fn read_whole(&self, contact: ContactId) -> Result<Option<AsRead>, StoreError> {
        let own = self.names.of(contact);
        let mut answer = self
            .run(&WHOLE, keys(&own), self.args(contact), Durable::Local)
            .await?;
        if answer.int()? == 0 {
            return Ok(None);
        }
        let now = answer.int()?;
        let hash = list(&mut answer)?;
        let token = hash.concat();
        let fields = Fields {
            own: &own,
            all: hash
                .chunks_exact(2)
                .map(|pair| (String::from_utf8_lossy(&pair[0]).into_owned(), pair[1].clone()))
                .collect(),
        };
        if fields.text("to").is_some() {
            return Ok(None);
        }
        let (turn, sends, ended) = fields.numbers()?;
        let mut whole = self.head_of(contact, &own, &fields, &turn, &sends)?;
        whole.ended = ended.map(|ended| ended_lease(&own, &ended)).transpose()?;
        self.read_body(contact, &own, &mut answer, &mut whole)?;
        let waiting = turn.last.saturating_sub(turn.taken);
        for kept in list(&mut answer)? {
            let kept = opened(&own, &kept)?;
            let one = event(&kept).ok_or_else(|| unreadable(own.mailbox(), "an event".into()))?;
            whole.mailbox.push(WholeEvent {
                seq: one.seq,
                at: one.at,
                payload: Bytes(one.payload),
            });
        }
        if whole.mailbox.len() as u64 != waiting {
            return Err(unreadable(
                own.mailbox(),
                "it has more or fewer events than it should".into(),
            ));
        }
        let seen = answer.bytes()?;
        whole.seen = self.read_seen(&own, &seen, now)?;

        let sending = sends.sending;
        let mut queued: HashMap<Vec<u8>, u64> = HashMap::new();
        for (n, kept) in list(&mut answer)?.into_iter().enumerate() {
            let kept = opened(&own, &kept)?;
            let one = entry(&own, &kept).ok_or_else(|| unreadable(own.outbox(), "an entry".into()))?;
            queued.insert(own.short(&one.entry.id), one.line);
            let head = n == 0;
            whole.outbox.push(WholeEntry {
                void: one.entry.sender == Sender::Bot && one.after < whole.takeovers.cast_signed(),
                id: one.entry.id,
                sender: one.entry.sender,
                payload: Bytes(one.entry.payload),
                not_before: one.entry.not_before,
                ready_at: time(match (head, sending) {
                    (true, true) => sends.at.unwrap_or(one.ready),
                    (true, false) => sends.ready.unwrap_or(one.ready),
                    (false, _) => one.ready,
                }),
                attempts: if head { sends.attempts } else { 0 },
                uncertain: match head {
                    true => sending || sends.uncertain,
                    false => one.doubt,
                },
                doubts: match head {
                    true => sends.doubts,
                    false => u32::from(one.doubt),
                },
            });
        }
        let head_line = whole
            .outbox
            .first()
            .filter(|_| sending)
            .and_then(|head| queued.get(&own.short(&head.id)).copied());

        let lines = list(&mut answer)?;
        let fates = list(&mut answer)?;
        let fates: HashMap<&[u8], &[u8]> = fates
            .chunks_exact(2)
            .map(|pair| (pair[0].as_slice(), pair[1].as_slice()))
            .collect();
        let over = lines.len().saturating_sub(self.caps.history_entries);
        for kept in &lines[over..] {
            let kept = opened(&own, kept)?;
            let wrong = || unreadable(own.thread(), "a line".into());
            let (seq, at, short, payload) = line(&kept).ok_or_else(wrong)?;
            let mut one = WholeLine {
                seq,
                at: time(at),
                payload: payload.into(),
                ours: None,
                state: None,
                message_id: None,
                rank: None,
            };
            if let Some(short) = short {
                one.ours = Some(own.long(short).ok_or_else(wrong)?);
                let fate = fates.get(short.as_bytes()).and_then(|fate| Fate::read(fate));
                match fate.filter(|fate| fate.line == seq) {
                    Some(fate) => {
                        one.state = Some(fate.state);
                        one.rank = fate.rank;
                        one.message_id = fate.message_id;
                    }
                    None => one.state = Some("queued".into()),
                }
                if head_line == Some(seq) {
                    one.state = Some("sending".into());
                }
            }
            whole.thread.push(one);
        }
        whole.active_at = time(answer.int()?);
        for kept in list(&mut answer)? {
            let kept = opened(&own, &kept)?;
            let one = super::lists::parked(&kept)
                .ok_or_else(|| unreadable(own.queue("parked"), "an entry".into()))?;
            whole.parked.push(WholeParked {
                id: one.id,
                seq: one.seq,
                at: one.at,
                why: one.why,
                payload: Bytes(one.payload),
            });
        }
        let until = |at: Option<i64>| at.is_some_and(|at| at > now);
        let held = (turn.leased && until(turn.run)) || (sending && until(sends.at));
        Ok(Some(AsRead { whole, token, held }))
    }

    /// What the small fields say.
    fn head_of(
        &self,
        contact: ContactId,
        own: &Own,
        fields: &Fields<'_>,
        turn: &Turn,
        sends: &Sends,
    ) -> Result<WholeContact, StoreError> {
        let aliases = (0..)
            .map_while(|n| fields.text(&format!("a{n}")))
            .map(Alias)
            .collect();
        let merged = fields.text("g").unwrap_or_default();
        let merged = merged.as_bytes().chunks(32).map(|id| {
            let id = String::from_utf8_lossy(id).parse();
            id.map_err(|why| unreadable(own.contact(), why))
        });
        Ok(WholeContact {
            contact,
            channel: fields.text("ch").unwrap_or_default(),
            aliases,
            merged: merged.collect::<Result<_, _>>()?,
            owner: owner(own, &sends.owner)?,
            takeovers: sends.takeovers,
            said_at: turn.said.map(time),
            active_at: time(0),
            session: None,
            memory: None,
            mailbox: Vec::new(),
            last_seq: turn.last,
            seen: Vec::new(),
            burst_at: time(turn.burst),
            run_at: turn.run.map(time),
            rest_until: turn.rest.map(time),
            fence: turn.fence,
            crashes: turn.crashes,
            failures: turn.failures,
            ended: None,
            outbox: Vec::new(),
            send_fence: sends.fence,
            sent_fence: sends.sent,
            pace: (sends.empty_at > 0).then(|| WholePace {
                empty_at: time(sends.empty_at),
                until: time(sends.paced_until),
            }),
            thread: Vec::new(),
            lines: turn.lines,
            timers: Vec::new(),
            jobs: Vec::new(),
            parked: Vec::new(),
            erased: turn.erased,
        })
    }

    fn read_body(
        &self,
        _contact: ContactId,
        own: &Own,
        answer: &mut Answer,
        whole: &mut WholeContact,
    ) -> Result<(), StoreError> {
        let body = list(answer)?;
        let mut times = answer.list()?;
        for pair in body.chunks_exact(2) {
            let at = times.time()?;
            let bytes = opened(own, &pair[1])?;
            let id = String::from_utf8_lossy(&pair[0][1..]).into_owned();
            match (pair[0].first(), at) {
                (Some(b's'), _) => whole.session = Some(Bytes(bytes)),
                (Some(b'm'), _) => whole.memory = Some(Bytes(bytes)),
                (Some(b't'), Some(at)) => whole.timers.push(WholeTimer {
                    id,
                    at: time(at),
                    payload: Bytes(bytes),
                }),
                (Some(b'j'), Some(at)) => {
                    let mut parts = bytes.splitn(3, |byte| *byte == b' ');
                    let attempt = parts
                        .next()
                        .and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
                    let (Some(attempt), _, Some(payload)) = (attempt, parts.next(), parts.next()) else {
                        return Err(unreadable(own.body(), "a job without its head".into()));
                    };
                    whole.jobs.push(WholeJob {
                        id,
                        at: time(at),
                        payload: payload.into(),
                        attempt,
                    });
                }
                _ => return Err(unreadable(own.body(), "something without a time".into())),
            }
        }
        whole.timers.sort_by(|one, other| one.id.cmp(&other.id));
        whole
            .jobs
            .sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        Ok(())
    }

    fn read_seen(&self, own: &Own, mut seen: &[u8], now: i64) -> Result<Vec<SeenId>, StoreError> {
        let mut all = Vec::new();
        while let Some((head, rest)) = seen.split_at_checked(8) {
            let mut at = [0; 8];
            at[2..].copy_from_slice(&head[..6]);
            let at = i64::from_be_bytes(at);
            let length = usize::from(u16::from_be_bytes([head[6], head[7]]));
            let wrong = || unreadable(own.seen(), "it ends within an id".into());
            let (id, rest) = rest.split_at_checked(length).ok_or_else(wrong)?;
            all.push(SeenId {
                id: String::from_utf8_lossy(id).into_owned(),
                at: time(at),
            });
            seen = rest;
        }
        let over = all.len().saturating_sub(self.caps.dedup_ids);
        all.drain(..over);
        all.retain(|seen| millis::after(millis::floor(seen.at), self.caps.dedup_for) > now);
        Ok(all)
    }
}

fn ended_lease(own: &Own, ended: &Ended) -> Result<EndedLease, StoreError> {
    Ok(EndedLease {
        fence: ended.fence,
        nonce: ended.nonce,
        how: match ended.how {
            b'c' => EndedAs::Commit,
            b'r' => EndedAs::Retry(time(ended.number)),
            b'p' => EndedAs::Parked(ended.number.unsigned_abs()),
            _ => return Err(unreadable(own.contact(), "how the last lease ended".into())),
        },
    })
}

/// What became of a message that left the outbox: `line rank length id state`
struct Fate {
    line: u64,
    rank: Option<u8>,
    message_id: Option<String>,
    state: String,
}

impl Fate {
    fn read(kept: &[u8]) -> Option<Fate> {
        let text = std::str::from_utf8(kept).ok()?;
        let mut parts = text.splitn(4, ' ');
        let line = parts.next()?.parse().ok()?;
        let rank: i64 = parts.next()?.parse().ok()?;
        let length: usize = parts.next()?.parse().ok()?;
        let (message, state) = parts.next()?.split_at_checked(length)?;
        Some(Fate {
            line,
            rank: u8::try_from(rank).ok(),
            message_id: (!message.is_empty()).then(|| message.to_owned()),
            state: state.strip_prefix(' ')?.to_owned(),
        })
    }
}
