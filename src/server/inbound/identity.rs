//! Who is who: a provider's identities as aliases of a contact, and the address an answer goes to.

use crate::message::{Address, DeliveryState, Inbound, Party};
use crate::store::{Alias, ContactId, Seq};

/// The identities of a person, the one that stays longest first: a business-scoped id changes with the number, a number
/// may be missing.
pub(in crate::server) fn aliases(who: &Party) -> Vec<Alias> {
    named(who.phone.as_deref(), who.bsuid.as_deref())
}

/// The identities in an event: of its person, and the room it was said in, where the provider has rooms.
pub(in crate::server) fn of_event(event: &Inbound) -> Vec<Alias> {
    let room = event.conversation.room.as_ref();
    let room = room.map(|room| Alias(format!("room:{room}")));
    aliases(&event.who).into_iter().chain(room).collect()
}

pub(in crate::server) fn named(phone: Option<&str>, bsuid: Option<&str>) -> Vec<Alias> {
    let phone = phone.map(|digits| Alias(format!("phone:{digits}")));
    let bsuid = bsuid.map(|id| Alias(format!("bsuid:{id}")));
    phone.into_iter().chain(bsuid).collect()
}

/// Where to send: the number learned last, exactly as it was received; a business-scoped id if there is none. Where the
/// provider has `rooms`, the room learned last, if there is one.
pub(in crate::server) fn address(aliases: &[Alias], rooms: bool) -> Option<Address> {
    let last = |kind: &str| aliases.iter().rev().find_map(|alias| alias.0.strip_prefix(kind));
    if let Some(room) = last("room:").filter(|_| rooms) {
        return Some(Address::Room {
            id: room.to_owned(),
            phone: last("phone:").map(str::to_owned),
        });
    }
    match last("phone:") {
        Some(digits) => Some(Address::WaId(digits.to_owned())),
        None => Some(Address::Bsuid(last("bsuid:")?.to_owned())),
    }
}

/// The number for people and flows, with `+`.
pub(in crate::server) fn phone(aliases: &[Alias]) -> Option<String> {
    let digits = aliases
        .iter()
        .rev()
        .find_map(|alias| alias.0.strip_prefix("phone:"))?;
    Some(format!("+{digits}"))
}

/// The id of a message of ours: the same if its turn is run again.
pub(in crate::server) fn outbox_id(contact: ContactId, seq: Seq, index: usize) -> String {
    format!("{contact}.{seq}.{index}")
}

/// What decides wordings and ways of splits for this contact: the first bytes of its id, which is a hash.
pub fn lot(contact: ContactId) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&contact.0[..8]);
    u64::from_le_bytes(first)
}

/// The contact of a message of ours, by its id.
pub(in crate::server) fn contact_of(id: &str) -> Option<ContactId> {
    id.split('.').next()?.parse().ok()
}

/// How far a message got; higher wins, and a failure is the last word.
pub(in crate::server) fn rank(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Sent => 1,
        DeliveryState::Delivered => 2,
        DeliveryState::Read => 3,
        DeliveryState::Played => 4,
        DeliveryState::Failed => 5,
    }
}

pub(in crate::server) fn state_name(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Sent => "sent",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Read => "read",
        DeliveryState::Played => "played",
        DeliveryState::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_to_the_digits_as_received_and_to_the_latest_number() {
        let known = ["bsuid:PT.a", "phone:351910000001", "phone:351910000002"].map(|a| Alias(a.into()));
        let of = |known: &[Alias]| address(known, false);
        assert_eq!(of(&known), Some(Address::WaId("351910000002".into())));
        assert_eq!(of(&known[..1]), Some(Address::Bsuid("PT.a".into())));
        assert_eq!(of(&[]), None);
        assert_eq!(phone(&known).as_deref(), Some("+351910000002"));
    }

    #[test]
    fn where_there_are_rooms_an_answer_goes_to_the_latest_one() {
        let known = ["phone:6281100000011", "room:a", "room:b"].map(|a| Alias(a.into()));
        let room = Address::Room {
            id: "b".into(),
            phone: Some("6281100000011".into()),
        };
        assert_eq!(address(&known, true), Some(room));
        let number = Some(Address::WaId("6281100000011".into()));
        assert_eq!(address(&known[..1], true), number, "none is known yet");
        assert_eq!(
            address(&known, false),
            number,
            "another provider's room is no address"
        );
    }

    #[test]
    fn the_id_of_a_message_leads_back_to_its_contact() {
        let contact = ContactId::of("main", &Alias("phone:1".into()));
        assert_eq!(contact_of(&outbox_id(contact, 7, 2)), Some(contact));
        assert_eq!(contact_of("somebody else's"), None);
    }
}
