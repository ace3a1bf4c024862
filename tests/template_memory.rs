//! The memory bombs that template languages are known for: each is refused, and takes at most 16 MiB until it is. Measured,
//! not argued: the largest resident size of this process meanwhile. The one test here has the process for itself.

use jiff::civil::date;
use switchboard::flow::locale::Language;
use switchboard::flow::template::{Moment, SOURCE_CAP, Sample, dry_render};
use switchboard::flow::value::{Record, Value};

const MIB: usize = 1024 * 1024;
const MOST: usize = 16 * MIB;

fn sample() -> Sample {
    let mut values = Record::default();
    values.insert("long".to_owned(), Value::text("x".repeat(MIB)));
    values.insert(
        "list".to_owned(),
        Value::List(vec![Value::text("y".repeat(100)); 5_000]),
    );
    Sample {
        values,
        language: Language::of("en"),
        moment: Moment(date(2026, 3, 2).at(10, 0, 0, 0)),
    }
}

/// A line of this process's status, in bytes.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process's status");
    let line = status.lines().find(|line| line.starts_with(name)).expect(name);
    let kilobytes: usize = line
        .split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number");
    kilobytes * 1024
}

/// How far the resident size rose while something was done.
fn risen<T>(work: impl FnOnce() -> T) -> (usize, T) {
    // 5: the largest size begins again at the present one.
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may clear its own peak");
    let before = status("VmRSS:");
    let outcome = work();
    (status("VmHWM:").saturating_sub(before), outcome)
}

/// Texts that are refused, by the lint or while they are filled in.
fn bombs() -> Vec<String> {
    let doubled = (0..28).fold("'a'".to_owned(), |text, _| format!("{text} | replace('a', 'aa')"));
    vec![
        // What made gigabytes of bare minijinja.
        "{% for a in list %}{% for b in list %}{{ a }}{% endfor %}{% endfor %}".to_owned(),
        format!("{{% set ns = namespace(x='x') %}}{}", "{% set ns.x = ns.x ~ ns.x %}".repeat(27)),
        format!("{{% set a = 'xx' %}}{}{{{{ a }}}}", "{% set a = a ~ a %}".repeat(26)),
        "{% set a %}{% for i in list %}{{ long }}{% endfor %}{% endset %}{% set b %}{% for i in list %}{{ a }}{% endfor %}{% endset %}{{ b }}".to_owned(),
        format!("{{% set a = list %}}{}{{{{ a | count }}}}", "{% set a = a + a %}".repeat(16)),
        format!("{{{{ ({}) | count }}}}", vec!["list"; 16].join(" + ")),
        "{{ '%2000000000d' | format }}".to_owned(),
        "{{ long | indent(1000000000) }}".to_owned(),
        "{{ range(100000) | join('x'*10000) }}".to_owned(),
        format!("{{{{ {doubled} }}}}"),
        "{% for a in list %}{{ long }}{% endfor %}".to_owned(),
        "{{ 'x' * 2000000000 }}".to_owned(),
        format!("{{{{ {}1{} }}}}", "(".repeat(7_000), ")".repeat(7_000)),
        // And what is just beyond the rules.
        "{{ (long * 100) * 100 }}".to_owned(),
        "{% for a in list %}{% if (long * 100) == 'x' %}{% endif %}{% endfor %}".to_owned(),
        "{{ long * 51 }}".to_owned(),
        // The largest that the rules let through, and stop only as it is written out.
        format!("{{{{ ({}) * 50 }}}}", ["long"; 8].join(" ~ ")),
        "{{ list | join(long) }}".to_owned(),
        format!("{{{{ [{}] }}}}", vec!["long"; 2_000].join(", ")),
        format!("{{{{ x }}}}{}", "y".repeat(SOURCE_CAP)),
    ]
}

#[test]
fn every_known_memory_bomb_is_refused_within_16_mib() {
    if !cfg!(target_os = "linux") {
        eprintln!("not measured: only Linux tells the largest size of a process");
        return;
    }
    // The measure sees what it is to see.
    let (seen, kept) = risen(|| vec![1_u8; 2 * MOST]);
    assert!(seen > MOST, "{seen} bytes seen of {}", kept.len());
    drop(kept);

    let sample = sample();
    for bomb in bombs() {
        let short: String = bomb.chars().take(80).collect();
        let (bytes, outcome) = risen(|| dry_render("t", &bomb, &sample).map(|text| text.len()));
        assert!(outcome.is_err(), "{short} gave {outcome:?}");
        assert!(bytes <= MOST, "{short} took {bytes} bytes");
    }
}
