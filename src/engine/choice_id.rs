//! The ids of buttons and rows: opaque to the provider, at most 200 bytes, and enough to find the question again.
//!
//! `sb.<session>.<visit>:<state>:<option>`. Names that would not fit are replaced by a hash, which is compared
//! instead. Whatever comes back is read without trust: an id that isn't ours is just text.

use std::fmt::Write as _;

/// A tapped option, as its id says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChoiceId<'a> {
    pub session: u64,
    pub visit: u64,
    state: &'a str,
    option: &'a str,
}

const STATE_BYTES: usize = 90;
const OPTION_BYTES: usize = 60;

/// Bytes of names in the payload of a template's quick reply: it may have 128 in all.
const PAYLOAD_BYTES: usize = 40;
/// Beginning of the payload of a quick reply that no question waits for.
const TEMPLATE: &str = "sb.t:";

/// At most 3 + 20 + 1 + 20 + 1 + 90 + 1 + 60 bytes.
pub(super) fn encode(session: u64, visit: u64, state: &str, option: &str) -> String {
    let mut id = String::with_capacity(16 + state.len() + option.len());
    // Writing to a String does not fail.
    let _ = write!(id, "sb.{session}.{visit}:");
    push(&mut id, state, STATE_BYTES);
    id.push(':');
    push(&mut id, option, OPTION_BYTES);
    id
}

/// As [`encode`], in at most 3 + 20 + 1 + 20 + 1 + 40 + 1 + 40 bytes.
pub(super) fn payload(session: u64, visit: u64, state: &str, option: &str) -> String {
    let mut id = format!("sb.{session}.{visit}:");
    push(&mut id, state, PAYLOAD_BYTES);
    id.push(':');
    push(&mut id, option, PAYLOAD_BYTES);
    id
}

/// The payload of a quick reply on a template that is only sent: it says which template was answered.
pub(super) fn of_template(name: &str) -> Option<String> {
    (name.len() <= PAYLOAD_BYTES * 2).then(|| format!("{TEMPLATE}{name}"))
}

/// Whether a tap's id is one of these.
pub fn is_ours(id: &str) -> bool {
    template_of(id).is_some() || decode(id).is_some()
}

/// The template of such a payload.
pub(super) fn template_of(id: &str) -> Option<&str> {
    id.strip_prefix(TEMPLATE)
}

pub(super) fn decode(id: &str) -> Option<ChoiceId<'_>> {
    let rest = id.strip_prefix("sb.")?;
    let (numbers, names) = rest.split_once(':')?;
    let (session, visit) = numbers.split_once('.')?;
    let (state, option) = names.split_once(':')?;
    Some(ChoiceId {
        session: session.parse().ok()?,
        visit: visit.parse().ok()?,
        state,
        option,
    })
}

impl ChoiceId<'_> {
    pub fn is_of(&self, state: &str) -> bool {
        same(self.state, state, STATE_BYTES)
    }

    pub fn picks(&self, option: &str) -> bool {
        same(self.option, option, OPTION_BYTES)
    }
}

fn fits(name: &str, limit: usize) -> bool {
    name.len() <= limit && !name.contains(':') && !name.starts_with('#')
}

fn push(id: &mut String, name: &str, limit: usize) {
    if fits(name, limit) {
        id.push_str(name);
    } else {
        id.push_str(&hashed(name));
    }
}

fn hashed(name: &str) -> String {
    format!("#{}", &blake3::hash(name.as_bytes()).to_hex()[..32])
}

fn same(written: &str, name: &str, limit: usize) -> bool {
    // What was hashed says so, so that nothing is hashed to find out that a name is another one.
    if written.starts_with('#') {
        written == hashed(name)
    } else {
        fits(name, limit) && written == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_was() {
        let id = encode(42, 7, "welcome/hello.menu", "track_my_order");
        assert_eq!(id, "sb.42.7:welcome/hello.menu:track_my_order");
        let back = decode(&id).unwrap();
        assert!(back.is_of("welcome/hello.menu") && back.picks("track_my_order"));
        assert_eq!((back.session, back.visit), (42, 7));
    }

    #[test]
    fn long_and_odd_names_fit_into_200_bytes() {
        for name in ["é".repeat(400), "a:b".to_owned(), "#x".to_owned(), String::new()] {
            let id = encode(u64::MAX, u64::MAX, &name, &name);
            assert!(id.len() <= 200, "{}", id.len());
            let back = decode(&id).unwrap();
            assert!(back.is_of(&name) && back.picks(&name));
            assert!(!back.is_of("other") && !back.picks("other"));
        }
    }

    #[test]
    fn a_payload_has_room_for_any_name() {
        for name in [
            "é".repeat(400),
            "flow/step.a_rather_long_name_of_a_question".to_owned(),
        ] {
            let id = payload(u64::MAX, u64::MAX, &name, &name);
            assert!(id.len() <= 128, "{}", id.len());
            let back = decode(&id).unwrap();
            assert!(back.is_of(&name) && back.picks(&name) && !back.picks("other"));
        }
        let sent = of_template("visit_reminder").unwrap();
        assert_eq!(
            (template_of(&sent), decode(&sent)),
            (Some("visit_reminder"), None)
        );
    }

    #[test]
    fn what_is_not_ours_is_not_read() {
        for id in [
            "",
            "sb.",
            "sb.1.2",
            "sb.1.2:x",
            "sb.x.2:a:b",
            "btn_1",
            "sb.99999999999999999999.1:a:b",
        ] {
            assert_eq!(decode(id), None, "{id}");
        }
    }
}
