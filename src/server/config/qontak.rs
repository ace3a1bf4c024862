//! `[channel.qontak]`: which number of the organisation, how we log in, and what is done to its rooms.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::file::Channel;
use super::resolve::Reader;
use crate::channel::Gate;
use crate::channel::qontak::{
    Credentials, HandOff, Login, MEKARI_API, OPEN_API, QontakSettings, TOKEN_URL, is_uuid,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Qontak {
    pub channel_integration_id: Option<Spanned<String>>,
    pub auth: Option<Spanned<String>>,
    pub username: Option<Spanned<String>>,
    pub password_env: Option<Spanned<String>>,
    pub password_file: Option<Spanned<String>>,
    pub client_id: Option<Spanned<String>>,
    pub client_secret_env: Option<Spanned<String>>,
    pub client_secret_file: Option<Spanned<String>>,
    pub token_url: Option<Spanned<String>>,
    pub templates: BTreeMap<String, Spanned<String>>,
    pub agents: BTreeMap<String, Spanned<String>>,
    pub hand_off: Option<Spanned<String>>,
    pub resolve_rooms: Option<bool>,
}

/// Where the keys stand, and who gives their values.
const TABLE: &str = "[channel.qontak], as Qontak's settings show it";

impl Reader<'_> {
    pub(super) fn qontak(&mut self, channel: &Channel, span: Range<usize>) -> Option<QontakSettings> {
        let nothing = Qontak::default();
        let table = channel.qontak.as_ref().map_or(&nothing, Spanned::get_ref);
        let id = channel.id.get_ref();
        let integration = self.needed(
            table.channel_integration_id.as_ref(),
            "channel_integration_id",
            id,
            &span,
            TABLE,
        );
        let credentials = self.qontak_credentials(channel, table, &span);
        let base = self.qontak_base(channel, credentials.as_ref());
        let secrets = self.webhook_secrets(channel, &span, true);
        let hand_off = self.qontak_hand_off(table.hand_off.as_ref());
        let templates = self.qontak_templates(&table.templates);
        let agents = self.qontak_agents(&table.agents);
        let mut settings = QontakSettings::new(integration?, credentials?, base?, Gate::Path { secrets });
        settings.templates = templates;
        settings.agents = agents;
        settings.hand_off = hand_off?;
        settings.resolve_rooms = table.resolve_rooms.unwrap_or(true);
        settings.media_hosts.extend(channel.media_hosts.iter().cloned());
        Some(settings)
    }

    fn qontak_credentials(
        &mut self,
        channel: &Channel,
        table: &Qontak,
        span: &Range<usize>,
    ) -> Option<Credentials> {
        let id = channel.id.get_ref();
        let ways = "\"token\", \"password\" or \"hmac\"";
        let Some(auth) = &table.auth else {
            let says = format!("the channel {id} does not say how it logs in");
            self.wrong(
                span.clone(),
                says,
                format!("write auth = {ways} in [channel.qontak]"),
            );
            return None;
        };
        let secret = (&table.client_secret_env, &table.client_secret_file);
        match auth.get_ref().as_str() {
            "token" => {
                let token = (&channel.access_token_env, &channel.access_token_file);
                self.secret(token, "access_token", id, span)
                    .map(Credentials::Token)
            }
            "password" => {
                let username = self.needed(table.username.as_ref(), "username", id, span, TABLE);
                let password = (&table.password_env, &table.password_file);
                let password = self.secret(password, "password", id, span);
                let client_id = self.needed(table.client_id.as_ref(), "client_id", id, span, TABLE);
                let client_secret = self.secret(secret, "client_secret", id, span);
                let token_url = match &table.token_url {
                    None => Some(TOKEN_URL.to_owned()),
                    Some(written) => self.url(written).map(|url| url.to_string()),
                };
                Some(Credentials::Password(Box::new(Login {
                    username: username?,
                    password: password?,
                    client_id: client_id?,
                    client_secret: client_secret?,
                    token_url: token_url?,
                })))
            }
            "hmac" => {
                let client_id = self.needed(table.client_id.as_ref(), "client_id", id, span, TABLE);
                let client_secret = self.secret(secret, "client_secret", id, span);
                Some(Credentials::Hmac {
                    client_id: client_id?,
                    client_secret: client_secret?,
                })
            }
            other => {
                let says = format!("{other:?} is no way to log in");
                self.wrong(auth.span(), says, format!("write {ways}"));
                None
            }
        }
    }

    /// Each generation of the API has its own address.
    fn qontak_base(&mut self, channel: &Channel, credentials: Option<&Credentials>) -> Option<String> {
        let given = &channel.api_base;
        // A default has no place in the file, and Meta's own address is nobody else's.
        if !given.span().is_empty() {
            return self.url(given).map(|url| url.to_string());
        }
        let base = match credentials? {
            Credentials::Hmac { .. } => MEKARI_API,
            Credentials::Token(_) | Credentials::Password(_) => OPEN_API,
        };
        Some(base.to_owned())
    }

    fn qontak_hand_off(&mut self, written: Option<&Spanned<String>>) -> Option<HandOff> {
        match written.map(|written| (written.get_ref().as_str(), written.span())) {
            None | Some(("round_robin", _)) => Some(HandOff::RoundRobin),
            Some(("leave", _)) => Some(HandOff::Leave),
            Some((other, span)) => {
                let says = format!("{other:?} is nobody to hand a room to");
                let help = "write \"round_robin\" (the agent whose turn it is) or \"leave\" (agents find it)";
                self.wrong(span, says, help);
                None
            }
        }
    }

    fn qontak_templates(&mut self, written: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
        for (name, id) in written {
            if !is_uuid(id.get_ref().trim()) {
                let says = format!("{:?} is not the id of the template {name}", id.get_ref());
                let help = "copy its UUID from Qontak's list of templates (GET /templates/whatsapp)";
                self.wrong(id.span(), says, help);
            }
        }
        plain(written)
    }

    fn qontak_agents(&mut self, written: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
        for (team, id) in written {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let id_of = id.get_ref().trim();
            if id_of.is_empty() || !id_of.chars().all(fits) {
                let says = format!("{:?} is not the id of an agent for the team {team}", id.get_ref());
                self.wrong(id.span(), says, "copy the user's id from Qontak's list of agents");
            }
        }
        plain(written)
    }
}

fn plain(written: &BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
    let trimmed =
        |(name, value): (&String, &Spanned<String>)| (name.clone(), value.get_ref().trim().to_owned());
    written.iter().map(trimmed).collect()
}
