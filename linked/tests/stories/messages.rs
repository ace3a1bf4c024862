//! Messages of all kinds, in and out.

use serde_json::json;

use crate::rig::{LIMIT, Rig, SARI};

fn chat() -> String {
    format!("{SARI}@c.us")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_reported_as_delivered_and_read() {
    let rig = Rig::linked().await;
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says("Hi").await.unwrap();
    let heard = rig.ear.hears_text("Hi").await;
    assert_eq!(heard["_data"]["pushName"], "Sari");
    assert!(
        heard["_data"]["key"]["remoteJidAlt"]
            .as_str()
            .unwrap()
            .ends_with("@lid")
    );
    let seen = json!({"session": "main", "chatId": chat(), "messageIds": [heard["id"]]});
    for path in ["/api/sendSeen", "/api/startTyping"] {
        let (status, answer) = rig.post(path, seen.clone()).await;
        assert_eq!(status, 201, "{answer}");
    }
    rig.stand_in
        .until(LIMIT, "the ticks and the typing", |counted| {
            counted.read == 1 && counted.typing >= 1
        })
        .await
        .unwrap();
    let id = rig.say(&chat(), "Hello!").await;
    let fits = |ack: i64| {
        let id = id.clone();
        move |payload: &serde_json::Value| {
            payload["ack"] == ack && payload["id"].as_str().unwrap().ends_with(&id)
        }
    };
    rig.ear.hears("message.ack", fits(2)).await;
    sari.reads(&id).await;
    rig.ear.hears("message.ack", fits(3)).await;
    let (_, message) = rig
        .get(&format!("/api/main/chats/{}/messages/{id}", chat()))
        .await;
    assert_eq!((&message["ack"], &message["body"]), (&json!(3), &json!("Hello!")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_with_a_hidden_id_is_answered_under_that_id() {
    let rig = Rig::linked().await;
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says_as_lid("Who am I?").await.unwrap();
    let heard = rig.ear.hears_text("Who am I?").await;
    let from = heard["from"].as_str().unwrap();
    assert!(from.ends_with("@lid"), "{heard}");
    assert_eq!(heard["_data"]["key"]["remoteJidAlt"], chat());
    rig.say(from, "A customer, whatever your number.").await;
    assert_eq!(
        sari.hears(LIMIT).await.unwrap().text,
        "A customer, whatever your number."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_writes_on_the_phone_is_told_as_such() {
    let rig = Rig::linked().await;
    rig.stand_in.customer(SARI, "Sari").await.unwrap();
    rig.stand_in
        .phone()
        .write(SARI, "This is Ani herself.")
        .await
        .unwrap();
    let heard = rig.ear.hears_text("This is Ani herself.").await;
    assert_eq!(
        (&heard["fromMe"], &heard["source"], &heard["to"]),
        (&json!(true), &json!("app"), &json!(chat()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_asked_for_again() {
    let rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says_garbled("Two coffees, please").await.unwrap();
    rig.ear.hears_text("Two coffees, please").await;
    assert!(rig.stand_in.counted().await.retries_asked >= 1);
    rig.exchange("Thanks", "You're welcome.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_whatsapp_refuses_is_told_with_its_code_at_once() {
    let rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    for (code, words) in [(463, "customer"), (479, "plain text")] {
        rig.stand_in.refuse_next_message(code).await;
        let (status, answer) = rig.try_say(&chat(), "Refused").await;
        assert_eq!((status, &answer["code"]), (422, &json!(code)), "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
        let told = rig
            .ear
            .hears("message.ack", |payload| payload["code"] == code)
            .await;
        assert_eq!(told["ack"], -1);
    }
    rig.exchange("And now?", "Now it works.").await;
    let health = rig.session().await["link"]["health"].clone();
    assert_eq!(
        (&health["healthy"], &health["refused"]),
        (&json!(true), &json!(2)),
        "{health}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_to_the_own_number_is_taken_and_delivered() {
    let rig = Rig::linked().await;
    let phone = rig.stand_in.phone();
    let id = rig.say(&format!("{}@c.us", phone.number()), "A test").await;
    assert_eq!(phone.hears(LIMIT).await.unwrap().text, "A test");
    rig.ear
        .hears("message.ack", |payload| {
            payload["ack"] == 2 && payload["id"].as_str().unwrap().ends_with(&id)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_not_written_to_and_no_other_number_answers() {
    let rig = Rig::linked().await;
    rig.stand_in.customer(SARI, "Sari").await.unwrap();
    let (status, answer) = rig.try_say(&chat(), "Buy coffee!").await;
    assert_eq!((status, &answer["code"]), (422, &json!(463)), "{answer}");
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("has not written to this number"),
        "{answer}"
    );
    rig.exchange("Hi", "Hello!").await;
    let body = json!({"session": "main", "chatId": chat(), "text": "From elsewhere"});
    let (status, answer) = rig
        .ask(
            "POST",
            "/api/sendText",
            Some(body),
            &[("x-expected-number", "6281100000098")],
        )
        .await;
    assert_eq!(status, 409, "{answer}");
    assert!(
        !rig.stand_in
            .customer(SARI, "Sari")
            .await
            .unwrap()
            .has_unheard()
            .await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_places_and_reactions_arrive_as_what_they_are() {
    let rig = Rig::linked().await;
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says("Where are you?").await.unwrap();
    let question = rig.ear.hears_text("Where are you?").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"session": "main", "chatId": chat(), "text": "Here:", "reply_to": question});
    assert_eq!(rig.post("/api/sendText", body).await.0, 201);
    let heard = sari.hears(LIMIT).await.unwrap();
    assert_eq!(heard.text, "Here:");
    let context = heard
        .message
        .extended_text_message
        .as_option()
        .unwrap()
        .context_info
        .as_option()
        .unwrap();
    assert!(question.ends_with(context.stanza_id.as_deref().unwrap()));

    let place = json!({"session": "main", "chatId": chat(), "latitude": -6.2, "longitude": 106.8, "title": "Kopi Senja"});
    assert_eq!(rig.post("/api/sendLocation", place).await.0, 201);
    let heard = sari.hears(LIMIT).await.unwrap();
    assert_eq!(
        heard
            .message
            .location_message
            .as_option()
            .unwrap()
            .degrees_latitude,
        Some(-6.2)
    );

    let thumb = json!({"session": "main", "messageId": question, "reaction": "👍"});
    assert_eq!(rig.ask("PUT", "/api/reaction", Some(thumb), &[]).await.0, 201);
    assert_eq!(sari.hears(LIMIT).await.unwrap().text, "👍");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_both_ways_sealed() {
    let rig = Rig::linked().await;
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.sends_picture(b"a picture of a broken cup", "It arrived like this")
        .await
        .unwrap();
    let heard = rig.ear.hears_text("It arrived like this").await;
    assert_eq!(heard["media"]["mimetype"], "image/jpeg");
    let path = heard["media"]["url"]
        .as_str()
        .unwrap()
        .strip_prefix(&rig.companion.url)
        .unwrap()
        .to_owned();
    let (status, file) = rig.get(&path).await;
    assert_eq!((status, file), (200, json!("a picture of a broken cup")));

    // "a new cup" and "OggS a note" in base64.
    let file = json!({"mimetype": "image/png", "filename": "cup.png", "data": "YSBuZXcgY3Vw"});
    let body = json!({"session": "main", "chatId": chat(), "file": file, "caption": "Like this one?"});
    let (status, answer) = rig.post("/api/sendImage", body).await;
    assert_eq!(status, 201, "{answer}");
    let got = sari.hears(LIMIT).await.unwrap();
    assert_eq!(rig.stand_in.file_of(&got).await.unwrap(), b"a new cup");
    assert_eq!(
        got.message.image_message.as_option().unwrap().caption.as_deref(),
        Some("Like this one?")
    );

    for (mimetype, voice) in [("audio/ogg; codecs=opus", true), ("audio/mpeg", false)] {
        let file = json!({"mimetype": mimetype, "data": "T2dnUyBhIG5vdGU="});
        let body = json!({"session": "main", "chatId": chat(), "file": file, "convert": true});
        let (status, answer) = rig.post("/api/sendVoice", body).await;
        assert_eq!(status, 201, "{answer}");
        let got = sari.hears(LIMIT).await.unwrap();
        assert_eq!(rig.stand_in.file_of(&got).await.unwrap(), b"OggS a note");
        assert_eq!(got.message.audio_message.as_option().unwrap().ptt, Some(voice));
    }
}
