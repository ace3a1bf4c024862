//! Mekari Qontak from end to end: the real server between the double of Qontak, its customers and its agents.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod double;
#[path = "../ear/mod.rs"]
mod ear;
#[path = "../loopback/mod.rs"]
mod loopback;
mod office;
mod refuse;
mod serve;
mod signed;
#[path = "../thread/mod.rs"]
mod thread;

use double::{AGENTS, Double, INTEGRATION, SECOND, TEMPLATE};
use office::{Auth, OTHER_SECRET, Office, SECRET, number};
use serde_json::{Value, json};
use switchboard::channel::qontak::Qontak;
use switchboard::channel::{Channel, Outbound, Upload};
use switchboard::message::{Address, Choice, Choices, MediaKind, MediaSource, OutboundBody};
use switchboard::server::NoteKind;
use switchboard::server::channels::{self, State, Unregistered};
use switchboard::server::config::{Config, ProviderConfig};

const SARI: &str = "6281100000011";
const BUDI: &str = "6281100000012";
const NOTE: &[u8] = b"OggS: not really, but nobody here listens";
const MENU: &str = "Hello! What can I do for you? [Track my order | Leave a message | Nothing, thanks]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_passes_through_qontak_s_rooms() {
    let office = Office::open(Auth::Token).await;
    let double = &office.double;
    let sari = double.customer(SARI);
    sari.says("Hi");
    office.reads(1).await;
    sari.taps("Leave a message");
    office.reads(2).await;
    sari.sends_voice(NOTE);
    office.reads(3).await;
    assert_eq!(*office.ear.given.lock().unwrap(), [NOTE.to_vec()]);
    sari.says("coffee");
    office.reads(4).await;
    sari.taps("Flat white");
    office.reads(5).await;

    let contact = office.contact().await;
    sari.says("agent");
    office.noted(contact, NoteKind::Handoff, "waits for", 1).await;
    double
        .until("the room to be somebody's", |state| {
            (state.rooms[SARI].status == "assigned").then_some(())
        })
        .await;
    assert_eq!(double.room(SARI).agent.as_deref(), Some(AGENTS[0]));
    let before = double.sent().len();
    sari.says("hello? anybody?");
    double.agent_says(SARI, "I will look into it.");
    double.settled().await;
    double.set_status(SARI, "resolved");
    office
        .noted(contact, NoteKind::Session, "a person ended it", 1)
        .await;
    double.settled().await;
    assert_eq!(double.sent().len(), before, "the bot spoke over a person");

    sari.says("Hi");
    office.reads(before + 1).await;
    sari.taps("Nothing, thanks");
    office.reads(before + 2).await;
    double
        .until("the room to be resolved", |state| {
            (state.rooms[SARI].status == "resolved").then_some(())
        })
        .await;

    sari.says("Hi");
    office.reads(before + 3).await;
    office.pass(301);
    office.reads(before + 4).await;
    office.pass(601);
    office
        .noted(contact, NoteKind::Session, "the customer was silent", 1)
        .await;
    let read = office.reads(before + 4).await;
    println!("{}\n", read.join("\n"));
    assert_eq!(
        read,
        [
            MENU,
            "Tell me, typed or as a voice note.",
            "Noted: my wheel is bent",
            "What will it be? <Espresso | Cappuccino | Flat white | Filter>",
            "Coming up.",
            MENU,
            "Ride safely!",
            MENU,
            "Are you still there? Is there anything else I can help with?",
        ]
    );
    let refused: Vec<_> = double
        .log()
        .into_iter()
        .filter(|asked| asked.answered >= 400)
        .collect();
    assert_eq!(refused.len(), 0, "{refused:#?}");
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_generations_of_the_api_take_the_same_conversation() {
    for auth in [Auth::Password, Auth::Hmac] {
        let office = Office::open(auth).await;
        let sari = office.double.customer(SARI);
        sari.says("Hi");
        office.reads(1).await;
        sari.taps("Nothing, thanks");
        assert_eq!(office.reads(2).await, [MENU, "Ride safely!"], "{auth:?}");
        office.running.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ran_out_is_renewed_and_no_message_is_lost_or_sent_twice() {
    let office = Office::open(Auth::Password).await;
    let sari = office.double.customer(SARI);
    sari.says("Hi");
    office.reads(1).await;
    let logins = |office: &Office| {
        let log = office.double.log();
        log.iter()
            .filter(|asked| asked.line == "POST /oauth/token")
            .count()
    };
    assert_eq!(logins(&office), 1);
    office.double.inner.state().tokens.clear();
    sari.taps("Leave a message");
    assert_eq!(office.reads(2).await.len(), 2);
    assert_eq!(logins(&office), 2);
    let log = office.double.log();
    let renewal = log
        .iter()
        .rev()
        .find(|asked| asked.line == "POST /oauth/token")
        .unwrap();
    let body: Value = serde_json::from_slice(&renewal.body).unwrap();
    assert_eq!(body["grant_type"], "refresh_token");
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bot_is_silent_while_somebody_has_the_room_and_answers_when_it_is_given_back() {
    // With Mekari's webhooks of rooms, and without: then the next message tells.
    for tells_of_rooms in [true, false] {
        let office = Office::open(Auth::Token).await;
        let double = &office.double;
        double.inner.state().tells_of_rooms = tells_of_rooms;
        let sari = double.customer(SARI);
        sari.says("Hi");
        office.reads(1).await;
        let contact = office.contact().await;
        double.set_status(SARI, "assigned");
        if tells_of_rooms {
            office
                .noted(contact, NoteKind::Handoff, "provider's inbox", 1)
                .await;
        }
        sari.says("Track my order");
        double.settled().await;
        office
            .noted(contact, NoteKind::Handoff, "provider's inbox", 1)
            .await;
        double.set_status(SARI, "unassigned");
        if tells_of_rooms {
            office.noted(contact, NoteKind::Returned, "again", 1).await;
        }
        sari.says("Hi");
        assert_eq!(
            office.reads(2).await,
            [MENU, MENU],
            "rooms tell: {tells_of_rooms}"
        );
        office.noted(contact, NoteKind::Returned, "again", 1).await;
        office.running.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_counts_by_its_id_where_qontak_passes_it_on() {
    let office = Office::open(Auth::Token).await;
    office.double.inner.state().raw_messages = true;
    let sari = office.double.customer(SARI);
    sari.says("Hi");
    office.reads(1).await;
    sari.taps("Leave a message");
    assert_eq!(office.reads(2).await[1], "Tell me, typed or as a voice note.");
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bot_says_is_once_in_the_thread_and_what_agents_say_too() {
    let office = Office::open(Auth::Token).await;
    let sari = office.double.customer(SARI);
    sari.says("Hi");
    office.reads(1).await;
    office.double.agent_says(SARI, "Dewi here.");
    office.double.settled().await;
    let contact = office.contact().await;
    let thread = office.handle.thread(contact, 100).await.unwrap();
    let echoes = thread
        .iter()
        .filter(|entry| matches!(entry.line, Some(switchboard::server::Line::Echo { .. })));
    assert_eq!(echoes.count(), 1, "{thread:#?}");
    let delivered = thread.iter().filter(|entry| {
        entry
            .status
            .as_ref()
            .is_some_and(|(_, state)| state == "delivered")
    });
    assert_eq!(delivered.count(), 1, "{thread:#?}");
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_webhook_serves_all_numbers_of_the_organisation_and_drops_what_is_not_ours() {
    let double = Double::start().await;
    let tables = format!(
        "{}{}",
        number(&double, "main", INTEGRATION, Auth::Token),
        number(&double, "draft", SECOND, Auth::Token)
    );
    let office = Office::with(double, &tables).await;
    office
        .double
        .point_at(&format!("https://bot.example/webhook/main/{SECRET}"));
    office
        .double
        .customer(BUDI)
        .of("an-integration-of-somebody-else")
        .says("Hi");
    office.double.customer(SARI).of(SECOND).says("Hi");
    assert_eq!(office.reads(1).await, [MENU]);
    office.double.settled().await;
    let contact = office.contact().await;
    let conversation = office.handle.conversation(contact).await.unwrap().unwrap();
    assert_eq!(conversation.channel, "draft");
    assert_eq!(office.double.sent().len(), 1);

    // An address with another number's secret is a forger's.
    let posted = |path: String| {
        let url = format!("http://{}/webhook/{path}", office.running.address());
        async move {
            reqwest::Client::new()
                .post(url)
                .body("{}")
                .send()
                .await
                .unwrap()
                .status()
                .as_u16()
        }
    };
    assert_eq!(posted(format!("main/{OTHER_SECRET}")).await, 401);
    assert_eq!(posted("main".to_owned()).await, 401);
    assert_eq!(posted(format!("draft/{OTHER_SECRET}")).await, 200);
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_under_another_login_are_another_organisation_s() {
    let double = Double::start().await;
    let tables = format!(
        "{}{}",
        number(&double, "main", INTEGRATION, Auth::Token),
        number(&double, "draft", SECOND, Auth::Hmac)
    );
    let office = Office::with(double, &tables).await;
    office
        .double
        .point_at(&format!("https://bot.example/webhook/main/{SECRET}"));
    office.double.customer(BUDI).of(SECOND).says("Hi");
    office.double.customer(SARI).says("Hi");
    assert_eq!(office.reads(1).await.len(), 1);
    office.double.settled().await;
    assert_eq!(office.double.sent()[0].to, SARI);
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_endpoint_is_checked_by_qontak_and_read_back() {
    let double = Double::start().await;
    let tables = number(&double, "main", INTEGRATION, Auth::Hmac);
    let office = Office::with(double, &tables).await;
    let main = &office.config.channels[0];
    let before = channels::verify(&office.config, main).await;
    assert_eq!(before.state, State::NoWebhook, "{before:#?}");
    let next = before.checks.iter().find_map(|check| check.next.clone()).unwrap();
    assert!(next.contains("switchboard channel register"), "{next}");

    let said = channels::register(&office.config, main).await.unwrap();
    assert!(said.contains("https://bot.example/webhook/main/…"), "{said}");
    let after = channels::verify(&office.config, main).await;
    assert_eq!(after.state, State::Ready, "{after:#?}");
    office.double.customer(SARI).says("Hi");
    assert_eq!(office.reads(1).await, [MENU]);
    // The room's end is told, too.
    office.double.set_status(SARI, "resolved");
    let contact = office.contact().await;
    office
        .noted(contact, NoteKind::Session, "room is resolved", 1)
        .await;

    let shown = format!("{after:?}{said}");
    assert!(!shown.contains(SECRET), "the secret is shown: {shown}");
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_number_is_a_state_in_words_with_its_next_step() {
    let double = Double::start().await;
    let tables = number(&double, "main", INTEGRATION, Auth::Token);
    let office = Office::with(double, &tables).await;
    let mut odd = office.config.clone();
    let asked = |config: Config| async move {
        let verified = channels::verify(&config, &config.channels[0]).await;
        let next = verified
            .checks
            .iter()
            .filter(|check| check.next.is_some())
            .count();
        (verified.state, next)
    };
    office.double.inner.state().tokens.clear();
    assert_eq!(asked(odd.clone()).await, (State::TokenRefused, 1));
    let refused = channels::register(&odd, &odd.channels[0]).await;
    assert!(matches!(refused, Err(Unregistered::There(_))), "{refused:?}");
    office.double.inner.state().tokens.push(double::TOKEN.to_owned());
    if let ProviderConfig::Qontak(settings) = &mut odd.channels[0].provider {
        settings.channel_integration_id = "not-there".to_owned();
    }
    assert_eq!(asked(odd.clone()).await.0, State::NotRegistered);
    // Nobody answers at the address: it does not become the endpoint.
    office.double.inner.state().server = Some("http://127.0.0.1:1".to_owned());
    let nobody = channels::register(&office.config, &office.config.channels[0]).await;
    let Err(Unregistered::There(why)) = nobody else {
        panic!("{nobody:?}")
    };
    assert!(
        why.contains("can't be verified") && why.contains("must run"),
        "{why}"
    );
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_templates_goes_into_a_room_that_the_provider_calls_expired() {
    let office = Office::open(Auth::Token).await;
    office.double.inner.state().tells_of_rooms = true;
    let sari = office.double.customer(SARI);
    sari.says("Hi");
    office.reads(1).await;
    let contact = office.contact().await;
    office.double.advance(std::time::Duration::from_secs(25 * 3600));
    office.double.set_status(SARI, "unassigned");
    office.double.settled().await;
    office
        .handle
        .say_as_person(contact, "Dewi", "Are you there?")
        .await
        .unwrap();
    office
        .noted(contact, NoteKind::Sending, "24 hours are over", 1)
        .await;
    assert_eq!(office.double.sent().len(), 1);

    office.handle.give_back(contact).await.unwrap();
    sari.says("Hi");
    assert_eq!(office.reads(2).await[1], MENU, "whoever writes opens the window");
    office.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_waited_out_or_stops_the_number_in_words() {
    let office = Office::open(Auth::Token).await;
    office.double.inner.state().faults = vec![429];
    office.double.customer(SARI).says("Hi");
    assert_eq!(office.reads(1).await, [MENU]);
    let contact = office.contact().await;
    // A room that nobody may write into.
    office.double.inner.state().faults = vec![422];
    office.double.customer(SARI).taps("Leave a message");
    office.noted(contact, NoteKind::Sending, "HTTP 422", 1).await;
    office.double.inner.state().tokens.clear();
    office.double.customer(SARI).says("my wheel is bent");
    let mut changes = office.handle.subscribe();
    let stopped = async {
        loop {
            if let Some(why) = office.handle.channels()[0].stopped.clone() {
                return why;
            }
            let _ = tokio::time::timeout(std::time::Duration::from_millis(200), changes.recv()).await;
        }
    };
    let why = tokio::time::timeout(loopback::PATIENCE, stopped).await.unwrap();
    assert!(why.contains("HTTP 401") && why.contains("token"), "{why}");
    office.running.shutdown().await;
}

/// The adapter alone: each step that a plan can hold, through the double.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_the_adapter_is_taken() {
    let double = Double::start().await;
    double.customer(SARI).says("Hi");
    let tables = number(&double, "main", INTEGRATION, Auth::Hmac);
    let config = Config::parse(&tables, std::path::Path::new("switchboard.toml"), &office::env).unwrap();
    let ProviderConfig::Qontak(settings) = &config.channels[0].provider else {
        panic!("not Qontak")
    };
    let qontak = Qontak::new((**settings).clone()).unwrap();
    let transport = qontak.transport();
    let room = double.room(SARI).id;
    let in_room = || Address::Room {
        id: room.clone(),
        phone: Some(SARI.to_owned()),
    };
    let options = |count: usize| -> Vec<Choice> {
        let option = |n: usize| Choice {
            id: format!("o{n}"),
            title: format!("Option {n}"),
            description: None,
            section: None,
        };
        (0..count).map(option).collect()
    };
    let choices = |count: usize| {
        OutboundBody::Choices(Choices {
            header: Some("Kopi Senja".into()),
            body: "What will it be?".into(),
            footer: None,
            open: None,
            as_list: false,
            options: options(count),
        })
    };
    let template = || OutboundBody::Template {
        name: "order_update".into(),
        language: "id".into(),
        params: vec!["Sari".into(), "A-1".into()],
        text: "Your order A-1 is on its way, Sari.".into(),
        parts: Box::default(),
    };
    let text = OutboundBody::Text {
        body: "Hi".into(),
        preview: false,
    };
    let hand_off = OutboundBody::HandOff {
        team: "support".into(),
    };
    let photo = OutboundBody::Media {
        media: MediaKind::Photo,
        source: MediaSource::File("menu.jpg".into()),
        caption: None,
        filename: None,
    };
    let file = Upload {
        filename: "menu.jpg".into(),
        mime: "image/jpeg".into(),
        bytes: b"JPEG".to_vec(),
    };
    for (to, body) in [
        (in_room(), text),
        (in_room(), choices(3)),
        (in_room(), choices(10)),
        (in_room(), template()),
        (in_room(), photo),
        (Address::WaId(BUDI.to_owned()), template()),
        (in_room(), hand_off),
        (in_room(), OutboundBody::Resolve),
    ] {
        let told = matches!(body, OutboundBody::HandOff { .. } | OutboundBody::Resolve);
        let plan = qontak.plan(&Outbound {
            to,
            reply_to: None,
            ours: None,
            body,
        });
        assert_eq!(plan.steps.len(), 1, "{plan:#?}");
        let step = &plan.steps[0];
        let request = match step.file() {
            Some(_) => qontak.encode_with_file(step, &file),
            None => qontak.encode(step),
        };
        let receipt = qontak.interpret(transport.send(request.unwrap()).await, 1);
        let receipt = receipt.unwrap_or_else(|why| panic!("{step:?}: {why}"));
        assert_eq!(receipt.message_id.is_none(), told, "{step:?}");
    }
    let kinds: Vec<String> = double.sent().into_iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds, ["text", "button", "list", "template", "image", "template"]);
    assert_eq!(double.room(SARI).status, "resolved");
    let upload = qontak.encode_upload(&file).unwrap();
    let kept = qontak.interpret(transport.send(upload).await, 1).unwrap();
    assert!(kept.message_id.unwrap().ends_with("/files/menu.jpg"));
}

/// The double's own teeth: what the product must never send is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_double_refuses_what_is_wrong() {
    let double = Double::start().await;
    double.customer(SARI).says("Hi");
    let room = double.room(SARI).id;
    let client = reqwest::Client::new();
    let post = |path: &str, token: &str, body: Value| {
        let call = client
            .post(format!("{}/{path}", double.open_api()))
            .bearer_auth(token)
            .json(&body);
        async move { call.send().await.unwrap().status().as_u16() }
    };
    let text = |more: Value| {
        let mut body = json!({ "room_id": room, "type": "text", "text": "Hi" });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let bot = "messages/whatsapp/bot";
    let interactive = "messages/whatsapp/interactive_message/bot";
    let buttons = |titles: &[&str]| {
        let all: Vec<Value> = titles
            .iter()
            .map(|title| json!({ "id": title, "title": title }))
            .collect();
        json!({ "room_id": room, "type": "button", "interactive": { "body": "?", "buttons": all } })
    };
    for (path, token, body, status) in [
        (bot, double::TOKEN, text(json!({})), 201),
        (bot, "guess", text(json!({})), 401),
        (bot, double::TOKEN, text(json!({ "room_id": "nowhere" })), 404),
        (bot, double::TOKEN, text(json!({ "text": "" })), 422),
        (bot, double::TOKEN, text(json!({ "preview": true })), 422),
        (bot, double::TOKEN, text(json!({ "type": "image" })), 422),
        (interactive, double::TOKEN, buttons(&["a", "b", "c"]), 201),
        (interactive, double::TOKEN, buttons(&["a", "b", "c", "d"]), 422),
        (interactive, double::TOKEN, buttons(&["a", "a"]), 422),
        (
            interactive,
            double::TOKEN,
            buttons(&["a title of more than twenty"]),
            422,
        ),
        (
            "broadcasts/whatsapp/direct",
            double::TOKEN,
            json!({ "to_number": "+62" }),
            422,
        ),
        ("elsewhere", double::TOKEN, json!({}), 404),
    ] {
        assert_eq!(post(path, token, body.clone()).await, status, "{path} {body}");
    }
    double.advance(std::time::Duration::from_secs(25 * 3600));
    assert_eq!(
        post(bot, double::TOKEN, text(json!({}))).await,
        422,
        "an expired session"
    );
    let hsm = json!({ "room_id": room, "message_template_id": TEMPLATE });
    assert_eq!(
        post("messages/whatsapp/hsm", double::TOKEN, hsm).await,
        422,
        "the template has two blanks"
    );
    let unsigned = client
        .get(format!("{}/integrations", double.mekari_api()))
        .send()
        .await
        .unwrap();
    assert_eq!(unsigned.status().as_u16(), 401);
}
