//! Coster's addresses, headers and constants, with what was seen of them as default. All of it can be set, because none
//! of it is promised.

use http::HeaderName;
use secrecy::ExposeSecret;

use super::CosterSettings;
use crate::channel::HttpRequest;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Takes replies and gives files.
    pub host: String,
    /// Takes templates.
    pub push_host: String,
    pub reply_path: String,
    /// With the blank `{account_id}`.
    pub push_path: String,
    /// With the blank `{media_id}`.
    pub media_path: String,
    /// Holds the access token, at [`Wire::host`].
    pub token_header: HeaderName,
    /// Holds the token for templates, at [`Wire::push_host`].
    pub push_header: HeaderName,
    /// What stands before the token for templates.
    pub push_prefix: String,
    /// Members of the envelope.
    pub channel_id: String,
    pub message_type: String,
    pub is_helpdesk: bool,
    /// `policy` of a template's language.
    pub language_policy: String,
    /// What a webhook is answered with.
    pub answer_code: u16,
    pub answer_message: String,
}

impl Default for Wire {
    fn default() -> Self {
        Wire {
            host: "https://api.coster.id".to_owned(),
            push_host: "https://m2m.coster.id".to_owned(),
            reply_path: "bot/webhook".to_owned(),
            push_path: "v1/{account_id}/messages".to_owned(),
            media_path: "bot/media/{media_id}".to_owned(),
            token_header: HeaderName::from_static("x-access-token"),
            push_header: http::header::AUTHORIZATION,
            push_prefix: "Bearer ".to_owned(),
            channel_id: "whatsapp-cloud".to_owned(),
            message_type: "outbound".to_owned(),
            is_helpdesk: false,
            language_policy: "deterministic".to_owned(),
            answer_code: 200,
            answer_message: "success".to_owned(),
        }
    }
}

impl CosterSettings {
    pub(super) fn reply(&self) -> String {
        behind(&self.wire.host, &self.wire.reply_path)
    }

    pub(super) fn push(&self) -> String {
        behind(
            &self.wire.push_host,
            &self.wire.push_path.replace("{account_id}", &self.account_id),
        )
    }

    pub(super) fn with_token(&self, request: HttpRequest) -> HttpRequest {
        request.secret(self.wire.token_header.clone(), "", &self.access_token)
    }

    /// The request for a customer's file.
    pub(super) fn media(&self, client: &reqwest::Client, id: &str) -> reqwest::RequestBuilder {
        let address = behind(&self.wire.host, &self.wire.media_path.replace("{media_id}", id));
        let request = client.get(address);
        match http::HeaderValue::from_str(self.access_token.expose_secret().trim()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                request.header(self.wire.token_header.clone(), value)
            }
            // Only our own configuration can hold such a token; Coster then says that there is none.
            Err(_) => request,
        }
    }
}

fn behind(host: &str, path: &str) -> String {
    format!("{}/{}", host.trim_end_matches('/'), path.trim_start_matches('/'))
}
