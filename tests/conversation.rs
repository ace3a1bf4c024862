//! Conversations with a server in this process, whose clock can be moved: people who take over, windows that close,
//! silence, sessions, and a store that can't take more.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;
mod thread;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bot::shop::Shop;
use bot::{heard, root, texts};
use double::{Double, Fault, Faulty, Setup};
use serde_json::json;
use switchboard::engine::Mode;
use switchboard::message::{MediaKind, Place};
use switchboard::server::config::Config;
use switchboard::server::{Handle, Line, NoteKind, Parts, Running, Said, Server, ThreadEntry};
use switchboard::store::{Caps, ContactId, Due, Ingest, MovableClock, Owner, SqliteStore, Store, StoreError};
use tempfile::TempDir;
use thread::notes;

const SARI: &str = "6281100000011";
const HELLO: &str = "Hello! What can I do for you?";

/// A server with a simulated number `sim`, and the number `main` at a double if there is one.
struct Office {
    running: Running,
    handle: Handle,
    store: Arc<SqliteStore>,
    folder: TempDir,
}

impl Office {
    async fn open(double: Option<&Double>, extra: &str) -> Office {
        let folder = tempfile::tempdir().unwrap();
        let meta = double.map_or_else(String::new, |double| {
            let setup = double.setup();
            format!(
                "[[channel]]\nid = \"main\"\nprovider = \"meta\"\nphone_number_id = \"{}\"\napi_base = \"{}\"\n\
                 access_token_env = \"TOKEN\"\napp_secret_env = \"SECRET\"\nverify_token_env = \"VERIFY\"\n\
                 burst_quiet_ms = 20\n",
                setup.phone_number_id,
                double.base_url()
            )
        });
        let text = format!(
            "flows = \"{}\"\nbind = \"127.0.0.1:0\"\n{extra}\n[[channel]]\nid = \"sim\"\nprovider = \"simulator\"\n\
             burst_quiet_ms = 20\n{meta}",
            root().join("fixtures/server/flows").display()
        );
        let setup = double.map(|double| double.setup().clone()).unwrap_or_default();
        let env = move |name: &str| match name {
            "TOKEN" => Some(setup.access_tokens[0].clone()),
            "SECRET" => Some(setup.app_secret.clone()),
            "VERIFY" => Some(setup.verify_token.clone()),
            "SHOP_TOKEN" => Some("shop-secret".to_owned()),
            _ => None,
        };
        let config = Config::parse(&text, Path::new("/tmp/switchboard.toml"), &env).unwrap();
        let clock = Arc::new(MovableClock::default());
        let path = folder.path().join("store.db");
        let store = Arc::new(SqliteStore::open(path, Caps::default(), clock.clone()).unwrap());
        let parts = Parts {
            clock: Some(clock),
            ..Parts::default()
        };
        let running = Server::start(config, store.clone(), parts).await.unwrap();
        if let Some(double) = double {
            double.point_at(format!("http://{}/webhook/main", running.address()));
        }
        Office {
            handle: running.handle(),
            running,
            store,
            folder,
        }
    }

    /// The simulated customer writes.
    async fn says(&self, text: &str) -> ContactId {
        self.does(Said::Text(text.to_owned())).await
    }

    async fn does(&self, said: Said) -> ContactId {
        self.handle.say("sim", SARI, Some("Sari"), said).await.unwrap()
    }

    /// Waits until the thread of a contact is as wanted.
    async fn until(
        &self,
        contact: ContactId,
        what: &str,
        wanted: impl Fn(&[ThreadEntry]) -> bool,
    ) -> Vec<ThreadEntry> {
        thread::until(&self.handle, contact, what, wanted).await
    }

    /// Waits until the simulated customer has read `count` messages.
    async fn hears(&self, contact: ContactId, count: usize) -> Vec<String> {
        let thread = self
            .until(contact, &format!("{count} messages"), |thread| {
                said(thread).len() >= count
            })
            .await;
        said(&thread)
    }

    /// Somebody of the business writes to Sari with the app on the phone; Meta tells of it.
    async fn phone_types(&self, double: &Double, id: &str, text: &str) {
        let setup = double.setup();
        let echo = json!({ "object": "whatsapp_business_account", "entry": [{
            "id": setup.business_account_id,
            "changes": [{ "field": "smb_message_echoes", "value": {
                "messaging_product": "whatsapp",
                "metadata": {
                    "display_phone_number": setup.display_phone_number, "phone_number_id": setup.phone_number_id,
                },
                "message_echoes": [{
                    "from": setup.display_phone_number, "to": SARI, "id": id,
                    "timestamp": double.now().to_string(), "type": "text", "text": { "body": text },
                }],
            }}],
        }]});
        let (signature, raw) = double.signed(&echo);
        let taken = reqwest::Client::new()
            .post(format!("http://{}/webhook/main", self.running.address()))
            .header("x-hub-signature-256", signature)
            .body(raw)
            .send()
            .await
            .unwrap();
        assert_eq!(taken.status(), 200);
    }

    async fn double_s_customer(&self) -> ContactId {
        self.handle.contacts(1).await.unwrap()[0]
    }
}

/// What reached the customer, in words.
fn said(thread: &[ThreadEntry]) -> Vec<String> {
    let read = |entry: &&ThreadEntry| {
        let status = entry.status.as_ref();
        status.is_some_and(|(_, state)| state == "delivered" || state == "read")
    };
    thread.iter().filter(read).filter_map(thread::body).collect()
}

fn state_of(thread: &[ThreadEntry], at: usize) -> String {
    let states: Vec<_> = thread.iter().filter_map(|entry| entry.status.as_ref()).collect();
    states
        .get(at)
        .map_or_else(String::new, |(_, state)| state.clone())
}

const HOUR: u64 = 3600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_takes_over_silences_the_bot_with_all_it_had_queued() {
    let double = Double::start().await;
    let office = Office::open(Some(&double), "").await;
    // The provider asks for a pause, so that the bot's greeting waits in the outbox.
    double.fault(Fault {
        to: Some(SARI.to_owned()),
        times: Some(1),
        fault: Faulty::Refuse(131_056),
    });
    let sari = double.customer(SARI);
    sari.says("Hi");
    double
        .wait_for_log("a refused message", |log| {
            log.iter()
                .any(|call| call.is_message() && call.answered == Some(400))
        })
        .await;
    let contact = office.double_s_customer().await;
    office.handle.take_over(contact, "Ana").await.unwrap();
    office
        .handle
        .say_as_person(contact, "Ana", "Ana here. How can I help?")
        .await
        .unwrap();
    assert_eq!(heard(&double, SARI, 1).await, ["Ana here. How can I help?"]);
    sari.says("hello?");
    sari.says("Track my order");
    let thread = office
        .until(contact, "both questions", |thread| {
            thread
                .iter()
                .filter(|entry| matches!(entry.line, Some(Line::Customer { .. })))
                .count()
                == 3
        })
        .await;
    assert!(state_of(&thread, 0).starts_with("dropped"), "{thread:#?}");
    office
        .handle
        .say_as_person(contact, "Ana", "One moment.")
        .await
        .unwrap();
    assert_eq!(
        heard(&double, SARI, 2).await,
        ["Ana here. How can I help?", "One moment."]
    );

    office.handle.give_back(contact).await.unwrap();
    office
        .until(contact, "the bot's return", |thread| {
            !notes(thread, NoteKind::Returned).is_empty()
        })
        .await;
    sari.says("Hi");
    assert_eq!(heard(&double, SARI, 3).await[2], HELLO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_pause_the_bot_for_a_time_by_what_they_type_into_a_chat_and_the_customer_never_reads_it() {
    let office = Office::open(None, "").await;
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    office
        .handle
        .say_as_person(contact, "Ana", " .0\n")
        .await
        .unwrap();
    office
        .until(contact, "the note", |thread| {
            notes(thread, NoteKind::Handoff)
                .iter()
                .any(|note| note.contains("paused in this chat for 60 minutes"))
        })
        .await;
    office
        .handle
        .say_as_person(contact, "Ana", "Ana here.")
        .await
        .unwrap();
    office.says("Hello?").await;
    // Her words begin the hour anew.
    office.handle.advance_clock(Duration::from_secs(HOUR - 60));
    office
        .handle
        .say_as_person(contact, "Ana", "Still here.")
        .await
        .unwrap();
    office.handle.advance_clock(Duration::from_secs(HOUR - 60));
    office.says("Are you?").await;
    assert_eq!(
        office.hears(contact, 3).await,
        [HELLO, "Ana here.", "Still here."],
        "the bot is silent until the hour is over"
    );
    office.handle.advance_clock(Duration::from_secs(61));
    office.says("Hi").await;
    assert_eq!(office.hears(contact, 4).await[3], HELLO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_stop_the_bot_from_the_phone_until_they_type_that_it_goes_on() {
    let double = Double::start().await;
    let office = Office::open(Some(&double), "").await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    let contact = office.double_s_customer().await;
    office.phone_types(&double, "wamid.stop", ".00").await;
    office
        .phone_types(&double, "wamid.words", "Ana here, I'll look into it.")
        .await;
    office.handle.advance_clock(Duration::from_secs(2 * HOUR));
    sari.says("Track my order");
    office
        .until(contact, "the question", |thread| {
            thread
                .iter()
                .filter(|entry| matches!(entry.line, Some(Line::Customer { .. })))
                .count()
                == 2
        })
        .await;
    office.phone_types(&double, "wamid.go", ".1").await;
    // The provider repeats what it said before; nothing is stopped again.
    office.phone_types(&double, "wamid.stop", ".00").await;
    let thread = office
        .until(contact, "the bot's return", |thread| {
            notes(thread, NoteKind::Returned)
                .iter()
                .any(|note| note.starts_with(".1 typed (staff)"))
        })
        .await;
    sari.says("Hi");
    assert_eq!(heard(&double, SARI, 2).await[1], HELLO);
    assert!(
        notes(&thread, NoteKind::Handoff)[0].starts_with(".00 typed (staff)"),
        "{thread:#?}"
    );
    // A customer who types one has typed a text.
    sari.says(".00");
    sari.says("Hi");
    heard(&double, SARI, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_waited_past_the_window_is_never_attempted_and_the_team_is_told() {
    let double = Double::start().await;
    let office = Office::open(Some(&double), "").await;
    double.fault(Fault {
        to: Some(SARI.to_owned()),
        times: Some(1),
        fault: Faulty::Refuse(131_056),
    });
    double.customer(SARI).says("Hi");
    let tries = |log: &[double::Logged]| {
        log.iter()
            .filter(|call| call.is_message() && call.json()["to"] == SARI)
            .count()
    };
    double
        .wait_for_log("a refused message", |log| tries(log) == 1)
        .await;
    let contact = office.double_s_customer().await;
    office
        .until(contact, "the refusal", |thread| {
            state_of(thread, 0).starts_with("queued:")
        })
        .await;
    office.handle.advance_clock(Duration::from_secs(24 * HOUR));
    let thread = office
        .until(contact, "the end of the message", |thread| {
            state_of(thread, 0).starts_with("dead")
        })
        .await;
    assert!(notes(&thread, NoteKind::Sending)[0].contains("24 hours"));
    assert_eq!(tries(&double.log()), 1);
    assert!(texts(&double.sent(), SARI).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_fate_nobody_knows_is_sent_once_more_and_never_a_third_time() {
    let double = Double::with(Setup {
        statuses: false,
        ..Setup::default()
    })
    .await;
    let office = Office::open(Some(&double), "").await;
    double.fault(Fault {
        to: Some(SARI.to_owned()),
        times: Some(3),
        fault: Faulty::Reset,
    });
    double.customer(SARI).says("Hi");
    for tries in 1..=2 {
        double.wait_for_sent(tries).await;
        let contact = office.double_s_customer().await;
        office
            .until(contact, "doubt", |thread| {
                state_of(thread, 0).starts_with("uncertain")
            })
            .await;
        office.handle.advance_clock(Duration::from_secs(46));
    }
    let contact = office.double_s_customer().await;
    let thread = office
        .until(contact, "the end of the message", |thread| {
            state_of(thread, 0).starts_with("dead")
        })
        .await;
    assert!(notes(&thread, NoteKind::Sending)[0].contains("third time"));
    assert_eq!(double.sent().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_the_provider_shut_out_stops_and_keeps_its_messages() {
    let double = Double::start().await;
    let office = Office::open(Some(&double), "").await;
    double.fault(Fault {
        to: None,
        times: Some(1),
        fault: Faulty::Refuse(190),
    });
    double.customer(SARI).says("Hi");
    double
        .wait_for_log("a refused message", |log| {
            log.iter()
                .any(|call| call.is_message() && call.json()["to"] == SARI)
        })
        .await;
    let contact = office.double_s_customer().await;
    let thread = office
        .until(contact, "a message that waits", |thread| {
            state_of(thread, 0).starts_with("queued:")
        })
        .await;
    assert!(said(&thread).is_empty());
    let main = office
        .handle
        .channels()
        .into_iter()
        .find(|channel| channel.id == "main")
        .unwrap();
    assert!(main.stopped.is_some());
    assert!(double.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_longer_than_any_mailbox_is_answered_too() {
    let office = Office::open(None, "").await;
    let contact = office.says(&"é".repeat(60_000)).await;
    assert_eq!(office.hears(contact, 1).await, [HELLO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_asks_after_five_minutes_and_ends_the_session_ten_minutes_later() {
    let office = Office::open(None, "").await;
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    office.handle.advance_clock(Duration::from_secs(301));
    let heard = office.hears(contact, 2).await;
    assert!(heard[1].starts_with("Are you still there?"), "{heard:?}");
    office.handle.advance_clock(Duration::from_secs(601));
    let thread = office
        .until(contact, "the session's end", |thread| {
            notes(thread, NoteKind::Session).len() == 2
        })
        .await;
    assert_eq!(
        notes(&thread, NoteKind::Session),
        ["Session 1 begins.", "Session 1 ends: the customer was silent."]
    );
    office.says("Hi again").await;
    assert_eq!(office.hears(contact, 3).await[2], HELLO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_handoff_the_bot_is_silent_until_the_chat_is_given_back() {
    let office = Office::open(None, "").await;
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    office.says("agent").await;
    let thread = office
        .until(contact, "the handoff", |thread| {
            !notes(thread, NoteKind::Handoff).is_empty()
        })
        .await;
    assert!(notes(&thread, NoteKind::Handoff)[0].contains("support"));
    let before = said(&thread);
    office.says("hello? anybody?").await;
    let conversation = office.handle.conversation(contact).await.unwrap().unwrap();
    assert_eq!(conversation.session.position.mode, Mode::Human);
    office.handle.give_back(contact).await.unwrap();
    office
        .until(contact, "the bot's return", |thread| {
            !notes(thread, NoteKind::Returned).is_empty()
        })
        .await;
    let after = office.handle.thread(contact, 100).await.unwrap();
    assert_eq!(said(&after), before);
    office.says("Hi").await;
    assert_eq!(
        office.hears(contact, before.len() + 1).await.last().unwrap(),
        HELLO
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_takes_a_chat_is_named_once_and_the_chat_they_give_back_goes_on() {
    let office = Office::open(None, "").await;
    let contact = office.says("queue").await;
    let looking = "One moment, I'm calling a colleague.";
    assert_eq!(office.hears(contact, 1).await, [looking]);
    let handed = office.handle.conversation(contact).await.unwrap().unwrap();
    let handed = handed.session.handed.expect("it waits for people");
    assert_eq!((handed.team.as_str(), handed.assist), ("support", true));
    office.handle.advance_clock(Duration::from_secs(15 * 60));
    assert_eq!(
        office.hears(contact, 2).await[1],
        "Still looking for someone free."
    );
    office
        .handle
        .say_as_person(contact, "Ana", "Hi Sari.")
        .await
        .unwrap();
    let heard = office.hears(contact, 4).await;
    assert_eq!(heard[2..], ["You're now chatting with Ana.", "Hi Sari."]);
    office.handle.take_over(contact, "Ana").await.unwrap();
    office.handle.advance_clock(Duration::from_secs(2 * HOUR));
    office.handle.give_back(contact).await.unwrap();
    let heard = office.hears(contact, 5).await;
    assert_eq!(heard[4], "How did we do?");
    office.says("great").await;
    assert_eq!(office.hears(contact, 6).await[5], "Thank you!");
    let thread = office.handle.thread(contact, 100).await.unwrap();
    assert_eq!(notes(&thread, NoteKind::Kept), ["Recorded: csat is 3."]);
    let conversation = office.handle.conversation(contact).await.unwrap().unwrap();
    assert!(conversation.session.handed.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_nobody_takes_is_the_bot_s_again_in_the_store_too() {
    let office = Office::open(None, "").await;
    let contact = office.says("queue").await;
    office.hears(contact, 1).await;
    let owner = async || office.handle.conversation(contact).await.unwrap().unwrap().owner;
    office
        .until(contact, "the handoff", |thread| {
            !notes(thread, NoteKind::Handoff).is_empty()
        })
        .await;
    assert_eq!(owner().await, Owner::Human);
    office.handle.advance_clock(Duration::from_secs(15 * 60));
    office.hears(contact, 2).await;
    assert_eq!(owner().await, Owner::Human);
    office.handle.advance_clock(Duration::from_secs(45 * 60));
    assert_eq!(
        office.hears(contact, 3).await[2],
        "Shall we write to you instead?"
    );
    assert_eq!(owner().await, Owner::Bot);
    office.handle.take_over(contact, "Ana").await.unwrap();
    assert_eq!(owner().await, Owner::Human);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_autopilot_off_everything_is_kept_and_nothing_is_answered() {
    let office = Office::open(None, "").await;
    assert!(office.handle.set_autopilot("sim", false).await.unwrap());
    let contact = office.says("Hi").await;
    let applied = |wanted: u64| {
        let office = &office;
        async move {
            let mut changes = office.handle.subscribe();
            while office
                .handle
                .conversation(contact)
                .await
                .unwrap()
                .unwrap()
                .session
                .position
                .seq
                < wanted
            {
                let _ = tokio::time::timeout(Duration::from_millis(200), changes.recv()).await;
            }
        }
    };
    // The takeover and the message.
    tokio::time::timeout(bot::PATIENCE, applied(2))
        .await
        .expect("a turn");
    let thread = office.handle.thread(contact, 100).await.unwrap();
    assert!(thread.iter().all(|entry| entry.status.is_none()), "{thread:#?}");
    assert!(matches!(thread[0].line, Some(Line::Customer { .. })));
    office.handle.set_autopilot("sim", true).await.unwrap();
    office.says("Hi").await;
    assert_eq!(office.hears(contact, 1).await, [HELLO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn photos_pins_and_taps_reach_the_flow_and_the_thread() {
    let office = Office::open(None, "").await;
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    let photo = Said::File {
        kind: MediaKind::Photo,
        bytes: vec![0xff, 0xd8, 0xff],
        mime: Some("image/jpeg".to_owned()),
        filename: None,
        caption: Some("my bike".to_owned()),
    };
    office.does(photo).await;
    office.hears(contact, 2).await;
    let pin = Place {
        lat: 38.7,
        lng: -9.1,
        name: None,
        address: None,
    };
    office.does(Said::Location(pin)).await;
    let thread = office
        .until(contact, "two answers", |thread| said(thread).len() >= 3)
        .await;
    let kept = thread
        .iter()
        .filter(|entry| matches!(entry.line, Some(Line::Customer { .. })))
        .count();
    assert_eq!(kept, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_down_is_told_to_the_customer_and_to_the_team_with_its_line() {
    let extra = "[services.shop]\nurl = \"http://127.0.0.1:1\"\nallow = [\"127.0.0.1:1\"]\n\
                 [secrets]\nSHOP_TOKEN = { env = \"SHOP_TOKEN\" }\n";
    let office = Office::open(None, extra).await;
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    office.says("track").await;
    office.hears(contact, 2).await;
    office.says("A-12345").await;
    let thread = office
        .until(contact, "the team's note", |thread| {
            !notes(thread, NoteKind::Fault).is_empty() && said(thread).len() >= 3
        })
        .await;
    assert_eq!(
        said(&thread)[2],
        "Something went wrong on our side. A colleague will help."
    );
    let placed = thread.iter().find_map(|entry| match &entry.line {
        Some(Line::Note {
            kind: NoteKind::Fault,
            place: Some(place),
            ..
        }) => Some(place.to_string()),
        _ => None,
    });
    assert_eq!(placed.as_deref(), Some("desk.flow:16"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_while_a_service_is_asked_is_answered_afterwards_in_order() {
    let shop = Shop::start().await;
    let office = Office::open(None, &shop.config()).await;
    shop.hold();
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    office.says("track").await;
    office.hears(contact, 2).await;
    office.says("A-12345").await;
    shop.asked(1).await;
    office.says("hello").await;
    office
        .until(contact, "the waiting message", |thread| {
            thread
                .iter()
                .filter(|entry| matches!(entry.line, Some(Line::Customer { .. })))
                .count()
                == 4
        })
        .await;
    shop.release();
    let heard = office.hears(contact, 5).await;
    assert_eq!(heard[2..], ["Order A-12345 is on its way.", "Bye!", HELLO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_outlives_its_lease_is_done_once_and_its_result_counts() {
    let shop = Shop::start().await;
    let office = Office::open(None, &shop.config()).await;
    shop.hold();
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    office.says("track").await;
    office.hears(contact, 2).await;
    office.says("A-12345").await;
    shop.asked(1).await;
    // Oftener than a job is tried whose holders died.
    for _ in 0..5 {
        office.handle.advance_clock(Duration::from_secs(100));
        let prolonged = async {
            while office
                .store
                .next_due(Due::Job)
                .await
                .unwrap()
                .is_some_and(|at| at <= office.store.now())
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(bot::PATIENCE, prolonged).await.unwrap();
    }
    shop.release();
    let thread = office
        .until(contact, "the answer", |thread| {
            said(thread).iter().any(|words| words == "Bye!")
        })
        .await;
    assert!(said(&thread).contains(&"Order A-12345 is on its way.".to_owned()));
    assert_eq!(shop.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_whose_words_find_a_full_mailbox_hears_of_it() {
    let office = Office::open(None, "").await;
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    let noted = |n: usize| Ingest {
        channel: "sim".to_owned(),
        contact,
        dedupe: format!("filler-{n}"),
        payload: br#"{"item":"noted"}"#.to_vec(),
        said_at: None,
        // Nobody takes them before the test is over.
        quiet: Duration::from_secs(HOUR),
        quiet_max: Duration::from_secs(HOUR),
        history: None,
    };
    let all: Vec<Ingest> = (0..Caps::default().mailbox_events).map(noted).collect();
    office.store.ingest(&all).await.unwrap();
    let refused = office.handle.say_as_person(contact, "Ana", "Ana here.").await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
}

/// Posts a signed text; gives the status, the `Retry-After` and how long it took.
async fn post(office: &Office, double: &Double, id: &str) -> (u16, Option<String>, Duration) {
    let setup = double.setup();
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": {
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": setup.display_phone_number, "phone_number_id": setup.phone_number_id },
        "contacts": [{ "profile": { "name": "Sari" }, "wa_id": SARI }],
        "messages": [{ "from": SARI, "id": id, "timestamp": double.now().to_string(), "type": "text", "text": { "body": "x".repeat(2000) } }],
    }}]}]});
    let (signature, raw) = double.signed(&body);
    let began = Instant::now();
    let response = reqwest::Client::new()
        .post(format!("http://{}/webhook/main", office.running.address()))
        .header("x-hub-signature-256", signature)
        .body(raw)
        .send()
        .await
        .unwrap();
    let retry = response
        .headers()
        .get("retry-after")
        .map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry, began.elapsed())
}

async fn open_double() -> Double {
    Double::with(Setup {
        open_windows: true,
        ..Setup::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_refuses_with_503_and_goes_on_by_itself_when_there_is_room() {
    let double = open_double().await;
    let office = Office::open(Some(&double), "").await;
    assert_eq!(post(&office, &double, "wamid.0").await.0, 200);
    heard(&double, SARI, 1).await;
    office.store.limit_pages(Some(1)).await.unwrap();
    let mut refused = None;
    for n in 1..200 {
        let (status, retry, took) = post(&office, &double, &format!("wamid.{n}")).await;
        if status != 200 {
            assert_eq!((status, retry.as_deref()), (503, Some("5")));
            assert!(took < Duration::from_secs(2), "it took {took:?}");
            refused = Some(n);
            break;
        }
    }
    let refused = refused.expect("the store is full at last");
    office.store.limit_pages(None).await.unwrap();
    assert_eq!(post(&office, &double, &format!("wamid.{refused}")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_or_is_gone_gives_503_within_two_seconds() {
    let double = open_double().await;
    let office = Office::open(Some(&double), "").await;
    let other = rusqlite::Connection::open(office.folder.path().join("store.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (status, retry, took) = post(&office, &double, "wamid.1").await;
    assert_eq!((status, retry.as_deref()), (503, Some("5")));
    assert!(took < Duration::from_millis(2500), "it took {took:?}");
    other.execute_batch("ROLLBACK").unwrap();
    // The provider repeats what was refused; whether it was written after all makes no difference.
    assert_eq!(post(&office, &double, "wamid.1").await.0, 200);
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
    office.store.close().await.unwrap();
    assert_eq!(post(&office, &double, "wamid.2").await.0, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_conversation_is_recorded_as_a_test_that_passes_and_names_nobody() {
    let shop = Shop::start().await;
    let office = Office::open(None, &shop.config()).await;
    let contact = office.says("Hi").await;
    office.hears(contact, 1).await;
    office.says("track").await;
    office.hears(contact, 2).await;
    office.says("A-99999").await;
    office.hears(contact, 4).await;
    office.says("A-12345").await;
    office.hears(contact, 6).await;
    let Office {
        running,
        handle,
        store,
        folder,
    } = office;
    drop(handle);
    running.shutdown().await;
    store.close().await.unwrap();
    drop(store);
    let chat = folder.path().join("recorded.chat");
    let record = |out: &Path| {
        assert_cmd::Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["record", "+6281100000011", "--store"])
            .arg(format!("sqlite:{}", folder.path().join("store.db").display()))
            .arg("--flows")
            .arg(root().join("fixtures/server/flows"))
            .arg("--out")
            .arg(out)
            .output()
            .unwrap()
    };
    let said = record(&chat);
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    let text = std::fs::read_to_string(&chat).unwrap_or_default();
    assert_eq!(said.status.code(), Some(0), "{told}\n{text}");
    assert!(told.contains("it goes as recorded"), "{told}");
    assert!(text.contains("given shop.get_order answers 404"), "{text}");
    assert!(
        text.contains("given shop.get_order answers 200 {\"status\":"),
        "{text}"
    );
    assert!(
        !text.contains("12345") && !text.contains("99999") && !text.contains("Sari"),
        "{text}"
    );
    assert!(!text.contains("62811"), "{text}");
    // What is there is never written over.
    let again = record(&chat);
    assert_eq!(again.status.code(), Some(2));
    let played = assert_cmd::Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .arg("test")
        .arg(&chat)
        .arg("--flows")
        .arg(root().join("fixtures/server/flows"))
        .output()
        .unwrap();
    assert_eq!(
        played.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&played.stdout)
    );
}
