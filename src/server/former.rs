//! Programs that are not live any more, for people who are still in the middle of them: fetched from the store by their
//! hash when a position names one, and kept ready. A worker that never saw their files can run them all the same.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::flows;
use super::versions;
use crate::engine::{Machine, Position};
use crate::store::{Store, StoreError};

/// So many are kept ready in memory. More versions than this are rarely in use at once; the rest is fetched anew.
const READY: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Ready {
    /// `None`: the store has no such program.
    ready: RwLock<HashMap<String, Option<Arc<Machine>>>>,
}

impl Ready {
    /// Those that the position names, besides the live one. What is not kept any more is left out.
    pub async fn of(
        &self,
        store: &dyn Store,
        live: &Machine,
        position: &Position,
    ) -> Result<Vec<Arc<Machine>>, StoreError> {
        let mut machines = Vec::new();
        for hash in position.programs() {
            if *hash != live.program().hash {
                machines.extend(self.get(store, hash).await?);
            }
        }
        Ok(machines)
    }

    async fn get(&self, store: &dyn Store, hash: &str) -> Result<Option<Arc<Machine>>, StoreError> {
        let ready = self
            .ready
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .cloned();
        if let Some(ready) = ready {
            return Ok(ready);
        }
        let program = match flows::program(store, hash).await? {
            Some(program) => Some(program),
            None => versions::program(store, hash).await?,
        };
        if program.is_none() {
            tracing::warn!(
                program = hash,
                "somebody is in the middle of flows that are not kept any more; they start again"
            );
        }
        let machine = program.map(|program| Arc::new(Machine::load(program)));
        self.put(hash, machine.clone());
        Ok(machine)
    }

    fn put(&self, hash: &str, machine: Option<Arc<Machine>>) {
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= READY {
            ready.clear();
        }
        ready.insert(hash.to_owned(), machine);
    }

    /// A program that was live until now need not be fetched.
    pub fn was_live(&self, machine: Arc<Machine>) {
        let hash = machine.program().hash.clone();
        self.put(&hash, Some(machine));
    }
}
