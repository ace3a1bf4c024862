//! A bad wire: a TCP proxy on loopback that does to connections what networks do. Driven from the test, for all
//! connections or for one.
//!
//! [`Weather`] says what happens to bytes each way; [`Proxy::cut`] and [`Proxy::reset`] end connections. With several
//! upstreams it takes the next one for each connection, as a balancer does.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    #[default]
    Open,
    /// Each byte arrives this much later, in order.
    Late(Duration),
    /// So many bytes a second.
    Slow(u32),
    /// They are taken and never arrive.
    Lost,
    /// They are not taken: the sender's buffers fill up, as with a host that hangs.
    Stuck,
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    /// From the client to the server.
    pub up: Way,
    /// From the server to the client.
    pub down: Way,
    /// Of a thousand pieces that pass, so many end in a reset of the connection instead.
    pub resets_per_mille: u16,
}

impl Weather {
    pub fn fair() -> Weather {
        Weather::default()
    }

    /// Both ways the same.
    pub fn both(way: Way) -> Weather {
        Weather {
            up: way,
            down: way,
            resets_per_mille: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives(Weather),
    /// Closed in order, both ways.
    Cut,
    /// Ended with a reset.
    Reset,
}

#[derive(Debug)]
struct State {
    upstreams: Vec<String>,
    next: usize,
    weather: Weather,
    /// New connections are closed at once.
    refuses: bool,
    connections: BTreeMap<u64, watch::Sender<Fate>>,
    opened: u64,
    random: u64,
}

/// See the module. It ends with its connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.end(Fate::Cut);
    }
}

impl Proxy {
    /// Leads to `upstream` (`host:port`), in fair weather.
    pub async fn to(upstream: &str) -> Proxy {
        Proxy::to_any(vec![upstream.to_owned()]).await
    }

    pub async fn to_any(upstreams: Vec<String>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(Mutex::new(State {
            upstreams,
            next: 0,
            weather: Weather::fair(),
            refuses: false,
            connections: BTreeMap::new(),
            opened: 0,
            random: 1,
        }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Proxy {
            address,
            state,
            accepting,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on connections lead to one of these.
    pub fn lead_to(&self, upstreams: Vec<String>) {
        lock(&self.state).upstreams = upstreams;
    }

    /// The weather of all connections, those to come too.
    pub fn all(&self, weather: Weather) {
        let mut state = lock(&self.state);
        state.weather = weather;
        for fate in state.connections.values() {
            fate.send_replace(Fate::Lives(weather));
        }
    }

    /// The ids of the connections that are open, oldest first.
    pub fn connections(&self) -> Vec<u64> {
        lock(&self.state).connections.keys().copied().collect()
    }

    /// The weather of one connection.
    pub fn one(&self, connection: u64, weather: Weather) {
        if let Some(fate) = lock(&self.state).connections.get(&connection) {
            fate.send_replace(Fate::Lives(weather));
        }
    }

    /// Closes all connections and takes no new ones until [`Proxy::mend`].
    pub fn cut(&self) {
        lock(&self.state).refuses = true;
        self.end(Fate::Cut);
    }

    /// Ends all connections with a reset; new ones are taken.
    pub fn reset(&self) {
        self.end(Fate::Reset);
    }

    /// Fair weather for all, and new connections are taken.
    pub fn mend(&self) {
        lock(&self.state).refuses = false;
        self.all(Weather::fair());
    }

    fn end(&self, fate: Fate) {
        for connection in lock(&self.state).connections.values() {
            connection.send_replace(fate);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let (id, upstream, fate) = {
            let mut state = lock(&state);
            if state.refuses || state.upstreams.is_empty() {
                continue;
            }
            state.next += 1;
            let upstream = state.upstreams[state.next % state.upstreams.len()].clone();
            let (sender, fate) = watch::channel(Fate::Lives(state.weather));
            state.opened += 1;
            let id = state.opened;
            state.connections.insert(id, sender);
            (id, upstream, fate)
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            join(client, &upstream, fate, &state).await;
            lock(&state).connections.remove(&id);
        });
    }
}

/// Carries bytes until an end is closed or fate ends it.
async fn join(mut client: TcpStream, upstream: &str, mut fate: watch::Receiver<Fate>, state: &Mutex<State>) {
    // Who connects to a stuck wire gets no further than this.
    let stuck = |fate: &Fate| matches!(fate, Fate::Lives(weather) if weather.up == Way::Stuck);
    if fate.wait_for(|fate| !stuck(fate)).await.is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    for end in [&client, &server] {
        // Without it small pieces would be late by themselves.
        let _ = end.set_nodelay(true);
    }
    let reset = {
        let (client_in, client_out) = client.split();
        let (server_in, server_out) = server.split();
        let up = carry(client_in, server_out, fate.clone(), |weather| weather.up, state);
        let down = carry(server_in, client_out, fate.clone(), |weather| weather.down, state);
        let ended = async {
            // The sender lives as long as this connection is listed.
            let ended = fate.wait_for(|fate| !matches!(fate, Fate::Lives(_))).await;
            ended.is_ok_and(|fate| *fate == Fate::Reset)
        };
        tokio::select! {
            reset = up => reset,
            reset = down => reset,
            reset = ended => reset,
        }
    };
    if reset {
        for end in [&client, &server] {
            // Closing it now says "reset" instead of "done".
            let _ = end.set_zero_linger();
        }
    }
}

/// One direction. Whether it ended in a reset.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    fate: watch::Receiver<Fate>,
    way: fn(&Weather) -> Way,
    state: &Mutex<State>,
) -> bool {
    // What is on the way: when it arrives, and what.
    let (send, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    let weather = |fate: &Fate| match fate {
        Fate::Lives(weather) => *weather,
        Fate::Cut | Fate::Reset => Weather::fair(),
    };
    let mut wire = fate.clone();
    let taking = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await.unwrap_or(0);
            let flows = wire
                .wait_for(|fate| way(&weather(fate)) != Way::Stuck)
                .await
                .is_ok();
            if !flows || read == 0 {
                return false;
            }
            let now = weather(&wire.borrow());
            if drawn(state) < u64::from(now.resets_per_mille) {
                return true;
            }
            let arrives = match way(&now) {
                Way::Open | Way::Slow(_) | Way::Stuck => Instant::now(),
                Way::Late(by) => Instant::now() + by,
                Way::Lost => continue,
            };
            if send.send((arrives, buffer[..read].to_vec())).await.is_err() {
                return false;
            }
        }
    };
    let giving = async {
        while let Some((arrives, bytes)) = on_the_way.recv().await {
            tokio::time::sleep_until(arrives).await;
            for piece in bytes.chunks(256) {
                let now = way(&weather(&fate.borrow()));
                if let Way::Slow(rate) = now {
                    let time = piece.len() as f64 / f64::from(rate.max(1));
                    tokio::time::sleep(Duration::from_secs_f64(time)).await;
                }
                if to.write_all(piece).await.is_err() {
                    return;
                }
            }
        }
        // The other side hears of the end only now, after all that was on the way.
        let _ = to.shutdown().await;
    };
    let (reset, ()) = tokio::join!(taking, giving);
    reset
}

/// 0 to 999, by a sequence of its own (SplitMix64).
fn drawn(state: &Mutex<State>) -> u64 {
    let mut state = lock(state);
    state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = state.random;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % 1000
}
