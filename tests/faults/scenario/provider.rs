//! The provider fails in every way it can.

use std::time::Duration;

use crate::double::{Fault, Faulty};
use crate::plan::{Plan, until};
use crate::proxy::{Proxy, Way, Weather};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World};

/// What the provider does, and whether a message may have arrived although nobody was told.
const FAULTS: [(Faulty, bool); 9] = [
    (Faulty::TooMany(2), false),
    (Faulty::Status(429), false),
    (Faulty::Refuse(131056), false),
    (Faulty::Refuse(130429), false),
    (Faulty::Status(500), false),
    (Faulty::Status(503), false),
    (Faulty::Hang, true),
    (Faulty::Reset, true),
    (Faulty::Garbage, true),
];

/// A message twice in doubt waits 45 s each time for a status before it leaves again, and 21 s for its pair's pace.
const TWICE_IN_DOUBT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_provider_that_refuses_hangs_and_lies_gets_each_message_once() {
    let plan = Plan::asked();
    let wire = Proxy::to_any(Vec::new()).await;
    let mut setting = Setting::on(Ground::Sqlite);
    setting.provider = Some(format!("http://{}", wire.address()));
    let mut world = World::start("F8 a provider that fails", plan, setting).await;
    world.patience = TWICE_IN_DOUBT;
    wire.lead_to(vec![world.double.base_url().replace("http://", "")]);
    until("the first answers", Duration::from_secs(60), || {
        world.heard().count() > 10
    })
    .await;
    let times = plan.size(2, 20);
    let mut doubtful = 0;
    for round in 0..times {
        for (fault, may_have_arrived) in FAULTS {
            world.more_messages(5).await;
            world.double.fault(Fault::once(fault));
            doubtful += usize::from(may_have_arrived);
        }
        until("every fault to happen", Duration::from_secs(60), || {
            world.double.faults_left() == 0
        })
        .await;
        world.fleet.fault();
        world.says(&format!("each fault came {} times", round + 1));
    }
    // One byte after the other: each answer takes seconds.
    wire.all(Weather {
        down: Way::Slow(60),
        ..Weather::fair()
    });
    world.more_messages(10).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    wire.reset();
    doubtful += wire.connections().len();
    wire.mend();
    world.fleet.fault();
    world.says("the wire is good again");
    world
        .verdict(Bounds {
            duplicated: doubtful,
            // Of hundreds of faults two may meet one answer, both of which may have let it through.
            given_up: times / 4,
            ..Bounds::default()
        })
        .await
        .holds();
}
