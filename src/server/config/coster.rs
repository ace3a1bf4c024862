//! `[channel.coster]`: Coster's ids and tokens, what may pass beside texts, and every address, header and constant of an
//! interface that is not documented.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::file::Channel;
use super::resolve::Reader;
use crate::channel::Gate;
use crate::channel::coster::{CosterSettings, Kinds, Wire};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Coster {
    pub account_id: Option<Spanned<String>>,
    pub division_id: Option<Spanned<String>>,
    pub push_token_env: Option<Spanned<String>>,
    pub push_token_file: Option<Spanned<String>>,
    pub buttons: bool,
    pub lists: bool,
    pub links: bool,
    pub media: bool,
    pub locations: bool,
    pub host: Option<Spanned<String>>,
    pub push_host: Option<Spanned<String>>,
    pub reply_path: Option<String>,
    pub push_path: Option<String>,
    pub media_path: Option<Spanned<String>>,
    pub token_header: Option<Spanned<String>>,
    pub push_header: Option<Spanned<String>>,
    pub push_prefix: Option<String>,
    pub channel_id: Option<String>,
    pub message_type: Option<String>,
    pub is_helpdesk: Option<bool>,
    pub language_policy: Option<String>,
    pub answer_code: Option<u16>,
    pub answer_message: Option<String>,
}

/// Where the keys stand, and who gives their values.
const TABLE: &str = "[channel.coster], as Coster gave it to you";

impl Reader<'_> {
    pub(super) fn coster(&mut self, channel: &Channel, span: Range<usize>) -> Option<CosterSettings> {
        let nothing = Coster::default();
        let table = channel.coster.as_ref().map_or(&nothing, Spanned::get_ref);
        let id = channel.id.get_ref();
        let number = self.phone_number_id(channel, &span);
        let account = self.needed(table.account_id.as_ref(), "account_id", id, &span, TABLE);
        let division = self.needed(table.division_id.as_ref(), "division_id", id, &span, TABLE);
        let token = (&channel.access_token_env, &channel.access_token_file);
        let access_token = self.secret(token, "access_token", id, &span);
        let push_token = match (&table.push_token_env, &table.push_token_file) {
            (None, None) => None,
            given => self.secret(given, "push_token", id, &span),
        };
        let secrets = self.webhook_secrets(channel, &span, true);
        let wire = self.wire(table);
        let gate = Gate::Path { secrets };
        let mut settings = CosterSettings::new(number?, account?, division?, access_token?, gate);
        settings.push_token = push_token;
        settings.kinds = Kinds {
            buttons: table.buttons,
            lists: table.lists,
            links: table.links,
            media: table.media,
            locations: table.locations,
        };
        settings.wire = wire?;
        Some(settings)
    }

    fn wire(&mut self, table: &Coster) -> Option<Wire> {
        let known = Wire::default();
        let mut host = |written: &Option<Spanned<String>>, known: String| match written {
            None => Some(known),
            Some(written) => self
                .url(written)
                .map(|url| url.as_str().trim_end_matches('/').to_owned()),
        };
        let (host, push_host) = (
            host(&table.host, known.host),
            host(&table.push_host, known.push_host),
        );
        let token_header = self.header(table.token_header.as_ref(), known.token_header.as_str());
        let push_header = self.header(table.push_header.as_ref(), known.push_header.as_str());
        let media_path = match &table.media_path {
            None => Some(known.media_path),
            Some(written) if written.get_ref().contains("{media_id}") => Some(written.get_ref().clone()),
            Some(written) => {
                let says = format!("{:?} lacks {{media_id}}", written.get_ref());
                let help = "write where the file's id stands, such as \"bot/media/{media_id}\"";
                self.wrong(written.span(), says, help);
                None
            }
        };
        let text = |written: &Option<String>, known: String| written.clone().unwrap_or(known);
        Some(Wire {
            host: host?,
            push_host: push_host?,
            reply_path: text(&table.reply_path, known.reply_path),
            push_path: text(&table.push_path, known.push_path),
            media_path: media_path?,
            token_header: token_header?,
            push_header: push_header?,
            push_prefix: text(&table.push_prefix, known.push_prefix),
            channel_id: text(&table.channel_id, known.channel_id),
            message_type: text(&table.message_type, known.message_type),
            is_helpdesk: table.is_helpdesk.unwrap_or(known.is_helpdesk),
            language_policy: text(&table.language_policy, known.language_policy),
            answer_code: table.answer_code.unwrap_or(known.answer_code),
            answer_message: text(&table.answer_message, known.answer_message),
        })
    }
}
