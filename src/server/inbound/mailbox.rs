//! What lies in a contact's mailbox, as the server writes it and the worker reads it. To the store these are bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::engine::{Answer, Reply};
use crate::message::{Inbound, OutboundBody};

/// An event of one conversation. The name of a variant is part of the stored format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
pub enum Item {
    /// The customer did something, or a person of the business wrote from the phone.
    Inbound(Box<Inbound>),
    /// A timer that the machine set.
    Timer { id: String },
    /// A service answered, or did not.
    Answered { key: String, answer: Answer },
    /// A model replied, or could not.
    Replied {
        key: String,
        reply: Reply,
        /// What it took, of the customer's budget.
        #[serde(default, skip_serializing_if = "is_zero")]
        tokens: u64,
    },
    /// The topic of a message was looked for; `None`: it is about none of those that were asked for.
    Topic {
        note: String,
        topic: Option<String>,
        #[serde(default, skip_serializing_if = "is_zero")]
        tokens: u64,
    },
    /// An answer was drafted for the people who have the chat, or not.
    Drafted {
        id: String,
        drafted: Drafted,
        #[serde(default, skip_serializing_if = "is_zero")]
        tokens: u64,
    },
    /// A voice note was listened to.
    Heard { note: String, hearing: Hearing },
    /// A person took the chat.
    Taken { agent: String },
    /// A person wrote to the customer from a page of ours.
    Said {
        agent: String,
        text: String,
        /// The id of the draft that it was made of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        draft: Option<String>,
    },
    /// People gave the chat back.
    Returned,
    /// A person ended the session.
    Close,
    /// The business's own systems have something to tell.
    Notify {
        /// The end of the notification's id.
        key: String,
        /// The name of the token.
        by: String,
        body: Box<OutboundBody>,
    },
    /// Something happened in the business's own systems: a flow may start on it.
    Happened {
        event: String,
        values: BTreeMap<String, Json>,
    },
    /// The wish of a customer who is known under another contact, too.
    OptedOut,
    /// The provider took a template whose replies a flow waits for, under this id.
    Sent { template: String, message_id: String },
    /// Nothing to do: it carried a line for the thread.
    Noted,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How [`Item::to_bytes`] begins what nearly every event is.
const INBOUND: &[u8] = br#"{"item":"inbound","#;

impl Item {
    /// What lies in a mailbox.
    ///
    /// # Errors
    /// If this version can't read it.
    pub fn read(bytes: &[u8]) -> Result<Item, serde_json::Error> {
        // The tag is known already: without it serde would copy all of the rest before it looks at any.
        if bytes.starts_with(INBOUND) {
            return Ok(Item::Inbound(Box::new(serde_json::from_slice(bytes)?)));
        }
        serde_json::from_slice(bytes)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Names of fields and strings only: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What became of a draft that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drafted {
    Text {
        text: String,
        /// Name of the knowledge that it follows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        knowledge: Option<String>,
    },
    /// The model has nothing useful to say, or nobody wants it any more.
    Nothing,
    /// There is no telling; `why` is for the team.
    Failed { why: String },
}

/// What became of a voice note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hearing {
    Words {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u32>,
    },
    Silence,
    /// It could not be fetched, read or understood; `why` is for the team.
    Nothing {
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Conversation, DedupeKey, Forwarded, InboundBody, Party};

    #[test]
    fn an_event_is_read_as_it_was_written_by_either_way() {
        let inbound = Item::Inbound(Box::new(Inbound {
            account: "1".into(),
            key: DedupeKey("wamid.1".into()),
            at: None,
            who: Party::default(),
            conversation: Conversation::default(),
            message_id: Some("wamid.1".into()),
            reply_to: None,
            forwarded: Forwarded::None,
            referral: None,
            body: InboundBody::Text { body: "Hi".into() },
        }));
        assert!(inbound.to_bytes().starts_with(INBOUND), "the short way is taken");
        for item in [inbound, Item::Returned, Item::Timer { id: "t".into() }] {
            let bytes = item.to_bytes();
            assert_eq!(Item::read(&bytes).unwrap(), item);
            assert_eq!(serde_json::from_slice::<Item>(&bytes).unwrap(), item);
        }
        assert!(Item::read(br#"{"item":"inbound","account":1}"#).is_err());
    }
}
