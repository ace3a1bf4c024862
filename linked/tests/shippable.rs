//! The build that runs: it refuses the stand-in, has no way to be pointed anywhere but at WhatsApp, and none of the
//! features that would let it be. Nothing here connects to anything but loopback.
#![cfg(not(feature = "loopback-test"))]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use linked_fake::StandIn;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust_tokio_transport::TokioWebSocketTransportFactory;

#[tokio::test]
async fn it_refuses_a_server_whose_certificate_whatsapp_has_not_signed() {
    use wacore::net::TransportFactory as _;
    let stand_in = StandIn::start().await.unwrap();
    let factory = TokioWebSocketTransportFactory::new().with_url(stand_in.url());
    let (transport, mut events) = factory.create_transport().await.unwrap();
    let keys = PersistenceManager::new(Arc::new(wacore::store::InMemoryBackend::new()))
        .await
        .unwrap();
    let shaken = whatsapp_rust::handshake::do_handshake(
        Arc::new(whatsapp_rust::runtime_impl::TokioRuntime),
        &keys,
        &AtomicU32::new(0),
        transport,
        &mut events,
        None,
    )
    .await;
    let why = shaken.err().expect("the stand-in is refused").to_string();
    assert!(why.contains("signature failed"), "{why}");
}

#[test]
fn it_cannot_be_pointed_at_another_server() {
    let program = env!("CARGO_BIN_EXE_switchboard-linked");
    let output = Command::new(program)
        .args(["--loopback-server", "ws://127.0.0.1:9"])
        .env("LINKED_API_KEY", "a key for tests, 0123456789")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unexpected argument '--loopback-server'"));
    let bytes = std::fs::read(program).unwrap();
    for name in [
        "LINKED_LOOPBACK_SERVER",
        "LINKED_HOLD_AT",
        "a test build connects to loopback only",
    ] {
        assert!(
            !bytes.windows(name.len()).any(|window| window == name.as_bytes()),
            "{name} is in the program"
        );
    }
    let address = b"wss://web.whatsapp.com/ws/chat";
    assert!(
        bytes.windows(address.len()).any(|window| window == address),
        "the search would find what is there"
    );
}

fn features(more: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "features,no-dev",
            "--package",
            "switchboard-linked",
        ])
        .args(more)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn none_of_its_features_is_dangerous() {
    let shipped = features(&[]);
    assert!(shipped.contains("whatsapp-rust v0.7.0"), "{shipped}");
    assert!(!shipped.contains("danger-"), "{shipped}");
    assert!(!shipped.contains("\"simd\""), "it needs a nightly compiler");
    let tests_only = features(&["--features", "loopback-test"]);
    assert!(
        tests_only.contains("danger-skip-cert-chain-verify"),
        "the search would find what is there"
    );
    assert!(!tests_only.contains("danger-skip-tls-verify"));
}
