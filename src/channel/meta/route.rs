//! Where the requests of one number go and what they carry: base address, paths, and the key in its header. Meta's own
//! and those of others who speak its language differ in nothing else on the way out.

use http::{HeaderName, Method};
use secrecy::{ExposeSecret, SecretString};

use crate::channel::HttpRequest;

/// What may stand in a path between braces.
pub const BLANKS: [&str; 3] = ["{api_version}", "{phone_number_id}", "{media_id}"];

/// The paths behind the base address, with [`BLANKS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Takes messages.
    pub messages: String,
    /// Takes files of the business.
    pub upload: String,
    /// Tells where a customer's file is.
    pub media: String,
    /// Tells how the number is.
    pub health: String,
    /// Tells where webhooks go, where that is asked apart.
    pub webhook: Option<String>,
    /// Lists the templates, where there is a list.
    pub templates: Option<String>,
}

impl Paths {
    /// Meta's own.
    pub fn meta() -> Paths {
        Paths {
            messages: "{api_version}/{phone_number_id}/messages".to_owned(),
            upload: "{api_version}/{phone_number_id}/media".to_owned(),
            media: "{api_version}/{media_id}?phone_number_id={phone_number_id}".to_owned(),
            health:
                "{api_version}/{phone_number_id}?fields=id,display_phone_number,verified_name,quality_rating,\
                     platform_type,status,throughput,webhook_configuration"
                    .to_owned(),
            webhook: None,
            templates: None,
        }
    }

    /// Meta's list of an account's templates.
    pub fn meta_templates(account_id: &str) -> String {
        format!(
            "{{api_version}}/{account_id}/message_templates?limit=100\
             &fields=id,name,language,status,category,components"
        )
    }
}

/// The key of the number, and how it is shown.
#[derive(Debug, Clone)]
pub struct Key {
    pub header: HeaderName,
    /// What stands before it, such as `Bearer `.
    pub prefix: String,
    pub secret: SecretString,
}

#[derive(Debug, Clone)]
pub struct Route {
    /// Where the API is; the paths follow.
    pub base_url: String,
    /// Such as `v24.0`.
    pub api_version: String,
    pub phone_number_id: String,
    pub paths: Paths,
    pub key: Key,
}

impl Route {
    /// What takes a message, which is its body.
    pub(super) fn bare_send(&self) -> HttpRequest {
        self.post(
            self.filled(&self.paths.messages, ""),
            "application/json",
            Vec::new(),
        )
    }

    pub(super) fn upload(&self) -> String {
        self.filled(&self.paths.upload, "")
    }

    pub(super) fn media(&self, id: &str) -> String {
        self.filled(&self.paths.media, id)
    }

    pub(super) fn health(&self) -> String {
        self.filled(&self.paths.health, "")
    }

    pub(super) fn webhook(&self) -> Option<String> {
        Some(self.filled(self.paths.webhook.as_deref()?, ""))
    }

    pub(super) fn templates(&self) -> Option<String> {
        Some(self.filled(self.paths.templates.as_deref()?, ""))
    }

    pub(super) fn post(&self, address: String, content_type: &str, body: Vec<u8>) -> HttpRequest {
        HttpRequest::new(Method::POST, address)
            .secret(self.key.header.clone(), &self.key.prefix, &self.key.secret)
            .body(content_type, body)
    }

    /// A read with the key, which must not go to anybody else: see the callers.
    pub(super) fn get(
        &self,
        client: &reqwest::Client,
        address: impl reqwest::IntoUrl,
    ) -> reqwest::RequestBuilder {
        let secret = self.key.secret.expose_secret().trim();
        let mut value = http::HeaderValue::from_str(&format!("{}{secret}", self.key.prefix));
        if let Ok(value) = &mut value {
            value.set_sensitive(true);
        }
        let request = client.get(address);
        match value {
            Ok(value) => request.header(self.key.header.clone(), value),
            // Only our own configuration can hold such a key; the provider then says that there is none.
            Err(_) => request,
        }
    }

    fn filled(&self, path: &str, media_id: &str) -> String {
        let [version, number, media] = BLANKS;
        let path = path
            .replace(version, &self.api_version)
            .replace(number, &self.phone_number_id)
            .replace(media, media_id);
        let base = self.base_url.trim_end_matches('/');
        format!("{base}/{}", path.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(paths: Paths) -> Route {
        Route {
            base_url: "https://api.example/".into(),
            api_version: "v24.0".into(),
            phone_number_id: "106".into(),
            paths,
            key: Key {
                header: HeaderName::from_static("d360-api-key"),
                prefix: String::new(),
                secret: SecretString::from("key\n"),
            },
        }
    }

    #[test]
    fn paths_are_filled_in_behind_the_base() {
        let route = route(Paths::meta());
        assert_eq!(route.bare_send().url, "https://api.example/v24.0/106/messages");
        assert_eq!(
            route.media("9"),
            "https://api.example/v24.0/9?phone_number_id=106"
        );
        assert_eq!(route.webhook(), None);
    }

    #[test]
    fn a_path_may_name_neither_version_nor_number_and_the_key_its_own_header() {
        let mut paths = Paths::meta();
        paths.messages = "/messages".into();
        let route = route(paths);
        let request = route.bare_send();
        assert_eq!(request.url, "https://api.example/messages");
        assert_eq!(request.headers["d360-api-key"], "key");
        assert!(request.headers["d360-api-key"].is_sensitive());
    }
}
