//! The store of many machines: on a private server for each test, on one that is killed and comes back, behind sentinels
//! that fail over, on a cluster that loses masters.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use switchboard::store::redis::Partition;
use switchboard::store::redis::link::Durability;
use switchboard::store::{Caps, ContactId, RedisClock, RedisSettings, RedisStore, StillClock, Store};

use crate::conformance::bed::CHANNEL;
use crate::conformance::{Opening, UnderTest};
use crate::rig::{Cluster, Options, Persist, Sentinels, Server};
use crate::still_clock;

/// Where the records are, and what happens to it when the store is opened anew.
enum Place {
    Stays(Server),
    Killed(Server),
    Sentinels,
    Cluster,
}

/// One for all cases, and a prefix for each.
static SENTINELS: Mutex<Option<Sentinels>> = Mutex::new(None);
static CLUSTER: Mutex<Option<Cluster>> = Mutex::new(None);
static PREFIXES: AtomicUsize = AtomicUsize::new(0);

fn of<T>(rig: &Mutex<T>) -> MutexGuard<'_, T> {
    rig.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two tests of one process have it one after the other.
static TURN: Mutex<()> = Mutex::new(());

/// Ends the rig's processes, whatever became of the test.
pub struct Rig<T: 'static> {
    rig: &'static Mutex<Option<T>>,
    _turn: MutexGuard<'static, ()>,
}

impl<T> Drop for Rig<T> {
    fn drop(&mut self) {
        drop(of(self.rig).take());
    }
}

pub fn sentinels() -> Rig<Sentinels> {
    let turn = of(&TURN);
    *of(&SENTINELS) = Some(Sentinels::start(&Options::default()));
    Rig {
        rig: &SENTINELS,
        _turn: turn,
    }
}

pub fn cluster() -> Rig<Cluster> {
    let turn = of(&TURN);
    *of(&CLUSTER) = Some(Cluster::start(&Options::default()));
    Rig {
        rig: &CLUSTER,
        _turn: turn,
    }
}

impl Place {
    fn url(&self) -> String {
        match self {
            Place::Stays(server) | Place::Killed(server) => server.url(),
            Place::Sentinels => {
                let addresses = of(&SENTINELS).as_ref().expect("it runs").addresses();
                format!("redis+sentinel://{}/switchboard", addresses.join(","))
            }
            Place::Cluster => {
                let addresses = of(&CLUSTER).as_ref().expect("it runs").addresses();
                format!("redis+cluster://{}", addresses.join(","))
            }
        }
    }

    fn durability(&self) -> Durability {
        match self {
            Place::Stays(_) | Place::Killed(_) => Durability::Local,
            Place::Sentinels | Place::Cluster => Durability::Replica,
        }
    }

    fn suffers(&mut self) {
        match self {
            Place::Stays(_) => {}
            Place::Killed(server) => {
                server.kill();
                server.restart();
            }
            Place::Sentinels => of(&SENTINELS).as_mut().expect("it runs").fail_over(),
            Place::Cluster => {
                let mut cluster = of(&CLUSTER);
                let cluster = cluster.as_mut().expect("it runs");
                let ana = ContactId::of(CHANNEL, &switchboard::store::Alias("phone:ana".into()));
                let slot = Partition::of(ana).slot();
                let dead = cluster.kill_master_of(slot);
                cluster.taken_over(slot, dead);
                cluster.nodes[dead].restart();
                cluster.settled();
            }
        }
    }
}

struct Shared {
    store: Arc<RedisStore>,
    clock: Arc<StillClock>,
    caps: Caps,
    prefix: String,
    place: Place,
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
        tokio::task::block_in_place(|| self.place.suffers());
        self.store = self.place.open(&self.prefix, self.caps, &self.clock).await;
    }
}

impl Place {
    async fn open(&self, prefix: &str, caps: Caps, clock: &Arc<StillClock>) -> Arc<RedisStore> {
        let mut settings = RedisSettings {
            prefix: prefix.to_owned(),
            ..RedisSettings::default()
        };
        settings.link.durability = self.durability();
        let clock = RedisClock::Given(clock.clone());
        let address = self.url().parse().unwrap();
        RedisStore::open(&address, &settings, caps, clock).await.unwrap()
    }
}

async fn shared(place: Place, caps: Caps) -> Box<dyn UnderTest> {
    let prefix = format!("sb{}", PREFIXES.fetch_add(1, Ordering::SeqCst));
    let clock = still_clock();
    Box::new(Shared {
        store: place.open(&prefix, caps, &clock).await,
        clock,
        caps,
        prefix,
        place,
    })
}

pub fn open(caps: Caps) -> Opening {
    Box::pin(async move { shared(Place::Stays(Server::plain()), caps).await })
}

pub fn open_to_be_killed(caps: Caps) -> Opening {
    Box::pin(async move {
        let server = Server::start(&Options::persist(Persist::Always));
        shared(Place::Killed(server), caps).await
    })
}

pub fn open_on_sentinels(caps: Caps) -> Opening {
    Box::pin(shared(Place::Sentinels, caps))
}

pub fn open_on_cluster(caps: Caps) -> Opening {
    Box::pin(shared(Place::Cluster, caps))
}

/// With the usual prefix, `sb`.
pub async fn open_on(server: &Server, caps: Caps, clock: Arc<StillClock>) -> Arc<RedisStore> {
    try_on(server, caps, clock).await.unwrap()
}

pub async fn try_on(
    server: &Server,
    caps: Caps,
    clock: Arc<StillClock>,
) -> Result<Arc<RedisStore>, switchboard::store::StoreError> {
    let scheme = match server.info("cluster_enabled").as_str() {
        "1" => "redis+cluster",
        _ => "redis",
    };
    let address = format!("{scheme}://{}", server.address()).parse().unwrap();
    RedisStore::open(
        &address,
        &RedisSettings::default(),
        caps,
        RedisClock::Given(clock),
    )
    .await
}
