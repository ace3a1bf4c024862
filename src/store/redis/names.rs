//! The keys. Everything of a contact, and every queue it stands in, shares its partition's tag.

use super::Partition;
use crate::store::{Alias, ContactId};

#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Before every key, so that several installations can share a Redis.
    pub(super) prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Names {
        Names {
            prefix: prefix.to_owned(),
        }
    }

    /// Of the whole installation.
    pub(super) fn plain(&self, name: &str) -> Vec<u8> {
        format!("{}:{name}", self.prefix).into_bytes()
    }

    /// A queue or list of a partition: `run`, `send`, `timers`, `jobs`, `active`, `parked`.
    pub(super) fn queue(&self, partition: Partition, name: &str) -> Vec<u8> {
        format!("{}:{{{}}}:{name}", self.prefix, partition.tag()).into_bytes()
    }

    pub(super) fn of(&self, contact: ContactId) -> Own {
        let partition = Partition::of(contact);
        Own {
            partition,
            stem: format!("{}:{{{}}}:", self.prefix, partition.tag()),
            contact: contact.to_string(),
        }
    }

    /// What an alias leads to. Aliases are anything, braces too, so the key has a hash of it.
    pub(super) fn alias(&self, channel: &str, alias: &Alias) -> Vec<u8> {
        let hash = digest("alias", channel, &alias.0);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.plain(&format!("a:{hex}"))
    }
}

/// The keys of one contact.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) partition: Partition,
    stem: String,
    contact: String,
}

impl Own {
    fn own(&self, kind: u8) -> Vec<u8> {
        [self.stem.as_bytes(), &[kind, b':'], self.contact.as_bytes()].concat()
    }

    /// The small numbers, owner and aliases.
    pub(super) fn contact(&self) -> Vec<u8> {
        self.own(b'c')
    }

    /// Session, memory, payloads of timers and jobs.
    pub(super) fn body(&self) -> Vec<u8> {
        self.own(b'b')
    }

    pub(super) fn mailbox(&self) -> Vec<u8> {
        self.own(b'q')
    }

    /// The ids that came in.
    pub(super) fn seen(&self) -> Vec<u8> {
        self.own(b'd')
    }

    pub(super) fn outbox(&self) -> Vec<u8> {
        self.own(b'o')
    }

    pub(super) fn thread(&self) -> Vec<u8> {
        self.own(b'h')
    }

    /// What became of messages that left the outbox.
    pub(super) fn fates(&self) -> Vec<u8> {
        self.own(b'x')
    }

    pub(super) fn queue(&self, name: &str) -> Vec<u8> {
        [&self.stem, name].concat().into_bytes()
    }

    /// Our id of a message as it is kept: those that begin with the contact's id, as the server makes them, without that.
    pub(super) fn short(&self, ours: &str) -> Vec<u8> {
        match ours.strip_prefix(&self.contact) {
            Some(rest) => format!("~{rest}").into_bytes(),
            None => format!("={ours}").into_bytes(),
        }
    }

    pub(super) fn long(&self, short: &str) -> Option<String> {
        match short.split_at_checked(1)? {
            ("~", rest) => Some(format!("{}{rest}", self.contact)),
            ("=", ours) => Some(ours.to_owned()),
            _ => None,
        }
    }
}

/// A hash of an id that is unique for its channel.
pub(super) fn digest(what: &str, channel: &str, id: &str) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    for part in [what, channel] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(id.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::super::slot_of;
    use super::*;

    #[test]
    fn all_keys_of_a_contact_and_its_queues_share_one_slot() {
        let names = Names::new("sb");
        for first in 0..=255 {
            let contact = ContactId([first; 16]);
            let own = names.of(contact);
            let keys = [
                own.contact(),
                own.body(),
                own.mailbox(),
                own.seen(),
                own.outbox(),
                own.thread(),
                own.fates(),
                own.queue("run"),
                names.queue(Partition::of(contact), "timers"),
            ];
            for key in keys {
                assert_eq!(
                    slot_of(&key),
                    own.partition.slot(),
                    "{}",
                    String::from_utf8_lossy(&key)
                );
            }
        }
    }

    #[test]
    fn our_ids_come_back_as_they_went_in() {
        let own = Names::new("sb").of(ContactId([7; 16]));
        let made_by_the_server = format!("{}.12.0", ContactId([7; 16]));
        for id in [made_by_the_server.as_str(), "1", "", "~x", "=x", ".12.0", "ä\0"] {
            let short = String::from_utf8(own.short(id)).unwrap();
            assert_eq!(own.long(&short).unwrap(), id);
        }
        assert_eq!(own.short(&made_by_the_server), b"~.12.0");
    }

    #[test]
    fn an_alias_with_braces_does_not_choose_its_slot() {
        let names = Names::new("sb");
        let key = names.alias("one", &Alias("phone:{x}".into()));
        assert!(!key.contains(&b'{'));
        assert_ne!(key, names.alias("on", &Alias("ephone:{x}".into())));
    }
}
