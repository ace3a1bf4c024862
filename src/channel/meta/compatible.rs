//! Others who speak Meta's language: the same messages and webhooks at another address, under another key, and proved
//! in another way. What differs is a value here; what does not is the codec.

use std::time::Duration;

use http::HeaderName;
use secrecy::SecretString;

use super::media::Files;
use super::route::{Key, Paths, Route};
use crate::channel::Gate;

/// What connects one phone number to a provider that speaks as Meta does.
#[derive(Debug, Clone)]
pub struct CompatibleSettings {
    /// How the provider is called in sentences.
    pub name: &'static str,
    /// What webhooks name the number by, in `metadata.phone_number_id`.
    pub phone_number_id: String,
    pub route: Route,
    pub gate: Gate,
    /// What Meta's check of the address must present; without it the check is refused.
    pub verify_token: Option<SecretString>,
    pub files: Files,
    pub connect_timeout: Duration,
    pub timeout: Duration,
}

/// What is known of a provider beforehand. The configuration may say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    pub name: &'static str,
    pub api_base: Option<&'static str>,
    pub paths: Paths,
    pub key_header: &'static str,
    pub key_prefix: &'static str,
    /// Whether files are fetched from the API's own host, whatever host their address names.
    pub files_from_api: bool,
}

impl Preset {
    /// A provider of which nothing is known but the language: Meta's paths and bearer.
    pub fn any() -> Preset {
        Preset {
            name: "The provider",
            api_base: None,
            paths: Paths::meta(),
            key_header: "authorization",
            key_prefix: "Bearer ",
            files_from_api: false,
        }
    }

    /// 360dialog: no number in the paths, since the key stands for it; no signature on webhooks; and addresses of files
    /// that name Meta's host, where its key means nothing.
    pub fn dialog360() -> Preset {
        Preset {
            name: "360dialog",
            api_base: Some("https://waba-v2.360dialog.io"),
            paths: Paths {
                messages: "messages".to_owned(),
                upload: "media".to_owned(),
                media: "{media_id}".to_owned(),
                health: "health_status".to_owned(),
                webhook: Some("v1/configs/webhook".to_owned()),
                templates: Some("v1/configs/templates?limit=500".to_owned()),
            },
            key_header: "d360-api-key",
            key_prefix: "",
            files_from_api: true,
        }
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Preset> {
        (name == "360dialog").then(Preset::dialog360)
    }

    /// Settings by what is known, for a number with this key. The address of the API must be given where the preset
    /// knows none.
    pub fn settings(
        self,
        base_url: impl Into<String>,
        phone_number_id: impl Into<String>,
        key: SecretString,
        gate: Gate,
    ) -> CompatibleSettings {
        let phone_number_id = phone_number_id.into();
        CompatibleSettings {
            name: self.name,
            route: Route {
                base_url: base_url.into(),
                api_version: "v24.0".to_owned(),
                phone_number_id: phone_number_id.clone(),
                paths: self.paths,
                key: Key {
                    header: HeaderName::from_static(self.key_header),
                    prefix: self.key_prefix.to_owned(),
                    secret: key,
                },
            },
            phone_number_id,
            gate,
            verify_token: None,
            files: Files {
                hosts: Vec::new(),
                from_api: self.files_from_api,
                cap: super::MEDIA_CAP,
            },
            connect_timeout: super::CONNECT_WITHIN,
            timeout: super::ANSWER_WITHIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::meta::Meta;
    use crate::channel::{Channel, Delivery, Forged, Show, Step};
    use crate::message::Address;
    use http::HeaderMap;

    fn dialog360() -> Meta {
        let gate = Gate::Path {
            secrets: vec!["hush".into()],
        };
        let preset = Preset::named("360dialog").unwrap();
        let base = preset.api_base.unwrap();
        Meta::compatible(preset.settings(base, "106", "key".into(), gate)).unwrap()
    }

    #[test]
    fn a_message_to_360dialog_names_the_number_by_its_key_alone() {
        let step = Step::Send {
            to: Address::WaId("6281100000011".into()),
            reply_to: None,
            ours: None,
            after_delivery: false,
            show: Show::Text {
                body: "Halo".into(),
                preview: false,
            },
        };
        let request = dialog360().encode(&step).unwrap();
        assert_eq!(request.url, "https://waba-v2.360dialog.io/messages");
        assert_eq!(request.headers["d360-api-key"], "key");
        assert!(!request.headers.contains_key("authorization"));
    }

    #[test]
    fn webhooks_of_360dialog_are_proved_by_their_address_and_it_checks_none() {
        let channel = dialog360();
        let headers = HeaderMap::new();
        let coming = |secret| {
            channel.authenticate(&Delivery {
                secret,
                headers: &headers,
                raw: b"{}",
            })
        };
        assert_eq!(coming(Some("hush")), Ok(()));
        assert_eq!(coming(None), Err(Forged));
        let query = "hub.mode=subscribe&hub.verify_token=&hub.challenge=1";
        assert_eq!(channel.handshake(Some("hush"), query).status, 403);
        assert_eq!((channel.provider(), channel.account()), ("compatible", "106"));
    }
}
