//! What holds for every flow file, readable or not: reading ends and never panics, and the canonical layout says the
//! same as the layout it was made from.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;
use switchboard::flow::blocks::parse;
use switchboard::flow::diagnostic::{Diagnostic, Severity};
use switchboard::flow::fixes;
use switchboard::flow::format::format;
use switchboard::flow::source::{FileId, Sources};
use switchboard::flow::tree::Tree;

fn samples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flow/parse");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is part of the project")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "flow"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a text"))
        .collect()
}

/// Reads, and checks what holds for any text.
fn read(text: &str) -> (Tree, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    sources.add("any.flow", text);
    let (tree, mistakes) = parse(&sources);
    let mut lines = Vec::new();
    for mistake in &mistakes {
        for label in &mistake.labels {
            assert!(text.get(label.span.range()).is_some(), "{mistake:?} of {text:?}");
        }
        for fix in &mistake.fixes {
            let (_, count) = fixes::apply([fix], FileId(0), text);
            assert_eq!(count, 1, "{mistake:?} of {text:?}");
        }
        lines.push(sources.file(FileId(0)).line(mistake.span().start));
    }
    assert!(
        lines.is_sorted_by(|a, b| a < b),
        "one mistake a line, in order: {mistakes:?} of {text:?}"
    );
    if let Ok(formatted) = format("any.flow", text) {
        assert_eq!(
            format("any.flow", &formatted).as_ref(),
            Ok(&formatted),
            "of {text:?}"
        );
    }
    (tree, mistakes)
}

/// A tree with every span taken out.
fn bare(tree: &Tree) -> String {
    let printed = format!("{tree:?}");
    let mut out = String::with_capacity(printed.len());
    let mut rest = printed.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').expect("a printed span ends");
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}

#[test]
fn every_prefix_of_every_sample_is_read_without_a_panic() {
    let only_read = |text: &str| {
        let mut sources = Sources::default();
        sources.add("any.flow", text);
        parse(&sources);
    };
    for sample in samples() {
        for (at, _) in sample.match_indices('\n') {
            only_read(&sample[..at]);
        }
        // Within a line, what stands sections before makes no difference and a lot of work.
        let head = sample.lines().next().unwrap_or_default();
        for section in sample.split("\n\n") {
            for (at, _) in section.char_indices() {
                only_read(&format!("{head}\n{}", &section[..at]));
            }
        }
    }
}

#[test]
fn deep_long_and_endless_lines_are_refused_and_not_followed() {
    let deep = format!(
        "flow x\nstep y\n  set a = {}1{}\n  done\n",
        "(".repeat(1000),
        ")".repeat(1000)
    );
    let nots = format!("flow x\nstep y\n  set a = {} b\n  done\n", "not ".repeat(1000));
    let sum = format!("flow x\nstep y\n  set a = 1{}\n  done\n", " + 1".repeat(1000));
    let long = format!("flow x\nstep y\n  say \"{}\"\n  done\n", "a".repeat(200_000));
    for text in [deep, nots, sum, long] {
        let (_, mistakes) = read(&text);
        assert_eq!(
            mistakes.len(),
            1,
            "{:?}",
            mistakes.iter().map(|m| &m.message).collect::<Vec<_>>()
        );
        assert_eq!(mistakes[0].code.as_str(), "F001");
    }
    let blocks = format!("flow x\nstep y\n{}", "if a\n".repeat(1000));
    let (_, mistakes) = read(&blocks);
    assert!(
        mistakes
            .iter()
            .any(|mistake| mistake.message == "too many blocks inside each other")
    );
    let lists = format!("flow x\nneeds a: {} text\n", "list of ".repeat(1000));
    read(&lists);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn any_soup_of_words_and_marks_is_read_without_a_panic(words in prop::collection::vec(select(SOUP), 0..60)) {
        read(&words.concat());
    }

    #[test]
    fn a_sample_changed_anywhere_is_read_without_a_panic(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..3usize, select(SOUP)), 1..4),
    ) {
        let samples = samples();
        let mut text: Vec<char> = which.get(&samples).chars().collect();
        for (at, gone, word) in cuts {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            let end = (at + gone).min(text.len());
            text.splice(at..end, word.chars());
        }
        read(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_sample_with_lines_moved_is_read_without_a_panic(
        which in any::<prop::sample::Index>(),
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5),
    ) {
        let samples = samples();
        let mut lines: Vec<&str> = which.get(&samples).lines().collect();
        for (from, to) in moves {
            if lines.is_empty() {
                break;
            }
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
        }
        read(&lines.join("\n"));
    }

    #[test]
    fn the_canonical_layout_says_the_same(written in flow_file()) {
        let (tree, mistakes) = read(&written);
        prop_assert!(mistakes.iter().all(|mistake| mistake.severity < Severity::Error), "{mistakes:#?}\n{written}");
        let formatted = format("any.flow", &written).expect("a readable file is formatted");
        let (again, mistakes) = read(&formatted);
        prop_assert_eq!(&mistakes, &[], "{}", formatted);
        prop_assert_eq!(bare(&again), bare(&tree), "{}\n{}", &written, &formatted);
        prop_assert_eq!(comments(&formatted), comments(&written));
        prop_assert!(!formatted.contains("\n\n\n") && formatted.ends_with('\n'), "{}", formatted);
    }
}

/// `PROPTEST_CASES` asks for more; the suite stays quick without it.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(96)
}

const SOUP: &[&str] = &[
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "  ",
    "\t",
    "\u{A0}",
    "\r\n",
    "flow ",
    "step ",
    "on ",
    "say ",
    "menu ",
    "ask ",
    "list ",
    "if ",
    "else",
    "else if ",
    "end",
    "end\n",
    "fetch ",
    "from ",
    "with ",
    "= ",
    "handoff to ",
    "note ",
    "-> ",
    "→ ",
    "done",
    "close ",
    "otherwise ",
    "no reply in ",
    "10 minutes",
    "not found ",
    "as ",
    "text like ",
    "check ",
    "a",
    "b.c",
    "name",
    "\"",
    "\"hi\"",
    "\"\"\"",
    "“",
    "”",
    "„",
    "{{",
    "}}",
    "{{ x | default(\"y\") }}",
    "{%",
    "%}",
    "#",
    "# note",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "|",
    "+",
    "-",
    "*",
    "/",
    ">",
    "<=",
    "is ",
    "not ",
    "known",
    "and ",
    "or ",
    "in ",
    "1",
    "2.5",
    "09:00",
    "2026-03-04",
    "business \"B\"",
    "team support \"T\"",
    "hours mon to fri ",
    "memory",
    "contact.x: text",
    "service s \"u\"",
    "action a",
    "get \"/\"",
    "defaults",
    "problem ",
    "gather ",
    "each ",
    "\\",
    "é",
    "👟",
    "\u{200B}",
    "\u{FEFF}",
    "starts on ",
    "starts when called",
    "needs ",
    "gives ",
    "template t utility",
    "en \"x\"",
    "was ",
    "save ",
    "do ",
    "remember ",
    "forget ",
    "private",
    "again ",
    "section ",
    "open ",
    "header ",
    "for each ",
    "split ",
    "50% ",
    "later ",
    "1 day before ",
    "record ",
    "tag ",
    "send photo ",
    "pause ",
];

/// Comments of a file, in order.
fn comments(text: &str) -> Vec<String> {
    switchboard::flow::lines::scan(text)
        .into_iter()
        .filter_map(|line| line.comment.map(|comment| text[comment].to_owned()))
        .collect()
}

// ───────── files as people could have written them ─────────

/// One line: its depth, and its words; `→` and `“ ”` stand for the arrow and the quotes, to be written in any form.
type Row = (usize, String);

fn rows(parts: Vec<Vec<Row>>) -> Vec<Row> {
    parts.into_iter().flatten().collect()
}

fn row(line: impl Into<String>) -> Vec<Row> {
    vec![(0, line.into())]
}

/// The lines under a question that has no rows from data, one at least.
fn without_rows(lines: Vec<Vec<Row>>) -> Vec<Vec<Row>> {
    let of_rows = |rows: &Vec<Row>| rows[0].1.starts_with("each") || rows[0].1.starts_with("none");
    let mut kept: Vec<_> = lines.into_iter().filter(|rows| !of_rows(rows)).collect();
    if kept.is_empty() {
        kept.push(row("\"Only\""));
    }
    kept
}

/// `none` means something only where there are rows from data.
fn none_with_rows(lines: Vec<Vec<Row>>) -> Vec<Vec<Row>> {
    if lines.iter().any(|rows| rows[0].1.starts_with("each")) {
        lines
    } else {
        without_rows(lines)
    }
}

fn deeper(rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().map(|(depth, line)| (depth + 1, line)).collect()
}

fn words() -> impl Strategy<Value = String> {
    let part = select(vec![
        "Hello",
        "there!",
        "It's",
        "“quoted”",
        "{{ contact.name | default('x') }}",
        "{{ y | default(\"z\") }}",
        "#1",
        "->",
        "👟",
        "\\n",
        "\\\"so\\\"",
        "a, b",
        "{",
        "% }",
        "{% if x %}a{% endif %}",
        "olá",
        "é",
    ]);
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.join(" "))
}

fn quoted() -> impl Strategy<Value = String> {
    (words(), 0..8u8).prop_map(|(words, form)| match form {
        0 if !words.contains(['“', '”', '"', '\\']) => format!("“{words}”"),
        1 if !words.contains(['“', '”', '"', '\\']) => format!("„{words}“"),
        2 => format!("\"\"\"\n      {words}\n\n        deeper {words}  \n      \"\"\""),
        3 => format!("\"\"\"{words}\n  second\"\"\""),
        4 => format!("\"\"\"{words}\"\"\""),
        _ => format!("\"{words}\""),
    })
}

fn phrase() -> impl Strategy<Value = String> {
    select(vec![
        "hello",
        "ask for the  number",
        "don't stop",
        "Größe wählen",
        "step_two",
        "follow-up 2",
    ])
    .prop_map(str::to_owned)
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        phrase(),
        phrase().prop_map(|phrase| format!("flow {phrase} with a = 1, b =x.y")),
        select(vec![
            "again",
            "back",
            "start",
            "resume",
            "close",
            "done",
            "done with ok=yes",
            "handoff",
            "handoff to support"
        ])
        .prop_map(str::to_owned),
    ]
}

fn arrow() -> impl Strategy<Value = String> {
    (select(vec!["->", "→", "-> ", "—>"]), target()).prop_map(|(arrow, target)| format!("{arrow} {target}"))
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "x",
            "contact.name",
            "3",
            "-2.5",
            "yes",
            "no",
            "nothing",
            "09:30",
            "2026-03-04",
            "10 minutes",
            "2days",
            "now",
            "[1, \"a\",x]",
            "[ ]",
            "order.total|money( \"EUR\" )",
            "list | join(\", \") | upper",
        ])
        .prop_map(str::to_owned),
        words()
            .prop_filter("quotes", |words| !words.contains('"'))
            .prop_map(|words| format!("\"{words}\"")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let op = select(vec!["and", "or", "+", "-", "*", "/"]);
        let compare = select(vec![
            "is",
            "is not",
            "is exactly",
            "is in",
            "in",
            "not in",
            "is not in",
            "==",
            "!=",
            "≠",
            ">",
            ">=",
            "≤",
            "contains",
            "starts with",
            "ends with",
            "matches",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            (inner.clone(), compare, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            (
                inner.clone(),
                select(vec!["is known", "is not empty", "is  closed"])
            )
                .prop_map(|(a, test)| format!("({a}) {test}")),
            (inner.clone(), inner)
                .prop_map(|(a, b)| format!("({a} - 1) * 2 > 3 and not x is {b} or yes")
                    .replace("is (", "is exactly (")),
        ]
        .prop_filter("readable", |text| {
            text.len() < 400 && !text.contains("is not x is")
        })
    })
    .prop_filter("one comparison at a time", |text| {
        let probe = format!("flow x\nstep y\n  set a = {text}\n  done\n");
        let mut sources = Sources::default();
        sources.add("probe.flow", probe);
        parse(&sources).1.is_empty()
    })
}

fn tail() -> impl Strategy<Value = Vec<Row>> {
    prop_oneof![
        quoted().prop_map(row),
        arrow().prop_map(row),
        (quoted(), arrow()).prop_map(|(text, arrow)| row(format!("{text} {arrow}"))),
        prop::collection::vec(quick(), 0..3).prop_map(|lines| {
            let mut all = row("");
            all.extend(deeper(rows(lines)));
            all
        }),
    ]
}

/// A clause: its words, then a tail on the line or underneath.
fn clause(head: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<Row>> {
    (head, tail()).prop_map(|(head, mut tail)| {
        tail[0].1 = format!("{head} {}", tail[0].1);
        tail
    })
}

fn quick() -> impl Strategy<Value = Vec<Row>> {
    prop_oneof![
        (
            quoted(),
            select(vec![
                "",
                " footer \"f\"",
                " header“h”",
                " link \"Open\"  to \"https://x.example\""
            ])
        )
            .prop_map(|(text, extra)| row(format!("say {text}{extra}"))),
        expression().prop_map(|value| row(format!("set chat.x={value}"))),
        select(vec![
            "remember x",
            "remember x as contact.y for 30days",
            "forget contact.a,contact.b",
            "resume",
            "close",
            "done",
            "done with a=1 , b = \"c\"",
            "Close \"Bye\"",
            "notify  support \"x\"",
            "send template visit with a=1",
            "send photo “a.jpg” caption \"c\"",
            "send document  file.url named \"n\"",
            "send location 41.1,-8.6 named \"x\"  at \"y\"",
            "say one  of \"a\" or “b” footer \"f\"",
            "later reminder in 2days -> remind",
            "later reminder at visit.day→ remind",
            "Later reminder 1 day  before x + 2 days -> flow other with a=1",
            "cancel reminder",
            "record csat=score",
            "record seen",
            "tag \"vip\"",
            "untag “vip”",
            "subscribe  to offers",
            "unsubscribe",
            "unsubscribe from offers",
            "pause 2seconds",
        ])
        .prop_map(row),
        arrow().prop_map(row),
        (expression(), arrow()).prop_map(|(condition, arrow)| row(format!("if {condition} {arrow}"))),
    ]
}

fn statement() -> impl Strategy<Value = Vec<Row>> {
    let block = |head: String, lines: Vec<Vec<Row>>| {
        let mut all = row(head);
        all.extend(deeper(rows(lines)));
        all.extend(row("end"));
        all
    };
    let option = clause(
        (
            quoted(),
            select(vec![
                "",
                "hint \"h\"",
                "also \"a\",\"b\"",
                "= 3 if x is known",
                "= \"v\" hint “h”",
            ]),
        )
            .prop_map(|(label, parts)| format!("{label} {parts}")),
    )
    .prop_filter("a label is no text after a label", |rows| {
        !rows[0].1.contains("\" \"") && !rows[0].1.contains("\" “")
    });
    // An option has no sentence of its own, only an arrow or lines.
    let option = option.prop_filter("no sentence behind a label", |rows| {
        let mut sources = Sources::default();
        sources.add(
            "probe.flow",
            format!("flow x\nstep y\n menu \"m\"\n  {}\n  end\n done\n", rows[0].1),
        );
        parse(&sources)
            .1
            .iter()
            .all(|mistake| mistake.severity < Severity::Error)
    });
    let line = prop_oneof![
        3 => option,
        1 => select(vec![
            "as text like \"A-##\"", "as photo,voice or text", "as number from 1 to 2.5", "as list of text", "as yes or no",
            "as date in  the future", "as rating 1 to 5",
        ]).prop_map(row),
        1 => (expression(), words()).prop_map(|(check, text)| row(format!("check {check} else \"{text}\""))),
        1 => clause(select(vec!["no reply in 10minutes", "No reply in 1.5 hours"]).prop_map(str::to_owned)),
        1 => select(vec!["section \"S\"", "private", "again \"again\""]).prop_map(row),
        1 => (expression(), arrow()).prop_map(|(list, arrow)| row(format!("each  s in {list} as “{{{{ s }}}}” hint \"h\" = s.id {arrow}"))),
        1 => clause(Just("none".to_owned())),
    ];
    // Each clause once.
    let lines = prop::collection::vec(line, 1..5).prop_map(|lines| {
        let mut seen = std::collections::HashSet::new();
        let once = |rows: &Vec<Row>| {
            let word = rows[0].1.split(' ').next().unwrap_or_default().to_owned();
            !matches!(word.as_str(), "as" | "private" | "again" | "none") || seen.insert(word)
        };
        lines.into_iter().filter(once).collect::<Vec<_>>()
    });
    let outcomes = (
        clause(Just("not found".to_owned())),
        clause(Just("status 409".to_owned())),
        clause(Just("problem".to_owned())),
    );
    prop_oneof![
        3 => quick(),
        1 => (quoted(), lines.clone()).prop_map(move |(text, lines)| {
            let no_rows = without_rows(lines);
            block(format!("buttons x {text}"), no_rows)
        }),
        2 => (select(vec!["menu", "menu x", "list", "Menu"]), quoted(), lines.clone())
            .prop_map(move |(word, text, lines)| block(format!("{word} {text}"), none_with_rows(lines))),
        1 => (quoted(), lines.clone()).prop_map(move |(text, lines)| {
            let no_rows = without_rows(lines);
            block(format!("ask number {text}"), no_rows)
        }),
        1 => (
            quoted(),
            select(vec![
                "finish on \"Done\" or  after 2minutes of quiet",
                "Finish after 20 seconds of quiet",
                "finish on “Done”",
            ]),
            clause(Just("otherwise".to_owned())),
        )
            .prop_map(move |(text, finish, otherwise)| {
                block(
                    format!("gather story {text}"),
                    vec![row("as text,voice or photo up  to 8"), row(finish), otherwise],
                )
            }),
        1 => (
            select(vec!["Menu template  visit with a=1 ,b = x.y", "menu mood  template visit", "menu template visit"]),
            quoted(),
            arrow(),
        )
            .prop_map(move |(line, text, arrow)| block(line.to_owned(), vec![row(format!("{text} {arrow}"))])),
        1 => quoted().prop_map(move |text| {
            block(
                "list  slot \"Which?\"".to_owned(),
                vec![row("each s in x.y as \"{{ s }}\""), row(format!("more {text}"))],
            )
        }),
        1 => clause(Just("problem".to_owned()))
            .prop_map(move |problem| block("Transcribe  x.y".to_owned(), vec![problem])),
        1 => Just(row("transcribe  story")),
        1 => Just(row("ask  alone \"?\"")),
        1 => outcomes.prop_map(move |(a, b, c)| block("fetch order from shop.get with a=1".to_owned(), vec![a, b, c])),
        1 => (Just(row("note \"n\"")), clause(Just("when closed".to_owned())))
            .prop_map(move |(a, b)| block("handoff to support".to_owned(), vec![a, row("priority high if x"), b])),
        1 => (expression(), prop::collection::vec(quick(), 0..3), expression(), prop::collection::vec(quick(), 0..2))
            .prop_map(|(a, then, b, or)| {
                let mut all = row(format!("if {a}"));
                all.extend(deeper(rows(then)));
                all.extend(row(format!("else if {b}")));
                all.extend(row("else"));
                all.extend(deeper(rows(or)));
                all.extend(row("end"));
                all
            }),
        1 => (expression(), prop::collection::vec(quick(), 0..3))
            .prop_map(move |(list, lines)| block(format!("for  each x in {list}"), lines)),
        1 => (arrow(), prop::collection::vec(quick(), 1..3)).prop_map(move |(arrow, lines)| {
            let mut second = row("50%");
            second.extend(deeper(rows(lines)));
            block("split wording".to_owned(), vec![row(format!("50% {arrow}")), second])
        }),
        1 => phrase().prop_map(|flow| row(format!("do {flow} with a = x save who"))),
    ]
}

/// A whole file with any layout: blanks, comments, indentation.
fn flow_file() -> impl Strategy<Value = String> {
    let step = (phrase(), prop::collection::vec(statement(), 0..4)).prop_map(|(name, body)| {
        let mut all = row(format!("step  {name}"));
        all.extend(deeper(rows(body)));
        all
    });
    let on = prop_oneof![
        arrow().prop_map(|arrow| row(format!("on \"a\" , photo, topic x {arrow}"))),
        prop::collection::vec(quick(), 1..3).prop_map(|body| {
            let mut all = row("on any message if contact.vip");
            all.extend(deeper(rows(body)));
            all
        }),
    ];
    let sections = prop::collection::vec(prop_oneof![3 => step, 1 => on], 1..4);
    let noise = prop::collection::vec((0..7u8, 0..6u8), 60);
    (sections, noise).prop_map(|(sections, noise)| {
        let mut all = row("Flow  test “Title”");
        all.extend(row("starts on \"x\",containing \"y\""));
        all.extend(rows(sections));
        let mut out = String::new();
        for ((depth, line), (gap, end)) in all.iter().zip(noise.iter().cycle()) {
            match gap {
                0 => out.push_str("\n\n\n"),
                1 => out.push_str("# a comment\n"),
                2 => out.push_str(&format!("{}# further in\n\n", " ".repeat(depth * 3))),
                _ => {}
            }
            out.push_str(&" ".repeat(depth * 3));
            out.push_str(line);
            out.push_str(match end {
                0 => "   # behind",
                1 => " \t",
                2 => "\r",
                _ => "",
            });
            out.push('\n');
        }
        out
    })
}
