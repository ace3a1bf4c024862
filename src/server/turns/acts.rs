//! From what arrived to what is answered: taps, words, files and places of the customer, with bursts joined.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::session::Act;
use crate::engine::{EventKind, File, Heard, Incoming, is_opt_out};
use crate::message::{
    Conversation, Inbound, InboundBody, Keeper, Media, MediaHandle, MediaKind, Role, Window, clip,
};
use crate::server::api::masked::unreadable;
use crate::server::inbound::mailbox::Item;
use crate::store::{MailboxEvent, Seq};

/// Longest text that a flow is given, in characters. Customers can send sixteen times as much.
const LONGEST: usize = 4096;
/// What a provider's inbox says with an event that is late by more than this may be over by now.
const STALE: SignedDuration = SignedDuration::from_mins(15);
/// Longest burst that is joined, in bytes.
const LONGEST_BURST: usize = 8 * 1024;
/// Codes that an advertisement may have, and the bytes of one.
const LINKS: usize = 8;
const LONGEST_LINK: usize = 100;

/// One mailbox event, or a burst of them, ready to be answered.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::server) struct Arrived {
    /// Of the last event in it.
    pub seq: Seq,
    pub at: Timestamp,
    pub what: What,
    /// Who has the chat in the provider's own inbox, and its window.
    pub keeper: Keeper,
    pub window: Window,
    /// Names of the provider's messages in it, of a burst several.
    pub messages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::server) enum What {
    /// The customer acted. `name` is the profile's, `message_id` the provider's.
    Customer {
        act: Act,
        name: Option<String>,
        message_id: Option<String>,
        /// The message of ours that it quotes.
        quotes: Option<String>,
    },
    /// Anything else in the mailbox.
    Item(Item),
    /// It can't be read: a newer version wrote it, or it is damaged.
    Unreadable(String),
}

/// Reads mailbox events and joins bursts: texts that came within `quiet` of each other are one answer, lines apart.
/// What the bot does not answer stands between them without breaking them.
pub(in crate::server) fn arrived(
    events: &[MailboxEvent],
    quiet: Duration,
    opt_out: &[String],
) -> Vec<Arrived> {
    let quiet = SignedDuration::try_from(quiet).unwrap_or(SignedDuration::ZERO);
    let mut all: Vec<Arrived> = Vec::new();
    for event in events {
        let (what, place, name) = match Item::read(&event.payload) {
            Ok(item) => {
                let (place, name) = (place_of(&item, event.at), name_of(&item));
                (read(item), place, name)
            }
            Err(why) => (What::Unreadable(unreadable(&why)), Conversation::default(), None),
        };
        if let What::Item(Item::Noted) = what {
            continue;
        }
        if let Some(more) = text_of(&what)
            && let Some(last) = all.last_mut()
            && last.at.duration_until(event.at) <= quiet
            && join(&mut last.what, more, opt_out)
        {
            last.seq = event.seq;
            last.at = event.at;
            (last.keeper, last.window) = (place.keeper, place.window);
            last.messages.extend(name);
            if let (What::Customer { message_id, .. }, What::Customer { message_id: new, .. }) =
                (&mut last.what, what)
            {
                *message_id = new;
            }
            continue;
        }
        all.push(Arrived {
            seq: event.seq,
            at: event.at,
            what,
            keeper: place.keeper,
            window: place.window,
            messages: name.into_iter().collect(),
        });
    }
    all
}

/// Where it was said, as far as that is still so.
fn place_of(item: &Item, at: Timestamp) -> Conversation {
    match item {
        Item::Inbound(inbound) if inbound.at.is_none_or(|said| said.duration_until(at) <= STALE) => {
            inbound.conversation.clone()
        }
        _ => Conversation::default(),
    }
}

fn name_of(item: &Item) -> Option<String> {
    let Item::Inbound(inbound) = item else {
        return None;
    };
    Some(inbound.name().to_owned())
}

fn text_of(what: &What) -> Option<&str> {
    match what {
        What::Customer {
            act: Act::Event(EventKind::Message(incoming)),
            ..
        } if incoming.file.is_none() && incoming.place.is_none() => Some(&incoming.text),
        What::Customer { .. } | What::Item(_) | What::Unreadable(_) => None,
    }
}

fn join(last: &mut What, more: &str, also: &[String]) -> bool {
    // An opt-out word counts only alone, and must count however fast it follows.
    let stands_alone = |text: &str| {
        text.len() + more.len() > LONGEST_BURST || is_opt_out(text, also) || is_opt_out(more, also)
    };
    if text_of(last).is_none_or(stands_alone) {
        return false;
    }
    if let What::Customer {
        act: Act::Event(EventKind::Message(incoming)),
        ..
    } = last
    {
        incoming.text.push('\n');
        incoming.text.push_str(more);
    }
    true
}

fn read(item: Item) -> What {
    let Item::Inbound(inbound) = item else {
        return What::Item(item);
    };
    if let InboundBody::Room { .. } | InboundBody::Preference { .. } = inbound.body {
        return What::Item(Item::Inbound(inbound));
    }
    if inbound.who.role == Role::Agent {
        // Their name is not told.
        return What::Item(Item::Said {
            agent: String::new(),
            text: String::new(),
            draft: None,
        });
    }
    if inbound.who.role != Role::User || !inbound.body.starts_a_turn() {
        return What::Item(Item::Noted);
    }
    let Inbound {
        who,
        message_id,
        reply_to,
        referral,
        body,
        ..
    } = *inbound;
    match act(body) {
        Some(Act::Event(EventKind::Message(mut incoming))) => {
            incoming.links = referral.as_ref().map(links).unwrap_or_default();
            What::Customer {
                act: Act::Event(EventKind::Message(incoming)),
                name: who.display_name,
                message_id,
                quotes: reply_to,
            }
        }
        Some(act) => What::Customer {
            act,
            name: who.display_name,
            message_id,
            quotes: reply_to,
        },
        None => What::Item(Item::Noted),
    }
}

/// What may be the code of an advertisement: its id, and the end of its address with what the address asks.
fn links(referral: &serde_json::Value) -> Vec<String> {
    let text = |name: &str| referral.get(name).and_then(serde_json::Value::as_str);
    let mut links: Vec<String> = text("source_id").into_iter().map(str::to_owned).collect();
    if let Some(url) = text("source_url").and_then(|url| Url::parse(url).ok()) {
        let last = url.path_segments().and_then(|mut parts| parts.next_back());
        links.extend(last.map(str::to_owned));
        links.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    }
    links.retain(|link| !link.is_empty() && link.len() <= LONGEST_LINK);
    links.truncate(LINKS);
    links
}

fn act(body: InboundBody) -> Option<Act> {
    let message = |incoming| Some(Act::Event(EventKind::Message(incoming)));
    // The thread keeps all of it; a flow sees what a message may hold.
    let text = |text: String| Incoming {
        text: clip(&text, LONGEST).into_owned(),
        ..Incoming::default()
    };
    match body {
        InboundBody::Text { body } => message(text(body)),
        InboundBody::Choice { id: Some(id), title } => Some(Act::Event(EventKind::Tap { id, title })),
        InboundBody::Choice { id: None, title } => message(text(title)),
        InboundBody::Location(place) => message(Incoming {
            place: Some(place),
            ..Incoming::default()
        }),
        InboundBody::Media(media) if media.media == MediaKind::Voice => Some(Act::Listen(media.into())),
        InboundBody::Media(media) => {
            let caption = media.caption.clone().unwrap_or_default();
            message(with_file(&media, caption, None, Heard::NotVoice))
        }
        // No flow reads these; they are answered like words that nobody understands.
        InboundBody::Contacts { .. } | InboundBody::Order { .. } => message(Incoming::default()),
        InboundBody::FormReply { response } => message(Incoming {
            form: Some(Box::new(response)),
            ..Incoming::default()
        }),
        InboundBody::Reaction { .. }
        | InboundBody::Edited { .. }
        | InboundBody::Revoked { .. }
        | InboundBody::Identity { .. }
        | InboundBody::Status(_)
        | InboundBody::Preference { .. }
        | InboundBody::Echo { .. }
        | InboundBody::Call { .. }
        | InboundBody::Room { .. }
        | InboundBody::Account { .. }
        | InboundBody::Unsupported { .. }
        | InboundBody::Unknown { .. } => None,
    }
}

/// A message with a file; `text` is its caption or its words.
pub(in crate::server) fn with_file(
    media: &Media,
    text: String,
    seconds: Option<u32>,
    heard: Heard,
) -> Incoming {
    let url = match &media.handle {
        MediaHandle::Id { id, .. } => format!("media:{id}"),
        MediaHandle::Url(url) => url.clone(),
    };
    let file = File {
        kind: media.media,
        url,
        size: None,
        seconds,
        heard,
    };
    Incoming {
        text,
        file: Some(file),
        ..Incoming::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Conversation, DedupeKey, Forwarded, Party};

    fn event(seq: Seq, millis: i64, body: InboundBody) -> MailboxEvent {
        let inbound = Inbound {
            account: "1".into(),
            key: DedupeKey(seq.to_string()),
            at: None,
            who: Party::default(),
            conversation: Conversation::default(),
            message_id: Some(format!("m{seq}")),
            reply_to: None,
            forwarded: Forwarded::None,
            referral: None,
            body,
        };
        MailboxEvent {
            seq,
            at: Timestamp::from_millisecond(millis).unwrap(),
            payload: Item::Inbound(Box::new(inbound)).to_bytes(),
        }
    }

    fn text(seq: Seq, millis: i64, body: &str) -> MailboxEvent {
        event(seq, millis, InboundBody::Text { body: body.into() })
    }

    fn texts(all: &[Arrived]) -> Vec<(Seq, &str)> {
        all.iter()
            .map(|one| (one.seq, text_of(&one.what).unwrap_or("(not a text)")))
            .collect()
    }

    #[test]
    fn texts_within_the_quiet_time_are_one_answer_and_later_ones_are_not() {
        let events = [
            text(1, 0, "Hi"),
            text(2, 1_500, "my bike"),
            text(3, 3_500, "is broken"),
            text(4, 9_000, "hello?"),
        ];
        let all = arrived(&events, Duration::from_secs(2), &[]);
        assert_eq!(texts(&all), [(3, "Hi\nmy bike\nis broken"), (4, "hello?")]);
        assert_eq!(all[0].messages, ["m1", "m2", "m3"]);
        assert_eq!(all[1].messages, ["m4"]);
    }

    #[test]
    fn a_reaction_does_not_break_a_burst_and_a_tap_does() {
        let reaction = InboundBody::Reaction {
            target: "x".into(),
            emoji: None,
        };
        let tap = InboundBody::Choice {
            id: Some("o1".into()),
            title: "Yes".into(),
        };
        let events = [
            text(1, 0, "a"),
            event(2, 10, reaction),
            text(3, 20, "b"),
            event(4, 30, tap),
            text(5, 40, "c"),
        ];
        let all = arrived(&events, Duration::from_secs(2), &[]);
        assert_eq!(texts(&all), [(3, "a\nb"), (4, "(not a text)"), (5, "c")]);
    }

    #[test]
    fn an_opt_out_word_counts_however_fast_it_follows() {
        let quiet = Duration::from_secs(2);
        let all = arrived(
            &[text(1, 0, "Hi"), text(2, 300, "STOP"), text(3, 600, "please")],
            quiet,
            &[],
        );
        assert_eq!(all.len(), 3, "{all:?}");
    }

    #[test]
    fn an_event_that_can_t_be_read_does_not_stop_the_others() {
        let broken = MailboxEvent {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            payload: b"{".to_vec(),
        };
        let all = arrived(&[broken, text(2, 0, "Hi")], Duration::ZERO, &[]);
        assert!(matches!(all[0].what, What::Unreadable(_)));
        assert_eq!(all.len(), 2);
    }
}
