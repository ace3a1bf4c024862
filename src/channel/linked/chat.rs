//! What a linked device calls chats and messages. A chat's id ends with the kind of chat; a message's id says in which
//! chat it was and who wrote it, and only its last part names it everywhere: the same message may be told of under the
//! number in one place and under the hidden id in another.

use serde_json::Value;

/// A chat by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chat {
    /// With one customer, by number: the digits.
    Number(String),
    /// With one customer, by the hidden id that stands for the number: whole, as it was received.
    Hidden(String),
    /// A group, a channel, a list, a status: not a customer.
    Crowd,
}

impl Chat {
    pub fn of(id: &str) -> Option<Chat> {
        let (user, kind) = id.split_once('@')?;
        // `number:device` is one device of it.
        let user = user.split(':').next().unwrap_or_default();
        let is_number = (5..=20).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_digit());
        match kind {
            "c.us" | "s.whatsapp.net" if is_number => Some(Chat::Number(user.to_owned())),
            "lid" if is_number => Some(Chat::Hidden(format!("{user}@lid"))),
            "g.us" | "newsletter" | "broadcast" => Some(Chat::Crowd),
            _ => None,
        }
    }

    /// The id under which to write there; `None`: nobody writes there.
    pub fn id(&self) -> Option<String> {
        match self {
            Chat::Number(digits) => Some(format!("{digits}@c.us")),
            Chat::Hidden(id) => Some(id.clone()),
            Chat::Crowd => None,
        }
    }

    pub fn number(&self) -> Option<&str> {
        match self {
            Chat::Number(digits) => Some(digits),
            Chat::Hidden(_) | Chat::Crowd => None,
        }
    }

    pub fn hidden(&self) -> Option<&str> {
        match self {
            Chat::Hidden(id) => Some(id),
            Chat::Number(_) | Chat::Crowd => None,
        }
    }
}

/// `{fromMe}_{chat}_{id}`, and `_{participant}` behind it in groups; or only its last part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MessageId {
    /// As it was received.
    pub whole: String,
    pub from_me: Option<bool>,
    pub chat: Option<String>,
}

impl MessageId {
    pub fn of(whole: &str) -> MessageId {
        let mut parts = whole.splitn(3, '_');
        let (first, chat) = (parts.next(), parts.next());
        let from_me = match first {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) | None => None,
        };
        let chat = chat.filter(|chat| from_me.is_some() && chat.contains('@'));
        MessageId {
            whole: whole.to_owned(),
            from_me,
            chat: chat.map(str::to_owned),
        }
    }

    /// Under `id` of an answer or a webhook: a text, or an object of one of the engines.
    pub fn in_value(id: &Value) -> Option<MessageId> {
        let of_text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(MessageId::of);
        of_text(id)
            .or_else(|| of_text(id.get("_serialized")?))
            .or_else(|| of_text(id.get("id")?))
    }

    /// What names the message everywhere.
    pub fn bare(&self) -> &str {
        let mut parts = self.whole.split('_');
        if self.chat.is_some() {
            parts.nth(2).unwrap_or(&self.whole)
        } else {
            &self.whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_chat_is_a_number_a_hidden_id_or_a_crowd() {
        let number = |digits: &str| Some(Chat::Number(digits.into()));
        assert_eq!(Chat::of("6281100000011@c.us"), number("6281100000011"));
        assert_eq!(
            Chat::of("6281100000011:7@s.whatsapp.net"),
            number("6281100000011")
        );
        assert_eq!(
            Chat::of("100000000000022@lid"),
            Some(Chat::Hidden("100000000000022@lid".into()))
        );
        for crowd in ["120363000000000000@g.us", "status@broadcast", "1203@newsletter"] {
            assert_eq!(Chat::of(crowd), Some(Chat::Crowd), "{crowd}");
        }
        for nothing in [
            "",
            "me",
            "6281100000011",
            "@c.us",
            "abc@c.us",
            "6281100000011@call",
            "../x@lid",
        ] {
            assert_eq!(Chat::of(nothing), None, "{nothing}");
        }
        assert_eq!(
            Chat::of("6281100000011@c.us").unwrap().id().as_deref(),
            Some("6281100000011@c.us")
        );
    }

    #[test]
    fn a_message_is_named_by_the_last_part_of_its_id_whatever_stands_before() {
        let bare = |id: &str| MessageId::of(id).bare().to_owned();
        assert_eq!(bare("true_6281100000022@c.us_3EB0C0FFEE"), "3EB0C0FFEE");
        assert_eq!(bare("false_100000000000022@lid_3EB0C0FFEE"), "3EB0C0FFEE");
        assert_eq!(bare("false_1203@g.us_3EB0_6281100000022@c.us"), "3EB0");
        assert_eq!(bare("3EB0C0FFEE"), "3EB0C0FFEE");
        assert_eq!(bare("a_b"), "a_b");
    }

    #[test]
    fn every_engine_s_form_of_an_id_is_read() {
        let id = |value: Value| MessageId::in_value(&value).map(|id| id.bare().to_owned());
        assert_eq!(id(json!("true_1000000@c.us_A")).as_deref(), Some("A"));
        let object = json!({ "fromMe": true, "id": "A", "_serialized": "true_1000000@c.us_A" });
        assert_eq!(id(object).as_deref(), Some("A"));
        assert_eq!(
            id(json!({ "remoteJid": "1@c.us", "id": "A" })).as_deref(),
            Some("A")
        );
        assert_eq!(id(json!(7)), None);
        assert_eq!(id(json!("")), None);
    }
}
