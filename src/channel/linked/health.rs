//! Whether this number can be used: can the server be asked, is the phone linked, is it the phone that is meant, and do
//! webhooks come here.

use super::link::LinkState;
use super::{LinkedDevice, NotDone};
use crate::channel::{Health, HealthCheck, HealthState};

pub(super) async fn check(linked: &LinkedDevice) -> Health {
    let link = linked.session().look().await;
    match link.state {
        LinkState::Unreachable => return only("reach", HealthState::Broken, link.in_words()),
        LinkState::KeyRefused => return only("token", HealthState::Broken, link.in_words()),
        LinkState::Unlinked
        | LinkState::Stopped
        | LinkState::Starting
        | LinkState::AwaitingScan
        | LinkState::AwaitingCode
        | LinkState::Linking
        | LinkState::Connected
        | LinkState::Reconnecting
        | LinkState::QrExpired
        | LinkState::Replaced
        | LinkState::LoggedOut
        | LinkState::Banned
        | LinkState::Outdated
        | LinkState::Failed
        | LinkState::Resetting
        | LinkState::NoSession => {}
    }
    let mut checks = vec![of(
        "token",
        HealthState::Fine,
        "the server that holds the link takes the key".to_owned(),
    )];
    let mut words = link.in_words();
    if !link.next_action.is_empty() {
        words = format!("{words}; the server says: {}", link.next_action);
    }
    // The name is the state's, so that whoever reads it finds the next step.
    checks.push(match link.state {
        LinkState::Connected => of("link", HealthState::Fine, words),
        state if state.needs_a_person() => of(state.word(), HealthState::Broken, words),
        state => of(state.word(), HealthState::Doubtful, words),
    });
    if link.state == LinkState::Connected {
        checks.push(match link.held(&linked.settings.number) {
            Some(other) => of("number", HealthState::Broken, other),
            None => of(
                "number",
                HealthState::Fine,
                "the linked number is the planned one".to_owned(),
            ),
        });
    }
    if link.state != LinkState::NoSession {
        checks.push(webhook(linked).await);
    }
    Health { checks }
}

async fn webhook(linked: &LinkedDevice) -> HealthCheck {
    let Some(ours) = &linked.settings.endpoint else {
        let says = "public_url is not set, so nobody can tell whether webhooks come here";
        return of("address", HealthState::Doubtful, says.to_owned());
    };
    match linked.session().has_webhook(ours).await {
        Ok(true) => of(
            "webhook",
            HealthState::Fine,
            "the session sends its webhooks to this server".to_owned(),
        ),
        Ok(false) => of(
            "webhook",
            HealthState::Doubtful,
            "the session does not say that it sends its webhooks to this server".to_owned(),
        ),
        Err(why @ NotDone::KeyRefused(_)) => of("token", HealthState::Broken, why.to_string()),
        Err(
            why @ (NotDone::NoSession | NotDone::NotNow(_) | NotDone::Refused(_) | NotDone::Unreachable(_)),
        ) => of("reach", HealthState::Broken, why.to_string()),
    }
}

fn only(name: &'static str, state: HealthState, says: String) -> Health {
    Health {
        checks: vec![of(name, state, says)],
    }
}

fn of(name: &'static str, state: HealthState, says: String) -> HealthCheck {
    HealthCheck { name, state, says }
}
