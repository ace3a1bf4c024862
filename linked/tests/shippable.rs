//! The build that runs: it refuses the stand-in, has no way to be pointed anywhere but at WhatsApp, and none of the
//! features that would let it be. Nothing here connects to anything but loopback.
// The helpers of tests fail by panicking, too.
#![allow(clippy::unwrap_used)]
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
    let text = String::from_utf8_lossy(&bytes);
    for name in [
        "LINKED_LOOPBACK_SERVER",
        "LINKED_HOLD_AT",
        "a test build connects to loopback only",
    ] {
        assert!(!text.contains(name), "{name} is in the program");
    }
    assert!(
        text.contains("wss://web.whatsapp.com/ws/chat"),
        "the search would find what is there"
    );
}

/// Every package of the program with the features it is built with.
fn features(more: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "no-dev",
            "--prefix",
            "none",
            "--format",
            "{p} {f}",
        ])
        .args(["--package", "switchboard-linked"])
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
    let dangerous = |tree: &str| {
        tree.lines()
            .filter(|line| line.contains("danger"))
            .map(str::to_owned)
            .collect()
    };
    let shipped: Vec<String> = dangerous(&features(&[]));
    assert_eq!(shipped, Vec::<String>::new());
    let for_tests: Vec<String> = dangerous(&features(&["--features", "loopback-test"]));
    assert!(!for_tests.is_empty(), "the search would find what is there");
    let certificates =
        |line: &String| line.contains("danger-skip-cert-chain-verify") && !line.contains("tls");
    assert!(
        for_tests.iter().all(certificates),
        "a test build lifts one thing only: {for_tests:?}"
    );
}

#[test]
fn systemd_takes_the_unit_and_finds_little_to_attack() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("skipped: there is no systemd-analyze on this machine");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("switchboard-linked.service");
    // The program is not installed here; everything else stays.
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../deploy/switchboard-linked.service"
    ));
    let program = env!("CARGO_BIN_EXE_switchboard-linked");
    std::fs::write(
        &unit,
        text.unwrap()
            .replace("/usr/local/bin/switchboard-linked", program),
    )
    .unwrap();
    for arguments in [&["verify"][..], &["security", "--offline=true", "--threshold=20"]] {
        let ran = Command::new("systemd-analyze")
            .args(arguments)
            .arg(&unit)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {said}");
        let complained = arguments[0] == "verify" && said.contains("switchboard-linked.service");
        assert!(!complained, "{said}");
    }
}
