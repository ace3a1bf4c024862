//! Where a linked device stands, and what moves it from there. Pure: happenings and the time in, the next standing out.
//!
//! Every standing has a reason for people and, where a person has to act, the next action. What ends needing a person
//! never retries by itself: two sockets with the same keys would throw each other out for ever.

use jiff::{SignedDuration, Timestamp};

use crate::session::Happening;

/// How long a phone may take from the scan to the first login.
pub const LINKING_LIMIT: SignedDuration = SignedDuration::from_secs(200);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Unlinked,
    /// Stopped by a person; the keys are kept.
    Stopped,
    Starting,
    AwaitingScan {
        number: u32,
        expires: Timestamp,
    },
    Linking,
    Connected,
    Reconnecting {
        attempt: u32,
        next_at: Option<Timestamp>,
    },
    QrExpired,
    Replaced,
    LoggedOut,
    Banned {
        until: Option<Timestamp>,
    },
    Outdated,
    Failed,
    Resetting,
}

/// What is done besides taking the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The engine has ended or must end.
    EndEngine,
    /// The keys are dead: they are put aside and never tried again.
    ArchiveKeys,
    /// The version that the client claims is fetched again, and one more connection is tried.
    RefreshVersion,
}

/// A state since when, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub state: State,
    pub since: Timestamp,
    pub reason: String,
    /// The version was refreshed after a refusal of this generation.
    pub version_refreshed: bool,
}

impl State {
    /// The field's coarse word, as WAHA has it.
    pub fn status(&self) -> &'static str {
        match self {
            State::Unlinked | State::Stopped => "STOPPED",
            State::Starting | State::Reconnecting { .. } | State::Resetting => "STARTING",
            State::AwaitingScan { .. } | State::Linking => "SCAN_QR_CODE",
            State::Connected => "WORKING",
            State::QrExpired
            | State::Replaced
            | State::LoggedOut
            | State::Banned { .. }
            | State::Outdated
            | State::Failed => "FAILED",
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            State::Unlinked => "unlinked",
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::AwaitingScan { .. } => "awaiting_scan",
            State::Linking => "linking",
            State::Connected => "connected",
            State::Reconnecting { .. } => "reconnecting",
            State::QrExpired => "qr_expired",
            State::Replaced => "replaced",
            State::LoggedOut => "logged_out",
            State::Banned { .. } => "banned",
            State::Outdated => "outdated",
            State::Failed => "failed",
            State::Resetting => "resetting",
        }
    }

    /// What a person has to do now; nothing where the device helps itself.
    pub fn next_action(&self) -> &'static str {
        match self {
            State::Unlinked => "Start the session and scan the code with the phone that owns the number.",
            State::Stopped => "Start the session; it connects with the login it has.",
            State::AwaitingScan { .. } => {
                "On the phone: WhatsApp, Settings, Linked devices, Link a device; then scan the code."
            }
            State::QrExpired => "Start the session again for a new code, with the phone at hand.",
            State::Replaced => {
                "Another program uses this login. End it, then start the session; nothing is retried by itself."
            }
            State::LoggedOut => {
                "Start the session for a new code. Remove what is left of the old device on the phone."
            }
            State::Banned { .. } => {
                "Look into WhatsApp on the phone. Start the session when the ban is over."
            }
            State::Outdated => {
                "WhatsApp refuses this version of the companion. Install a newer one, then start the session."
            }
            State::Failed => {
                "Remove the device on the phone if it is listed there, log the session out, and start it again."
            }
            State::Starting
            | State::Linking
            | State::Connected
            | State::Reconnecting { .. }
            | State::Resetting => "",
        }
    }

    /// Whether an engine is at work in this state.
    pub fn is_running(&self) -> bool {
        matches!(
            self,
            State::Starting
                | State::AwaitingScan { .. }
                | State::Linking
                | State::Connected
                | State::Reconnecting { .. }
                | State::Resetting
        )
    }

    fn is_online(&self) -> bool {
        matches!(
            self,
            State::Starting | State::Linking | State::Connected | State::Reconnecting { .. }
        )
    }
}

impl Standing {
    pub fn new(state: State, reason: impl Into<String>, now: Timestamp) -> Self {
        Self {
            state,
            since: now,
            reason: reason.into(),
            version_refreshed: false,
        }
    }

    fn becomes(&self, state: State, reason: impl Into<String>, now: Timestamp) -> Self {
        // A state that only learns more of itself keeps its beginning.
        let same = self.state.name() == state.name();
        Self {
            since: if same { self.since } else { now },
            state,
            reason: reason.into(),
            version_refreshed: self.version_refreshed,
        }
    }

    /// What follows when `happening` happens. Nothing follows from what makes no difference.
    pub fn after(&self, happening: &Happening, now: Timestamp) -> Option<(Standing, Vec<Effect>)> {
        use Effect::{ArchiveKeys, EndEngine, RefreshVersion};
        let next = |state, reason: String| Some((self.becomes(state, reason, now), Vec::new()));
        let ends = |state, reason: String, effects: &[Effect]| {
            Some((self.becomes(state, reason, now), effects.to_vec()))
        };
        match happening {
            Happening::Code { lasts, .. } => {
                let number = match &self.state {
                    State::AwaitingScan { number, .. } => number + 1,
                    State::Starting => 1,
                    _ => return None,
                };
                let expires = now.saturating_add(*lasts).unwrap_or(now);
                next(
                    State::AwaitingScan { number, expires },
                    format!("code {number} of 6 waits to be scanned"),
                )
            }
            Happening::CodesUsedUp => match self.state {
                State::AwaitingScan { .. } | State::Starting => ends(
                    State::QrExpired,
                    "nobody scanned the code in time".to_owned(),
                    &[EndEngine],
                ),
                _ => None,
            },
            Happening::Paired { number, .. } => match self.state {
                State::AwaitingScan { .. } | State::Starting => next(
                    State::Linking,
                    format!("scanned by the phone of +{number}; logging in"),
                ),
                _ => None,
            },
            Happening::PairRefused { why } => match &self.state {
                State::AwaitingScan { .. } => next(
                    self.state.clone(),
                    format!("a scan was refused ({why}); scan the code that is shown now"),
                ),
                _ => None,
            },
            Happening::Connected => match self.state {
                State::Linking => next(State::Connected, "paired by QR".to_owned()),
                State::Starting => next(State::Connected, "connected with the login it had".to_owned()),
                State::Reconnecting { .. } => next(State::Connected, "connected again".to_owned()),
                _ => None,
            },
            Happening::Cut { why } => match self.state {
                State::Connected => next(
                    State::Reconnecting {
                        attempt: 0,
                        next_at: None,
                    },
                    format!("the connection to WhatsApp was cut: {why}"),
                ),
                _ => None,
            },
            Happening::Unreachable { attempt, why } => self.unreachable(*attempt, why, now),
            Happening::Replaced => {
                if !self.state.is_online() {
                    return None;
                }
                let reason = "another program connected with the same login".to_owned();
                ends(State::Replaced, reason, &[EndEngine])
            }
            Happening::LoggedOut { why } => match self.state {
                // Our own logout ends in a state of its own.
                State::Resetting | State::Unlinked | State::Stopped => None,
                _ => ends(State::LoggedOut, why.clone(), &[EndEngine, ArchiveKeys]),
            },
            Happening::Banned { seconds, why } => {
                let until =
                    seconds.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
                ends(State::Banned { until }, why.clone(), &[EndEngine])
            }
            Happening::Outdated if self.version_refreshed => {
                let reason = "WhatsApp refuses the version of this client, the current one too".to_owned();
                ends(State::Outdated, reason, &[EndEngine])
            }
            Happening::Outdated => {
                let reason = "WhatsApp refused the version of this client; trying once with the current one";
                let mut standing = self.becomes(State::Starting, reason, now);
                standing.version_refreshed = true;
                Some((standing, vec![EndEngine, RefreshVersion]))
            }
            Happening::Refused { why } => ends(
                State::Failed,
                format!("WhatsApp refused the login: {why}"),
                &[EndEngine],
            ),
            Happening::Broken { why } => ends(State::Failed, why.clone(), &[EndEngine]),
            Happening::Acked { .. }
            | Happening::Receipt { .. }
            | Happening::Undecryptable { .. }
            | Happening::Call { .. } => None,
        }
    }

    fn unreachable(&self, attempt: u32, why: &str, now: Timestamp) -> Option<(Standing, Vec<Effect>)> {
        let reason = format!("cannot reach WhatsApp: {why}");
        let state = match &self.state {
            State::Starting => State::Starting,
            State::Linking => State::Linking,
            State::Connected | State::Reconnecting { .. } => {
                let next_at = now
                    .checked_add(SignedDuration::from_secs(pause_after(attempt)))
                    .ok();
                State::Reconnecting { attempt, next_at }
            }
            State::Unlinked
            | State::Stopped
            | State::AwaitingScan { .. }
            | State::QrExpired
            | State::Replaced
            | State::LoggedOut
            | State::Banned { .. }
            | State::Outdated
            | State::Failed
            | State::Resetting => return None,
        };
        Some((self.becomes(state, reason, now), Vec::new()))
    }

    /// What follows from time alone.
    pub fn after_time(&self, now: Timestamp) -> Option<(Standing, Vec<Effect>)> {
        let age = now.duration_since(self.since);
        match &self.state {
            State::Linking if age >= LINKING_LIMIT => {
                let reason = "the phone scanned the code, but no login followed in 200 s";
                Some((self.becomes(State::Failed, reason, now), vec![Effect::EndEngine]))
            }
            State::Unlinked
            | State::Stopped
            | State::Starting
            | State::AwaitingScan { .. }
            | State::Linking
            | State::Connected
            | State::Reconnecting { .. }
            | State::QrExpired
            | State::Replaced
            | State::LoggedOut
            | State::Banned { .. }
            | State::Outdated
            | State::Failed
            | State::Resetting => None,
        }
    }
}

/// About how long the engine waits after so many failed attempts: Fibonacci seconds, at most 15 minutes.
fn pause_after(attempt: u32) -> i64 {
    let (mut pause, mut next) = (1_i64, 1_i64);
    for _ in 1..attempt.min(32) {
        (pause, next) = (next, pause + next);
    }
    pause.min(900)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn now() -> Timestamp {
        Timestamp::from_second(1_764_122_400).unwrap()
    }

    fn standing(state: State) -> Standing {
        Standing::new(state, "for a test", now())
    }

    fn scan() -> State {
        State::AwaitingScan {
            number: 1,
            expires: now(),
        }
    }

    fn moved(state: State, happening: Happening) -> (State, Vec<Effect>) {
        let (next, effects) = standing(state)
            .after(&happening, now())
            .expect("something follows");
        assert!(!next.reason.is_empty());
        (next.state, effects)
    }

    fn paired() -> Happening {
        Happening::Paired {
            number: "6281100000099".into(),
            lid: None,
            name: None,
        }
    }

    #[test]
    fn a_link_goes_from_code_to_scan_to_login() {
        let code = Happening::Code {
            text: "2@x".into(),
            lasts: Duration::from_secs(60),
        };
        let (first, _) = standing(State::Starting).after(&code, now()).unwrap();
        assert!(matches!(first.state, State::AwaitingScan { number: 1, .. }));
        let (second, _) = first.after(&code, now()).unwrap();
        assert!(matches!(second.state, State::AwaitingScan { number: 2, .. }));
        let (linking, _) = second.after(&paired(), now()).unwrap();
        assert_eq!(linking.state, State::Linking);
        let (connected, effects) = linking.after(&Happening::Connected, now()).unwrap();
        assert_eq!((connected.state, effects), (State::Connected, vec![]));
    }

    #[test]
    fn codes_that_nobody_scans_end_and_wait_for_a_person() {
        let (state, effects) = moved(scan(), Happening::CodesUsedUp);
        assert_eq!((state.name(), effects), ("qr_expired", vec![Effect::EndEngine]));
        assert!(!state.next_action().is_empty());
    }

    #[test]
    fn a_login_that_never_follows_the_scan_fails_after_200_seconds() {
        let linking = standing(State::Linking);
        let just_before = now() + SignedDuration::from_secs(199);
        assert_eq!(linking.after_time(just_before), None);
        let (failed, effects) = linking.after_time(now() + LINKING_LIMIT).unwrap();
        assert_eq!((failed.state, effects), (State::Failed, vec![Effect::EndEngine]));
    }

    #[test]
    fn a_cut_connection_helps_itself() {
        let (state, effects) = moved(State::Connected, Happening::Cut { why: "reset".into() });
        assert_eq!((state.status(), effects), ("STARTING", vec![]));
        let (state, _) = moved(state, Happening::Connected);
        assert_eq!(state, State::Connected);
    }

    #[test]
    fn attempts_that_fail_are_counted_and_named() {
        let failed = Happening::Unreachable {
            attempt: 4,
            why: "connection refused".into(),
        };
        let (next, _) = standing(State::Connected).after(&failed, now()).unwrap();
        assert!(matches!(
            next.state,
            State::Reconnecting {
                attempt: 4,
                next_at: Some(_)
            }
        ));
        assert!(next.reason.contains("connection refused"), "{}", next.reason);
        let (next, _) = standing(State::Starting).after(&failed, now()).unwrap();
        assert_eq!(next.state, State::Starting);
    }

    #[test]
    fn a_replaced_login_keeps_its_keys_and_is_never_retried() {
        for state in [
            State::Connected,
            State::Starting,
            State::Reconnecting {
                attempt: 1,
                next_at: None,
            },
        ] {
            let (state, effects) = moved(state, Happening::Replaced);
            assert_eq!((state, effects), (State::Replaced, vec![Effect::EndEngine]));
        }
        assert_eq!(
            standing(State::Replaced).after(&Happening::Connected, now()),
            None
        );
    }

    #[test]
    fn dead_keys_are_put_aside_at_once() {
        let out = Happening::LoggedOut {
            why: "the phone removed this device".into(),
        };
        let (state, effects) = moved(State::Connected, out.clone());
        assert_eq!(
            (state, effects),
            (State::LoggedOut, vec![Effect::EndEngine, Effect::ArchiveKeys])
        );
        assert_eq!(standing(State::Resetting).after(&out, now()), None);
    }

    #[test]
    fn a_ban_has_an_end_if_whatsapp_names_one() {
        let banned = Happening::Banned {
            seconds: Some(3600),
            why: "sent too many messages".into(),
        };
        let (state, _) = moved(State::Connected, banned);
        assert_eq!(
            state,
            State::Banned {
                until: Some(now() + SignedDuration::from_secs(3600))
            }
        );
    }

    #[test]
    fn a_refused_version_is_refreshed_once_and_then_given_to_a_person() {
        let (again, effects) = standing(State::Starting)
            .after(&Happening::Outdated, now())
            .unwrap();
        assert_eq!(
            (&again.state, effects),
            (&State::Starting, vec![Effect::EndEngine, Effect::RefreshVersion])
        );
        let (ended, effects) = again.after(&Happening::Outdated, now()).unwrap();
        assert_eq!((ended.state, effects), (State::Outdated, vec![Effect::EndEngine]));
    }

    #[test]
    fn a_scan_that_does_not_fit_leaves_the_code_up() {
        let refused = Happening::PairRefused {
            why: "hmac-mismatch".into(),
        };
        let (next, effects) = standing(scan()).after(&refused, now()).unwrap();
        assert_eq!((&next.state, effects), (&scan(), vec![]));
        assert!(next.reason.contains("refused"));
    }

    #[test]
    fn every_state_that_waits_for_a_person_says_what_to_do() {
        for state in [
            State::Unlinked,
            State::Stopped,
            scan(),
            State::QrExpired,
            State::Replaced,
            State::LoggedOut,
            State::Banned { until: None },
            State::Outdated,
            State::Failed,
        ] {
            assert!(!state.next_action().is_empty(), "{}", state.name());
        }
    }

    #[test]
    fn pauses_grow_like_fibonacci_and_stop_at_15_minutes() {
        let pauses: Vec<i64> = (1..=6).map(pause_after).collect();
        assert_eq!(pauses, [1, 1, 2, 3, 5, 8]);
        assert_eq!(pause_after(4_000), 900);
    }
}
