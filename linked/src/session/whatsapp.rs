//! The engine on the crate `whatsapp-rust`. The only file besides its neighbours in this folder that knows the crate.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;
use wacore::download::{Downloadable, MediaType};
use wacore::iq::devices::RemoveCompanionDeviceSpec;
use wacore::proto_helpers::MessageExt as _;
use wacore::types::events::{ConnectFailureReason, Event, EventHandler, TempBanReason};
use wacore::types::presence::ReceiptType;
use wacore_binary::Jid;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::store::{SqliteStore, SqliteStoreConfig, Synchronous};
use whatsapp_rust::types::events::InboundMessage;
use whatsapp_rust::upload::UploadOptions;
use whatsapp_rust::{Client, InboundDurabilityHook, SendOptions};

use super::inbound::{chat_of, received};
use super::transport::{Attempts, CountedTransport};
use super::{
    Chat, Engine, FileKind, Happening, Inbox, LinkedSession, Opening, Outgoing, OutgoingContent, Receipt,
    SendFailure,
};

/// How long the unlink request may take before the session is taken down without its answer.
const UNLINK_LIMIT: Duration = Duration::from_secs(10);

/// Makes sessions with WhatsApp.
#[derive(Clone, Debug, Default)]
pub struct WhatsApp {
    /// Where the stand-in of a test listens.
    #[cfg(feature = "loopback-test")]
    pub url: String,
}

struct Session {
    client: Arc<Client>,
    /// Gone once the session has been stopped.
    running: Mutex<Option<BotHandle>>,
    line: Arc<Attempts>,
}

#[async_trait]
impl Engine for WhatsApp {
    async fn open(&self, opening: Opening) -> anyhow::Result<Arc<dyn LinkedSession>> {
        let path = opening
            .keys
            .to_str()
            .context("the path of the keys is not UTF-8; use another data directory")?;
        // A ratchet that a power cut turns back cannot read what comes after.
        let config = SqliteStoreConfig {
            synchronous: Synchronous::Full,
            ..Default::default()
        };
        let store = SqliteStore::with_config(path, config)
            .await
            .context("the file of the keys cannot be opened")?;
        if opening.refresh_version {
            forget_version(&opening.keys)?;
        }
        let attempts = Arc::new(Attempts::default());
        #[cfg(feature = "loopback-test")]
        let transport = CountedTransport::new(Arc::clone(&attempts), opening.happenings.clone(), &self.url);
        #[cfg(not(feature = "loopback-test"))]
        let transport = CountedTransport::new(Arc::clone(&attempts), opening.happenings.clone());
        let builder = Bot::builder()
            .with_backend(store)
            .with_transport_factory(transport)
            .skip_history_sync()
            .with_inbound_durability_hook(BeforeTheAck { inbox: opening.inbox })
            .with_device_props(wacore::store::DevicePropsOverride::new().with_os("Switchboard"))
            .with_event_handler(Ear {
                happenings: opening.happenings,
                attempts: Arc::clone(&attempts),
            });
        // A test has no place to ask for the current version, and fewer keys are made sooner.
        #[cfg(feature = "loopback-test")]
        let builder = builder
            .with_http_client(crate::loopback::Http::beside(&self.url))
            .with_version((2, 3000, 1_000_000_000))
            .with_wanted_pre_key_count(12);
        let running = builder
            .build()
            .await
            .context("the session cannot be built")?
            .spawn();
        Ok(Arc::new(Session {
            client: running.client(),
            running: Mutex::new(Some(running)),
            line: attempts,
        }))
    }
}

/// A refused version may only be out of date in the cache of the keys' file.
fn forget_version(keys: &std::path::Path) -> anyhow::Result<()> {
    let file = rusqlite::Connection::open(keys)?;
    file.execute("UPDATE device SET app_version_last_fetched_ms = 0", [])?;
    Ok(())
}

/// Called with decrypted messages before they are acknowledged to the server.
struct BeforeTheAck {
    inbox: Arc<dyn Inbox>,
}

#[async_trait]
impl InboundDurabilityHook for BeforeTheAck {
    async fn on_messages(&self, _client: Arc<Client>, batch: &[InboundMessage]) -> anyhow::Result<()> {
        let messages = batch.iter().filter_map(received).collect();
        self.inbox.keep(messages).await
    }
}

/// Puts the crate's events into our words.
struct Ear {
    happenings: UnboundedSender<Happening>,
    attempts: Arc<Attempts>,
}

impl EventHandler for Ear {
    fn handle_event(&self, event: Arc<Event>) {
        let Some(happening) = happening_of(&event) else {
            return;
        };
        if matches!(
            happening,
            Happening::Connected | Happening::Code { .. } | Happening::Paired { .. }
        ) {
            self.attempts.good();
        }
        // Nobody listens any more once the session has been taken down.
        let _ = self.happenings.send(happening);
    }
}

/// The wildcard is for an enum that is not ours and that grows: what is not named here makes no difference to a
/// session.
fn happening_of(event: &Event) -> Option<Happening> {
    Some(match event {
        Event::PairingQrCode(code) => Happening::Code {
            text: code.code.clone(),
            lasts: code.timeout,
        },
        Event::PairingQrCodesExhausted(_) => Happening::CodesUsedUp,
        Event::PairSuccess(pair) => Happening::Paired {
            number: pair.id.user.to_string(),
            lid: Some(pair.lid.user.to_string()).filter(|lid| !lid.is_empty()),
            name: Some(pair.business_name.clone()).filter(|name| !name.is_empty()),
        },
        Event::PairError(error) => Happening::PairRefused {
            why: first_line(&error.error),
        },
        Event::Connected(_) => Happening::Connected,
        Event::Disconnected(cut) => Happening::Cut {
            why: cut.reason.to_string(),
        },
        Event::StreamReplaced(_) => Happening::Replaced,
        Event::LoggedOut(out) => Happening::LoggedOut {
            why: logged_out(out.reason).to_owned(),
        },
        Event::TemporaryBan(ban) => Happening::Banned {
            seconds: Some(ban.expire.num_seconds()),
            why: format!(
                "WhatsApp banned this number for a time: {}",
                banned_for(&ban.code)
            ),
        },
        Event::ConnectFailure(failure) => match failure.reason {
            ConnectFailureReason::TempBanned => Happening::Banned {
                seconds: None,
                why: "WhatsApp banned this number for a time, and did not say for how long".to_owned(),
            },
            reason if reason.should_reconnect() => Happening::Cut {
                why: format!("the server refused the login for now ({reason:?})"),
            },
            reason => Happening::Refused {
                why: format!("{reason:?}"),
            },
        },
        Event::ClientOutdated(_) => Happening::Outdated,
        Event::QrScannedWithoutMultidevice(_) => Happening::PairRefused {
            why: "this phone cannot link devices yet; update WhatsApp on it".to_owned(),
        },
        Event::ServerAck(ack) if ack.class.as_deref() == Some("message") => Happening::Acked {
            id: ack.id.clone(),
            refusal: ack.error.as_ref().map(|code| code.parse().unwrap_or(0)),
        },
        Event::Receipt(receipt) => {
            let kind = match receipt.r#type {
                ReceiptType::Delivered => Receipt::Delivered,
                ReceiptType::Read => Receipt::Read,
                ReceiptType::Played => Receipt::Played,
                _ => return None,
            };
            Happening::Receipt {
                ids: receipt.message_ids.iter().map(ToString::to_string).collect(),
                kind,
            }
        }
        Event::UndecryptableMessage(lost) => Happening::Undecryptable {
            id: lost.info.id.to_string(),
            chat: chat_of(&lost.info.source.chat)?,
        },
        Event::IncomingCall(call) => Happening::Call {
            id: call.stanza_id.clone(),
            from: chat_of(&call.from)?,
        },
        _ => return None,
    })
}

fn banned_for(code: &TempBanReason) -> &'static str {
    match code {
        TempBanReason::SentToTooManyPeople => "it wrote to too many people who do not know it",
        TempBanReason::BlockedByUsers => "too many people blocked it",
        TempBanReason::CreatedTooManyGroups => "it made too many groups",
        TempBanReason::SentTooManySameMessage => "it sent the same message too often",
        TempBanReason::BroadcastList => "it sent too much to lists",
        TempBanReason::Unknown(_) => "WhatsApp did not say why",
    }
}

fn logged_out(reason: ConnectFailureReason) -> &'static str {
    match reason {
        ConnectFailureReason::AccountLocked => "WhatsApp locked this account",
        ConnectFailureReason::UnknownLogout => "WhatsApp ended this login",
        _ => "the phone removed this device, or WhatsApp did",
    }
}

#[async_trait]
impl LinkedSession for Session {
    fn new_id(&self) -> String {
        self.client.generate_message_id()
    }

    fn heard(&self) -> Option<Timestamp> {
        self.line.heard()
    }

    async fn send(&self, id: &str, message: Outgoing) -> Result<(), SendFailure> {
        let to = jid_of(&message.chat);
        let content = self.content(&to, message).await?;
        let options = SendOptions::default().with_message_id(id);
        match self.client.send_message_with_options(to, content, options).await {
            Ok(_) => Ok(()),
            Err(whatsapp_rust::SendError::InvalidRequest(why)) => Err(SendFailure::Invalid(why)),
            Err(whatsapp_rust::SendError::NotLoggedIn) => {
                Err(SendFailure::NotSent("the device is not logged in".to_owned()))
            }
            Err(whatsapp_rust::SendError::Iq(error)) => Err(SendFailure::NotSent(error.to_string())),
            Err(error) if !self.client.is_connected() => Err(SendFailure::Uncertain(error.to_string())),
            // Sealing comes before sending, and a socket that is up takes what is handed to it.
            Err(error) => Err(SendFailure::NotSent(first_line(&error.to_string()))),
        }
    }

    async fn seen(&self, chat: &Chat, ids: &[String]) -> anyhow::Result<()> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.client.mark_as_read(&jid_of(chat), None, &ids).await
    }

    async fn typing(&self, chat: &Chat, on: bool) -> anyhow::Result<()> {
        let chatstate = self.client.chatstate();
        let to = jid_of(chat);
        if on {
            chatstate.send_composing(&to).await?;
        } else {
            chatstate.send_paused(&to).await?;
        }
        Ok(())
    }

    async fn fetch(&self, file: &[u8]) -> anyhow::Result<Vec<u8>> {
        let message = waproto::codec::message_decode(file).context("the reference of the file is damaged")?;
        let base = message.get_base_message();
        let part: &dyn Downloadable = if let Some(image) = base.image_message.as_option() {
            image
        } else if let Some(video) = base.video_message.as_option() {
            video
        } else if let Some(audio) = base.audio_message.as_option() {
            audio
        } else if let Some(document) = base.document_message.as_option() {
            document
        } else if let Some(sticker) = base.sticker_message.as_option() {
            sticker
        } else {
            anyhow::bail!("the message has no file");
        };
        self.client.download(part).await
    }

    async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.shutdown().await;
        }
    }

    async fn unlink(&self) -> anyhow::Result<()> {
        let asked = match self.client.pn() {
            // The crate's own logout does the same and does not say whether it was answered.
            Some(device) if self.client.is_connected() => {
                let request = self.client.execute(RemoveCompanionDeviceSpec::new(&device));
                match tokio::time::timeout(UNLINK_LIMIT, request).await {
                    Ok(answer) => answer.map_err(anyhow::Error::from),
                    Err(_) => Err(anyhow::anyhow!("WhatsApp did not answer within 10 s")),
                }
            }
            Some(_) | None => Err(anyhow::anyhow!("there was no connection to WhatsApp")),
        };
        self.stop().await;
        asked
    }
}

impl Session {
    async fn content(&self, to: &Jid, message: Outgoing) -> Result<wa::Message, SendFailure> {
        let context = message.quotes.map_or_else(MessageField::none, |(id, from_me)| {
            MessageField::some(self.quote(to, id, from_me))
        });
        let some = |message| Ok(message);
        match message.content {
            OutgoingContent::Text(text) if context.is_unset() => some(wa::Message {
                conversation: Some(text),
                ..Default::default()
            }),
            OutgoingContent::Text(text) => some(wa::Message {
                extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                    text: Some(text),
                    context_info: context,
                    ..Default::default()
                }),
                ..Default::default()
            }),
            OutgoingContent::Location {
                latitude,
                longitude,
                title,
            } => some(wa::Message {
                location_message: MessageField::some(wa::message::LocationMessage {
                    degrees_latitude: Some(latitude),
                    degrees_longitude: Some(longitude),
                    name: title,
                    context_info: context,
                    ..Default::default()
                }),
                ..Default::default()
            }),
            OutgoingContent::Reaction {
                text,
                to: id,
                to_mine,
            } => some(wa::Message {
                reaction_message: MessageField::some(wa::message::ReactionMessage {
                    key: MessageField::some(wa::MessageKey {
                        remote_jid: Some(to.to_string()),
                        from_me: Some(to_mine),
                        id: Some(id),
                        ..Default::default()
                    }),
                    text: Some(text),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            OutgoingContent::File {
                kind,
                mimetype,
                filename,
                caption,
                data,
            } => self.file(context, kind, mimetype, filename, caption, data).await,
        }
    }

    async fn file(
        &self,
        context_info: MessageField<wa::ContextInfo>,
        kind: FileKind,
        mimetype: String,
        file_name: Option<String>,
        caption: String,
        data: Vec<u8>,
    ) -> Result<wa::Message, SendFailure> {
        let media = match kind {
            FileKind::Image => MediaType::Image,
            FileKind::Video => MediaType::Video,
            FileKind::Document => MediaType::Document,
            FileKind::Voice | FileKind::Sound => MediaType::Audio,
        };
        let up = self.client.upload(data, media, UploadOptions::default()).await;
        let up =
            up.map_err(|error| SendFailure::NotSent(format!("the file could not be uploaded: {error}")))?;
        let caption = Some(caption).filter(|caption| !caption.is_empty());
        let mut message = wa::Message::default();
        macro_rules! part {
            ($kind:ident { $($field:ident),* $(,)? }) => {
                MessageField::some(wa::message::$kind {
                    url: Some(up.url),
                    direct_path: Some(up.direct_path),
                    media_key: Some(up.media_key.to_vec()),
                    media_key_timestamp: Some(up.media_key_timestamp),
                    file_enc_sha256: Some(up.file_enc_sha256.to_vec()),
                    file_sha256: Some(up.file_sha256.to_vec()),
                    file_length: Some(up.file_length),
                    mimetype: Some(mimetype),
                    context_info,
                    $($field,)*
                    ..Default::default()
                })
            };
        }
        let ptt = Some(kind == FileKind::Voice);
        let title = file_name.clone();
        match kind {
            FileKind::Image => message.image_message = part!(ImageMessage { caption }),
            FileKind::Video => message.video_message = part!(VideoMessage { caption }),
            FileKind::Voice | FileKind::Sound => message.audio_message = part!(AudioMessage { ptt }),
            FileKind::Document => {
                message.document_message = part!(DocumentMessage {
                    caption,
                    title,
                    file_name
                });
            }
        }
        Ok(message)
    }

    /// Who wrote what is quoted. The words of it are not repeated: phones that have the message show their own.
    fn quote(&self, chat: &Jid, id: String, from_me: bool) -> wa::ContextInfo {
        let writer = if from_me {
            self.client.pn()
        } else {
            Some(chat.clone())
        };
        wa::ContextInfo {
            stanza_id: Some(id),
            participant: writer.map(|jid| jid.to_non_ad().to_string()),
            quoted_message: MessageField::some(wa::Message {
                conversation: Some(String::new()),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

fn jid_of(chat: &Chat) -> Jid {
    if chat.is_lid() {
        Jid::lid(chat.user())
    } else {
        Jid::pn(chat.user())
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
