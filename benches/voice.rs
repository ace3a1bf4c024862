//! How long hearing a note takes, as a share of its length (the real-time factor), beside whisper's plain call in the
//! same run. Needs the weights that `scripts/whisper-model` makes.

mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use switchboard::voice::audio::{self, Limits};
use switchboard::voice::{self, Settings};
use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters};

/// For a note of about ten seconds with tiny on two threads.
const BAR: f64 = 0.08;
const THREADS: usize = 2;

/// The middle one counts: the machine does other things too.
const RUNS: usize = 5;

fn main() {
    // Test runners start benches as well, without this flag.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("SWITCHBOARD_TEST_MODEL").map(PathBuf::from);
    let cache = std::env::var_os("SWITCHBOARD_CACHE").map_or_else(|| root.join(".cache"), PathBuf::from);
    let model = given.unwrap_or_else(|| cache.join("models/ggml-tiny.en.bin"));
    let note = std::fs::read(root.join("fixtures/audio/ten-seconds.ogg")).expect("the fixture is committed");

    // A busy machine makes the figure bad; it must not make it an error.
    let settings = Settings {
        threads: THREADS,
        grace: Duration::from_secs(600),
        ..Settings::new(&model)
    };
    let ears = voice::load(settings).unwrap_or_else(|error| panic!("{error}; or run scripts/whisper-model"));
    let seconds = ears
        .transcribe(&note, None)
        .expect("the fixture is heard")
        .seconds;
    let ours = fastest(|| {
        ears.transcribe(&note, None).expect("the fixture is heard");
    });
    let plain = plain_call(&model, &note);

    table::head();
    let measured = format!("{:.3}", ours / seconds);
    let ratio = format!("{:.2}", ours / seconds / BAR);
    let beside = format!("whisper's plain call {:.3} of {seconds:.1} s", plain / seconds);
    table::row(
        "voice: share of a note's length, 2 threads",
        &measured,
        &format!("≤ {BAR}"),
        &ratio,
        &beside,
    );

    let start = Instant::now();
    audio::decode(&note, &Limits::default()).expect("the fixture decodes");
    let decoding = start.elapsed().as_secs_f64();
    let measured = format!("{:.1} ms", decoding * 1000.0);
    table::row(
        "voice: of it decoding Ogg/Opus",
        &measured,
        "-",
        "-",
        &format!("{:.0} x real time", seconds / decoding),
    );
}

/// What whisper.cpp does unasked: the whole look of 30 s, time stamps, the same threads and greedy search.
fn plain_call(model: &Path, note: &[u8]) -> f64 {
    let sound = audio::decode(note, &Limits::default()).expect("the fixture decodes");
    let path = model.to_str().expect("the path is UTF-8");
    let context =
        WhisperContext::new_with_params(path, WhisperContextParameters::default()).expect("it loads");
    let mut state = context.create_state().expect("a state is made");
    let mut run = || {
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        params.set_n_threads(THREADS as i32);
        params.set_print_progress(false);
        state.full(params, &sound.samples).expect("it hears");
    };
    run();
    fastest(run)
}

/// Seconds of the fastest run: whisper.cpp's threads spin while they wait, so other work on the machine multiplies the
/// others.
fn fastest(mut run: impl FnMut()) -> f64 {
    let took = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    took.fold(f64::INFINITY, f64::min)
}
