//! A primary, a replica, and three sentinels that agree on who is the primary.

use super::server::{Options, Role, Server};
use super::{Reply, wait};

/// The name under which the sentinels know the primary.
pub const NAME: &str = "switchboard";

/// See the module.
#[derive(Debug)]
pub struct Sentinels {
    /// Two servers; which of them is the primary changes with a failover.
    pub servers: Vec<Server>,
    pub sentinels: Vec<Server>,
}

impl Sentinels {
    pub fn start(options: &Options) -> Sentinels {
        let mut primary = Server::ready(options);
        let replica_of = format!("127.0.0.1 {}", primary.port());
        let mut replica = Server::ready(&options.clone().with("replicaof", &replica_of));
        primary.run();
        replica.run();
        // They are written what they would find out about each other within seconds. They wait up to a second before they open
        // a lost connection again, as they must to a server that was just promoted: with less than two seconds until a silent
        // one counts as down, they might replace it at once.
        let ids: Vec<String> = (1..=3).map(|n| format!("{n}").repeat(40)).collect();
        let mut sentinels: Vec<Server> = ids.iter().map(|_| Server::of(Role::Sentinel, "")).collect();
        let ports: Vec<u16> = sentinels.iter().map(Server::port).collect();
        for (at, sentinel) in sentinels.iter_mut().enumerate() {
            let mut conf = format!(
                "sentinel myid {}\nsentinel monitor {NAME} 127.0.0.1 {} 2\n\
                 sentinel down-after-milliseconds {NAME} 2000\nsentinel failover-timeout {NAME} 6000\n\
                 sentinel known-replica {NAME} 127.0.0.1 {}\n",
                ids[at],
                primary.port(),
                replica.port()
            );
            if let Some((_, password)) = options.config.iter().find(|(name, _)| name == "requirepass") {
                conf.push_str(&format!("sentinel auth-pass {NAME} {password}\n"));
            }
            for other in (0..ids.len()).filter(|other| *other != at) {
                conf.push_str(&format!(
                    "sentinel known-sentinel {NAME} 127.0.0.1 {} {}\n",
                    ports[other], ids[other]
                ));
            }
            let path = sentinel.folder().join("redis.conf");
            let own = std::fs::read_to_string(&path).expect("its configuration");
            std::fs::write(&path, own + &conf).expect("its configuration is written");
            sentinel.run();
        }
        primary.answers();
        replica.answers();
        for sentinel in &mut sentinels {
            sentinel.answers();
            // They would look at their servers every ten seconds only, and do nothing for half a minute once the machine was too
            // busy for them.
            let often = [
                "info-period",
                "200",
                "publish-period",
                "200",
                "tilt-period",
                "1000",
            ];
            sentinel.must(&[&["SENTINEL", "DEBUG"][..], &often].concat());
        }
        let rig = Sentinels {
            servers: vec![primary, replica],
            sentinels,
        };
        rig.settled();
        rig
    }

    /// `127.0.0.1:PORT` of each sentinel.
    pub fn addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(Server::address).collect()
    }

    /// Waits until a failover is possible: the replica follows, a majority of the sentinels knows it, and none of them
    /// is still busy with the failover before.
    pub fn settled(&self) {
        wait("the replica to follow its primary", || {
            let replica = &self.servers[self.replica()?];
            (replica.info("master_link_status") == "up").then_some(())
        });
        wait("the sentinels to know the replica and one another", || {
            let ready = self.sentinels.iter().filter(|sentinel| sentinel.is_running());
            ready
                .map(|sentinel| {
                    let knows = |what: &str, key: &str, value: &str| {
                        let reply = sentinel.try_ask(&["SENTINEL", what, NAME]).ok()?;
                        let good = reply.list().iter().any(|one| field(one, key) == value);
                        good.then_some(())
                    };
                    knows("REPLICAS", "master-link-status", "ok")?;
                    let master = sentinel.try_ask(&["SENTINEL", "MASTER", NAME]).ok()?;
                    if field(&master, "flags").contains("failover_in_progress") {
                        return None;
                    }
                    let quorum = sentinel.try_ask(&["SENTINEL", "CKQUORUM", NAME]).ok()?;
                    quorum.text().starts_with("OK 3").then_some(())
                })
                .collect::<Option<()>>()
        });
    }

    /// The index of the server that says it is the primary, if just one says so.
    pub fn primary(&self) -> Option<usize> {
        self.the("master")
    }

    pub fn replica(&self) -> Option<usize> {
        self.the("slave")
    }

    fn the(&self, role: &str) -> Option<usize> {
        let mut found = (0..self.servers.len())
            .filter(|at| self.servers[*at].is_running() && self.servers[*at].info("role") == role);
        found.next().filter(|_| found.next().is_none())
    }

    /// Kills the primary and gives its index. The sentinels need a second to notice; see [`Sentinels::promoted`].
    pub fn kill_primary(&mut self) -> usize {
        let primary = self.primary().expect("there is a primary");
        self.servers[primary].kill();
        primary
    }

    /// Waits until all sentinels point at another server than `old` and it is a primary.
    pub fn promoted(&self, old: usize) -> usize {
        let new = 1 - old;
        let port = self.servers[new].port().to_string();
        wait("the sentinels to promote the replica", || {
            let agree = self.sentinels.iter().filter(|sentinel| sentinel.is_running());
            let all = agree
                .map(|sentinel| {
                    let named = sentinel
                        .try_ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])
                        .ok()?;
                    (named.list().get(1).map(Reply::text).as_ref() == Some(&port)).then_some(())
                })
                .collect::<Option<()>>();
            all.filter(|()| self.servers[new].info("role") == "master")
        });
        new
    }

    /// The primary dies and the replica takes over; the dead one comes back as its replica.
    pub fn fail_over(&mut self) {
        let old = self.kill_primary();
        self.promoted(old);
        self.servers[old].restart();
        wait("the old primary to follow", || {
            (self.servers[old].info("role") == "slave").then_some(())
        });
        self.settled();
    }
}

/// A field of a list of names and values.
fn field(list: &Reply, key: &str) -> String {
    let list = list.list();
    let found = list.chunks_exact(2).find(|pair| pair[0].text() == key);
    found.map(|pair| pair[1].text()).unwrap_or_default()
}
