//! `[channel.compatible]`: a provider that speaks Meta's language, and what is different about it. A preset fills in what
//! is known; every key wins over it.

use std::ops::Range;

use http::HeaderName;
use serde::Deserialize;
use toml::Spanned;

use super::file::Channel;
use super::resolve::Reader;
use crate::channel::meta::{BLANKS, CompatibleSettings, Paths, Preset, SIGNATURE_HEADER, SIGNATURE_PREFIX};
use crate::channel::{Algorithm, Gate};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Compatible {
    pub preset: Option<Spanned<String>>,
    pub messages_path: Option<Spanned<String>>,
    pub upload_path: Option<Spanned<String>>,
    pub media_path: Option<Spanned<String>>,
    pub health_path: Option<Spanned<String>>,
    pub webhook_path: Option<Spanned<String>>,
    pub templates_path: Option<Spanned<String>>,
    pub key_header: Option<Spanned<String>>,
    pub key_prefix: Option<String>,
    pub files_from_api: Option<bool>,
    pub webhook_auth: Option<Spanned<String>>,
    pub secret_header: Option<Spanned<String>>,
    pub signature_header: Option<Spanned<String>>,
    pub signature_prefix: Option<String>,
    pub signature_algorithm: Option<Spanned<String>>,
}

/// The ways in which a webhook can be proved, as they are written.
const WAYS: &str = "\"signature\", \"header\", \"path\" or \"none\"";

impl Reader<'_> {
    pub(super) fn compatible(&mut self, channel: &Channel, span: Range<usize>) -> Option<CompatibleSettings> {
        let nothing = Compatible::default();
        let table = channel.compatible.as_ref().map_or(&nothing, Spanned::get_ref);
        let id = channel.id.get_ref();
        let preset = self.preset(table.preset.as_ref())?;
        let given = &channel.api_base;
        // A default has no place in the file, and Meta's own address is nobody else's.
        let base = match (given.span().is_empty(), preset.api_base) {
            (true, Some(base)) => Some(base.to_owned()),
            (true, None) => {
                self.wrong(
                    span.clone(),
                    format!("the channel {id} has no api_base"),
                    "write the address of the provider's API, without paths: api_base = \"https://…\"",
                );
                None
            }
            (false, _) => self
                .url(given)
                .map(|url| url.as_str().trim_end_matches('/').to_owned()),
        };
        let number = self.phone_number_id(channel, &span);
        let token = (&channel.access_token_env, &channel.access_token_file);
        let key = self.secret(token, "access_token", id, &span);
        let gate = self.compatible_gate(channel, table, &span);
        let verify_token = match (&channel.verify_token_env, &channel.verify_token_file) {
            (None, None) => None,
            given => self.secret(given, "verify_token", id, &span),
        };
        let key_header = self.header(table.key_header.as_ref(), preset.key_header);
        let known = preset.paths.clone();
        let messages = self.template(table.messages_path.as_ref(), known.messages, None);
        let upload = self.template(table.upload_path.as_ref(), known.upload, None);
        let media = self.template(table.media_path.as_ref(), known.media, Some("{media_id}"));
        let health = self.template(table.health_path.as_ref(), known.health, None);
        let webhook = match table.webhook_path.as_ref() {
            Some(written) if written.get_ref().is_empty() => None,
            Some(written) => self.template(Some(written), String::new(), None),
            None => known.webhook,
        };
        let of_account = channel.waba_id.as_deref().map(Paths::meta_templates);
        let templates = match table.templates_path.as_ref() {
            Some(written) if written.get_ref().is_empty() => None,
            Some(written) => self.template(Some(written), String::new(), None),
            None => known.templates.or(of_account),
        };
        let mut settings = preset.settings(base?, number?, key?, gate?);
        settings.verify_token = verify_token;
        settings.route.api_version.clone_from(&channel.api_version);
        settings.route.paths.messages = messages?;
        settings.route.paths.upload = upload?;
        settings.route.paths.media = media?;
        settings.route.paths.health = health?;
        settings.route.paths.webhook = webhook;
        settings.route.paths.templates = templates;
        settings.route.key.header = key_header?;
        if let Some(prefix) = &table.key_prefix {
            settings.route.key.prefix.clone_from(prefix);
        }
        settings.files.hosts.clone_from(&channel.media_hosts);
        settings.files.from_api = table.files_from_api.unwrap_or(settings.files.from_api);
        Some(settings)
    }

    fn preset(&mut self, written: Option<&Spanned<String>>) -> Option<Preset> {
        let Some(written) = written else {
            return Some(Preset::any());
        };
        let found = Preset::named(written.get_ref());
        if found.is_none() {
            let says = format!("there is no preset {:?}", written.get_ref());
            let help = "write preset = \"360dialog\", or leave it out and say what is different";
            self.wrong(written.span(), says, help);
        }
        found
    }

    /// How webhooks are proved. It must be said: what is not proved anybody can forge.
    fn compatible_gate(
        &mut self,
        channel: &Channel,
        table: &Compatible,
        span: &Range<usize>,
    ) -> Option<Gate> {
        let id = channel.id.get_ref();
        let Some(way) = &table.webhook_auth else {
            self.wrong(
                span.clone(),
                format!("the channel {id} does not say how its webhooks are proved"),
                format!("write webhook_auth = {WAYS} in [channel.compatible]"),
            );
            return None;
        };
        match way.get_ref().as_str() {
            "signature" => {
                let header = self.header(table.signature_header.as_ref(), SIGNATURE_HEADER);
                let algorithm = self.algorithm(table.signature_algorithm.as_ref());
                let prefix = table.signature_prefix.as_deref().unwrap_or(SIGNATURE_PREFIX);
                let secrets = self.app_secrets(channel, span);
                Some(Gate::Signed {
                    header: header?,
                    prefix: prefix.to_owned(),
                    algorithm: algorithm?,
                    secrets,
                })
            }
            "header" => {
                let name = self.header(table.secret_header.as_ref(), "x-webhook-secret");
                let values = self.webhook_secrets(channel, span, false);
                Some(Gate::Header { name: name?, values })
            }
            "path" => Some(Gate::Path {
                secrets: self.webhook_secrets(channel, span, true),
            }),
            "none" => Some(Gate::Open),
            other => {
                let says = format!("{other:?} is not a way to prove a webhook");
                self.wrong(way.span(), says, format!("write {WAYS}"));
                None
            }
        }
    }

    fn algorithm(&mut self, written: Option<&Spanned<String>>) -> Option<Algorithm> {
        let Some(written) = written else {
            return Some(Algorithm::Sha256);
        };
        match written.get_ref().as_str() {
            "sha256" => Some(Algorithm::Sha256),
            "sha512" => Some(Algorithm::Sha512),
            other => {
                let says = format!("{other:?} is not a signature that can be checked");
                self.wrong(written.span(), says, "write \"sha256\" or \"sha512\"");
                None
            }
        }
    }

    /// A path behind the API's address, with the blanks that there are.
    fn template(
        &mut self,
        written: Option<&Spanned<String>>,
        known: String,
        needed: Option<&str>,
    ) -> Option<String> {
        let Some(written) = written else {
            return Some(known);
        };
        let path = written.get_ref();
        let rest = BLANKS
            .iter()
            .fold(path.clone(), |rest, blank| rest.replace(blank, ""));
        let lacks = needed.filter(|needed| !path.contains(*needed));
        let says = if path.is_empty() {
            "the path is empty".to_owned()
        } else if rest.contains(['{', '}', ' ']) {
            format!("{path:?} holds something that can't be filled in")
        } else if let Some(lacks) = lacks {
            format!("{path:?} lacks {lacks}")
        } else {
            return Some(path.clone());
        };
        let help = format!(
            "write a path with the blanks it needs, out of {}",
            BLANKS.join(", ")
        );
        self.wrong(written.span(), says, help);
        None
    }

    pub(super) fn header(&mut self, written: Option<&Spanned<String>>, known: &str) -> Option<HeaderName> {
        let name = written.map_or(known, |written| written.get_ref().as_str());
        let found = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).ok();
        if let (None, Some(written)) = (&found, written) {
            let says = format!("{name:?} is not the name of a header");
            self.wrong(
                written.span(),
                says,
                "use letters, digits and -, such as \"X-Api-Key\"",
            );
        }
        found
    }
}
