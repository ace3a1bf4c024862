//! The store of many machines, on a private server for each test.

use std::sync::Arc;

use async_trait::async_trait;
use switchboard::store::{Caps, RedisClock, RedisSettings, RedisStore, StillClock, Store};

use crate::conformance::{Opening, UnderTest};
use crate::rig::Server;
use crate::still_clock;

struct Shared {
    store: Arc<RedisStore>,
    clock: Arc<StillClock>,
    caps: Caps,
    server: Server,
}

#[async_trait]
impl UnderTest for Shared {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn shift(&self, millis: i64) {
        self.clock.shift(millis);
    }

    /// Another process takes over: it knows nothing but what is in Redis.
    async fn reopen(&mut self) {
        self.store.close().await.unwrap();
        self.store = open_on(&self.server, self.caps, self.clock.clone()).await;
    }
}

pub async fn open_on(server: &Server, caps: Caps, clock: Arc<StillClock>) -> Arc<RedisStore> {
    let settings = RedisSettings::default();
    RedisStore::open(
        &server.url().parse().unwrap(),
        &settings,
        caps,
        RedisClock::Given(clock),
    )
    .await
    .unwrap()
}

pub fn open(caps: Caps) -> Opening {
    Box::pin(async move {
        let server = Server::plain();
        let clock = still_clock();
        let store = open_on(&server, caps, clock.clone()).await;
        Box::new(Shared {
            store,
            clock,
            caps,
            server,
        }) as Box<dyn UnderTest>
    })
}
