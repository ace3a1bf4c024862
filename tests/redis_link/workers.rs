//! Workers that know of one another.

use switchboard::store::redis::workers::{Hint, Worker, Workers, live};
use switchboard::store::{ContactId, Due};

use tokio::sync::mpsc;

use super::*;

async fn join(link: &Link, reads: (u32, u32)) -> (Arc<Workers>, mpsc::UnboundedReceiver<Vec<Hint>>) {
    let me = Worker::this(reads, 1_700_000_000_000).expect("an id");
    let (hear, heard) = mpsc::unbounded_channel();
    let hear = move |hints| {
        let _ = hear.send(hints);
    };
    (Workers::join(link.clone(), "sb", me, hear).await, heard)
}

async fn sees(workers: &Workers, many: usize) {
    let began = Instant::now();
    while workers.live().len() != many {
        assert!(began.elapsed() < PATIENCE, "{:?}", workers.live());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_partitions_and_take_over_those_of_one_who_goes() {
    let server = Server::plain();
    let (here, there) = (linked(&server.url()).await, linked(&server.url()).await);
    let (first, _) = join(&here, (1, 3)).await;
    assert_eq!(first.mine().len(), 256);
    assert_eq!(first.format(&(2..=3)), Ok(3));
    let (second, mut told) = join(&there, (1, 2)).await;
    sees(&first, 2).await;
    sees(&second, 2).await;
    assert_eq!(first.mine().len() + second.mine().len(), 256);
    assert!(Partition::all().all(|partition| first.is_mine(partition) != second.is_mine(partition)));
    // Nobody writes what the other can't read.
    assert_eq!((first.format(&(2..=3)), second.format(&(1..=2))), (Ok(2), Ok(2)));
    let owned: u64 = first.at_work().iter().map(|worker| worker.partitions).sum();
    assert_eq!((first.at_work().len(), owned), (2, 256));
    assert_eq!(live(&here, "sb").await.expect("a list").len(), 2);

    // A word to the one whom it concerns.
    let theirs = second.mine()[0];
    let hint = Hint {
        kind: Due::Run,
        at: 5,
        contact: ContactId([theirs.0; 16]),
    };
    assert!(first.tell(hint));
    assert_eq!(told.recv().await, Some(vec![hint]));
    assert!(!second.tell(hint), "that is its own");

    // One leaves in order and is gone at once; one that dies is missed after some seconds.
    second.leave().await;
    sees(&first, 1).await;
    assert_eq!(first.mine().len(), 256);
    let (third, _) = join(&there, (1, 3)).await;
    sees(&first, 2).await;
    there.close();
    drop(third);
    sees(&first, 1).await;
    assert!(!first.tell(hint));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_comes_back_on_the_list_after_redis_was_away() {
    let mut server = Server::plain();
    let link = linked(&server.url()).await;
    let (worker, _) = join(&link, (1, 1)).await;
    server.kill();
    server.restart();
    let began = Instant::now();
    loop {
        if let Ok(list) = live(&link, "sb").await
            && list.len() == 1
        {
            assert_eq!(list[0].id, worker.me().id);
            break;
        }
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(worker.live().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_not_opened_beside_a_worker_that_could_not_read_what_would_be_written() {
    use switchboard::store::redis::{RedisClock, RedisSettings, RedisStore};
    use switchboard::store::{Caps, StoreError};
    let server = Server::plain();
    let link = linked(&server.url()).await;
    let address = server.url().parse().expect("an address");
    let settings = RedisSettings::default();
    let open = || RedisStore::open(&address, &settings, Caps::default(), RedisClock::Server);
    for (reads, opens) in [((0, 1), false), ((1, 2), true), ((2, 3), true), ((3, 4), false)] {
        let (other, _) = join(&link, reads).await;
        let opened = open().await.map(|_| ());
        match opened {
            Ok(()) => assert!(opens, "{reads:?}"),
            Err(StoreError::Unfit(why)) => {
                assert_eq!(reads, (0, 1));
                assert!(
                    why.contains(&other.me().name()) && why.contains("stop that worker first"),
                    "{why}"
                );
            }
            Err(StoreError::Version { found, max }) => assert_eq!((reads, found, max), ((3, 4), 4, 2)),
            Err(why) => panic!("{reads:?}: {why}"),
        }
        other.leave().await;
    }
}
