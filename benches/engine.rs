//! One turn of the engine: decode the position's JSON, match what the customer wrote, render one message, encode the
//! position. It must cost the same in a program of a hundred lines and of ten thousand.
//!
//! Counted is time on the processor, because other work on the machine makes a turn wait but not cost more. Beside
//! each figure stands what decoding and encoding the same position costs alone, in the same run.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use switchboard::engine::{
    Event, EventKind, Incoming, Machine, Memory, Position, Remembered, SessionSettings,
};
use switchboard::flow::source::Sources;
use switchboard::flow::value::Value;
use switchboard::flow::{blocks, lower};

mod generate;
mod table;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// Microseconds a turn.
const BAR_US: f64 = 5.0;
/// The time of the largest program over that of the smallest.
const FLAT: f64 = 1.10;
const ROUNDS: usize = 15;
const TURNS: usize = 10_000;

/// A conversation that is about to take its next turn.
struct Scene {
    what: &'static str,
    machine: Machine,
    position: Vec<u8>,
    memory: Memory,
    event: Event,
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // A test runner asks what tests there are: none.
        return;
    }
    table::head();
    let scenes: Vec<Vec<Scene>> = SIZES.iter().map(|lines| scenes(*lines)).collect();
    for kind in 0..scenes[0].len() {
        // Rounds of the three sizes alternate, so that other work on the machine disturbs all of them alike.
        let mut times = vec![Vec::with_capacity(ROUNDS); SIZES.len()];
        let mut bare = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            for (times, scenes) in times.iter_mut().zip(&scenes) {
                times.push(turns(&scenes[kind]));
            }
            bare.push(bare_json(&scenes[0][kind]));
        }
        let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
        let bare = median(&mut bare);
        let what = scenes[0][kind].what;
        for (lines, us) in SIZES.iter().zip(&medians) {
            let bytes = scenes[0][kind].position.len();
            table::row(
                &format!("turn, {what}, {lines} lines"),
                &format!("{us:.2} µs"),
                &format!("<= {BAR_US:.1} µs"),
                &format!("{:.2}", us / BAR_US),
                &format!("{bare:.2} µs for the position's {bytes} bytes of JSON alone"),
            );
        }
        table::row(
            &format!("turn, {what}, 10,000 over 100"),
            &format!("{:.2}", medians[2] / medians[0]),
            &format!("<= {FLAT:.2}"),
            &format!("{:.2}", medians[2] / medians[0] / FLAT),
            "1.00 is flat",
        );
    }
}

fn scenes(lines: usize) -> Vec<Scene> {
    vec![
        // A synonym of the menu's first option; the next question has fixed text.
        scene("an option typed", lines, &["desk 1"], "parcel", |_| {}),
        // Nearly spelt: every line of the matching order up to the seventh is tried.
        scene(
            "an option nearly spelt",
            lines,
            &["desk 1"],
            "trak my ordr",
            |_| {},
        ),
        // A start in an idle chat, with a blank to fill in.
        scene("a start with a blank filled in", lines, &[], "desk 1", |memory| {
            let name = Remembered {
                value: Value::text("Maria"),
                forget_at: None,
            };
            memory.fields.insert("first_name".to_owned(), name);
        }),
        // Nothing fits: the whole order is tried, the sentence goes out with its options.
        scene("not understood", lines, &["desk 1"], "what do you mean", |_| {}),
    ]
}

fn scene(what: &'static str, lines: usize, before: &[&str], then: &str, set: fn(&mut Memory)) -> Scene {
    let mut sources = Sources::default();
    for file in generate::business(lines) {
        sources.add(file.path, file.text);
    }
    let (tree, _) = blocks::parse(&sources);
    let machine = Machine::load(lower::lower(&sources, &tree));
    let mut memory = Memory::default();
    set(&mut memory);
    let mut position = Position::default();
    for text in before {
        position = machine
            .advance(&SessionSettings::default(), &position, &memory, &says(text))
            .position;
    }
    Scene {
        what,
        machine,
        position: encode(&position),
        memory,
        event: says(then),
    }
}

fn says(text: &str) -> Event {
    Event {
        at: jiff::Timestamp::constant(1_772_445_600, 0),
        kind: EventKind::Message(Incoming {
            text: text.to_owned(),
            ..Incoming::default()
        }),
    }
}

fn encode(position: &Position) -> Vec<u8> {
    serde_json::to_vec(position).expect("a position is always JSON")
}

/// Microseconds a turn, over many.
fn turns(scene: &Scene) -> f64 {
    let settings = SessionSettings::default();
    each(|| {
        let position = decode(black_box(&scene.position));
        let turn = scene
            .machine
            .advance(&settings, &position, &scene.memory, black_box(&scene.event));
        assert!(!turn.outbox.is_empty());
        black_box(encode(&turn.position));
    })
}

/// Microseconds for decoding and encoding the position without a turn between.
fn bare_json(scene: &Scene) -> f64 {
    each(|| {
        let position = decode(black_box(&scene.position));
        black_box(encode(&position));
    })
}

fn decode(bytes: &[u8]) -> Position {
    serde_json::from_slice(bytes).expect("it was encoded a moment ago")
}

fn each(mut work: impl FnMut()) -> f64 {
    let start = on_processor();
    for _ in 0..TURNS {
        work();
    }
    let spent = on_processor() - start;
    spent.as_secs_f64() * 1e6 / TURNS as f64
}

/// Time this thread spent on a processor; where the kernel doesn't say, time since the first call.
fn on_processor() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    // The kernel brings the figure up to date when the thread could give way.
    std::thread::yield_now();
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .map_or_else(|| FIRST.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Other work on the machine disturbs a mean, and flatters a minimum.
fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
