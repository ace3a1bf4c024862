//! What can be known of a number at Coster, which is little: whether it answers, and whether it refuses the token.

use super::Coster;
use crate::channel::{Health, HealthCheck, HealthState};

/// A file that is not there. Asking for it costs nothing and shows whether the token is taken.
const NO_FILE: &str = "0";

pub(super) async fn check(coster: &Coster) -> Health {
    let host = &coster.settings.wire.host;
    let request = coster.settings.media(coster.transport.client(), NO_FILE);
    let (name, state, says) = match request.send().await {
        Err(error) => (
            "reach",
            HealthState::Broken,
            format!("{host} cannot be reached: {}", error.without_url()),
        ),
        Ok(answer) => match answer.status().as_u16() {
            status @ (401 | 403) => (
                "token",
                HealthState::Broken,
                format!("Coster refused the access token with HTTP {status}; set a new one"),
            ),
            status @ 500.. => (
                "reach",
                HealthState::Broken,
                format!("{host} answered HTTP {status}"),
            ),
            _ => (
                "token",
                HealthState::Fine,
                "Coster answers and did not refuse the access token".to_owned(),
            ),
        },
    };
    let mut checks = vec![HealthCheck { name, state, says }];
    if coster.settings.push_token.is_none() {
        checks.push(HealthCheck {
            name: "templates",
            state: HealthState::Doubtful,
            says: "no token for templates is set, so nothing can be sent after 24 hours of silence"
                .to_owned(),
        });
    }
    checks.push(HealthCheck {
        name: "address",
        state: HealthState::Doubtful,
        says: "Coster cannot be asked where webhooks go".to_owned(),
    });
    checks.push(HealthCheck {
        name: "experimental",
        state: HealthState::Doubtful,
        says: "Coster publishes no reference; texts were seen to pass, anything else was not".to_owned(),
    });
    Health { checks }
}
