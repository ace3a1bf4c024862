//! What `doctor` and the start find out about real servers, and that a user with few rights is enough.

use switchboard::store::redis::inspect::{Finding, Inspection, Level, inspect};
use switchboard::store::redis::{RedisClock, RedisSettings, RedisStore, workers};
use switchboard::store::{
    Alias, Caps, Committed, Ingest, Ingested, Job, JobId, Keep, Nonce, OutboxEntry, Owner, ParkedId, Rate,
    Retention, SendOutcome, Sender, Status, Store, TimerId, TurnCommit,
};

use super::*;

fn finding<'a>(seen: &'a Inspection, name: &str) -> &'a Finding {
    seen.findings
        .iter()
        .find(|finding| finding.name == name)
        .unwrap_or_else(|| panic!("nothing about {name}: {:#?}", seen.findings))
}

fn level(seen: &Inspection, name: &str) -> Level {
    finding(seen, name).level
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_throws_data_away_is_refused_with_the_line_that_mends_it() {
    let server = Server::start(&Options::persist(Persist::EverySecond));
    let link = linked(&server.url()).await;
    let seen = inspect(&link, "sb").await;
    assert!(seen.refusal().is_none(), "{:#?}", seen.findings);
    assert_eq!(level(&seen, "version"), Level::Good);
    assert_eq!(level(&seen, "eviction"), Level::Good);
    assert_eq!(level(&seen, "disk"), Level::Good);
    assert!(seen.promises.shared && seen.promises.process_crash && !seen.promises.power_loss);
    assert!(
        seen.survives.contains("a crash of Redis; loss of power takes"),
        "{}",
        seen.survives
    );
    assert!(
        seen.memory
            .is_some_and(|(used, limit)| used > 0 && limit.is_none())
    );

    server.set("maxmemory-policy", "allkeys-lru");
    let seen = inspect(&link, "sb").await;
    let why = seen.refusal().expect("refused").to_string();
    assert!(
        why.contains("CONFIG SET maxmemory-policy noeviction") && !why.contains('\n'),
        "{why}"
    );
    // The line does mend it.
    server.must(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.set("appendfsync", "always");
    let seen = inspect(&link, "sb").await;
    assert!(seen.refusal().is_none() && seen.promises.power_loss);
    server.set("appendonly", "no");
    let seen = inspect(&link, "sb").await;
    assert_eq!(level(&seen, "disk"), Level::Look);
    assert!(!seen.promises.power_loss && seen.survives.contains("last snapshot"));
    server.fill();
    assert_eq!(level(&inspect(&link, "sb").await, "memory"), Level::Bad);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_counted_and_missed() {
    let primary = Server::plain();
    let link = linked_as(&primary.url(), &replicated()).await;
    let seen = inspect(&link, "sb").await;
    assert_eq!(level(&seen, "replicas"), Level::Bad);
    assert_eq!(level(&seen, "replicas in step"), Level::Look);
    let local = linked(&primary.url()).await;
    assert_eq!(level(&inspect(&local, "sb").await, "replicas"), Level::Look);
    let replica =
        Server::start(&Options::default().with("replicaof", &format!("127.0.0.1 {}", primary.port())));
    redis::wait("the replica to connect", || {
        (primary.info("connected_slaves") == "1").then_some(())
    });
    primary.set("min-replicas-to-write", "1");
    let seen = inspect(&link, "sb").await;
    assert_eq!(level(&seen, "replicas"), Level::Good);
    assert!(
        !seen
            .findings
            .iter()
            .any(|finding| finding.name == "replicas in step")
    );
    assert!(seen.survives.contains("survives a failover"), "{}", seen.survives);
    let wrong = linked(&replica.url()).await;
    assert!(
        finding(&inspect(&wrong, "sb").await, "replicas")
            .says
            .contains("itself a replica")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_whole_or_said_not_to_be() {
    let mut rig = Cluster::start(&Options::default());
    let one = linked(&format!("redis://{}", rig.addresses()[0])).await;
    let why = inspect(&one, "sb").await.refusal().expect("refused").to_string();
    assert!(why.contains("write redis+cluster://"), "{why}");
    let link = linked(&format!("redis+cluster://{}", rig.addresses()[0])).await;
    let seen = inspect(&link, "sb").await;
    assert!(seen.refusal().is_none(), "{:#?}", seen.findings);
    assert_eq!(finding(&seen, "cluster").says, "whole, on 3 masters");
    rig.nodes[3].kill();
    rig.nodes[0].kill();
    let began = Instant::now();
    while level(&inspect(&link, "sb").await, "cluster") != Level::Bad {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A message comes in, is answered and sent, by the store itself.
async fn a_conversation(url: &str) {
    let settings = RedisSettings {
        link: replicated(),
        ..RedisSettings::default()
    };
    let address = url.parse().expect("an address");
    let store = RedisStore::open(&address, &settings, Caps::default(), RedisClock::Server)
        .await
        .expect("it opens");
    let contact = store
        .resolve_alias("main", &Alias("phone:6281100000011".into()), &[])
        .await
        .expect("an alias")
        .contact();
    let event = Ingest {
        channel: "main".into(),
        contact,
        dedupe: "one".into(),
        payload: b"hello".to_vec(),
        said_at: Some(store.now()),
        quiet: Duration::ZERO,
        quiet_max: Duration::ZERO,
        history: Some(b"hello".to_vec()),
    };
    assert_eq!(
        store.ingest(std::slice::from_ref(&event)).await,
        Ok(vec![Ingested::New(1)])
    );
    assert_eq!(store.ingest(&[event]).await, Ok(vec![Ingested::Duplicate]));
    let lease = Duration::from_secs(20);
    let claim = store
        .claim(contact, Nonce(1), lease)
        .await
        .expect("an answer")
        .expect("a claim");
    assert_eq!(claim.events.len(), 1);
    let message = |n: u32| OutboxEntry {
        id: format!("{contact}.1.{n}"),
        sender: Sender::Bot,
        payload: b"hello".to_vec(),
        not_before: None,
    };
    let turn = TurnCommit {
        contact,
        fence: claim.fence,
        nonce: claim.nonce,
        upto: 1,
        session: Keep::Write(b"session".to_vec()),
        memory: Keep::Write(b"memory".to_vec()),
        owner: None,
        outbox: vec![message(0), message(1)],
        set_timers: vec![(TimerId("idle".into()), store.now(), b"idle".to_vec())],
        cancel_timers: vec![TimerId("other".into())],
        jobs: vec![Job {
            id: JobId("job".into()),
            payload: b"job".to_vec(),
            not_before: None,
        }],
        history: vec![b"line".to_vec()],
        quiet: Duration::ZERO,
    };
    let (committed, sending) = store.commit_then_send(&turn, lease).await.expect("written");
    assert_eq!(committed, Committed::Done);
    let rate = Rate {
        per_second: 10,
        burst: 10,
    };
    assert!(store.take_tokens("main", 1, rate).await.expect("a token").granted > 0);
    let accepted = SendOutcome::Accepted {
        message_id: Some("wamid.1".into()),
        pace: None,
    };
    let sending = sending.expect("a message to send");
    let (ours, next) = store
        .sent_then_next(&sending, &accepted, lease)
        .await
        .expect("recorded");
    let next = next.filter(|_| ours).expect("the second message");
    let again = SendOutcome::Retry {
        at: store.now(),
        why: "later".into(),
    };
    assert!(store.send_done(&next, &again).await.expect("recorded"));
    assert!(
        store
            .send_claim(contact, lease)
            .await
            .expect("an answer")
            .is_some()
    );
    let status = Status {
        message_id: "wamid.1".into(),
        ours: None,
        rank: 2,
        state: "delivered".into(),
        error: None,
        pace: None,
    };
    assert!(store.reconcile("main", &status).await.expect("recorded"));
    let job = store.job_claim(lease).await.expect("an answer").expect("a job");
    assert!(store.job_renew(&job, lease).await.expect("kept"));
    assert!(store.job_done(&job, b"result".to_vec()).await.expect("done"));
    assert_eq!(store.fire_due_timers(10).await, Ok(1));
    store.set_owner(contact, Owner::Human).await.expect("changed");
    let claim = store
        .claim(contact, Nonce(2), lease)
        .await
        .expect("an answer")
        .expect("a claim");
    assert!(
        store
            .fail(contact, claim.fence, Nonce(2), "for a try")
            .await
            .is_ok()
    );
    assert!(store.parked(10).await.expect("a list").is_empty());
    assert!(
        !store
            .unpark(&ParkedId(format!("{contact}.7")))
            .await
            .expect("an answer")
    );
    assert!(!store.unpark(&ParkedId::unread(contact)).await.expect("an answer"));
    assert_eq!(store.stats().await.expect("counts").contacts, 1);
    assert!(store.peek(contact).await.expect("an answer").is_some());
    assert_eq!(store.history(contact, 10).await.expect("a thread").len(), 4);
    assert_eq!(store.contacts(10).await, Ok(vec![contact]));
    store.put_setting("key", b"value").await.expect("kept");
    assert_eq!(store.setting("key").await, Ok(Some(b"value".to_vec())));
    store.quarantine("main", b"?", "unread").await.expect("kept");
    assert_eq!(store.quarantined(10).await.expect("a list").len(), 1);
    assert!(!store.export(None, 10).await.expect("records").records.is_empty());
    store
        .trim(None, &Retention::default(), 10)
        .await
        .expect("trimmed");
    let other = store
        .resolve_alias("main", &Alias("phone:6281100000012".into()), &[])
        .await
        .expect("an alias")
        .contact();
    store.merge(other, contact).await.expect("an answer");
    assert!(store.erase(contact).await.expect("erased"));
    store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_documented_acl_can_do_the_work_and_nothing_else() {
    let acl = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/redis/users.acl"));
    let acl = acl
        .expect("the documented file")
        .replace("change-me", "hush")
        .replace("default off", "default on nopass +@all ~* &*");
    let server = Server::plain();
    for user in acl.lines() {
        let mut words = vec!["ACL", "SETUSER"];
        words.extend(user.split_whitespace().skip(1));
        server.must(&words);
    }
    let replica =
        Server::start(&Options::default().with("replicaof", &format!("127.0.0.1 {}", server.port())));
    redis::wait("the replica to follow", || {
        (replica.info("master_link_status") == "up").then_some(())
    });
    let url = format!("redis://switchboard:hush@{}", server.address());
    let link = linked_as(&url, &replicated()).await;
    // The primary may not have heard of the replica yet.
    works_again(&link, 0).await;
    let mut heard = link.subscribe("sb:wake:1").await;
    link.publish("sb:wake:1", b"up").await.expect("published");
    assert_eq!(heard.next().await.as_deref(), Some(&b"up"[..]));
    let me = workers::Worker::this((1, 1), 0).expect("an id");
    let joined = workers::Workers::join(link.clone(), "sb", me, |_| {}).await;
    assert_eq!(workers::live(&link, "sb").await.expect("a list").len(), 1);
    joined.leave().await;
    a_conversation(&url).await;
    // `doctor` says what it may not see, and is not the worse for it.
    let seen = inspect(&link, "sb").await;
    assert!(seen.refusal().is_none(), "{:#?}", seen.findings);
    assert_eq!(level(&seen, "settings"), Level::Look);
    assert_eq!(level(&seen, "eviction"), Level::Good);
    server.set("maxmemory-policy", "allkeys-lru");
    assert!(inspect(&link, "sb").await.refusal().is_some());
    // Nothing of others, and nothing that harms all.
    let elsewhere = link
        .run(&COUNT, &[b"other:{a}:count".to_vec()], &[], Durable::Local)
        .await;
    assert!(elsewhere.is_err(), "{elsewhere:?}");
    assert!(link.publish("other", b"x").await.is_err());
    for words in [
        &["KEYS", "*"][..],
        &["FLUSHALL"],
        &["CONFIG", "SET", "appendonly", "no"],
        &["DEBUG", "SLEEP", "0"],
        &["SCRIPT", "FLUSH"],
    ] {
        let mut command = ::redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        for (_, answer) in link.ask_servers(&command).await {
            assert!(
                matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("NOPERM")),
                "{words:?}: {answer:?}"
            );
        }
    }
    // Without `+info` it says so too.
    server.must(&["ACL", "SETUSER", "switchboard", "-info"]);
    let seen = inspect(&link, "sb").await;
    assert_eq!(level(&seen, "info"), Level::Look);
    assert!(seen.refusal().is_none());
}
