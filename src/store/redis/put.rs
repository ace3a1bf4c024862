//! A contact as one value, put in one step in the place of what was there: erased, merged, trimmed, imported.

use std::collections::HashMap;

use jiff::Timestamp;

use super::RedisStore;
use super::formats::WRITES;
use super::link::Durable;
use super::mailbox::{after_its_length, seen_id};
use super::names::{Own, digest};
use super::outbox::Kept;
use super::packed::{Ended, Sends, Turn};
use super::scripts::PUT;
use super::turn::{field, member, owner_word};
use super::whole::keys;
use super::wire::{Word, blob, span};
use crate::store::{ContactId, EndedAs, ParkedId, StoreError, WholeContact, millis};

impl RedisStore {
    /// Puts `whole` in the place of what had this token; with an empty one, where nothing is. `false`: it is another by now.
    pub(super) async fn put_whole(&self, whole: &WholeContact, token: Vec<u8>) -> Result<bool, StoreError> {
        let own = self.names.of(whole.contact);
        for one in &whole.thread {
            if let Some(ours) = &one.ours {
                if own.short(ours).first() == Some(&b'=') {
                    let place = digest("ours", &whole.channel, ours);
                    self.keep_place(place, &own, whole.contact, ours).await?;
                }
                if let Some(message) = &one.message_id {
                    let place = digest("message", &whole.channel, message);
                    self.keep_place(place, &own, whole.contact, ours).await?;
                }
            }
        }
        let mut keys = keys(&own);
        keys.extend([own.queue("run"), own.queue("send")]);
        let mut seen = Vec::new();
        for one in &whole.seen {
            seen.extend(&millis::floor(one.at).to_be_bytes()[2..]);
            seen.extend(after_its_length(&seen_id(&one.id)));
        }
        let head = whole.outbox.first();
        let send_at = head.map(|head| match head.void {
            true => 0,
            false => {
                let paced = whole.pace.map_or(0, |pace| millis::floor(pace.until));
                millis::floor(head.ready_at).max(paced)
            }
        });
        let mut args = self
            .args(whole.contact)
            .with(token)
            .with(seen)
            .with(span(self.caps.dedup_for))
            .with(millis::floor(whole.active_at));
        for at in [whole.run_at.map(millis::floor), send_at] {
            match at {
                Some(at) => args.push(at),
                None => args.push(""),
            }
        }
        for words in self.lists_of(&own, whole, send_at)? {
            args.push(words.len());
            args.0.extend(words);
        }
        self.put(keys, args).await
    }

    /// Removes what had this token.
    pub(super) async fn remove_whole(&self, contact: ContactId, token: Vec<u8>) -> Result<bool, StoreError> {
        let own = self.names.of(contact);
        let mut keys = keys(&own);
        keys.extend([own.queue("run"), own.queue("send")]);
        let args = self.args(contact).with(token);
        self.put(keys, args).await
    }

    /// Puts it down as gone into another, with all there was.
    pub(super) async fn leave_stub(
        &self,
        whole: &WholeContact,
        token: Vec<u8>,
        into: ContactId,
    ) -> Result<bool, StoreError> {
        let own = self.names.of(whole.contact);
        let mut keys = keys(&own);
        keys.extend([own.queue("run"), own.queue("send")]);
        let json = serde_json::to_vec(whole).map_err(|why| StoreError::Unavailable(why.to_string()))?;
        let args = self
            .args(whole.contact)
            .with(token)
            .with(into.to_string())
            .with(json);
        self.put(keys, args).await
    }

    async fn put(&self, keys: Vec<Vec<u8>>, args: super::wire::Args) -> Result<bool, StoreError> {
        let mut answer = self.run(&PUT, keys, args, Durable::AsConfigured).await?;
        answer.int()?;
        let now = answer.int()?;
        self.timers.lower_all(now);
        self.jobs.lower_all(now);
        Ok(answer.int()? == 1)
    }

    /// What goes to each key, in the order of the script.
    ///
    /// # Errors
    /// If one of its numbers is larger than its place, which none is that a Switchboard counted.
    fn lists_of(
        &self,
        own: &Own,
        whole: &WholeContact,
        send_at: Option<i64>,
    ) -> Result<[Vec<Vec<u8>>; 9], StoreError> {
        let ms = |at: Timestamp| millis::floor(at).max(0);
        let head = whole.outbox.first();
        let taken = whole.last_seq - whole.mailbox.len() as u64;
        let mut hash: Vec<Vec<u8>> = Vec::new();
        let mut set = |name: String, value: String| hash.extend([name.into_bytes(), value.into_bytes()]);
        set("v".into(), WRITES.end().to_string());
        set("ch".into(), whole.channel.clone());
        for (n, alias) in whole.aliases.iter().enumerate() {
            set(format!("a{n}"), alias.0.clone());
        }
        if !whole.merged.is_empty() {
            set(
                "g".into(),
                whole.merged.iter().map(ContactId::to_string).collect(),
            );
        }
        let turn = Turn {
            leased: false,
            erased: whole.erased,
            last: whole.last_seq,
            taken,
            burst: ms(whole.burst_at),
            run: whole.run_at.map(ms),
            lines: whole.lines,
            seen: whole.seen.len(),
            fence: whole.fence,
            nonce: 0,
            after: whole.takeovers,
            crashes: whole.crashes,
            failures: whole.failures,
            rest: whole.rest_until.map(ms),
            said: whole.said_at.map(ms),
        };
        let sends = Sends {
            at: send_at.map(|at| at.max(0)),
            sending: false,
            fence: whole.send_fence,
            sent: whole.sent_fence,
            count: whole.outbox.len(),
            attempts: head.map_or(0, |head| head.attempts),
            doubts: head.map_or(0, |head| head.doubts),
            uncertain: head.is_some_and(|head| head.uncertain),
            ready: head.map(|head| ms(head.ready_at)),
            empty_at: whole.pace.map_or(0, |pace| ms(pace.empty_at)),
            paced_until: whole.pace.map_or(0, |pace| ms(pace.until)),
            owner: owner_word(whole.owner),
            takeovers: whole.takeovers,
        };
        let ended = whole.ended.as_ref().map(|ended| {
            let (how, number) = match ended.how {
                EndedAs::Commit => (b'c', 0),
                EndedAs::Retry(at) => (b'r', ms(at)),
                EndedAs::Parked(seq) => (b'p', seq.cast_signed()),
            };
            Ended {
                fence: ended.fence,
                nonce: ended.nonce,
                how,
                number,
            }
        });
        for (name, numbers) in [
            ("r", Some(turn.write())),
            ("s", Some(sends.write())),
            ("e", ended.map(|ended| ended.write())),
        ] {
            if let Some(numbers) = numbers {
                let numbers = numbers.ok_or_else(|| StoreError::Corrupt {
                    key: format!("of the contact {}", whole.contact),
                    why: "one of its numbers is larger than any that was counted".to_owned(),
                })?;
                hash.extend([name.as_bytes().to_vec(), numbers.word()]);
            }
        }

        let mut body = Vec::new();
        for (name, bytes) in [("s", &whole.session), ("m", &whole.memory)] {
            if let Some(bytes) = bytes {
                body.extend([name.as_bytes().to_vec(), blob(&bytes.0)]);
            }
        }
        let (mut timers, mut jobs) = (Vec::new(), Vec::new());
        for timer in &whole.timers {
            body.extend([field(b't', &timer.id), blob(&timer.payload.0)]);
            timers.extend([
                ms(timer.at).to_string().into_bytes(),
                member(whole.contact, &timer.id),
            ]);
        }
        for job in &whole.jobs {
            let head = format!("{} 0 ", job.attempt);
            body.extend([
                field(b'j', &job.id),
                blob(&[head.as_bytes(), &job.payload.0].concat()),
            ]);
            jobs.extend([
                ms(job.at).to_string().into_bytes(),
                member(whole.contact, &job.id),
            ]);
        }
        let mailbox = whole.mailbox.iter().map(|event| {
            let head = format!("{} {} ", event.seq, millis::floor(event.at));
            blob(&[head.as_bytes(), &event.payload.0].concat())
        });
        let line_of: HashMap<&str, u64> = whole
            .thread
            .iter()
            .filter_map(|line| Some((line.ours.as_deref()?, line.seq)))
            .collect();
        let outbox = whole.outbox.iter().enumerate().map(|(place, entry)| {
            Kept::write(
                own,
                entry,
                place == 0,
                whole.takeovers,
                line_of.get(entry.id.as_str()).copied().unwrap_or(0),
            )
        });
        let thread = whole.thread.iter().map(|line| {
            let id = line.ours.as_deref().map(|ours| own.short(ours));
            let head = match &id {
                None => format!("{} {} - ", line.seq, millis::floor(line.at)),
                Some(id) => format!("{} {} {} ", line.seq, millis::floor(line.at), id.len()),
            };
            blob(&[head.as_bytes(), &id.unwrap_or_default(), &line.payload.0].concat())
        });
        let fates = whole.thread.iter().flat_map(|line| {
            let Some(ours) = &line.ours else { return Vec::new() };
            let message = line.message_id.as_deref().unwrap_or_default();
            let record = format!(
                "{} {} {} {message} {}",
                line.seq,
                line.rank.map_or(-1, i64::from),
                message.len(),
                line.state.as_deref().unwrap_or("queued")
            );
            vec![own.short(ours), record.into_bytes()]
        });
        let parked = whole.parked.iter().map(|parked| {
            let usual = parked.id == ParkedId::of(whole.contact, parked.seq);
            let id = if usual { "" } else { parked.id.0.as_str() };
            let head = format!(
                "{} {} {} {} {} {id}{}{}",
                parked.seq,
                millis::floor(parked.at),
                id.len(),
                whole.channel.len(),
                parked.why.len(),
                whole.channel,
                parked.why
            );
            blob(&[&whole.contact.0[..], head.as_bytes(), &parked.payload.0].concat())
        });
        Ok([
            hash,
            body,
            mailbox.collect(),
            outbox.collect(),
            thread.collect(),
            fates.collect(),
            timers,
            jobs,
            parked.collect(),
        ])
    }
}
