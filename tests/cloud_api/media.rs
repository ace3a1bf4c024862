//! Files in both directions.

use switchboard::channel::{Expected, MediaError, Upload};
use switchboard::message::{InboundBody, MediaHandle, MediaKind, MediaSource};

use crate::double::{Fault, Faulty};
use crate::inbox::Inbox;
use crate::*;

#[tokio::test]
async fn a_file_is_uploaded_and_then_sent_by_its_id() {
    let double = Double::start().await;
    let meta = meta(&double);
    double.customer(SARI).says("Hi");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let upload = Upload {
        filename: "menu.jpg".into(),
        mime: "image/jpeg".into(),
        bytes: bytes.clone(),
    };
    let receipt = meta
        .interpret(network().send(meta.encode_upload(&upload).unwrap()).await, 1)
        .unwrap();
    let id = receipt.message_id.unwrap();
    let source = MediaSource::File("menu.jpg".into());
    let body = OutboundBody::Media {
        media: MediaKind::Photo,
        source,
        caption: None,
        filename: None,
    };
    let step = meta.plan(&to_sari(body)).steps.remove(0).uploaded(id.clone());
    carry(&meta, &step).await.unwrap();
    assert_eq!(double.sent()[0].body["image"]["id"], id);
    let handle = MediaHandle::Id { id, url: None };
    let fetched = meta.fetch_media(&handle, Expected::default()).await.unwrap();
    assert_eq!(
        (fetched.bytes, fetched.mime.as_deref()),
        (bytes, Some("image/jpeg"))
    );
}

#[tokio::test]
async fn a_customers_file_is_fetched_in_two_hops_and_again_when_its_address_ran_out() {
    let double = Double::start().await;
    let meta = meta(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    double.customer(SARI).sends_voice(b"OggS not really".to_vec());
    double.settled().await;
    let event = inbox.events(&meta).remove(0);
    let InboundBody::Media(media) = event.body else {
        panic!("{event:?}")
    };
    assert_eq!(media.media, MediaKind::Voice);
    let expected = Expected {
        sha256: media.sha256.as_deref(),
    };
    // By the webhook's own address, which then runs out; by the id; and once more when the new address is old already.
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await.unwrap().bytes,
        b"OggS not really"
    );
    double.advance(Duration::from_secs(301));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await.unwrap().bytes,
        b"OggS not really"
    );
    double.fault(Fault::once(Faulty::Expired));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await.unwrap().bytes,
        b"OggS not really"
    );
    double.fault(Fault::once(Faulty::WrongHash));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await,
        Err(MediaError::WrongHash)
    );
    double.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await,
        Err(MediaError::Gone)
    );
}

#[tokio::test]
async fn a_file_over_the_cap_is_given_up_while_reading() {
    let double = Double::start().await;
    let mut settings = settings(&double);
    settings.media_cap = 1000;
    let meta = Meta::new(settings).unwrap();
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    double.customer(SARI).sends_photo(vec![7; 1001], None);
    double.settled().await;
    let InboundBody::Media(media) = inbox.events(&meta).remove(0).body else {
        panic!()
    };
    let outcome = meta.fetch_media(&media.handle, Expected::default()).await;
    assert_eq!(outcome, Err(MediaError::TooLarge { limit: 1000 }));
}
