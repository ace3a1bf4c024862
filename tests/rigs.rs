//! The private Redis servers of the tests do what the tests need of them.

mod redis;

use redis::{Cluster, Options, Persist, Reply, Sentinels, Server, wait};

#[test]
fn a_server_keeps_over_a_kill_what_its_persistence_promises() {
    for (persist, kept) in [
        (Persist::Nothing, Reply::Nil),
        (Persist::Always, Reply::Text(b"1".to_vec())),
    ] {
        let mut server = Server::start(&Options::persist(persist));
        server.must(&["SET", "a", "1"]);
        server.kill();
        assert!(server.try_ask(&["PING"]).is_err());
        server.restart();
        assert_eq!(server.ask(&["GET", "a"]), kept, "{persist:?}");
    }
}

#[test]
fn a_password_a_full_memory_and_a_hung_server_can_be_had() {
    let server = Server::start(&Options::default().with("requirepass", "secret"));
    assert!(server.url().starts_with("redis://:secret@127.0.0.1:"));
    server.fill();
    assert!(matches!(server.ask(&["SET", "a", "1"]), Reply::Error(why) if why.starts_with("OOM")));
    server.make_room();
    server.must(&["SET", "a", "1"]);

    server.freeze();
    let mut asking = std::net::TcpStream::connect(server.address()).expect("the system takes the connection");
    let patience = std::time::Duration::from_millis(200);
    asking.set_read_timeout(Some(patience)).expect("a time-out");
    std::io::Write::write_all(&mut asking, b"PING\r\n").expect("bytes go out");
    let nothing = std::io::Read::read(&mut asking, &mut [0; 64]);
    assert!(nothing.is_err(), "{nothing:?}");
    server.thaw();
    server.must(&["PING"]);
}

#[test]
fn sentinels_promote_the_replica_and_take_the_old_primary_back() {
    let mut rig = Sentinels::start(&Options::default());
    let first = rig.primary().expect("a primary");
    rig.servers[first].must(&["SET", "a", "1"]);
    assert_eq!(rig.servers[first].must(&["WAIT", "1", "5000"]), Reply::Number(1));
    rig.fail_over();
    let second = rig.primary().expect("a primary");
    assert_ne!(first, second);
    assert_eq!(rig.servers[second].must(&["GET", "a"]).text(), "1");
    assert_eq!(rig.replica(), Some(first));
}

#[test]
fn a_cluster_survives_a_master_and_moves_slots_key_by_key() {
    let mut cluster = Cluster::start(&Options::persist(Persist::EverySecond));
    // The slot of "{a}".
    let slot: u16 = cluster.nodes[0]
        .must(&["CLUSTER", "KEYSLOT", "{a}"])
        .text()
        .parse()
        .expect("a slot");
    let home = cluster.master_of(slot);
    let other = (home + 1) % 3;
    assert!(matches!(
        cluster.nodes[other].ask(&["SET", "{a}1", "1"]),
        Reply::Error(why) if why.starts_with("MOVED")
    ));
    cluster.nodes[home].must(&["SET", "{a}1", "1"]);
    cluster.nodes[home].must(&["SET", "{a}2", "2"]);

    let mut half_way = 0;
    cluster.move_slot(slot, other, || half_way += 1);
    assert_eq!(half_way, 2);
    assert_eq!(cluster.master_of(slot), other);
    assert_eq!(
        cluster.nodes[other].must(&["MGET", "{a}1", "{a}2"]).list().len(),
        2
    );

    wait("the replica to have both keys", || {
        (cluster.nodes[other + 3].ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]) == Reply::Number(2))
            .then_some(())
    });
    let dead = cluster.kill_master_of(slot);
    assert_eq!(dead, other);
    let new = cluster.taken_over(slot, dead);
    assert_eq!(new, other + 3);
    assert_eq!(cluster.nodes[new].must(&["GET", "{a}1"]).text(), "1");
    cluster.nodes[dead].restart();
    cluster.settled();
    assert_eq!(cluster.nodes[dead].info("role"), "slave");
}
