//! The demo page, as somebody in front of it sees it: the real binary, a real browser, real speech weights.

mod browser;

use std::path::{Path, PathBuf};

use browser::{at_the_demo, fixture, root};
use serde_json::json;

const GREETING: &str = "What can I do for you?";
const ASKED: &str = "What's your order number?";

#[tokio::test]
async fn a_customer_finds_an_order_and_whoever_looks_sees_where_the_conversation_stands() {
    at_the_demo(None, async |page| {
        page.say("hello").await;
        page.last("bot", GREETING).await;
        page.shows("#where", "welcome / hello").await;
        page.shows("#line", "welcome.flow:").await;
        page.shows("#timers", "no reply").await;

        page.press("#clocks", "+30 min").await;
        page.last("bot", "Are you still there?").await;

        page.tap("Track my order").await;
        page.last("bot", ASKED).await;
        page.shows("#where", "order tracking / ask for the number").await;
        page.press("#clocks", "+10 min").await;
        page.last("bot", "Shall I close this chat?").await;
        page.tap("Keep it open").await;
        page.last("bot", "So – what's the order number?").await;

        page.say("a-12345").await;
        page.last("bot", "Anything else?").await;
        let link = page.until("document.querySelector('.linkbutton')?.href").await;
        assert_eq!(link, "https://parcels.example/A-12345");
        page.shows("#values", "order.status").await;
        page.shows("#values", "contact.last_order").await;

        page.say("main menu").await;
        page.last("bot", GREETING).await;
        page.tap("Something else").await;
        page.press("#thread", "☰ See topics").await;
        page.press("#rowlist", "Find us").await;
        page.shows("#thread", "12 Harbour Lane").await;
    })
    .await;
}

/// With `SWITCHBOARD_SCREENSHOT=fixtures/screenshots/demo.png` it also makes the README's picture:
/// `SWITCHBOARD_SCREENSHOT=… cargo test --test demo spoken`.
#[cfg(feature = "voice")]
#[tokio::test]
async fn a_spoken_wish_is_heard_and_answered_whether_uploaded_or_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let microphone = for_the_microphone("audio/talk-to-a-person.wav", folder.path());
    at_the_demo(Some(microphone), async |page| {
        page.say("hello").await;
        page.last("bot", GREETING).await;
        page.upload("#voicefile", &fixture("audio/track-my-order.ogg"))
            .await;
        page.shows(".heard", "Track my order").await;
        page.last("bot", ASKED).await;
        page.say("A-12345").await;
        page.last("bot", "Anything else?").await;
        page.until("document.querySelectorAll('#values tr').length > 3")
            .await;
        if let Some(path) = std::env::var_os("SWITCHBOARD_SCREENSHOT") {
            std::fs::write(root().join(path), page.screenshot().await).expect("the picture is written");
        }

        page.click("#mic").await;
        page.until("Number(document.getElementById('mic').dataset.seconds) > 3")
            .await;
        page.click("#mic").await;
        page.until("document.querySelectorAll('.msg.mine audio').length === 2")
            .await;
        page.until("[...document.querySelectorAll('.heard')].pop()?.innerText.includes('person')")
            .await;
    })
    .await;
}

#[tokio::test]
async fn photos_and_places_arrive_and_hostile_words_stay_words() {
    at_the_demo(None, async |page| {
        let hostile = "<img src=x onerror=\"document.title='owned'\"> *bold* <b>مرحبا</b> \u{202e}txt";
        page.say(hostile).await;
        page.last(
            "mine",
            "<img src=x onerror=\"document.title='owned'\"> bold <b>مرحبا</b> \u{202e}txt",
        )
        .await;
        page.last("bot", GREETING).await;
        assert_eq!(
            page.value("document.querySelectorAll('#thread img').length")
                .await,
            0
        );
        assert_eq!(page.value("document.title").await, "Switchboard demo");

        let folder = tempfile::tempdir().expect("a folder");
        let photo = folder.path().join("photo.png");
        std::fs::write(&photo, page.screenshot().await).expect("a photo");
        page.upload("#photofile", &photo).await;
        page.until("document.querySelector('.msg.mine img')?.naturalWidth === 1200")
            .await;

        page.click("#pin").await;
        page.press("#place", "Send").await;
        page.last("mine", "38.7069, -9.1366").await;

        page.click("#new").await;
        page.shows("#customer", "+351 910 000 002").await;
        page.until("document.querySelectorAll('.msg').length === 0").await;
    })
    .await;
}

#[tokio::test]
async fn a_person_takes_the_chat_and_the_bot_is_silent_until_it_is_given_back() {
    at_the_demo(None, async |page| {
        page.say("hello").await;
        page.last("bot", GREETING).await;
        page.click("#take").await;
        page.shows("#mode", "a person has the chat").await;
        page.say("track my order").await;
        page.last("mine", "track my order").await;
        page.find("#stafftext").await.send_keys("Hi, Ana here.").await.expect("typing");
        page.press("#staff", "Send").await;
        page.last("person", "Hi, Ana here.").await;
        page.click("#return").await;
        page.shows("#mode", "autopilot").await;
        page.say("track").await;
        page.last("mine", "track").await;
        page.shows("#thread", ASKED).await;
        let after = "[...document.querySelectorAll('.msg.mine')].find(m => m.innerText.startsWith('track my order'))";
        let next = page.value(&format!("(() => {{ let n = {after}; do n = n.nextElementSibling; while (!n.matches('.msg')); return n.innerText; }})()")).await;
        assert!(next.as_str().is_some_and(|next| next.contains("Ana")), "the bot spoke: {next}");

        page.click("#shopdown").await;
        page.until("document.getElementById('shopdown').checked").await;
        page.say("A-12345").await;
        page.shows("#thread", "Our order system is taking a break.").await;
        page.shows("#notes", "tracking.flow:").await;
    })
    .await;
}

#[tokio::test]
async fn other_sites_can_neither_post_nor_frame_the_page() {
    at_the_demo(None, async |page| {
        let client = reqwest::Client::new();
        let post = |site: &'static str| {
            let request = client
                .post(format!("{}/demo/text", page.address))
                .json(&json!({ "text": "hello" }));
            request.header("sec-fetch-site", site).send()
        };
        assert_eq!(post("cross-site").await.expect("an answer").status(), 403);
        assert_eq!(post("same-origin").await.expect("an answer").status(), 200);
        let answer = client.get(&page.address).send().await.expect("the page");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .expect("text")
            .to_owned();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    })
    .await;
}

/// A fixture as 16-bit WAV, the one kind that the browser's stand-in for a microphone plays.
fn for_the_microphone(recording: &str, folder: &Path) -> PathBuf {
    use switchboard::voice::audio::{Limits, SAMPLE_RATE, decode};

    let bytes = std::fs::read(fixture(recording)).expect("a recording");
    let sound = decode(&bytes, &Limits::default()).expect("it is read");
    let samples: Vec<u8> = sound
        .samples
        .iter()
        .flat_map(|sample| ((sample * 32767.0) as i16).to_le_bytes())
        .collect();
    let size = u32::try_from(samples.len()).expect("a short recording");
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + size).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend([1, 0, 1, 0]);
    wav.extend(SAMPLE_RATE.to_le_bytes());
    wav.extend((SAMPLE_RATE * 2).to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(size.to_le_bytes());
    wav.extend(samples);
    let path = folder.join("microphone.wav");
    std::fs::write(&path, wav).expect("a recording for the microphone");
    path
}
