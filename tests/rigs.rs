//! The private Redis servers of the tests do what the tests need of them.

mod proxy;
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
    // Asked over a connection of its own, WAIT waits for nothing that another one wrote.
    let replica = rig.replica().expect("a replica");
    wait("the replica to have the value", || {
        (rig.servers[replica].must(&["GET", "a"]).text() == "1").then_some(())
    });
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

mod wire {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::proxy::{Proxy, Way, Weather};

    /// A server that sends back what it gets.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn said(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(word).await?;
        let mut back = vec![0; word.len()];
        stream.read_exact(&mut back).await?;
        Ok(back)
    }

    async fn silent(stream: &mut TcpStream, word: &[u8]) -> bool {
        let answer = tokio::time::timeout(Duration::from_millis(200), said(stream, word)).await;
        answer.is_err()
    }

    #[tokio::test]
    async fn a_bad_wire_is_late_slow_lossy_stuck_cut_and_reset_as_told() {
        let proxy = Proxy::to(&echo().await).await;
        let mut one = TcpStream::connect(proxy.address()).await.expect("a connection");
        let mut two = TcpStream::connect(proxy.address()).await.expect("a connection");
        assert_eq!(said(&mut one, b"hello").await.expect("fair weather"), b"hello");
        assert_eq!(said(&mut two, b"hello").await.expect("fair weather"), b"hello");

        proxy.all(Weather::both(Way::Late(Duration::from_millis(150))));
        let began = Instant::now();
        assert_eq!(said(&mut one, b"late").await.expect("an answer"), b"late");
        assert!(began.elapsed() >= Duration::from_millis(300));

        proxy.all(Weather::both(Way::Slow(2_000)));
        let began = Instant::now();
        assert_eq!(said(&mut one, &[7; 400]).await.expect("an answer"), [7; 400]);
        assert!(began.elapsed() >= Duration::from_millis(300));

        // One direction of one connection: what the server says is lost, and stays lost.
        proxy.all(Weather::fair());
        let [first, _second] = proxy.connections()[..] else {
            panic!("{:?}", proxy.connections())
        };
        let deaf = Weather {
            down: Way::Lost,
            ..Weather::fair()
        };
        proxy.one(first, deaf);
        assert!(silent(&mut one, b"lost").await);
        assert_eq!(said(&mut two, b"heard").await.expect("an answer"), b"heard");

        // What is stuck arrives once the wire is free.
        proxy.all(Weather::both(Way::Stuck));
        assert!(silent(&mut two, b"wait").await);
        proxy.mend();
        let mut back = [0; 4];
        two.read_exact(&mut back).await.expect("it arrives");
        assert_eq!(&back, b"wait");

        proxy.cut();
        assert_eq!(two.read(&mut back).await.expect("an end in order"), 0);
        let mut refused = TcpStream::connect(proxy.address())
            .await
            .expect("the system takes it");
        assert!(said(&mut refused, b"hello").await.is_err());
        proxy.mend();
        let mut three = TcpStream::connect(proxy.address()).await.expect("a connection");
        assert_eq!(said(&mut three, b"hello").await.expect("an answer"), b"hello");
        proxy.reset();
        let why = three.read(&mut back).await.expect_err("a reset");
        assert_eq!(why.kind(), std::io::ErrorKind::ConnectionReset);
    }
}
