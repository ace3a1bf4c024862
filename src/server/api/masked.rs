//! What a log line may say of people: enough to follow one conversation, never a number or a word of it.

use std::fmt;

use crate::store::{Alias, ContactId};

/// A contact in a log line: the first half of its opaque id.
#[derive(Clone, Copy)]
pub struct Masked(pub ContactId);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An identity for a person who must tell two customers apart: what kind it is and its last three characters.
pub struct MaskedAlias<'a>(pub &'a Alias);

impl fmt::Debug for MaskedAlias<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MaskedAlias<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, value) = self.0.0.split_once(':').unwrap_or(("", &self.0.0));
        let shown = value
            .char_indices()
            .rev()
            .nth(2)
            .map_or("", |(at, _)| &value[at..]);
        write!(f, "{kind}:•••{shown}")
    }
}

/// Where a stored value can't be read, without the value: serde's own words may quote it.
pub(in crate::server) fn unreadable(why: &serde_json::Error) -> String {
    let kind = match why.classify() {
        serde_json::error::Category::Io => "it can't be read",
        serde_json::error::Category::Syntax => "it is damaged",
        serde_json::error::Category::Data => "it has another shape, as from another version",
        serde_json::error::Category::Eof => "its end is missing",
    };
    format!("{kind} (at byte {})", why.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_contact_shows_neither_its_whole_id_nor_its_number() {
        let alias = Alias("phone:351910000042".into());
        let contact = ContactId::of("main", &alias);
        assert_eq!(Masked(contact).to_string(), contact.to_string()[..16]);
        assert_eq!(MaskedAlias(&alias).to_string(), "phone:•••042");
        assert_eq!(MaskedAlias(&Alias("é".into())).to_string(), ":•••");
    }
}
