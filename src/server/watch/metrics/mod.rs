//! What operators see: every count, latency and depth of this server, in one place. The road counts here as it goes; the
//! page ([`page`]) writes it down in Prometheus' text format, with what only a look at the store and the process can tell.
//!
//! No label holds a number, a text or a contact: channels, services and steps have names of the operator's own.

mod page;
mod process;
mod series;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use self::series::Maker;
use crate::server::parts::Shared;
use crate::store::SendOutcome;

pub(in crate::server) use page::routes;
pub(in crate::server) use series::{Family, Values, label, observe};

/// Latencies, in seconds: from a step of the store to a provider that is slow to answer.
const LATENCY: &[f64] = &[
    0.000_25, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
/// How long messages waited, in seconds: pauses and pace are fractions, a provider that is away is hours.
const WAITS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0, 86_400.0,
];
/// Time to hear a note, over its length.
const FACTORS: &[f64] = &[0.02, 0.05, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0];
/// So often samples are counted into their buckets when nobody asks for the page.
const UPKEEP: Duration = Duration::from_secs(5);

label! {
    /// What a webhook was answered.
    Answered as "status" {
        Ok = "200",
        Forged = "401",
        TooSlow = "408",
        TooLarge = "413",
        Compressed = "415",
        /// The store could not take it; the provider repeats it.
        Again = "503",
        Other = "other",
    }
}

label! {
    /// What became of an event that a webhook brought.
    Arrival as "result" {
        New = "new",
        Duplicate = "duplicate",
        MailboxFull = "mailbox_full",
        TooOld = "too_old",
        /// For a number that is not configured here.
        Foreign = "foreign",
        /// A message of ours, as a provider with an inbox tells it back.
        Ours = "ours",
        /// It could not be read, or not whole.
        Quarantined = "quarantined",
    }
}

label! {
    /// How a turn ended.
    TurnEnd as "outcome" {
        Committed = "committed",
        /// Another worker has the lease.
        Fenced = "fenced",
        /// It is tried again.
        Failed = "failed",
        /// It failed for the last time; its event is with the dead letters.
        Parked = "parked",
        /// The store did not take it; the turn is repeated.
        Unwritten = "unwritten",
    }
}

label! {
    /// What became of an attempt to send.
    Sent as "outcome" {
        Accepted = "accepted",
        /// Certainly not sent; it is tried again.
        Retry = "retry",
        /// It was not its time: the number rests, or a person took the chat. No try.
        NotYet = "not_yet",
        Uncertain = "uncertain",
        Dead = "dead",
    }
}

label! {
    /// Whose lease another has taken.
    Lease as "kind" { Turn = "turn", Send = "send", Job = "job" }
}

label! {
    /// How a service call ended.
    Called as "outcome" {
        Success = "2xx",
        Redirected = "3xx",
        Refused = "4xx",
        Failed = "5xx",
        TimedOut = "timed_out",
        Down = "down",
    }
}

label! {
    /// What was heard in a voice note.
    Noted as "outcome" { Words = "words", Silence = "silence", Nothing = "nothing" }
}

label! {
    /// What became of drafts for the people who have a chat.
    Draft as "result" {
        /// It was still wanted when its turn came.
        Asked = "asked",
        Shown = "shown",
        /// The model had nothing useful to say.
        Silent = "silent",
        /// The customer had written again, or somebody had answered.
        Outdated = "outdated",
        Failed = "failed",
        /// A person sent it, as it was or changed.
        Used = "used",
    }
}

label! {
    /// Where work waits.
    Queue as "queue" { Mailbox = "mailbox", Outbox = "outbox", Timers = "timers", Jobs = "jobs" }
}

impl Sent {
    pub fn of(outcome: &SendOutcome) -> Sent {
        match outcome {
            SendOutcome::Accepted { .. } => Sent::Accepted,
            SendOutcome::Retry { .. } => Sent::Retry,
            SendOutcome::NotYet { .. } => Sent::NotYet,
            SendOutcome::Uncertain { .. } => Sent::Uncertain,
            SendOutcome::Dead { .. } => Sent::Dead,
        }
    }
}

/// All series of one server.
#[derive(Debug)]
pub(in crate::server) struct Metrics {
    recorder: PrometheusRecorder,
    page: PrometheusHandle,
    began: Instant,
    channels: HashMap<String, OfChannel>,
    /// For addresses that are not ours.
    unknown: OfChannel,
    pub lease_losses: Family<Lease, Counter>,
    pub voice: OfVoice,
    pub drafts: Family<Draft, Counter>,
    gauges: Gauges,
}

/// The series of one number.
#[derive(Debug)]
pub(in crate::server) struct OfChannel {
    webhooks: Family<Answered, Histogram>,
    pub arrivals: Family<Arrival, Counter>,
    /// From the claim to the end of the commit.
    pub turn: Histogram,
    pub turns: Family<TurnEnd, Counter>,
    /// From the request to the provider's answer.
    pub provider: Histogram,
    /// From the commit that queued a message to the provider's acceptance.
    pub waited: Histogram,
    pub sends: Family<Sent, Counter>,
    stopped: Gauge,
    autopilot: Gauge,
}

#[derive(Debug)]
pub(in crate::server) struct OfVoice {
    /// Notes that wait for a free ear, or are being heard.
    pub waiting: Gauge,
    pub notes: Family<Noted, Counter>,
    pub factor: Histogram,
    pub seconds: Histogram,
}

/// What is looked up when the page is asked for.
#[derive(Debug)]
struct Gauges {
    uptime: Gauge,
    up: Gauge,
    waiting: Family<Queue, Gauge>,
    oldest: Family<Queue, Gauge>,
    contacts: Gauge,
    parked: Gauge,
    quarantined: Gauge,
    unreadable: Gauge,
    bytes: Gauge,
    bytes_limit: Gauge,
    /// What the store has counted since it was opened.
    leases_expired: Counter,
    parked_dropped: Counter,
}

impl Metrics {
    pub fn new<'a>(channels: impl Iterator<Item = &'a str>) -> Metrics {
        let recorder = recorder();
        let make = Maker(&recorder);
        explain(make);
        make.gauge(
            "switchboard_build_info",
            &[("version", env!("CARGO_PKG_VERSION")), ("features", FEATURES)],
        )
        .set(1.0);
        process::started(make);
        Metrics {
            page: recorder.handle(),
            began: Instant::now(),
            channels: channels
                .map(|id| (id.to_owned(), OfChannel::new(make, id)))
                .collect(),
            unknown: OfChannel::new(make, "unknown"),
            lease_losses: make.counters("switchboard_lease_losses_total", &[]),
            voice: OfVoice {
                waiting: make.gauge("switchboard_voice_waiting", &[]),
                notes: make.counters("switchboard_voice_notes_total", &[]),
                factor: make.histogram("switchboard_voice_real_time_factor", &[]),
                seconds: make.histogram("switchboard_voice_seconds", &[]),
            },
            drafts: make.counters("switchboard_drafts_total", &[]),
            gauges: Gauges {
                uptime: make.gauge("switchboard_uptime_seconds", &[]),
                up: make.gauge("switchboard_store_up", &[]),
                waiting: make.gauges("switchboard_waiting"),
                oldest: make.gauges("switchboard_oldest_waiting_seconds"),
                contacts: make.gauge("switchboard_contacts", &[]),
                parked: make.gauge("switchboard_parked", &[]),
                quarantined: make.gauge("switchboard_quarantined", &[]),
                unreadable: make.gauge("switchboard_unreadable_contacts", &[]),
                bytes: make.gauge("switchboard_store_bytes", &[]),
                bytes_limit: make.gauge("switchboard_store_limit_bytes", &[]),
                leases_expired: make.counter("switchboard_leases_expired_total", &[]),
                parked_dropped: make.counter("switchboard_parked_dropped_total", &[]),
            },
            recorder,
        }
    }

    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// The series of a channel; one for all that are not configured.
    pub fn channel(&self, id: &str) -> &OfChannel {
        self.channels.get(id).unwrap_or(&self.unknown)
    }

    /// A webhook for this address was answered.
    pub fn webhook(&self, id: &str, status: u16, took: Duration) {
        let answered = match status {
            200 => Answered::Ok,
            401 => Answered::Forged,
            408 => Answered::TooSlow,
            413 => Answered::TooLarge,
            415 => Answered::Compressed,
            503 => Answered::Again,
            _ => Answered::Other,
        };
        observe(self.channel(id).webhooks.of(answered), took);
    }

    /// A service of the business answered, or did not. Names are those of the flows, which change while the server runs.
    pub fn call(&self, service: &str, outcome: Called, took: Duration) {
        let labels = [("service", service), (Called::LABEL, outcome.word())];
        let series = Maker(&self.recorder).histogram("switchboard_call_seconds", &labels);
        observe(&series, took);
    }

    /// Series of the store's steps; see [`crate::server::measured`].
    pub fn store_steps<L: Values>(&self) -> Family<L, Histogram> {
        Maker(&self.recorder).histograms("switchboard_store_seconds", &[])
    }

    pub fn store_errors(&self, step: &'static str, kind: &'static str) -> Counter {
        let labels = [("step", step), ("kind", kind)];
        Maker(&self.recorder).counter("switchboard_store_errors_total", &labels)
    }
}

impl OfChannel {
    fn new(make: Maker<'_>, id: &str) -> OfChannel {
        let of = [("channel", id)];
        OfChannel {
            webhooks: make.histograms("switchboard_webhook_seconds", &of),
            arrivals: make.counters("switchboard_events_total", &of),
            turn: make.histogram("switchboard_turn_seconds", &of),
            turns: make.counters("switchboard_turn_outcomes_total", &of),
            provider: make.histogram("switchboard_provider_seconds", &of),
            waited: make.histogram("switchboard_outbox_wait_seconds", &of),
            sends: make.counters("switchboard_send_outcomes_total", &of),
            stopped: make.gauge("switchboard_number_stopped", &of),
            autopilot: make.gauge("switchboard_autopilot", &of),
        }
    }
}

/// What this build can do, in words.
const FEATURES: &str = match (cfg!(feature = "voice"), cfg!(feature = "otlp")) {
    (true, true) => "voice,otlp",
    (true, false) => "voice",
    (false, true) => "otlp",
    (false, false) => "",
};

fn recorder() -> PrometheusRecorder {
    let buckets = |builder: PrometheusBuilder, name: &str, buckets| {
        builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
    };
    PrometheusBuilder::new()
        .set_buckets(LATENCY)
        .and_then(|builder| buckets(builder, "switchboard_outbox_wait_seconds", WAITS))
        .and_then(|builder| buckets(builder, "switchboard_voice_seconds", WAITS))
        .and_then(|builder| buckets(builder, "switchboard_voice_real_time_factor", FACTORS))
        .expect("none of the lists of buckets is empty")
        .build_recorder()
}

/// The `# HELP` lines.
fn explain(make: Maker<'_>) {
    let seconds = Some(Unit::Seconds);
    for (name, unit, help) in [
        (
            "switchboard_build_info",
            None,
            "Version and features of this build.",
        ),
        ("switchboard_uptime_seconds", seconds, "Time since the start."),
        (
            "switchboard_webhook_seconds",
            seconds,
            "Webhooks by their answer, from the head of the request to the answer.",
        ),
        (
            "switchboard_events_total",
            None,
            "Events that authentic webhooks brought, by what became of them.",
        ),
        (
            "switchboard_turn_seconds",
            seconds,
            "Turns of conversations, from the claim to the end of the commit.",
        ),
        (
            "switchboard_turn_outcomes_total",
            None,
            "Turns of conversations by how they ended.",
        ),
        (
            "switchboard_send_outcomes_total",
            None,
            "Attempts to send by what became of them.",
        ),
        (
            "switchboard_provider_seconds",
            seconds,
            "Requests to the provider until its answer.",
        ),
        (
            "switchboard_outbox_wait_seconds",
            seconds,
            "Messages from the commit that queued them to the provider's acceptance.",
        ),
        (
            "switchboard_lease_losses_total",
            None,
            "Work that another worker had taken over before it was written.",
        ),
        (
            "switchboard_call_seconds",
            seconds,
            "Calls of the business's services, with their tries, by outcome.",
        ),
        (
            "switchboard_store_seconds",
            seconds,
            "Steps of the store until their answer.",
        ),
        (
            "switchboard_store_errors_total",
            None,
            "Steps of the store that failed, by kind.",
        ),
        (
            "switchboard_store_up",
            None,
            "1: the store answered when this page was asked for.",
        ),
        (
            "switchboard_waiting",
            None,
            "What waits in the store, due or not.",
        ),
        ("switchboard_contacts", None, "Contacts in the store."),
        (
            "switchboard_parked",
            None,
            "Events that could not be answered and were put aside.",
        ),
        (
            "switchboard_parked_dropped_total",
            None,
            "Events put aside and then dropped, because there were too many.",
        ),
        (
            "switchboard_quarantined",
            None,
            "What webhooks brought and could not be read.",
        ),
        (
            "switchboard_unreadable_contacts",
            None,
            "Contacts with a record in the store that can't be read; the others go on.",
        ),
        (
            "switchboard_store_bytes",
            Some(Unit::Bytes),
            "Size of the store, where it knows it.",
        ),
        (
            "switchboard_store_limit_bytes",
            Some(Unit::Bytes),
            "Size at which the store takes nothing more, where there is one.",
        ),
        (
            "switchboard_leases_expired_total",
            None,
            "Leases that ran out because their holder died or hung, as this process saw them.",
        ),
        (
            "switchboard_oldest_waiting_seconds",
            seconds,
            "For how long the oldest due work has been waiting; 0 if nothing is due.",
        ),
        (
            "switchboard_number_stopped",
            None,
            "1: nothing leaves this number until somebody mends it.",
        ),
        ("switchboard_autopilot", None, "1: flows answer on this number."),
        (
            "switchboard_voice_waiting",
            None,
            "Voice notes that wait to be heard, or are being heard.",
        ),
        (
            "switchboard_voice_notes_total",
            None,
            "Voice notes by what was heard.",
        ),
        (
            "switchboard_drafts_total",
            None,
            "Drafts for the people who have a chat, by what became of them.",
        ),
        (
            "switchboard_voice_seconds",
            seconds,
            "Lengths of the voice notes that were heard.",
        ),
        (
            "switchboard_voice_real_time_factor",
            None,
            "Time to hear a voice note over its length.",
        ),
    ] {
        make.explain(name, unit, help);
    }
    process::explain(make);
}

/// Keeps histograms small while nobody asks for the page. Runs until the server stops.
pub(in crate::server) async fn upkeep(shared: std::sync::Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(UPKEEP) => shared.metrics.page.run_upkeep(),
        }
    }
}
