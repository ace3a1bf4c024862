//! The server: one listener on loopback, one task a connection, one world behind them all.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::task::JoinHandle;
use wacore::framing::FrameDecoder;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::marshal::{marshal, unmarshal_ref};
use wacore_binary::{Node, NodeRef};

use crate::controls::{LoginAnswer, login_failure};
use crate::customer::Customer;
use crate::noise::{Greeted, Greeting, Line, ServerKeys};
use crate::party::Party;
use crate::phone::Phone;
use crate::socket::Socket;
use crate::stanza::text;
use crate::world::{Order, Person, World};
use crate::{iq, media, stanza};

/// A chat server on 127.0.0.1 that one companion can be linked to.
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    /// Rotated by a test.
    keys: std::sync::RwLock<Arc<ServerKeys>>,
    world: Mutex<World>,
    changes: watch::Sender<u64>,
}

impl StandIn {
    /// Starts to listen on a free port of loopback.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            keys: std::sync::RwLock::new(Arc::new(ServerKeys::new())),
            world: Mutex::new(World::new()?),
            changes: watch::Sender::new(0),
        });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut line = 0;
            while let Ok((stream, _)) = listener.accept().await {
                line += 1;
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(line, stream).await });
            }
        });
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Where a companion connects to.
    pub fn url(&self) -> String {
        format!("ws://{}/ws/chat", self.address)
    }

    pub fn phone(&self) -> Phone<'_> {
        Phone { server: self }
    }

    /// A customer with this number, made when nobody has it yet.
    pub async fn customer(&self, number: &str, name: &str) -> Result<Customer<'_>> {
        let mut world = self.world().await;
        if !world.customers.contains_key(number) {
            let digits: String = number.chars().rev().take(6).collect();
            let person = Person {
                party: Party::new()?,
                lid: format!("1{digits}00000001"),
                name: name.to_owned(),
                heard: Default::default(),
            };
            world.customers.insert(number.to_owned(), person);
        }
        Ok(Customer {
            server: self,
            number: number.to_owned(),
        })
    }

    /// The server gets new keys: devices that remember the old ones have to be met again.
    pub fn rotate_keys(&self) {
        *self.shared.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ServerKeys::new());
    }

    pub(crate) async fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().await
    }

    pub(crate) async fn change<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let done = act(&mut *self.world().await);
        self.changed();
        done
    }

    pub(crate) fn changed(&self) {
        self.shared.changes.send_modify(|count| *count += 1);
    }

    /// Waits for something to be so; says what was waited for when it never is.
    pub(crate) async fn wait<T>(
        &self,
        limit: Duration,
        what: &str,
        mut found: impl FnMut(&mut World) -> Option<T>,
    ) -> Result<T> {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = found(&mut *self.world().await) {
                    return found;
                }
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(found) => Ok(found),
            Err(_) => {
                let world = self.world().await;
                bail!(
                    "waited {limit:?} for {what} in vain; faults: {:?}; counted: {:?}",
                    world.faults,
                    world.counted
                )
            }
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    async fn serve(&self, line: u64, stream: TcpStream) {
        let outcome = self.connection(line, stream).await;
        let mut world = self.world.lock().await;
        world.lines.remove(&line);
        world.counted.ended += 1;
        world.refs.retain(|_, owner| *owner != line);
        if world.online.is_some_and(|(online, _)| online == line) {
            world.online = None;
        }
        if let Err(fault) = outcome {
            world.faults.push(format!("connection {line}: {fault:#}"));
        }
        drop(world);
        self.changes.send_modify(|count| *count += 1);
    }

    async fn connection(&self, line: u64, mut stream: TcpStream) -> Result<()> {
        if !media::is_chat(&stream).await? {
            let asked = media::ask_of(&mut stream).await?;
            let (status, body) = media::answer(&mut self.world.lock().await.files, asked);
            return media::reply(&mut stream, status, &body).await;
        }
        {
            let mut world = self.world.lock().await;
            world.counted.connections += 1;
            if world.policy.refuse > 0 {
                world.policy.refuse -= 1;
                return Ok(());
            }
        }
        let mut socket = Socket::accept(stream).await?;
        let mut frames = FrameDecoder::new();
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let greeted = keys.greet(&mut socket, &mut frames).await?;
        let (orders, mut waiting) = unbounded_channel();
        let wait = {
            let mut world = self.world.lock().await;
            world.lines.insert(line, orders);
            world.policy.first_frame_after
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        self.welcome(line, &greeted).await?;
        self.changes.send_modify(|count| *count += 1);
        self.talk(line, &mut socket, greeted.line, &mut frames, &mut waiting)
            .await
    }

    /// The payload decides: a device without a name wants to be linked, one with a name wants to log in.
    async fn welcome(&self, line: u64, greeted: &Greeted) -> Result<()> {
        let mut world = self.world.lock().await;
        if greeted.payload.username.is_none() {
            let count = world.policy.codes.unwrap_or(6);
            let refs: Vec<String> = (1..=count)
                .map(|number| format!("2@{line}-{number}-{}", rand::random::<u64>()))
                .collect();
            for reference in &refs {
                world.refs.insert(reference.clone(), line);
            }
            let id = world.id();
            world.tell(line, Order::Send(pair_device(id, refs)));
            return Ok(());
        }
        let known = world.device.as_ref().is_some_and(|device| {
            device.noise_key == greeted.noise_key
                && greeted.payload.device == Some(u32::from(device.number))
                && !device.unlinked
        });
        if !known {
            world.tell(
                line,
                Order::Send(NodeBuilder::new("failure").attr("reason", "401").build()),
            );
            world.tell(line, Order::End);
            return Ok(());
        }
        let answer = std::mem::take(&mut world.policy.login);
        if let Some(failure) = login_failure(&answer) {
            // The transient ones pass by themselves; the others last until the test says otherwise.
            if !matches!(answer, LoginAnswer::TooMany | LoginAnswer::Unavailable) {
                world.policy.login = answer;
            }
            world.tell(line, Order::Send(failure));
            world.tell(line, Order::End);
            return Ok(());
        }
        world.counted.logins += 1;
        world.counted.resumed += u64::from(greeted.how == Greeting::Resumed);
        world.counted.fell_back += u64::from(greeted.how == Greeting::FellBack);
        world.online = Some((line, false));
        let lid = world
            .device
            .as_ref()
            .map(|device| device.lid())
            .context("a known device is linked")?;
        let success = NodeBuilder::new("success")
            .attr("t", now().to_string())
            .attr("lid", lid)
            .build();
        world.tell(line, Order::Send(success));
        Ok(())
    }

    async fn talk(
        &self,
        line: u64,
        socket: &mut Socket,
        mut ciphers: Line,
        frames: &mut FrameDecoder,
        orders: &mut UnboundedReceiver<Order>,
    ) -> Result<()> {
        let mut deaf = false;
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    None | Some(Order::Cut) => return Ok(()),
                    Some(Order::End) => {
                        socket.close().await;
                        return Ok(());
                    }
                    Some(Order::Deaf) => deaf = true,
                    Some(Order::Send(_)) if deaf => {}
                    Some(Order::Send(node)) => socket.send(ciphers.seal(&marshal(&node)?)?).await?,
                },
                bytes = socket.receive() => {
                    let Some(bytes) = bytes? else { return Ok(()) };
                    if deaf {
                        continue;
                    }
                    frames.feed(&bytes);
                    while let Some(frame) = frames.decode_frame() {
                        let plain = ciphers.open(frame)?;
                        let bytes = wacore_binary::util::unpack(&plain)?;
                        self.take(line, &unmarshal_ref(&bytes)?).await?;
                    }
                }
            }
        }
    }

    async fn take(&self, line: u64, node: &NodeRef<'_>) -> Result<()> {
        let mut world = self.world.lock().await;
        match node.tag.as_ref() {
            "iq" => iq::answer(&mut world, line, node).await?,
            "message" => stanza::message(&mut world, line, node).await?,
            "receipt" => stanza::receipt(&mut world, line, node).await?,
            "ack" => {
                if let (Some(id), Some("message")) = (text(node, "id"), text(node, "class").as_deref()) {
                    world.confirm(&id);
                }
            }
            "chatstate" => world.counted.typing += 1,
            _ => {}
        }
        drop(world);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }
}

fn pair_device(id: String, refs: Vec<String>) -> Node {
    NodeBuilder::new("iq")
        .attr("from", "s.whatsapp.net")
        .attr("type", "set")
        .attr("id", id)
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-device")
            .children(
                refs.into_iter()
                    .map(|text| NodeBuilder::new("ref").bytes(text.into_bytes()).build()),
            )
            .build()])
        .build()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs())
}
