//! Ends of keys: those that no server takes any more, and those that are not there.

use jiff::Timestamp;

use super::keeper::Keeper;
use crate::states::{Standing, State};

impl Keeper {
    /// Somebody deleted the keys. A new link begins only when a person asks for it.
    pub(super) async fn keys_are_gone(&mut self) {
        self.wanted = false;
        self.view.send_modify(|view| {
            view.me = None;
            view.generation += 1;
        });
        let reason = "the file of this link's keys is gone; nothing can be read with any other";
        let standing = Standing::new(State::LoggedOut, reason, Timestamp::now());
        self.becomes("this server", "start", standing).await;
    }

    /// Puts the keys of this generation aside and begins the next one.
    pub(super) fn retire_keys(&self, reason: String) -> String {
        let generation = self.view.borrow().generation;
        let had_keys = self.place.has_keys(generation);
        let reason = match self.place.archive_keys(generation) {
            Ok(()) => reason,
            Err(error) => {
                tracing::error!(session = self.name, "dead keys cannot be put aside: {error}");
                format!("{reason}; the dead keys could not be put aside: {error}")
            }
        };
        self.view.send_modify(|view| {
            view.me = None;
            view.code = None;
            if had_keys {
                view.generation += 1;
            }
        });
        reason
    }
}
