//! A contact as one value: all there is of it, read in one step. `put` writes one in the place of what was there.

use std::collections::HashMap;

use jiff::Timestamp;

use super::RedisStore;
use super::link::Durable;
use super::lists::line;
use super::names::Own;
use super::outbox::entry;
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

/// The numbers of a field, `-` for none.
struct Numbers<'a> {
    own: &'a Own,
    words: std::vec::IntoIter<String>,
}

impl Numbers<'_> {
    fn word(&mut self) -> Result<String, StoreError> {
        let missing = || unreadable(self.own.contact(), "a field of it is too short".into());
        self.words.next().ok_or_else(missing)
    }

    fn maybe(&mut self) -> Result<Option<i64>, StoreError> {
        let word = self.word()?;
        match word.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) if word == "-" => Ok(None),
            Err(_) => Err(unreadable(self.own.contact(), format!("{word:?} is no number"))),
        }
    }

    fn int(&mut self) -> Result<i64, StoreError> {
        let missing = || unreadable(self.own.contact(), "a number is missing".into());
        self.maybe()?.ok_or_else(missing)
    }

    fn small(&mut self) -> Result<u32, StoreError> {
        let number = self.int()?;
        u32::try_from(number).map_err(|_| unreadable(self.own.contact(), format!("{number} is too much")))
    }
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

    fn numbers(&self, name: &str, otherwise: &str) -> Numbers<'a> {
        let text = self.text(name).unwrap_or_else(|| otherwise.to_owned());
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Numbers {
            own: self.own,
            words: words.into_iter(),
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
        if fields.text("v").as_deref() != Some("1") {
            return Err(unreadable(own.contact(), "its schema".into()));
        }
        let mut whole = self.head_of(contact, &own, &fields)?;
        let mut lease = fields.numbers("l", "0 0 0 0 0 0 -");
        whole.fence = lease.int()?.unsigned_abs();
        let (_nonce, leased, _takeovers) = (lease.word()?, lease.int()? == 1, lease.int()?);
        whole.crashes = lease.small()?;
        whole.failures = lease.small()?;
        whole.rest_until = lease.maybe()?.map(time);
        self.read_body(contact, &own, &mut answer, &mut whole)?;
        let taken = whole.last_seq.saturating_sub(fields_taken(&fields)?);
        for kept in list(&mut answer)? {
            let kept = opened(&own, &kept)?;
            let one = event(&kept).ok_or_else(|| unreadable(own.mailbox(), "an event".into()))?;
            whole.mailbox.push(WholeEvent {
                seq: one.seq,
                at: one.at,
                payload: Bytes(one.payload),
            });
        }
        if whole.mailbox.len() as u64 != taken {
            return Err(unreadable(
                own.mailbox(),
                "it has more or fewer events than it should".into(),
            ));
        }
        let seen = answer.bytes()?;
        whole.seen = self.read_seen(&own, &seen, now)?;

        let mut sends = fields.numbers("s", "- 0 0 0 0 0 0 -");
        let (at, sending) = (sends.maybe()?, sends.int()? == 1);
        whole.send_fence = sends.int()?.unsigned_abs();
        whole.sent_fence = sends.int()?.unsigned_abs();
        let (_count, attempts, doubtful, ready) =
            (sends.int()?, sends.small()?, sends.small()?, sends.maybe()?);
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
                    (true, true) => at.unwrap_or(one.ready),
                    (true, false) => ready.unwrap_or(one.ready),
                    (false, _) => one.ready,
                }),
                attempts: if head { attempts } else { 0 },
                uncertain: match head {
                    true => sending || doubtful % 2 == 1,
                    false => one.doubt,
                },
                doubts: match head {
                    true => doubtful / 2,
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
        let held = (leased && until(whole.run_at.map(millis::floor))) || (sending && until(at));
        Ok(Some(AsRead { whole, token, held }))
    }

    /// What the small fields say.
    fn head_of(
        &self,
        contact: ContactId,
        own: &Own,
        fields: &Fields<'_>,
    ) -> Result<WholeContact, StoreError> {
        let mut mailbox = fields.numbers("m", "0 0 0 - 0 0");
        let (last, _taken, burst) = (mailbox.int()?, mailbox.int()?, mailbox.int()?);
        let (run, lines) = (mailbox.maybe()?, mailbox.int()?);
        let mut owned = fields.numbers("o", "b 0");
        let (owner_of, takeovers) = (owner(own, &owned.word()?)?, owned.int()?);
        let mut pace = fields.numbers("p", "0 0");
        let (empty_at, until) = (pace.int()?, pace.int()?);
        let ended = match fields.text("e") {
            None => None,
            Some(_) => {
                let mut ended = fields.numbers("e", "");
                let (fence, nonce, how) = (ended.int()?, ended.word()?, ended.word()?);
                let wrong = || unreadable(own.contact(), "how the last lease ended".into());
                let number = how.get(1..).and_then(|number| number.parse::<i64>().ok());
                let how = match (how.get(..1), number) {
                    (Some("c"), _) => EndedAs::Commit,
                    (Some("r"), Some(at)) => EndedAs::Retry(time(at)),
                    (Some("p"), Some(seq)) => EndedAs::Parked(seq.unsigned_abs()),
                    _ => return Err(wrong()),
                };
                Some(EndedLease {
                    fence: fence.unsigned_abs(),
                    nonce: nonce.parse().map_err(|_| wrong())?,
                    how,
                })
            }
        };
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
            owner: owner_of,
            takeovers: takeovers.unsigned_abs(),
            said_at: fields.text("i").and_then(|at| at.parse().ok()).map(time),
            active_at: time(0),
            session: None,
            memory: None,
            mailbox: Vec::new(),
            last_seq: last.unsigned_abs(),
            seen: Vec::new(),
            burst_at: time(burst),
            run_at: run.map(time),
            rest_until: None,
            fence: 0,
            crashes: 0,
            failures: 0,
            ended,
            outbox: Vec::new(),
            send_fence: 0,
            sent_fence: 0,
            pace: (empty_at > 0).then(|| WholePace {
                empty_at: time(empty_at),
                until: time(until),
            }),
            thread: Vec::new(),
            lines: lines.unsigned_abs(),
            timers: Vec::new(),
            jobs: Vec::new(),
            parked: Vec::new(),
            erased: fields.text("z").is_some(),
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

fn fields_taken(fields: &Fields<'_>) -> Result<u64, StoreError> {
    let mut mailbox = fields.numbers("m", "0 0 0 - 0 0");
    mailbox.int()?;
    Ok(mailbox.int()?.unsigned_abs())
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
