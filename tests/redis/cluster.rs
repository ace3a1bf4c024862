//! Three masters with a replica each.

use std::fmt::Write as _;

use super::ask::Asking;
use super::port::Port;
use super::server::{Options, Server};
use super::{Reply, wait};

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// One node that serves all slots: what a cluster refuses, with all keys in one place.
#[derive(Debug)]
pub struct OneNode {
    pub node: Server,
    _bus: Port,
}

impl OneNode {
    pub fn start() -> OneNode {
        let bus = Port::free();
        let options = Options::default()
            .with("cluster-enabled", "yes")
            .with("cluster-port", &bus.number.to_string());
        let node = Server::start(&options);
        node.must(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        wait("the cluster to be whole", || {
            let state = node.must(&["CLUSTER", "INFO"]).text();
            state.contains("cluster_state:ok").then_some(())
        });
        OneNode { node, _bus: bus }
    }
}

/// See the module. `nodes[0..3]` begin as masters, `nodes[n + 3]` as the replica of `nodes[n]`.
#[derive(Debug)]
pub struct Cluster {
    pub nodes: Vec<Server>,
    ids: Vec<String>,
    _buses: Vec<Port>,
}

impl Cluster {
    pub fn start(options: &Options) -> Cluster {
        let buses: Vec<Port> = (0..2 * MASTERS).map(|_| Port::free()).collect();
        let mut nodes: Vec<Server> = buses
            .iter()
            .map(|bus| {
                let options = options
                    .clone()
                    .with("cluster-enabled", "yes")
                    .with("cluster-port", &bus.number.to_string())
                    .with("cluster-node-timeout", "2000")
                    .with("cluster-replica-validity-factor", "0")
                    .with("cluster-allow-replica-migration", "no");
                Server::ready(&options)
            })
            .collect();
        let ids: Vec<String> = (0..nodes.len())
            .map(|n| format!("{:x}", n + 10).repeat(40))
            .collect();
        // Each node is written the file it would write once all have met, so that nobody has to wait for gossip.
        for me in 0..nodes.len() {
            let mut file = String::new();
            for (at, node) in nodes.iter().enumerate() {
                let of = at % MASTERS;
                let (role, master, slots) = if at < MASTERS {
                    let slots = format!(" {}-{}", SLOTS * of / MASTERS, SLOTS * (of + 1) / MASTERS - 1);
                    ("master", "-".to_owned(), slots)
                } else {
                    ("slave", ids[of].clone(), String::new())
                };
                let myself = if at == me { "myself," } else { "" };
                writeln!(
                    file,
                    "{} 127.0.0.1:{}@{} {myself}{role} {master} 0 0 {} connected{slots}",
                    ids[at],
                    node.port(),
                    buses[at].number,
                    of + 1
                )
                .expect("a String takes everything");
            }
            writeln!(file, "vars currentEpoch {MASTERS} lastVoteEpoch 0").expect("a String takes everything");
            std::fs::write(nodes[me].folder().join("nodes.conf"), file).expect("the file is written");
        }
        nodes.iter_mut().for_each(Server::run);
        nodes.iter_mut().for_each(Server::answers);
        let cluster = Cluster {
            nodes,
            ids,
            _buses: buses,
        };
        cluster.settled();
        cluster
    }

    /// `127.0.0.1:PORT` of each node.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(Server::address).collect()
    }

    fn running(&self) -> impl Iterator<Item = &Server> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    /// Waits until every running node says the cluster is whole, knows the running nodes as they are, and every
    /// running replica follows.
    pub fn settled(&self) {
        wait("the cluster to be whole", || {
            let whole = self.running().all(|node| {
                let state = node.try_ask(&["CLUSTER", "INFO"]).map(|reply| reply.text());
                state.is_ok_and(|state| state.contains("cluster_state:ok"))
                    && (node.info("role") == "master" || node.info("master_link_status") == "up")
            });
            whole.then_some(())
        });
    }

    /// The index of the node that serves this slot now.
    pub fn master_of(&self, slot: u16) -> usize {
        wait("a master of the slot", || {
            let node = self.running().next()?;
            let shards = node.try_ask(&["CLUSTER", "SLOTS"]).ok()?;
            let mine = shards.list().iter().find(|shard| {
                let bound = |at: usize| match shard.list().get(at) {
                    Some(Reply::Number(number)) => *number,
                    Some(_) | None => -1,
                };
                bound(0) <= i64::from(slot) && i64::from(slot) <= bound(1)
            })?;
            let id = mine.list().get(2)?.list().get(2)?.text();
            self.ids.iter().position(|known| *known == id)
        })
    }

    /// Kills the master of this slot and gives its index; see [`Cluster::taken_over`].
    pub fn kill_master_of(&mut self, slot: u16) -> usize {
        let master = self.master_of(slot);
        self.nodes[master].kill();
        master
    }

    /// Waits until another node than `dead` serves this slot and the cluster is whole.
    pub fn taken_over(&self, slot: u16, dead: usize) -> usize {
        let new = wait("a replica to take over", || {
            Some(self.master_of(slot)).filter(|now| *now != dead && self.nodes[*now].is_running())
        });
        self.settled();
        new
    }

    /// Moves a slot to another master, key by key, as an operator's resharding does. Between two keys `meanwhile` is
    /// called, when the slot is half here and half there.
    pub fn move_slot(&self, slot: u16, to: usize, mut meanwhile: impl FnMut()) {
        let from = self.master_of(slot);
        if from == to {
            return;
        }
        let (text, source, target) = (slot.to_string(), &self.nodes[from], &self.nodes[to]);
        let set = |node: &Server, what: &str, id: &str| {
            node.must(&["CLUSTER", "SETSLOT", &text, what, id]);
        };
        set(target, "IMPORTING", &self.ids[from]);
        set(source, "MIGRATING", &self.ids[to]);
        let port = target.port().to_string();
        loop {
            let keys = source.must(&["CLUSTER", "GETKEYSINSLOT", &text, "1"]);
            let [key] = keys.list() else { break };
            let Reply::Text(key) = key else {
                panic!("a key that is no text")
            };
            let mut asking: Asking = source.connect().expect("the source answers");
            let words: [&[u8]; 6] = [b"MIGRATE", b"127.0.0.1", port.as_bytes(), key, b"0", b"5000"];
            match asking.ask(&words).expect("the source answers") {
                Reply::Error(why) => panic!("MIGRATE: {why}"),
                Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::List(_) => {}
            }
            meanwhile();
        }
        // The target first, so that the slot is never nobody's.
        set(target, "NODE", &self.ids[to]);
        for node in self.running().filter(|node| node.info("role") == "master") {
            set(node, "NODE", &self.ids[to]);
        }
    }
}
