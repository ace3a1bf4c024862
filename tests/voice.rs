//! Voice notes with real Whisper weights: spoken fixtures become words, bad files get their own answers.
//!
//! The weights are made by `scripts/whisper-model`, which `make test` runs first.
#![cfg(feature = "voice")]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use switchboard::voice::audio::Kind;
use switchboard::voice::{self, Settings, Transcriber, Transcript, Unavailable, VoiceError};

fn model() -> PathBuf {
    let given = std::env::var_os("SWITCHBOARD_TEST_MODEL").map(PathBuf::from);
    let path = given.unwrap_or_else(|| {
        let cache =
            std::env::var_os("SWITCHBOARD_CACHE").map_or_else(|| root().join(".cache"), PathBuf::from);
        cache.join("models/ggml-tiny.en.bin")
    });
    assert!(
        path.is_file(),
        "there is no speech model at {}: run `make test`, or make it with `scripts/whisper-model`",
        path.display()
    );
    path
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> Vec<u8> {
    let path = root().join("fixtures/audio").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Settings without a time limit that a busy test machine could meet.
fn patient() -> Settings {
    Settings {
        grace: Duration::from_secs(600),
        ..Settings::new(model())
    }
}

fn ears() -> Arc<dyn Transcriber> {
    voice::load(patient()).expect("the model loads")
}

fn hear(ears: &dyn Transcriber, name: &str) -> Result<Transcript, VoiceError> {
    ears.transcribe(&fixture(name), None)
}

/// The words alone: case, commas and full stops are the model's taste.
fn words(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                ' '
            }
        })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_spoken_note_becomes_its_words() {
    let ears = ears();
    let notes = [
        ("track-my-order.ogg", "track my order"),
        ("talk-to-a-person.ogg", "i would like to talk to a person"),
        ("order-number.ogg", "it is order a 1 2 3 4 5"),
        (
            "ten-seconds.ogg",
            "good morning the front wheel of my bicycle makes strange noises when i ride it to work and the brakes are \
             weak i would like a repair tomorrow morning please",
        ),
    ];
    for (name, said) in notes {
        let heard = hear(&*ears, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(words(&heard.text), said, "{name}");
        assert_eq!(heard.language, "en", "{name}");
        assert!(
            heard.seconds > 1.0 && heard.took > Duration::ZERO && !heard.cut_short,
            "{name}"
        );
    }
}

#[test]
fn both_streams_of_a_chained_file_are_heard() {
    let said = words(&hear(&*ears(), "two-chained.ogg").unwrap().text);
    assert!(
        said.contains("my order") && said.ends_with("i would like to talk to a person"),
        "{said}"
    );
}

#[test]
fn every_kind_of_file_is_heard_alike() {
    let ears = ears();
    for (ending, kind) in [
        ("m4a", Kind::Mp4),
        ("webm", Kind::WebM),
        ("aac", Kind::Aac),
        ("mp3", Kind::Mp3),
        ("wav", Kind::Wav),
    ] {
        let heard = hear(&*ears, &format!("talk-to-a-person.{ending}")).unwrap();
        assert_eq!(
            (words(&heard.text).as_str(), heard.kind),
            ("i would like to talk to a person", kind)
        );
    }
}

#[test]
fn each_bad_file_has_its_own_answer_and_the_next_note_is_heard() {
    let ears = ears();
    let bad = [
        ("empty.ogg", "empty"),
        ("silent.ogg", "silence"),
        ("damaged.ogg", "corrupt"),
        ("cut-early.ogg", "truncated"),
        ("64-channels.ogg", "too_many_channels"),
        ("picture-named.ogg", "not_audio"),
        ("amr-named.ogg", "unsupported_kind"),
        ("random.ogg", "unknown_kind"),
    ];
    for (name, reason) in bad {
        let error = hear(&*ears, &format!("hostile/{name}")).expect_err(name);
        assert_eq!(error.reason(), reason, "{name}: {error}");
    }
    for name in ["hostile/mp4-named.ogg", "hostile/forged-sample-counts.ogg"] {
        assert_eq!(
            words(&hear(&*ears, name).unwrap().text),
            "i would like to talk to a person",
            "{name}"
        );
    }
    let cut = hear(&*ears, "hostile/cut-near-the-end.ogg").unwrap();
    assert!(
        cut.cut_short && words(&cut.text).starts_with("good morning the front wheel of my bicycle"),
        "{}",
        cut.text
    );
}

#[test]
fn a_note_longer_than_one_look_is_heard_to_its_end() {
    // Thirteen sentences of 2.75 s: 36 s, while Whisper looks at 30 s.
    let long = sentences(13);
    let heard = ears().transcribe(&long, None).unwrap();
    let said = words(&heard.text);
    assert!(heard.seconds > 35.0);
    let times = said.matches("talk to a person").count();
    // The model may drop or double a sentence at the seam of two looks; the second look must not be lost.
    assert!((11..=14).contains(&times), "heard {times} times: {said}");
}

/// The sentence of `talk-to-a-person.wav` several times in one file. Its header is 44 bytes and its sound 8-bit.
fn sentences(count: usize) -> Vec<u8> {
    let one = fixture("talk-to-a-person.wav");
    let data = one
        .windows(4)
        .position(|four| four == b"data")
        .expect("a WAV file has a data chunk");
    let sound = one[data + 8..].repeat(count);
    let mut bytes = one[..data + 4].to_vec();
    bytes.extend(u32::try_from(sound.len()).expect("it is short").to_le_bytes());
    bytes.extend(sound);
    let riff = u32::try_from(bytes.len() - 8).expect("it is short").to_le_bytes();
    bytes[4..8].copy_from_slice(&riff);
    bytes
}

#[test]
fn notes_are_heard_side_by_side_and_the_others_wait_for_a_place() {
    let settings = Settings {
        parallel: 2,
        threads: 1,
        ..patient()
    };
    let ears = voice::load(settings).unwrap();
    let runs: Vec<_> = (0..5)
        .map(|number| {
            let ears = Arc::clone(&ears);
            let (name, said) = match number % 2 {
                0 => ("track-my-order.ogg", "track my order"),
                _ => ("talk-to-a-person.ogg", "i would like to talk to a person"),
            };
            std::thread::spawn(move || (words(&hear(&*ears, name).unwrap().text), said))
        })
        .collect();
    for run in runs {
        let (heard, said) = run.join().unwrap();
        assert_eq!(heard, said);
    }
}

#[test]
fn a_note_that_takes_too_long_is_stopped_and_its_place_is_free_again() {
    let settings = Settings {
        slowest: 0.0,
        grace: Duration::ZERO,
        parallel: 1,
        ..Settings::new(model())
    };
    let ears = voice::load(settings).unwrap();
    // With one place only, a second answer proves that the first gave its place back.
    for _ in 0..2 {
        let error = hear(&*ears, "talk-to-a-person.ogg").unwrap_err();
        assert!(
            matches!(
                error,
                VoiceError::TooSlow {
                    limit: Duration::ZERO,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_missing_or_wrong_model_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("ggml-tiny.bin");
    let error = voice::load(Settings::new(&missing)).unwrap_err();
    assert_eq!(
        error,
        Unavailable::NoModel {
            path: missing.clone()
        }
    );
    assert!(
        error.to_string().contains("switchboard voice fetch tiny"),
        "{error}"
    );

    std::fs::write(&missing, "<html>not found</html>").unwrap();
    assert!(matches!(
        voice::load(Settings::new(&missing)).unwrap_err(),
        Unavailable::NotAModel { .. }
    ));

    let whole = std::fs::read(model()).unwrap();
    std::fs::write(&missing, &whole[..whole.len() / 3]).unwrap();
    let error = voice::load(Settings::new(&missing)).unwrap_err();
    assert!(matches!(error, Unavailable::NotLoaded { .. }), "{error}");

    let english = Settings {
        language: Some("id".into()),
        ..Settings::new(model())
    };
    assert!(
        voice::load(english)
            .unwrap_err()
            .to_string()
            .contains("knows English only")
    );
}

#[test]
fn the_transcribe_command_writes_the_words_and_ends_with_the_documented_codes() {
    let model = model();
    let transcribe = |file: &str, model: &Path| {
        let file = root().join("fixtures/audio").join(file);
        std::process::Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["transcribe", "--threads", "1", "--model"])
            .args([model, &file])
            .output()
            .unwrap()
    };
    let good = transcribe("track-my-order.ogg", &model);
    assert_eq!(words(&String::from_utf8(good.stdout).unwrap()), "track my order");
    assert_eq!(good.stderr, b"", "whisper.cpp is silent");
    assert_eq!(good.status.code(), Some(0));

    let bad = transcribe("hostile/amr-named.ogg", &model);
    assert_eq!(bad.status.code(), Some(1));
    let said = String::from_utf8(bad.stderr).unwrap();
    assert!(said.starts_with("switchboard: this is AMR audio"), "{said}");

    let missing = transcribe("track-my-order.ogg", &root().join("no-such-model.bin"));
    assert_eq!(missing.status.code(), Some(3));
}
