//! The life of a linked device, beside a stand-in of WhatsApp's server and of the owner's phone. Every text is asserted
//! as the customer's phone decrypts it, and every end by its state.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::rig::{LIMIT, Rig, SARI};

fn chat() -> String {
    format!("{SARI}@c.us")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_paired_dropped_replaced_unlinked_and_reset_with_another_code() {
    let begun = Instant::now();
    let rig = Rig::start().await;
    let phone = rig.stand_in.phone();

    // Paired: the phone scans, the server restarts the stream, and both sides can read each other.
    let waiting = rig.until("awaiting_scan").await;
    assert_eq!(waiting["status"], "SCAN_QR_CODE");
    assert!(waiting["link"]["expires"].is_string() && waiting["me"].is_null());
    let first_code = rig.link().await;
    let session = rig.session().await;
    assert_eq!(
        (&session["status"], &session["link"]["generation"]),
        (&json!("WORKING"), &json!(1))
    );
    assert_eq!(session["me"]["id"], format!("{}@c.us", phone.number()));
    rig.exchange("Are you open?", "Until ten tonight.").await;
    assert_eq!(phone.hears(LIMIT).await.unwrap().text, "Until ten tonight.");

    // Dropped: what was written meanwhile is answered after.
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    rig.stand_in.drop_connection().await;
    sari.says("Hello? Still there?").await.unwrap();
    rig.ear.hears_text("Hello? Still there?").await;
    rig.until("connected").await;
    rig.say(&chat(), "Here I am.").await;
    assert_eq!(sari.hears(LIMIT).await.unwrap().text, "Here I am.");

    // Replaced: nothing is retried by itself, and a person's start goes on with the same login.
    rig.stand_in.replace().await;
    let replaced = rig.until("replaced").await;
    assert_eq!(replaced["status"], "FAILED");
    assert!(
        replaced["link"]["next_action"]
            .as_str()
            .unwrap()
            .contains("start the session")
    );
    let before = rig.stand_in.counted().await;
    let (status, refused) = rig.try_say(&chat(), "This must not go out.").await;
    assert_eq!((status, &refused["status"]), (422, &json!("FAILED")));
    assert_eq!(rig.stand_in.counted().await.connections, before.connections);
    rig.start_session().await;
    rig.until("connected").await;
    assert!(
        rig.stand_in.counted().await.resumed > before.resumed,
        "the second handshake is the short one"
    );
    rig.exchange("Do you have tea?", "Seven kinds.").await;

    // Unlinked from the phone: the keys are dead at once, and only a new code helps.
    phone.unlink().await;
    let out = rig.until("logged_out").await;
    assert_eq!(out["status"], "FAILED");
    assert!(
        out["link"]["reason"]
            .as_str()
            .unwrap()
            .contains("removed this device")
    );
    assert!(rig.folder().join("main/dead/keys-1.db").exists());

    // Reset: another generation, another code; the same customer, the same chat.
    rig.start_session().await;
    let second_code = rig.code().await;
    let secret = |code: &str| code.split(',').nth(3).unwrap().to_owned();
    assert_ne!(secret(&first_code), secret(&second_code));
    phone.scan(&second_code).await.unwrap();
    let session = rig.until("connected").await;
    assert_eq!(session["link"]["generation"], 2);
    rig.exchange("And coffee?", "That too.").await;

    // Our own logout tells the phone and stays stopped.
    let (status, session) = rig.post("/api/sessions/main/logout", json!({})).await;
    assert_eq!(status, 201);
    assert_eq!(
        (&session["status"], &session["link"]["state"]),
        (&json!("STOPPED"), &json!("unlinked"))
    );
    assert!(
        session["link"]["reason"]
            .as_str()
            .unwrap()
            .contains("the phone was told"),
        "{session}"
    );
    assert!(!phone.is_linked().await);
    assert_eq!(session["link"]["generation"], 3);

    assert_eq!(
        rig.ear.unsigned(),
        Vec::<String>::new(),
        "every webhook is signed"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "it took {:?}",
        begun.elapsed()
    );
}
