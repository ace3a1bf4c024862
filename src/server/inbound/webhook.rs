//! From a provider's bytes to mailboxes: the first stretch of the road. Nothing is parsed before it is authentic, and
//! a provider hears 200 only when everything it said is durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::identity;
use super::mailbox::Item;
use super::shortcut::{self, Shortcut};
use crate::channel::{Answer, Delivery, Forged};
use crate::failpoint;
use crate::message::{Inbound, InboundBody, Keeper, MediaKind, Role};
use crate::server::api::masked::Masked;
use crate::server::parts::{Number, Shared};
use crate::server::turns::desk::{Seat, Task};
use crate::server::turns::thread::Line;
use crate::server::turns::worker;
use crate::server::watch::metrics::Arrival;
use crate::server::watch::pulse::Part;
use crate::server::watch::traces::Span;
use crate::store::{ContactId, Ingest, Ingested, Owner, Status, StoreError};

/// Who typed a shortcut that came over a webhook: which of the staff it was, no provider says.
const ELSEWHERE: &str = "staff";
/// How long the body of a webhook may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// How long the store may take. After that the provider is asked to come again: what it repeats is recognised.
const STORED_WITHIN: Duration = Duration::from_millis(1800);
/// Older events are refused: their ids are no longer remembered, so a repetition could not be told from news.
const OLDEST: SignedDuration = SignedDuration::from_hours(8 * 24);
/// An event that is late by this much is answered without waiting for more.
const LATE: SignedDuration = SignedDuration::from_mins(15);
/// So many steps of the store are under way at the same time for one webhook.
const TOGETHER: usize = 128;
/// An event above this is kept in quarantine: stores take 64 KiB.
const LARGEST: usize = 60 * 1024;
/// Longest text that a mailbox takes whole, in bytes; twice in the store, once as event and once as line.
const LONGEST_TEXT: usize = 24 * 1024;
/// A burst is answered at the latest this many quiet times after its first message.
const BURST_AT_MOST: u32 = 5;

/// The path of a webhook. The secret is for the channel's comparison alone and goes into no log, trace or metric.
#[derive(Deserialize)]
pub(in crate::server) struct Place {
    channel: String,
    secret: Option<String>,
}

/// `GET /webhook/{channel}` and `GET /webhook/{channel}/{secret}`: the provider checks the address.
pub(in crate::server) async fn handshake(
    State(shared): State<Arc<Shared>>,
    Path(place): Path<Place>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.as_deref().unwrap_or_default();
    let answer = match shared.numbers.get(&place.channel) {
        Some(number) => number.channel.handshake(place.secret.as_deref(), query),
        None => Answer::plain(403, "forbidden"),
    };
    response(answer)
}

/// `POST /webhook/{channel}` and `POST /webhook/{channel}/{secret}`.
pub(in crate::server) async fn receive(
    State(shared): State<Arc<Shared>>,
    Path(place): Path<Place>,
    request: Request<Body>,
) -> Response {
    let (began, span) = (Instant::now(), Span::webhook(shown(&shared, &place.channel)));
    let response = answered(&shared, &place, request).await;
    let status = response.status();
    shared
        .metrics
        .webhook(&place.channel, status.as_u16(), began.elapsed());
    span.end(status.as_str(), status.is_server_error());
    response
}

async fn answered(shared: &Arc<Shared>, place: &Place, request: Request<Body>) -> Response {
    let id = place.channel.as_str();
    let (head, body) = request.into_parts();
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return response(Answer::plain(415, "send it uncompressed"));
    }
    let raw = match read(body, shared.config.limits.body_bytes).await {
        Ok(raw) => raw,
        Err(answer) => return response(answer),
    };
    let delivery = Delivery {
        secret: place.secret.as_deref(),
        headers: &head.headers,
        raw: &raw,
    };
    let Some(number) = authentic(shared, id, &delivery) else {
        tracing::warn!(channel = %shown(shared, id), "a webhook without a valid signature was refused");
        return response(Forged::answer());
    };
    if !shared.pulse.lets_in(None) {
        return again();
    }
    let stored = accept(shared, number, &delivery);
    match tokio::time::timeout(STORED_WITHIN, stored).await {
        Ok(Ok(())) => response(number.channel.acknowledge(&raw)),
        Ok(Err(why)) => {
            tracing::error!(channel = id, %why, "a webhook could not be stored; the provider will repeat it");
            again()
        }
        Err(_) => {
            shared.pulse.silent();
            tracing::error!(
                channel = id,
                "the store did not answer in time; the provider will repeat the webhook"
            );
            again()
        }
    }
}

fn count(shared: &Shared, number: &Number, arrival: Arrival) {
    let series = shared.metrics.channel(&number.config.id);
    series.arrivals.of(arrival).increment(1);
}

async fn read(body: Body, cap: usize) -> Result<Bytes, Answer> {
    match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, cap)).await {
        Ok(Ok(raw)) => Ok(raw),
        // Too large, or cut off: then nobody hears the answer.
        Ok(Err(_)) => Err(Answer::plain(413, "too large")),
        Err(_) => Err(Answer::plain(408, "too slow")),
    }
}

/// The number of this address, if the body is signed by its provider. An address that does not exist is answered as a
/// forgery is, and no sooner: the signature is compared in vain.
fn authentic<'a>(shared: &'a Shared, id: &str, delivery: &Delivery<'_>) -> Option<&'a Number> {
    let number = shared.numbers.get(id);
    let compared = number.or_else(|| shared.numbers.values().next())?;
    let holds = compared.channel.authenticate(delivery).is_ok();
    number.filter(|_| holds)
}

/// Only names of our own go into the log.
fn shown<'a>(shared: &Shared, id: &'a str) -> &'a str {
    if shared.numbers.contains_key(id) {
        id
    } else {
        "unknown"
    }
}

fn response(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    for (name, value) in answer.headers {
        response
            .headers_mut()
            .insert(*name, HeaderValue::from_static(value));
    }
    response
}

/// Nothing is lost: Meta repeats a webhook for up to seven days.
fn again() -> Response {
    let mut response = response(Answer::plain(503, "please repeat"));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// Reads an authentic webhook and stores all of it.
async fn accept(shared: &Arc<Shared>, number: &Number, delivery: &Delivery<'_>) -> Result<(), StoreError> {
    for other in shared.numbers.values() {
        if other.config.id == number.config.id || same_organisation(number, other) {
            other.endpoint.reached(shared.store.as_ref()).await;
        }
    }
    let decoded = number.channel.decode(delivery.raw);
    for problem in &decoded.problems {
        count(shared, number, Arrival::Quarantined);
        tracing::warn!(
            channel = number.config.id,
            place = problem.place,
            "a part of a webhook can't be read; it is kept in quarantine and the rest goes on"
        );
    }
    // Together, as below: one sync each would keep a large webhook from ever being stored in time.
    let kept: Vec<_> = decoded
        .problems
        .into_iter()
        .map(|problem| async move {
            let why = format!("{}: {}", problem.place, problem.why);
            let raw = problem.raw.as_bytes();
            shared.store.quarantine(&number.config.id, raw, &why).await
        })
        .collect();
    together(kept).await?;
    deliver(shared, number, decoded.events, |other| {
        other.channel.authenticate(delivery).is_ok()
    })
    .await
}

/// Puts events into mailboxes, in one step of the store. `trusted` says whether the sender may speak for another
/// number than the one whose address it used: at Meta all numbers of an app share one address.
pub(in crate::server) async fn deliver(
    shared: &Arc<Shared>,
    number: &Number,
    events: Vec<Inbound>,
    trusted: impl Fn(&Number) -> bool,
) -> Result<(), StoreError> {
    let mut letters = Vec::new();
    let mut statuses = Vec::new();
    for event in events {
        let Some(number) = addressee(shared, number, &event, &trusted) else {
            count(shared, number, Arrival::Foreign);
            tell_of_foreign(number);
            continue;
        };
        match &event.body {
            // What the bot said is in the thread already.
            _ if event.who.role == Role::BotEcho => count(shared, number, Arrival::Ours),
            InboundBody::Status(status) => statuses.push((number, status.clone())),
            InboundBody::Account { field, value } if number.link.is_some() && field == "session.status" => {
                if let Some(link) = &number.link {
                    link.told(value);
                }
            }
            InboundBody::Account { field, .. } => {
                if field.contains("template") {
                    number.templates.are_old();
                }
                tracing::warn!(
                    channel = number.config.id,
                    field,
                    "the provider has news about this account"
                );
            }
            _ => letters.push((number, event)),
        }
    }
    // One after the other would be one sync of the disk each; together the store writes them in groups.
    let letters: Vec<_> = letters
        .into_iter()
        .map(|(number, event)| letter(shared, number, event))
        .collect();
    let letters: Vec<Option<Letter>> = together(letters).await?;
    // Where one server of several is away, what belongs to the others is stored all the same; it is a repetition when
    // the webhook comes again.
    let mut parts: BTreeMap<Part, Vec<Letter>> = BTreeMap::new();
    for letter in letters.into_iter().flatten() {
        let part = shared.store.server_of(letter.ingest.contact);
        parts.entry(part).or_default().push(letter);
    }
    let storing = parts.into_iter().map(|(part, letters)| async move {
        // The door has been asked for the store as a whole.
        if part.is_some() && !shared.pulse.lets_in(part) {
            return Err(StoreError::Unavailable(
                "the server of this contact is away".to_owned(),
            ));
        }
        store_all(shared, letters).await
    });
    join_all(storing)
        .await
        .into_iter()
        .collect::<Result<(), StoreError>>()?;
    let statuses: Vec<_> = statuses
        .into_iter()
        .map(|(number, status)| reconcile(shared, number, status))
        .collect();
    together(statuses).await.map(|_| ())
}

/// So many of them at the same time. Most webhooks bring one event, which needs no company.
async fn together<T>(
    mut steps: Vec<impl Future<Output = Result<T, StoreError>>>,
) -> Result<Vec<T>, StoreError> {
    if steps.len() <= 1 {
        return match steps.pop() {
            Some(step) => Ok(vec![step.await?]),
            None => Ok(Vec::new()),
        };
    }
    stream::iter(steps).buffered(TOGETHER).try_collect().await
}

/// Where a whole organisation has one webhook, most of it may be for others.
fn tell_of_foreign(number: &Number) {
    let channel = &number.config.id;
    if number.channel.organisation().is_some() {
        tracing::debug!(channel, "an event for a number that is not configured here");
    } else {
        tracing::warn!(channel, "an event for a number that is not configured here");
    }
}

fn addressee<'a>(
    shared: &'a Shared,
    number: &'a Number,
    event: &Inbound,
    trusted: &impl Fn(&Number) -> bool,
) -> Option<&'a Number> {
    if number.channel.account() == event.account || matches!(event.body, InboundBody::Account { .. }) {
        return Some(number);
    }
    shared.numbers.values().find(|other| {
        other.channel.provider() == number.channel.provider()
            && other.channel.account() == event.account
            && (trusted(other) || same_organisation(number, other))
    })
}

/// Whether one webhook speaks for both numbers.
fn same_organisation(one: &Number, other: &Number) -> bool {
    let organisation = one.channel.organisation();
    organisation.is_some() && organisation == other.channel.organisation()
}

/// An event on its way into a mailbox.
struct Letter {
    ingest: Ingest,
    /// Who has the chat because of it: somebody of the business wrote it, or has the chat in the provider's inbox.
    owner: Option<Owner>,
}

/// The event as it goes into its contact's mailbox; `None` if it has no place there.
async fn letter(shared: &Shared, number: &Number, event: Inbound) -> Result<Option<Letter>, StoreError> {
    let now = shared.store.now();
    let late = event.at.map_or(SignedDuration::ZERO, |at| at.duration_until(now));
    if late > OLDEST {
        count(shared, number, Arrival::TooOld);
        tracing::warn!(
            channel = number.config.id,
            "an event older than eight days was refused"
        );
        return Ok(None);
    }
    let aliases = identity::of_event(&event);
    let Some((first, also)) = aliases.split_first() else {
        return quarantine(shared, number, &event, "nobody is named in it").await;
    };
    failpoint!("before_alias");
    let contact = shared.people.find(shared, number, first, also).await?;
    if let InboundBody::Identity { phone, bsuid, .. } = &event.body {
        let new = identity::named(phone.as_deref(), bsuid.as_deref());
        shared.store.resolve_alias(&number.config.id, first, &new).await?;
    }
    let event = shortened(shared, number, event).await?;
    let assigned = event.conversation.keeper == Keeper::People && late <= LATE;
    let quiet = quiet(shared, number, &event, late);
    let pause = number.config.shortcuts;
    let typed = pause.and_then(|pause| Some((Shortcut::in_event(&event)?, pause)));
    let owner = match typed {
        Some((typed, pause)) => Some(typed.owner(now, pause)),
        None if assigned => Some(Owner::Human),
        None if event.who.role == Role::Agent => Some(kept_by_people(shared, contact, now, pause).await?),
        None => None,
    };
    let line = match typed {
        Some((typed, pause)) => Some(typed.line(ELSEWHERE, pause)),
        None => line_of(&event),
    };
    let history = line.map(|line| line.to_bytes());
    let (dedupe, said_at) = (event.key.0.clone(), said_at(&event, now));
    let item = match typed {
        Some((typed, _)) => typed.item(ELSEWHERE),
        None => Item::Inbound(Box::new(event)),
    };
    let payload = item.to_bytes();
    if payload.len() > LARGEST
        && let Item::Inbound(event) = item
    {
        return quarantine(shared, number, &event, "it is too large for a mailbox").await;
    }
    let ingest = Ingest {
        channel: number.config.id.clone(),
        contact,
        dedupe,
        said_at,
        quiet,
        quiet_max: quiet * BURST_AT_MOST,
        history,
        payload,
    };
    Ok(Some(Letter { ingest, owner }))
}

/// Who has the chat once a person wrote into it.
async fn kept_by_people(
    shared: &Shared,
    contact: ContactId,
    now: Timestamp,
    pause: Option<Duration>,
) -> Result<Owner, StoreError> {
    let Some(pause) = pause else {
        return Ok(Owner::Human);
    };
    let before = shared.store.peek(contact).await?.map(|claim| claim.owner);
    Ok(shortcut::after_words(before.unwrap_or_default(), now, pause))
}

/// A text too long for a mailbox goes on without its end, which is kept in quarantine: an answer to most of it beats
/// none.
async fn shortened(shared: &Shared, number: &Number, mut event: Inbound) -> Result<Inbound, StoreError> {
    if !matches!(&event.body, InboundBody::Text { body } if body.len() > LONGEST_TEXT) {
        return Ok(event);
    }
    quarantine(
        shared,
        number,
        &event,
        "its text is too long for a mailbox and was cut",
    )
    .await?;
    if let InboundBody::Text { body } = &mut event.body {
        let end = (0..=LONGEST_TEXT).rev().find(|end| body.is_char_boundary(*end));
        body.truncate(end.unwrap_or_default());
        body.push('…');
    }
    Ok(event)
}

async fn quarantine(
    shared: &Shared,
    number: &Number,
    event: &Inbound,
    why: &str,
) -> Result<Option<Letter>, StoreError> {
    count(shared, number, Arrival::Quarantined);
    tracing::warn!(
        channel = number.config.id,
        why,
        "an event is kept in quarantine and the rest goes on"
    );
    // Names of fields, strings and finite numbers only: nothing in it can fail to be written.
    let raw = serde_json::to_vec(event).unwrap_or_default();
    shared.store.quarantine(&number.config.id, &raw, why).await?;
    Ok(None)
}

/// Only what the customer says opens the window.
pub(in crate::server) fn said_at(event: &Inbound, now: Timestamp) -> Option<Timestamp> {
    (event.who.role == Role::User && speaks(&event.body)).then(|| event.at.unwrap_or(now))
}

/// Whether it is a message of the customer, answered or not.
fn speaks(body: &InboundBody) -> bool {
    match body {
        InboundBody::Text { .. }
        | InboundBody::Media(_)
        | InboundBody::Location(_)
        | InboundBody::Contacts { .. }
        | InboundBody::Choice { .. }
        | InboundBody::FormReply { .. }
        | InboundBody::Reaction { .. }
        | InboundBody::Order { .. }
        | InboundBody::Unsupported { .. }
        | InboundBody::Unknown { .. } => true,
        InboundBody::Edited { .. }
        | InboundBody::Revoked { .. }
        | InboundBody::Identity { .. }
        | InboundBody::Status(_)
        | InboundBody::Preference { .. }
        | InboundBody::Echo { .. }
        | InboundBody::Call { .. }
        | InboundBody::Room { .. }
        | InboundBody::Account { .. } => false,
    }
}

pub(in crate::server) fn line_of(event: &Inbound) -> Option<Line> {
    match (&event.body, event.who.role) {
        (InboundBody::Echo { body }, _) => Some(Line::Echo {
            body: (**body).clone(),
        }),
        (body, Role::Agent | Role::BotEcho) => Some(Line::Echo { body: body.clone() }),
        (InboundBody::Status(_) | InboundBody::Account { .. } | InboundBody::Room { .. }, _) => None,
        (body, Role::User | Role::System) => Some(Line::Customer {
            body: body.clone(),
            message_id: Some(event.name().to_owned()),
            at: event.at,
        }),
    }
}

/// How long to wait for more. Texts come in bursts; taps and files are answered at once, and so is what comes late.
/// What the bot does not answer hurries nobody.
fn quiet(shared: &Shared, number: &Number, event: &Inbound, late: SignedDuration) -> Duration {
    let hurried = match &event.body {
        InboundBody::Media(media) => media.media != MediaKind::Sticker,
        InboundBody::Text { .. } => false,
        body => body.starts_a_turn(),
    };
    if hurried || late > LATE || event.who.role != Role::User {
        Duration::ZERO
    } else {
        number
            .config
            .burst_quiet
            .unwrap_or_else(|| shared.flows.burst_quiet(number.config.runs()))
    }
}

async fn store_all(shared: &Arc<Shared>, letters: Vec<Letter>) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    let (batch, owners): (Vec<Ingest>, Vec<Option<Owner>>) = letters
        .into_iter()
        .map(|letter| (letter.ingest, letter.owner))
        .unzip();
    let batch: Arc<[Ingest]> = batch.into();
    let seat = match (&batch[..], &owners[..]) {
        ([ingest], [None]) => seat_for(shared, ingest),
        _ => None,
    };
    failpoint!("before_ingest");
    let outcomes = match seat {
        Some(seat) => worker::take_in(shared, seat, batch.clone()).await?,
        None => shared.store.ingest(&batch).await?,
    };
    failpoint!("after_ingest");
    let mut full = false;
    for ((ingest, owner), outcome) in batch.iter().zip(owners).zip(outcomes) {
        let Ingest { channel, contact, .. } = ingest;
        let arrivals = &shared.metrics.channel(channel).arrivals;
        match outcome {
            Ingested::New(seq) => {
                arrivals.of(Arrival::New).increment(1);
                tracing::info!(channel, contact = %Masked(*contact), seq, "received");
                if let Some(owner) = owner {
                    // At once, not when the event's turn comes; and not again when the provider repeats itself.
                    shared.store.set_owner(*contact, owner).await?;
                }
            }
            Ingested::Duplicate => arrivals.of(Arrival::Duplicate).increment(1),
            Ingested::MailboxFull => {
                arrivals.of(Arrival::MailboxFull).increment(1);
                tracing::error!(
                    channel, contact = %Masked(*contact),
                    "the mailbox of this contact is full; the provider is asked to repeat"
                );
                full = true;
            }
        }
        shared.ring(*contact);
    }
    if full {
        return Err(StoreError::Full("the mailbox of a contact".to_owned()));
    }
    Ok(())
}

/// A seat for whoever is to be answered at once, if one is free.
fn seat_for(shared: &Arc<Shared>, ingest: &Ingest) -> Option<Seat> {
    let at_once = ingest.quiet.is_zero() && !shared.stopping.is_cancelled();
    (at_once && shared.turning.sit(ingest.contact)).then(|| Seat::of(shared, Task::Turn, ingest.contact))
}

async fn reconcile(
    shared: &Shared,
    number: &Number,
    news: crate::message::StatusUpdate,
) -> Result<(), StoreError> {
    let status = Status {
        rank: identity::rank(news.state),
        state: identity::state_name(news.state).to_owned(),
        message_id: news.message_id,
        ours: news.ours,
        error: news
            .error
            .or_else(|| news.error_code.map(|code| format!("error {code}"))),
        pace: number.config.pace,
    };
    if let Some(code) = news.error_code {
        tracing::warn!(
            channel = number.config.id,
            code,
            "the provider could not deliver a message"
        );
    }
    let known = shared.store.reconcile(&number.config.id, &status).await?;
    failpoint!("after_status");
    tracing::debug!(channel = number.config.id, state = status.state, known, "status");
    if let Some(contact) = status.ours.as_deref().and_then(identity::contact_of) {
        shared.ring(contact);
    }
    Ok(())
}
