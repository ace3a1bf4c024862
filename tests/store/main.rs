//! The stores, by their contract: the conformance suite on each of them.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use switchboard::store::model::ModelStore;
use switchboard::store::{Caps, SqliteStore, StillClock, Store};

#[macro_use]
#[path = "../../src/store/conformance/mod.rs"]
mod conformance;

#[path = "../redis/mod.rs"]
mod rig;

mod crash;
mod disk;
mod doubtful;
mod golden;
mod golden_redis;
mod keys;
mod machine;
mod records;
mod shared;
mod unknown;

use conformance::{Opening, UnderTest};

fn still_clock() -> Arc<StillClock> {
    Arc::new(StillClock::at("2026-11-21T08:00:00Z".parse().unwrap()))
}

struct Sqlite {
    store: Arc<SqliteStore>,
    clock: Arc<StillClock>,
    caps: Caps,
    folder: tempfile::TempDir,
}

#[async_trait]
impl UnderTest for Sqlite {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn shift(&self, millis: i64) {
        self.clock.shift(millis);
    }

    async fn reopen(&mut self) {
        self.store.close().await.unwrap();
        let path = self.folder.path().join("store.db");
        self.store = Arc::new(SqliteStore::open(path, self.caps, self.clock.clone()).unwrap());
    }
}

fn open_sqlite(caps: Caps) -> Opening {
    Box::pin(async move {
        let folder = tempfile::tempdir().unwrap();
        let clock = still_clock();
        let store = SqliteStore::open(folder.path().join("store.db"), caps, clock.clone()).unwrap();
        Box::new(Sqlite {
            store: Arc::new(store),
            clock,
            caps,
            folder,
        }) as Box<dyn UnderTest>
    })
}

/// The model keeps its records in memory, so that opening it again is going on with it.
struct Model {
    store: Arc<ModelStore>,
    clock: Arc<StillClock>,
}

#[async_trait]
impl UnderTest for Model {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn shift(&self, millis: i64) {
        self.clock.shift(millis);
    }

    async fn reopen(&mut self) {
        self.store.holders_died().unwrap();
    }
}

fn open_model(caps: Caps) -> Opening {
    Box::pin(async move {
        let clock = still_clock();
        let store = Arc::new(ModelStore::new(caps, clock.clone()));
        Box::new(Model { store, clock }) as Box<dyn UnderTest>
    })
}

mod model {
    conformance!(crate::open_model);
    conformance_of_records!(crate::open_model);
}

mod sqlite {
    conformance!(crate::open_sqlite);
    conformance_of_records!(crate::open_sqlite);
}

mod redis {
    conformance!(crate::shared::open);
    conformance_of_records!(crate::shared::open);
}

/// Killed with `kill -9` and started again from its log each time the store is opened anew.
mod redis_killed {
    conformance!(crate::shared::open_to_be_killed);
}

/// Each opening anew is a failover: the primary is killed, the replica takes over.
mod redis_sentinel {
    conformance!(together crate::shared::open_on_sentinels, crate::shared::sentinels);

    mod records {
        conformance_of_records!(together crate::shared::open_on_sentinels, crate::shared::sentinels);
    }
}

/// Three masters with a replica each; at each opening anew the master of the contact that the cases call ana is killed.
mod redis_cluster {
    conformance!(together crate::shared::open_on_cluster, crate::shared::cluster);

    mod records {
        conformance_of_records!(together crate::shared::open_on_cluster, crate::shared::cluster);
    }
}
