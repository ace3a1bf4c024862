//! Compiling a business, stage by stage, from 100 to 10,000 lines.
//!
//! Stands beside its bar of 60 ms for 10,000 lines with every check on, and beside itself: time a line must not grow
//! with the size of the business. Times are of the processor, so that other work on the machine does not count.

use std::hint::black_box;
use std::time::Duration;

use switchboard::flow::source::Sources;
use switchboard::flow::{blocks, check, compile, lower};

mod clock;
mod generate;
mod table;

const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// For 10,000 lines, in milliseconds; smaller businesses get their share.
const BAR_MS: f64 = 60.0;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // A test runner asks what tests there are: none.
        return;
    }
    table::head();
    for lines in SIZES {
        let mut sources = Sources::default();
        for file in generate::business(lines) {
            sources.add(file.path, file.text);
        }
        stages(&sources, lines);
    }
}

fn stages(sources: &Sources, lines: usize) {
    let (tree, _) = blocks::parse(sources);
    let program = lower::lower(sources, &tree);
    let rounds = u32::try_from(400_000 / lines).unwrap_or(1).max(1);
    let parse = mean(rounds, || blocks::parse(sources));
    let check = mean(rounds, || check::check(sources, &tree));
    let lower = mean(rounds, || lower::lower(sources, &tree));
    let whole = mean(rounds, || compile(sources));

    let bar = BAR_MS * lines as f64 / 10_000.0;
    let share = |part: Duration| {
        format!(
            "{:.0} % of the whole",
            100.0 * part.as_secs_f64() / whole.as_secs_f64()
        )
    };
    for (what, time, beside) in [
        ("parse", parse, share(parse)),
        ("check", check, share(check)),
        (
            "lower",
            lower,
            format!(
                "{}; {} instructions, {} texts",
                share(lower),
                program.code.len(),
                program.texts.len()
            ),
        ),
        (
            "compile",
            whole,
            format!("{:.2} µs a line", whole.as_secs_f64() * 1e6 / lines as f64),
        ),
    ] {
        let ms = time.as_secs_f64() * 1e3;
        // Only the whole has a bar; its parts show where the time goes.
        let (bar, ratio) = if what == "compile" {
            (format!("<= {bar:.1} ms"), format!("{:.2}", ms / bar))
        } else {
            ("-".to_owned(), "-".to_owned())
        };
        table::row(
            &format!("{what}, {lines} lines"),
            &format!("{ms:.2} ms"),
            &bar,
            &ratio,
            &beside,
        );
    }
}

/// The mean of many rounds: the clock of the processor moves in steps of some milliseconds.
fn mean<T>(rounds: u32, mut work: impl FnMut() -> T) -> Duration {
    let start = clock::on_processor();
    for _ in 0..rounds {
        black_box(work());
    }
    (clock::on_processor() - start) / rounds
}
