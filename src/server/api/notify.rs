//! `POST /api/notify`: the business's own systems write to customers. What is wrong with a request is said before anything
//! is queued; what is right becomes an event in the customer's mailbox and leaves through the outbox, like everything
//! else. Outside the 24-hour window only templates leave.
//!
//! The same `key` for the same customer is the same notification, for as long as the store remembers events: whoever does
//! not know whether a request arrived sends it again.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, extract::DefaultBodyLimit};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::handle::{Handle, unique};
use super::masked::Masked;
use super::operators::bearer;
use crate::channel::template::{Filling, NotListed, Template, Values};
use crate::message::{MediaKind, OutboundBody, TemplateHeader};
use crate::server::config::Scope;
use crate::server::inbound::identity;
use crate::server::inbound::mailbox::Item;
use crate::server::outbound::sender;
use crate::server::outbound::templates::{self, Wanted};
use crate::server::outbound::volume;
use crate::server::parts::Number;
use crate::server::turns::session::Session;
use crate::server::turns::thread::Line;
use crate::store::{ContactId, Ingest, Ingested};

mod happened;
mod progress;
mod refused;

use progress::notified;
use refused::Refused;

const BODY_BYTES: usize = 64 * 1024;
/// What is asked for as an answer, and what a key may be, in characters.
const LONGEST_KEY: usize = 200;
/// Lines of a thread in which a notification is looked for: as many as a store keeps.
const LINES: usize = 500;
/// A list of templates that is no older is shown as it is.
const SHOWN_FOR: Duration = Duration::from_secs(600);

/// The routes for those who have a token for it. Without any token there are none.
pub(in crate::server) fn routes(handle: Handle) -> Router {
    let notifies = doors(&handle, Scope::Notify);
    let tells = doors(&handle, Scope::Events);
    let mut router = Router::new();
    if let Some(known) = notifies {
        router = router.merge(
            Router::new()
                .route("/api/notify", post(notify))
                .route("/api/notify/{id}", get(notified))
                .route("/api/channels/{id}/templates", get(listed))
                .layer(DefaultBodyLimit::max(BODY_BYTES))
                .layer(middleware::from_fn(move |request, next| {
                    guard(known, request, next)
                })),
        );
    }
    if let Some(known) = tells {
        router = router.merge(
            Router::new()
                .route("/api/events", post(happened::happened))
                .layer(DefaultBodyLimit::max(BODY_BYTES))
                .layer(middleware::from_fn(move |request, next| {
                    guard(known, request, next)
                })),
        );
    }
    router.with_state(handle)
}

/// Who may do this; `None`: nobody.
fn doors(handle: &Handle, scope: Scope) -> Option<&'static Known> {
    let config = handle.config();
    let operators = config
        .admin_token
        .iter()
        .map(|token| ("operator".to_owned(), token.clone()));
    let systems = config
        .tokens
        .iter()
        .filter(|token| token.may.contains(&scope))
        .map(|token| (token.name.clone(), token.secret.clone()));
    let known: Known = operators.chain(systems).collect();
    (!known.is_empty()).then(|| &*Box::leak(Box::new(known)))
}

/// Who shows which token.
type Known = Vec<(String, SecretString)>;

/// Whose token was shown.
#[derive(Debug, Clone)]
struct By(String);

/// Compares hashes, and all of them, so that neither length nor content of a token shows in the time it takes.
async fn guard(known: &Known, mut request: Request, next: Next) -> Response {
    let given = Sha256::digest(bearer(request.headers()).unwrap_or_default());
    let mut whose = None;
    for (name, token) in known {
        if bool::from(given.ct_eq(&Sha256::digest(token.expose_secret()))) {
            whose = Some(By(name.clone()));
        }
    }
    match whose {
        Some(by) => {
            request.extensions_mut().insert(by);
            next.run(request).await
        }
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "error": "unauthorized" }))).into_response(),
    }
}

/// What is to be sent, as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// May be left out where there is one number.
    channel: Option<String>,
    /// The customer's number …
    to: Option<String>,
    /// … or the contact.
    contact: Option<String>,
    template: Option<AskedTemplate>,
    /// Inside the 24-hour window.
    text: Option<String>,
    key: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedTemplate {
    name: String,
    language: Option<String>,
    #[serde(default)]
    parameters: Values,
    header: Option<AskedHeader>,
    #[serde(default)]
    buttons: BTreeMap<usize, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedHeader {
    text: Option<String>,
    image: Option<String>,
    video: Option<String>,
    document: Option<String>,
    filename: Option<String>,
}

impl AskedHeader {
    fn meant(self) -> Result<TemplateHeader, Refused> {
        let file = |media, url| TemplateHeader::File {
            media,
            url,
            filename: self.filename,
        };
        match (self.text, self.image, self.video, self.document) {
            (Some(text), None, None, None) => Ok(TemplateHeader::Text(text)),
            (None, Some(url), None, None) => Ok(file(MediaKind::Photo, url)),
            (None, None, Some(url), None) => Ok(file(MediaKind::Video, url)),
            (None, None, None, Some(url)) => Ok(file(MediaKind::Document, url)),
            _ => Err(Refused::Malformed(
                "`header` takes one of `text`, `image`, `video` and `document`".to_owned(),
            )),
        }
    }
}

/// What was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Taken {
    id: String,
    contact: ContactId,
    channel: String,
    state: &'static str,
    /// It was taken before, under the same key.
    repeated: bool,
    /// Whether it was compared with the list of templates; `false`: the provider has none that can be read.
    checked: bool,
}

async fn notify(
    State(handle): State<Handle>,
    Extension(By(by)): Extension<By>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let mut asked: Asked = serde_json::from_slice(&body)
        .map_err(|why| Refused::Malformed(format!("the body can't be read: {why}")))?;
    asked.key = key_of(asked.key, &headers)?;
    let taken = take(&handle, asked, by).await?;
    Ok((StatusCode::ACCEPTED, Json(taken)).into_response())
}

async fn take(handle: &Handle, asked: Asked, by: String) -> Result<Taken, Refused> {
    let shared = &handle.shared;
    let whom = Whom {
        channel: asked.channel.as_deref(),
        to: asked.to.as_deref(),
        contact: asked.contact.as_deref(),
    };
    let to = recipient(handle, whom).await?;
    let number = number(handle, to.channel(whom))?;
    let (message, checked) = match (asked.template, asked.text) {
        (Some(template), None) => {
            let wanted = Wanted {
                name: &template.name,
                language: template.language.as_deref(),
                filling: Filling {
                    values: template.parameters,
                    header: template.header.map(AskedHeader::meant).transpose()?,
                    buttons: template.buttons,
                },
            };
            templates::message(shared, number, &wanted).await?
        }
        (None, Some(text)) => (free_text(text, number)?, true),
        (Some(_), Some(_)) | (None, None) => {
            let why = "give either `template` or `text`: outside the 24-hour window only a template leaves";
            return Err(Refused::Malformed(why.to_owned()));
        }
    };
    let contact = to.known(handle, number).await?;
    let key = hashed(asked.key, "n");
    may_be_written_to(handle, number, contact, &message).await?;
    let counted = counted(handle, number, contact, &key).await?;
    let item = Item::Notify {
        key: key.clone(),
        by: by.clone(),
        body: Box::new(message),
    };
    let letter = Ingest::internal(
        number.config.id.clone(),
        contact,
        format!("notify:{key}"),
        item.to_bytes(),
    );
    let outcome = shared.store.ingest(&[letter]).await?;
    shared.ring(contact);
    if counted && !matches!(outcome.first(), Some(Ingested::New(_))) {
        volume::give_back(shared.store.as_ref(), &number.config.id, number.config.volume).await?;
    }
    let repeated = is_repeated(outcome.first())?;
    tracing::info!(channel = number.config.id, contact = %Masked(contact), by, repeated, "a notification was taken");
    Ok(Taken {
        id: format!("{contact}.{key}"),
        contact,
        channel: number.config.id.clone(),
        state: "queued",
        repeated,
        checked,
    })
}

/// The key of a request: its own, else the one of its head.
fn key_of(own: Option<String>, headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let key = own.or_else(|| {
        let key = headers.get("idempotency-key")?.to_str().ok()?;
        Some(key.to_owned())
    });
    if let Some(key) = key.as_deref()
        && (key.trim().is_empty() || key.chars().count() > LONGEST_KEY)
    {
        let why = format!("`key` is empty or has more than {LONGEST_KEY} characters");
        return Err(Refused::Malformed(why));
    }
    Ok(key)
}

/// What stands for the key in the store; without one, one that is nobody else's.
fn hashed(key: Option<String>, kind: &str) -> String {
    key.map_or_else(
        || unique(kind),
        |key| blake3::hash(key.as_bytes()).to_hex()[..24].to_owned(),
    )
}

/// Whether it was taken before, under the same key.
fn is_repeated(outcome: Option<&Ingested>) -> Result<bool, Refused> {
    match outcome {
        Some(Ingested::New(_)) => Ok(false),
        Some(Ingested::Duplicate) => Ok(true),
        Some(Ingested::MailboxFull) | None => {
            Err(Refused::Later("the mailbox of this contact is full".to_owned()))
        }
    }
}

/// Whom a request names, as it is written.
#[derive(Clone, Copy)]
struct Whom<'a> {
    channel: Option<&'a str>,
    to: Option<&'a str>,
    contact: Option<&'a str>,
}

/// Whom a request means.
enum Recipient {
    Phone(String),
    Known { contact: ContactId, channel: String },
}

impl Recipient {
    fn channel<'a>(&'a self, whom: Whom<'a>) -> Option<&'a str> {
        match self {
            Recipient::Phone(_) => whom.channel,
            Recipient::Known { channel, .. } => Some(channel),
        }
    }

    async fn known(&self, handle: &Handle, number: &Number) -> Result<ContactId, Refused> {
        match self {
            Recipient::Known { contact, .. } => Ok(*contact),
            Recipient::Phone(digits) => {
                let aliases = identity::named(Some(digits), None);
                let Some((first, also)) = aliases.split_first() else {
                    return Err(Refused::Malformed("`to` names nobody".to_owned()));
                };
                let shared = &handle.shared;
                Ok(shared.people.find(shared, number, first, also).await?)
            }
        }
    }
}

async fn recipient(handle: &Handle, whom: Whom<'_>) -> Result<Recipient, Refused> {
    match (whom.to, whom.contact) {
        (Some(number), None) => digits_of(number).map(Recipient::Phone),
        (None, Some(contact)) => {
            let contact: ContactId = contact.parse().map_err(Refused::Malformed)?;
            let known = handle.shared.store.peek(contact).await?;
            let channel = known
                .ok_or_else(|| Refused::NotFound("there is no such contact".to_owned()))?
                .channel;
            if let Some(other) = whom.channel.filter(|other| *other != channel) {
                let why = format!("this contact belongs to the channel {channel}, not to {other}");
                return Err(Refused::Malformed(why));
            }
            Ok(Recipient::Known { contact, channel })
        }
        (Some(_), Some(_)) | (None, None) => Err(Refused::Malformed(
            "give either `to`, a number such as \"+6281100000011\", or `contact`".to_owned(),
        )),
    }
}

/// A number with its country as digits alone, as people write it.
fn digits_of(number: &str) -> Result<String, Refused> {
    let written: String = number
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{a0}'))
        .collect();
    let digits = written.strip_prefix('+').unwrap_or(&written);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || digits.starts_with('0') || !(8..=15).contains(&digits.len()) {
        return Err(Refused::Malformed(format!(
            "{number:?} is no whole number; write it with its country, such as \"+6281100000011\""
        )));
    }
    Ok(digits.to_owned())
}

fn number<'a>(handle: &'a Handle, wanted: Option<&str>) -> Result<&'a Number, Refused> {
    let shared = &handle.shared;
    let ids = || {
        let ids: Vec<&str> = shared
            .config
            .channels
            .iter()
            .map(|channel| channel.id.as_str())
            .collect();
        ids.join(", ")
    };
    match (wanted, shared.config.channels.as_slice()) {
        (Some(id), _) => shared
            .numbers
            .get(id)
            .ok_or_else(|| Refused::NotFound(format!("there is no channel {id:?}; there are {}", ids()))),
        (None, [only]) => shared
            .numbers
            .get(&only.id)
            .ok_or_else(|| Refused::NotFound("there is no number".to_owned())),
        (None, _) => Err(Refused::Malformed(format!("say which `channel`: {}", ids()))),
    }
}

fn free_text(text: String, number: &Number) -> Result<OutboundBody, Refused> {
    let limit = number.channel.capabilities().limits.text;
    let size = text.chars().count();
    if text.trim().is_empty() {
        return Err(Refused::Malformed("`text` is empty".to_owned()));
    }
    if size > limit {
        return Err(Refused::Malformed(format!(
            "`text` has {size} characters, {limit} at most"
        )));
    }
    Ok(OutboundBody::Text {
        body: text,
        preview: true,
    })
}

/// What is known now; it is looked at again when the message is about to leave.
async fn may_be_written_to(
    handle: &Handle,
    number: &Number,
    contact: ContactId,
    message: &OutboundBody,
) -> Result<(), Refused> {
    let store = &handle.shared.store;
    let session = match store.peek(contact).await? {
        Some(claim) => {
            let (session, memory) = Session::of(&claim).map_err(|why| Refused::Later(why.to_string()))?;
            if memory.opted_out {
                return Err(Refused::OptedOut);
            }
            session
        }
        None => Session::default(),
    };
    if matches!(message, OutboundBody::Template { .. }) {
        return Ok(());
    }
    let said_at = store.whole(contact).await?.and_then(|whole| whole.said_at);
    if session.window_closed || !sender::is_open(said_at, store.now()) {
        return Err(Refused::WindowClosed { said_at });
    }
    if number.channel.capabilities().rooms && session == Session::default() {
        return Err(Refused::WindowClosed { said_at });
    }
    Ok(())
}

/// Counts the notification against what may leave without being asked; `false`: it was taken before, and is not counted.
async fn counted(handle: &Handle, number: &Number, contact: ContactId, key: &str) -> Result<bool, Refused> {
    let (store, volume) = (&handle.shared.store, number.config.volume);
    // In this order nothing is missed: what waits no longer is a line by then.
    let waiting = store
        .peek(contact)
        .await?
        .map(|claim| claim.events)
        .unwrap_or_default();
    let lines = store.history(contact, LINES).await?;
    let taken = lines.iter().any(|line| {
        matches!(Line::read(&line.payload), Ok(Line::Ours(ours)) if ours.notify.as_deref() == Some(key))
    });
    if taken {
        return Ok(false);
    }
    if let Some(free_at) = volume::enough(&lines, &waiting, volume, store.now(), None) {
        return Err(Refused::TooMany {
            whose: "this customer",
            limit: volume.per_customer,
            key: "unasked_per_customer",
            free_at,
        });
    }
    match volume::take(store.as_ref(), &number.config.id, volume).await? {
        None => Ok(true),
        Some(free_at) => Err(Refused::TooMany {
            whose: "this number",
            limit: volume.per_day,
            key: "unasked_per_day",
            free_at,
        }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    /// Ask the provider even if a list is at hand.
    #[serde(default)]
    fresh: bool,
}

#[derive(Serialize)]
struct Shown {
    channel: String,
    read_at: String,
    age_seconds: u64,
    /// Why it is older than it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<String>,
    templates: Vec<Template>,
}

async fn listed(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    Query(Look { fresh }): Query<Look>,
) -> Result<Json<Shown>, Refused> {
    let number = number(&handle, Some(&id))?;
    let at_most = if fresh { Duration::ZERO } else { SHOWN_FOR };
    let listed = number.templates.list(&handle.shared, number, at_most).await;
    let listed = listed.map_err(|why| match why {
        NotListed::NoList(_) => Refused::NotFound(why.to_string()),
        NotListed::Refused(_) | NotListed::Unreachable(_) => Refused::Later(why.to_string()),
    })?;
    Ok(Json(Shown {
        channel: id,
        read_at: listed.read_at.to_string(),
        age_seconds: listed.age.as_secs(),
        stale: listed.stale,
        templates: listed.list.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_write_them_and_never_without_their_country() {
        for number in ["+62 811-0000-0011", "6281100000011", "+62 (811) 0000.0011"] {
            assert_eq!(digits_of(number).unwrap(), "6281100000011", "{number}");
        }
        for number in [
            "",
            "0811 0000 0011",
            "+62",
            "call me",
            "62811000000110000",
            "+62+811000011",
        ] {
            assert!(digits_of(number).is_err(), "{number}");
        }
    }
}
