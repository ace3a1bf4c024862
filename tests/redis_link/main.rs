//! How Switchboard reaches Redis, against real servers: what a call says when the server is gone, hung, full, loading,
//! a replica or elsewhere, and that it works again by itself.

mod inspection;
#[path = "../redis/mod.rs"]
mod redis;
mod workers;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::redis::Value;
use secrecy::SecretString;
use switchboard::store::StoreError;
use switchboard::store::redis::link::{Call, Durability, Durable, Link, LinkSettings, RedisAddress};
use switchboard::store::redis::{Partition, Script};

use redis::{Cluster, Options, PATIENCE, Persist, Sentinels, Server};

/// Counts up, and says where it stands.
static COUNT: Script = Script::new("count", "#!lua\nreturn redis.call('INCR',KEYS[1])");
/// The same, when memory is full too.
static FINISH: Script = Script::new(
    "finish",
    "#!lua flags=allow-oom\nreturn redis.call('INCR',KEYS[1])",
);
/// Writes, then stops with a fault of its own.
static BROKEN: Script = Script::new(
    "broken",
    "#!lua\nredis.call('SET',KEYS[1],'half')\nreturn redis.call('LPUSH',KEYS[1],'x')",
);

type Answer = Result<Value, StoreError>;

fn key(partition: u8, name: &str) -> Vec<u8> {
    format!("sb:{{{}}}:{name}", Partition(partition).tag()).into_bytes()
}

async fn linked(url: &str) -> Link {
    linked_as(url, &LinkSettings::default()).await
}

async fn linked_as(url: &str, settings: &LinkSettings) -> Link {
    let address: RedisAddress = url.parse().expect("an address");
    Link::connect(&address, settings).await.expect("a connection")
}

async fn refused(url: &str) -> String {
    let address: RedisAddress = url.parse().expect("an address");
    match Link::connect(&address, &LinkSettings::default()).await {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

async fn count(link: &Link, partition: u8) -> Answer {
    link.run(&COUNT, &[key(partition, "count")], &[], Durable::AsConfigured)
        .await
}

/// Calls until it works; every failure on the way must be one that says nothing was written, or that it may have been.
async fn works_again(link: &Link, partition: u8) -> i64 {
    let began = Instant::now();
    loop {
        match count(link, partition).await {
            Ok(Value::Int(count)) => return count,
            Ok(other) => panic!("{other:?}"),
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        assert!(began.elapsed() < PATIENCE, "it does not work again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Until a call fails with `Unavailable`.
async fn is_away(link: &Link) -> String {
    let began = Instant::now();
    loop {
        if let Err(StoreError::Unavailable(why)) = count(link, 0).await {
            return why;
        }
        assert!(began.elapsed() < PATIENCE, "it is not away");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_on_a_server_that_never_saw_it_and_its_keys_must_share_a_slot() {
    let server = Server::plain();
    let link = linked(&server.url()).await;
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
    server.must(&["SCRIPT", "FLUSH"]);
    assert_eq!(count(&link, 0).await, Ok(Value::Int(2)));
    for keys in [vec![], vec![key(0, "a"), key(1, "a")]] {
        let answer = link.run(&COUNT, &keys, &[], Durable::Local).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert_eq!(server.ask(&["DBSIZE"]).text(), "1");
    // One that stops half way has written, and says that it may have.
    let answer = link.run(&BROKEN, &[key(0, "broken")], &[], Durable::Local).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_on_many_partitions_are_answered_in_their_order() {
    let server = Server::plain();
    let link = linked(&server.url()).await;
    let calls: Vec<Call> = Partition::all()
        .chain([Partition(7)])
        .map(|partition| Call {
            keys: vec![key(partition.0, "count")],
            args: vec![],
        })
        .collect();
    for round in 1..=2 {
        let answers = link.each(&COUNT, &calls).await;
        assert_eq!(answers.len(), 257);
        let mine = if round == 1 { [1, 2] } else { [3, 4] };
        assert_eq!(
            (&answers[7], &answers[256]),
            (&Ok(Value::Int(mine[0])), &Ok(Value::Int(mine[1])))
        );
        assert!(answers[..7].iter().all(|answer| *answer == Ok(Value::Int(round))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_redis_shut_is_said_with_what_to_change() {
    let server = Server::start(&Options::default().with("requirepass", "right"));
    let why = refused(&format!("redis://:wrong@{}", server.address())).await;
    assert!(
        why.contains("mend them in the configuration") && !why.contains("wrong@"),
        "{why}"
    );
    let why = refused(&format!("redis://{}", server.address())).await;
    assert!(why.contains("refuses the user or the password"), "{why}");
    let address: RedisAddress = format!("redis://{}", server.address()).parse().unwrap();
    let address = address.with_password(SecretString::from("right")).unwrap();
    let link = Link::connect(&address, &LinkSettings::default())
        .await
        .expect("let in");
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
    // Not a cluster, no sentinels, no TLS, nothing at all.
    let plain = Server::plain();
    let why = refused(&format!("redis+cluster://{}", plain.address())).await;
    assert!(
        why.contains("write redis:// instead of redis+cluster://"),
        "{why}"
    );
    let why = refused(&format!("redis+sentinel://{}/shop", plain.address())).await;
    assert!(why.contains("the sentinel"), "{why}");
    let why = refused(&format!("rediss://{}", plain.address())).await;
    assert!(why.contains("TLS"), "{why}");
    let gone = plain.address();
    drop(plain);
    let why = refused(&format!("redis://{gone}")).await;
    assert!(why.contains("nothing listens at"), "{why}");
}

/// A server that answers everything in the same way.
fn answering(line: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut heard = [0; 4096];
                while let Ok(1..) = stream.read(&mut heard) {
                    let commands = heard.iter().filter(|byte| **byte == b'*').count().max(1);
                    if stream.write_all(line.repeat(commands).as_bytes()).is_err() {
                        return;
                    }
                    heard.fill(0);
                }
            });
        }
    });
    format!("redis://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_or_still_loading_is_said_to_be_so() {
    let why = refused(&answering("-ERR unknown command 'HELLO'\r\n")).await;
    assert!(why.contains("older than Redis 6"), "{why}");
    let why = refused(&answering("-LOADING Redis is loading the dataset in memory\r\n")).await;
    assert!(why.contains("still reading its data"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loads_after_a_restart_is_waited_for() {
    let options = Options::persist(Persist::Always).with("key-load-delay", "0");
    let server = Server::start(&options);
    let link = linked(&server.url()).await;
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
    server.must(&["DEBUG", "POPULATE", "200", "filler", "10"]);
    server.must(&["BGREWRITEAOF"]);
    redis::wait("the rewrite", || {
        (server.info("aof_rewrite_in_progress") == "0" && server.info("aof_rewrite_scheduled") == "0")
            .then_some(())
    });
    server.must(&["CONFIG", "SET", "key-load-delay", "10000"]);
    // Two seconds of loading, during which it answers LOADING.
    server.ask(&["DEBUG", "LOADAOF"]);
    assert!(works_again(&link, 0).await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_new_work_and_lets_work_be_finished() {
    let server = Server::plain();
    let link = linked(&server.url()).await;
    server.fill();
    let answer = count(&link, 0).await;
    assert!(matches!(answer, Err(StoreError::Full(_))), "{answer:?}");
    let finished = link.run(&FINISH, &[key(0, "finish")], &[], Durable::Local).await;
    assert_eq!(finished, Ok(Value::Int(1)));
    server.make_room();
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_no_writes_and_says_so() {
    let primary = Server::plain();
    let replica =
        Server::start(&Options::default().with("replicaof", &format!("127.0.0.1 {}", primary.port())));
    let link = linked(&replica.url()).await;
    let answer = count(&link, 0).await;
    assert!(
        matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("replica")),
        "{answer:?}"
    );
    replica.must(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(works_again(&link, 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_replicas_in_step_is_a_refusal() {
    let server = Server::start(&Options::default().with("min-replicas-to-write", "1"));
    let link = linked(&server.url()).await;
    let answer = count(&link, 0).await;
    assert!(
        matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("too few replicas")),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_is_unknown_in_time_and_then_away_until_it_goes_on() {
    let server = Server::plain();
    let link = linked(&server.url()).await;
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
    server.freeze();
    let began = Instant::now();
    let answer = count(&link, 0).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    assert!(began.elapsed() >= LinkSettings::default().answer);
    // From now on nobody waits for it.
    is_away(&link).await;
    assert!(!link.is_up());
    server.thaw();
    // The call whose answer never came was carried out, once.
    assert_eq!(works_again(&link, 0).await, 3);
    assert!(link.is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_away_at_once_and_found_again() {
    let mut server = Server::start(&Options::persist(Persist::Always));
    let link = linked(&server.url()).await;
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
    server.kill();
    let why = is_away(&link).await;
    assert!(!why.is_empty());
    server.restart();
    assert_eq!(works_again(&link, 0).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_closed_answers_no_more() {
    let server = Server::plain();
    let link = linked(&server.url()).await;
    let mut heard = link.subscribe("sb:talk").await;
    link.close();
    is_away(&link).await;
    assert_eq!(heard.next().await, None);
    redis::wait("the connections to close", || {
        (server.info("connected_clients") == "1").then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_survives_the_loss_of_its_connection() {
    let server = Server::plain();
    let link = linked(&server.url()).await;
    let mut heard = link.subscribe("sb:talk").await;
    link.publish("sb:talk", b"one\0").await.expect("published");
    assert_eq!(heard.next().await.as_deref(), Some(&b"one\0"[..]));
    server.must(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let began = Instant::now();
    loop {
        // What is said while nobody listens is lost, so it is said again.
        let _ = link.publish("sb:talk", b"two").await;
        if let Some(message) = heard.try_next() {
            assert_eq!(message, b"two");
            break;
        }
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn now_is_the_servers_time() {
    let server = Server::plain();
    let link = linked(&server.url()).await;
    let reply = server.must(&["TIME"]);
    let there: i64 = reply.list()[0].text().parse().expect("seconds");
    assert!((link.now().as_second() - there).abs() <= 2);
    assert!(link.clock_ahead().abs() < 2_000);
}

/// A certificate authority and a certificate for 127.0.0.1, made by openssl.
fn certificates(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let run = |args: &[&str]| {
        let made = Command::new("openssl")
            .args(args)
            .current_dir(folder)
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    run(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ]);
    run(&[
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=redis",
        "-keyout",
        "redis.key",
        "-out",
        "redis.csr",
    ]);
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
    run(&[
        "x509",
        "-req",
        "-in",
        "redis.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        "redis.pem",
    ]);
    (
        folder.join("ca.pem"),
        folder.join("redis.pem"),
        folder.join("redis.key"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_is_reached_by_those_who_trust_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ca, certificate, private) = certificates(folder.path());
    let secure = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = secure.local_addr().expect("its address").port();
    drop(secure);
    let options = Options::default()
        .with("tls-port", &port.to_string())
        .with("tls-cert-file", &certificate.display().to_string())
        .with("tls-key-file", &private.display().to_string())
        .with("tls-ca-cert-file", &ca.display().to_string());
    let server = Server::start(&options);
    let files = format!(
        "ca={0}&cert={1}&key={2}",
        ca.display(),
        certificate.display(),
        private.display()
    );
    let link = linked(&format!("rediss://127.0.0.1:{port}?{files}")).await;
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
    let mut heard = link.subscribe("sb:talk").await;
    link.publish("sb:talk", b"hush").await.expect("published");
    assert_eq!(heard.next().await.as_deref(), Some(&b"hush"[..]));
    // Without a certificate of its own a client is turned away, and one that does not trust the authority turns away.
    server.set("tls-auth-clients", "no");
    assert_eq!(
        count(
            &linked(&format!("rediss://127.0.0.1:{port}?ca={}", ca.display())).await,
            0
        )
        .await,
        Ok(Value::Int(2))
    );
    let why = refused(&format!("rediss://127.0.0.1:{port}")).await;
    assert!(why.contains("is not trusted"), "{why}");
    let why = refused(&format!("redis://127.0.0.1:{port}")).await;
    assert!(why.contains("rediss://"), "{why}");
    let why = refused(&format!("rediss://127.0.0.1:{port}?ca=/nowhere.pem")).await;
    assert!(why.contains("/nowhere.pem"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_this_machine_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("redis.sock").display().to_string();
    let _server = Server::start(&Options::default().with("unixsocket", &path));
    let link = linked(&format!("redis+unix://{path}?db=3")).await;
    assert_eq!(count(&link, 0).await, Ok(Value::Int(1)));
}

fn replicated() -> LinkSettings {
    LinkSettings {
        durability: Durability::Replica,
        replica: Duration::from_secs(1),
        ..LinkSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_durability_replica_an_answer_means_that_the_replica_has_it() {
    let rig = Sentinels::start(&Options::default());
    let (primary, replica) = (rig.primary().unwrap(), rig.replica().unwrap());
    let link = linked_as(&rig.servers[primary].url(), &replicated()).await;
    let many = (0..100).map(|_| count(&link, 0));
    let mut all: Vec<i64> = futures_util::future::join_all(many)
        .await
        .into_iter()
        .map(|answer| match answer {
            Ok(Value::Int(count)) => count,
            other => panic!("{other:?}"),
        })
        .collect();
    all.sort_unstable();
    assert_eq!(all, (1..=100).collect::<Vec<i64>>());
    let name = String::from_utf8(key(0, "count")).unwrap();
    assert_eq!(rig.servers[replica].ask(&["GET", &name]).text(), "100");
    // Far fewer waits than scripts.
    let stats = rig.servers[primary].info("cmdstat_wait");
    let waits: u64 = stats.split(['=', ',']).nth(1).unwrap().parse().unwrap();
    assert!(waits <= 50, "{stats}");

    // A replica that hangs: written, perhaps, and said to be so. Nobody else is held up.
    rig.servers[replica].freeze();
    let answer = count(&link, 0).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    let meanwhile = link.run(&COUNT, &[key(1, "count")], &[], Durable::Local).await;
    assert_eq!(meanwhile, Ok(Value::Int(1)));
    rig.servers[replica].thaw();
    assert!(works_again(&link, 0).await >= 102);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sentinels_lead_to_the_new_primary() {
    let mut rig = Sentinels::start(
        &Options::default()
            .with("requirepass", "data")
            .with("masterauth", "data"),
    );
    let hosts = rig.addresses().join(",");
    let url = format!("redis+sentinel://:data@{hosts}/{}", "switchboard");
    let sure = linked_as(&url, &replicated()).await;
    assert_eq!(count(&sure, 0).await, Ok(Value::Int(1)));
    let link = linked(&url).await;
    let old = rig.kill_primary();
    let last = works_again(&link, 0).await;
    let new = rig.promoted(old);
    assert_eq!(new, 1 - old);
    assert!(last >= 2, "what was acknowledged is there");
    // The old one comes back as a replica; nobody writes to it.
    rig.servers[old].restart();
    rig.settled();
    assert!(works_again(&link, 0).await > last);
    // By order of an operator, with the old primary alive: the sentinels say so.
    rig.sentinels[0].must(&["SENTINEL", "FAILOVER", "switchboard"]);
    rig.promoted(new);
    redis::wait("the new primary to be used", || {
        let name = String::from_utf8(key(5, "count")).unwrap();
        (rig.servers[old].try_ask(&["EXISTS", &name]).ok()?.text() == "0").then_some(())
    });
    assert_eq!(works_again(&link, 5).await, 1);
    let why = refused(&format!("redis+sentinel://:data@{hosts}/other")).await;
    assert!(why.contains("knows no primary named"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_followed_through_a_failover_and_a_moving_slot() {
    let mut rig = Cluster::start(&Options::default());
    let url = format!("redis+cluster://{}", rig.addresses()[..2].join(","));
    let link = linked(&url).await;
    assert!(link.is_cluster() && link.is_up());
    let calls: Vec<Call> = Partition::all()
        .map(|partition| Call {
            keys: vec![key(partition.0, "count")],
            args: vec![],
        })
        .collect();
    for answer in link.each(&COUNT, &calls).await {
        assert_eq!(answer, Ok(Value::Int(1)));
    }
    // Messages reach subscribers wherever they are connected.
    let mut heard = link.subscribe("sb:talk").await;
    link.publish("sb:talk", b"hello").await.expect("published");
    assert_eq!(heard.next().await.as_deref(), Some(&b"hello"[..]));

    // A slot moves while its counter is used.
    let slot = Partition(100).slot();
    let from = rig.master_of(slot);
    let to = (0..3).find(|node| *node != from).expect("another master");
    let moving = Arc::new(AtomicBool::new(true));
    let counting = tokio::spawn({
        let (link, moving) = (link.clone(), moving.clone());
        async move {
            let mut last = 1;
            while moving.load(Ordering::SeqCst) {
                match count(&link, 100).await {
                    Ok(Value::Int(now)) => {
                        assert_eq!(now, last + 1, "each call counts once");
                        last = now;
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(StoreError::Unavailable(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            last
        }
    });
    tokio::task::block_in_place(|| rig.move_slot(slot, to, || {}));
    moving.store(false, Ordering::SeqCst);
    let last = counting.await.expect("it counted");
    assert!(works_again(&link, 100).await > last);
    assert_eq!(rig.master_of(slot), to);

    // A master dies; the others go on meanwhile, and its replica takes over.
    let dead = rig.kill_master_of(Partition(0).slot());
    let elsewhere = (0..=255_u8)
        .find(|partition| rig.master_of(Partition(*partition).slot()) != dead)
        .expect("another master has some");
    works_again(&link, elsewhere).await;
    assert!(works_again(&link, 0).await >= 1);
    rig.taken_over(Partition(0).slot(), dead);
    let began = Instant::now();
    while !link.is_up() {
        assert!(began.elapsed() < PATIENCE, "the map is not whole again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answers = link.each(&COUNT, &calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_replicates_before_it_answers() {
    let rig = Cluster::start(&Options::default());
    let link = linked_as(&format!("redis+cluster://{}", rig.addresses()[0]), &replicated()).await;
    for partition in [0, 90, 180] {
        assert_eq!(count(&link, partition).await, Ok(Value::Int(1)));
    }
    let from = rig.master_of(Partition(90).slot());
    let to = (0..3).find(|node| *node != from).expect("another master");
    rig.move_slot(Partition(90).slot(), to, || {});
    assert_eq!(count(&link, 90).await, Ok(Value::Int(2)));
}
