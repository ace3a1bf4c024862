//! `[channel.linked]`: which phone is meant to be linked, how the server that holds the link knows it, and who may change
//! the connection.

use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::file::Channel;
use super::resolve::Reader;
use crate::channel::linked::{LinkedSettings, Typing};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Linked {
    pub phone: Option<Spanned<String>>,
    pub session: Spanned<String>,
    pub messages_per_minute: u32,
    pub typing_ms: Spanned<[u64; 2]>,
    pub owner: String,
    pub deputies: Vec<String>,
}

impl Default for Linked {
    fn default() -> Linked {
        let typing = Typing::default();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Linked {
            phone: None,
            session: Spanned::new(0..0, "default".to_owned()),
            messages_per_minute: 20,
            typing_ms: Spanned::new(0..0, [ms(typing.least), ms(typing.most)]),
            owner: String::new(),
            deputies: Vec::new(),
        }
    }
}

/// A message must be through while its lease lasts, whatever it waits for.
const LONGEST_TYPING: u64 = 5_000;

impl Reader<'_> {
    pub(super) fn linked(&mut self, channel: &Channel, span: Range<usize>) -> Option<LinkedSettings> {
        let nothing = Linked::default();
        let table = channel.linked.as_ref().map_or(&nothing, Spanned::get_ref);
        let id = channel.id.get_ref();
        let phone = self.linked_phone(table.phone.as_ref(), id, &span);
        let base = self.linked_base(channel, &span);
        let token = (&channel.access_token_env, &channel.access_token_file);
        let api_key = self.secret(token, "access_token", id, &span);
        let secrets = self.webhook_secrets(channel, &span, false);
        let session = self.linked_session(&table.session);
        let [least, most] = *table.typing_ms.get_ref();
        if least > most || most > LONGEST_TYPING {
            let says = format!("typing_ms of {id} is [{least}, {most}]");
            let help = format!(
                "write the shortest and the longest time, {LONGEST_TYPING} at most, such as [800, 2000]"
            );
            self.wrong(table.typing_ms.span(), says, help);
        }
        let mut settings = LinkedSettings::new(phone?, base?, session?, api_key?, secrets);
        settings.typing = Typing {
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
        };
        settings.per_minute = table.messages_per_minute;
        settings.media_hosts.clone_from(&channel.media_hosts);
        settings.owner.clone_from(&table.owner);
        settings.deputies.clone_from(&table.deputies);
        Some(settings)
    }

    /// The number that is meant: nothing leaves from another.
    fn linked_phone(
        &mut self,
        written: Option<&Spanned<String>>,
        channel: &str,
        span: &Range<usize>,
    ) -> Option<String> {
        let table = "[channel.linked], the number that is to be linked, with its country";
        let phone = self.needed(written, "phone", channel, span, table)?;
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let plain = phone
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')'));
        if plain && (7..=15).contains(&digits.len()) && !digits.starts_with('0') {
            return Some(digits);
        }
        let span = written.map_or_else(|| span.clone(), Spanned::span);
        let says = format!("{phone:?} is no phone number with its country");
        self.wrong(span, says, "write it as in \"+62 811 0000 0011\"");
        None
    }

    /// Everybody has a server of their own, so there is no default.
    fn linked_base(&mut self, channel: &Channel, span: &Range<usize>) -> Option<String> {
        // A default has no place in the file, and Meta's own address is nobody else's.
        if channel.api_base.span().is_empty() {
            let says = format!("the channel {} has no api_base", channel.id.get_ref());
            let help =
                "write the address of the server that holds the link, such as \"http://127.0.0.1:3000\"";
            self.wrong(span.clone(), says, help);
            return None;
        }
        self.url(&channel.api_base).map(|url| url.to_string())
    }

    fn linked_session(&mut self, written: &Spanned<String>) -> Option<String> {
        let name = written.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
            return Some(name.clone());
        }
        let says = format!("{name:?} can't be the name of a session");
        self.wrong(written.span(), says, "use up to 64 letters a-z, digits, - and _");
        None
    }
}
