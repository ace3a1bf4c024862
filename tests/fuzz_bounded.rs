//! The fuzz targets' bodies over bounded inputs: every sample, its prefixes, and a fixed number of mutations of each.
//! The same every time; `fuzz/` looks further.

mod samples;

use std::time::{Duration, Instant};

#[path = "../fuzz/bodies.rs"]
mod bodies;

/// Mutations of each sample.
const MUTATIONS: u64 = 8;
/// Prefixes of each sample.
const PREFIXES: usize = 16;
/// Any file, however broken, is answered in less; a debug build on a busy machine takes its time, so the bound is wide.
const LONGEST: Duration = Duration::from_secs(20);

/// Texts of the project with this ending, from these folders.
fn texts(ending: &str) -> Vec<String> {
    let paths = samples::below(["flows", "fixtures/flow", "tests/flow"], &[ending]);
    assert!(paths.len() >= 4, "there are samples");
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a text"))
        .collect()
}

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// What word processors, chats and slips of the keyboard leave in a file, and bytes that are no text.
const SPLICES: [&[u8]; 16] = [
    b"\"",
    b"\"\"\"",
    b"end",
    b"\n",
    b"->",
    b"{{",
    b"}}",
    b"# ",
    b"  ",
    b"\t",
    "“".as_bytes(),
    "…".as_bytes(),
    "\u{a0}".as_bytes(),
    "→".as_bytes(),
    b"\xff",
    b"\0",
];

fn mutated(text: &str, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..1 + next(&mut state) % 6 {
        let at = (next(&mut state) % (bytes.len() as u64 + 1)) as usize;
        let to = (at + (next(&mut state) % 24) as usize).min(bytes.len());
        match next(&mut state) % 4 {
            0 => {
                bytes.drain(at..to);
            }
            1 => {
                let copy = bytes[at..to].to_vec();
                let there = (next(&mut state) % (bytes.len() as u64 + 1)) as usize;
                bytes.splice(there..there, copy);
            }
            _ => {
                let splice = SPLICES[(next(&mut state) % SPLICES.len() as u64) as usize];
                bytes.splice(at..at, splice.iter().copied());
            }
        }
    }
    bytes
}

/// Runs a body over a sample, its prefixes and its mutations.
fn over(samples: &[String], body: fn(&[u8])) {
    let run = |input: &[u8]| {
        let begun = Instant::now();
        body(input);
        assert!(begun.elapsed() < LONGEST, "{}", String::from_utf8_lossy(input));
    };
    for (index, sample) in samples.iter().enumerate() {
        run(sample.as_bytes());
        for part in 0..PREFIXES {
            let mut end = sample.len() * part / PREFIXES;
            while !sample.is_char_boundary(end) {
                end -= 1;
            }
            run(&sample.as_bytes()[..end]);
        }
        for seed in 0..MUTATIONS {
            run(&mutated(sample, seed * 1_000 + index as u64));
        }
    }
}

#[test]
fn any_flow_file_is_explained_or_compiled() {
    over(&texts("flow"), bodies::grammar);
}

#[test]
fn any_flow_file_that_can_be_read_has_one_layout_that_says_the_same() {
    over(&texts("flow"), bodies::formatter);
}

#[test]
fn any_transcript_is_read_or_refused_with_its_line() {
    over(&texts("chat"), bodies::chat);
}

#[test]
fn bytes_that_are_no_text_and_texts_of_one_kind_of_sign_are_nothing_special() {
    for body in [bodies::grammar, bodies::formatter, bodies::chat] {
        body(b"");
        body(b"\xff\xfe\x00");
        for sign in [
            "\"", "(", "[", "{{", "\n", " ", "end\n", "if a\n", "\u{feff}", "|",
        ] {
            body(sign.repeat(500).as_bytes());
        }
    }
}
