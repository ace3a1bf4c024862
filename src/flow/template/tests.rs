use jiff::civil::{date, time};

use super::*;

fn sample() -> Sample {
    let record = |fields: &[(&str, Value)]| {
        Value::Record(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        )
    };
    let order = record(&[
        ("status", Value::text("shipped")),
        ("eta", Value::Date(date(2026, 3, 4))),
        (
            "slots",
            Value::List(vec![Value::text("10:00"), Value::text("11:30")]),
        ),
    ]);
    let Value::Record(values) = record(&[
        ("order", order),
        ("number", Value::text("A-12345")),
        ("price", Value::Number("12.50".parse().unwrap())),
        ("vip", Value::YesNo(true)),
        ("long", Value::text("x".repeat(1_000_000))),
        ("list", Value::List(vec![Value::Number(1.into()); 5_000])),
        ("support", record(&[("open", Value::YesNo(true))])),
    ]) else {
        unreachable!()
    };
    Sample {
        values,
        language: Language::of("en"),
        moment: Moment(date(2026, 3, 2).to_datetime(time(10, 0, 0, 0))),
    }
}

#[track_caller]
fn reads(source: &str, expected: &str) {
    assert_eq!(
        dry_render("t", source, &sample()).as_deref(),
        Ok(expected),
        "{source}"
    );
}

#[track_caller]
fn refused(source: &str) -> FaultKind {
    let fault = dry_render("t", source, &sample())
        .map(|text| text.len())
        .unwrap_err();
    fault.kind
}

#[test]
fn blanks_show_values_as_customers_read_them() {
    reads(
        "Order {{ number }} is *{{ order.status }}*.",
        "Order A-12345 is *shipped*.",
    );
    reads(
        "On {{ order.eta | day }}, {{ order.eta }}.",
        "On Wed 4 March, 4 March 2026.",
    );
    reads(
        "{{ price }} or {{ price | money(\"EUR\") }}, {{ vip }}",
        "12.5 or €12.50, yes",
    );
    reads(
        "{{ order.slots | join(' or ') }} ({{ order.slots | count }})",
        "10:00 or 11:30 (2)",
    );
    reads("{{ order.slots }}", "10:00, 11:30");
    reads(
        "{% for s in order.slots %}{{ loop.index }}. {{ s }}\n{% endfor %}",
        "1. 10:00\n2. 11:30\n",
    );
    reads("{% if support is open %}open{% else %}closed{% endif %}", "open");
    reads(
        "{% if order.status == 'shipped' %}!{% endif %}{{ price * 2 }}",
        "!25",
    );
    reads("<b> & \"quotes\"", "<b> & \"quotes\"");
}

#[test]
fn an_unknown_value_is_a_fault_unless_the_text_copes_with_it() {
    reads("Hi {{ contact.first_name | default('there') }}!", "Hi there!");
    reads("Hi {{ name | default(\"there\") }}!", "Hi there!");
    reads(
        "{% if contact.first_name is known %}Hi {{ contact.first_name }}{% else %}Hi{% endif %}",
        "Hi",
    );
    reads("{% if order.carrier is unknown %}-{% endif %}", "-");
    let fault = dry_render("welcome/hello#1", "Hi\n{{ contact.first_name }}", &sample()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::UnknownValue);
    assert_eq!(
        fault.to_string(),
        "`contact.first_name` is not known (in welcome/hello#1, line 2 of the text)"
    );
    assert_eq!(refused("{{ nobody | upper }}"), FaultKind::UnknownValue);
    assert_eq!(refused("{{ order.slots | day }}"), FaultKind::Type);
}

#[test]
fn every_look_up_is_named_with_its_place_and_its_guard() {
    let source = "Hi {{ contact.first_name | default('you') }}, {{ order.eta | day }}";
    let used = paths(source);
    let seen: Vec<_> = used
        .iter()
        .map(|used| (used.dotted(), &source[used.range.clone()], used.guarded))
        .collect();
    assert_eq!(
        seen,
        [
            ("contact.first_name".to_owned(), "contact.first_name", true),
            ("order.eta".to_owned(), "order.eta", false)
        ]
    );
}

#[test]
fn a_condition_guards_what_it_asks_about() {
    let guards = |source: &str| paths(source).iter().map(|used| used.guarded).collect::<Vec<_>>();
    assert_eq!(
        guards("{% if a is known %}{{ a }}{% else %}{{ a }}{% endif %}"),
        [true, true, false]
    );
    assert_eq!(
        guards("{% if a is unknown %}{{ a }}{% else %}{{ a }}{% endif %}"),
        [true, false, true]
    );
    assert_eq!(
        guards("{% if a is known and b %}{{ a }}{{ b }}{% endif %}"),
        [true, false, true, false]
    );
    assert_eq!(guards("{{ a if a is known else 'x' }}"), [true, true]);
    assert_eq!(
        guards("{% if a is not known %}x{% else %}{{ a }}{% endif %}"),
        [true, true]
    );
    assert!(paths("{% for x in list %}{{ x.name }}{{ loop.index }}{% endfor %}").len() == 1);
}

#[test]
fn texts_may_show_but_not_decide() {
    for source in [
        "{% set a = 1 %}",
        "{% set a %}x{% endset %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% macro m() %}{% endmacro %}",
        "{% block b %}{% endblock %}",
        "{% call m() %}{% endcall %}",
        "{% filter upper %}x{% endfilter %}",
        "{% with a = 1 %}{{ a }}{% endwith %}",
        "{% do x() %}",
        "{% autoescape true %}{% endautoescape %}",
        "{% extends 'x' %}",
    ] {
        let mistakes = lint(source);
        assert_eq!(mistakes.len(), 1, "{source}: {mistakes:?}");
        assert_eq!(mistakes[0].kind, MistakeKind::Statement, "{source}: {mistakes:?}");
    }
}

#[test]
fn mistakes_say_what_and_where() {
    let kinds = |source: &str| {
        lint(source)
            .iter()
            .map(|mistake| mistake.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds("{{ name | shrt(3) }}"), [MistakeKind::UnknownFilter]);
    assert!(
        lint("{{ name | shrt(3) }}")[0]
            .what
            .contains("did you mean `short`")
    );
    assert_eq!(
        kinds("{{ name | replace('a', 'b') | format }}"),
        [MistakeKind::UnknownFilter; 2]
    );
    assert_eq!(kinds("{{ range(3) }}{{ namespace() }}"), [MistakeKind::Call; 2]);
    assert_eq!(kinds("{{ name is odd }}"), [MistakeKind::UnknownTest]);
    assert_eq!(kinds("Hi\n{{ name "), [MistakeKind::Syntax]);
    assert_eq!(lint("Hi\n{{ name }} {{ | }}")[0].range.start, 17);
    assert_eq!(kinds("{% if a %}"), [MistakeKind::Syntax]);
    assert_eq!(kinds("plain { braces } %"), []);
}

#[test]
fn every_known_memory_bomb_is_refused_or_stopped() {
    let doubled = (0..28).fold("x".to_owned(), |text, _| format!("{text} | replace('a', 'aa')"));
    let sets: String = (0..26).map(|_| "{% set a = a ~ a %}").collect();
    let lists = format!("{{{{ {} | count }}}}", vec!["list"; 16].join(" + "));
    let bombs = [
        "{% for a in list %}{% for b in list %}{{ a }}{% endfor %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x='x') %}{% set ns.x = ns.x ~ ns.x %}".to_owned(),
        sets,
        "{% set a %}{% set b %}{{ long }}{% endset %}{{ b }}{{ b }}{% endset %}".to_owned(),
        lists,
        "{{ '%2000000000d' | format }}".to_owned(),
        "{{ long | indent(1000000000) }}".to_owned(),
        "{{ range(100000) | join('x'*10000) }}".to_owned(),
        format!("{{{{ {doubled} }}}}"),
        "{% for a in list %}{{ long }}{% endfor %}".to_owned(),
        "{{ 'x' * 2000000000 }}".to_owned(),
        "{{ 'x' * 99999999 }}".to_owned(),
        "{{ (number * 100) * 100 }}".to_owned(),
        "{% for a in list %}{% if (long * 100) == 'x' %}{% endif %}{% endfor %}".to_owned(),
        "{{ long * 100 }}".to_owned(),
        "{{ long ~ long }}".to_owned(),
        "{{ list | join(long) }}".to_owned(),
        format!("{{{{ {}1{} }}}}", "(".repeat(7_000), ")".repeat(7_000)),
        format!("{{{{ x }}}}{}", "y".repeat(SOURCE_CAP)),
    ];
    for bomb in bombs {
        let short: String = bomb.chars().take(80).collect();
        assert!(dry_render("t", &bomb, &sample()).is_err(), "{short}");
    }
}

#[test]
fn the_largest_text_that_is_allowed_stays_within_the_cap() {
    let text = "x".repeat(OUTPUT_CAP);
    reads("{{ long }}", &text);
    assert_eq!(refused("{{ long }}!"), FaultKind::TooLong);
    assert_eq!(refused("{{ long | upper }}{{ long }}"), FaultKind::TooLong);
    assert_eq!(
        dry_render("t", "{{ long | short(10) }}", &sample()).unwrap(),
        "xxxxxxxxx…"
    );
}

#[test]
fn what_customers_write_is_never_a_template() {
    let mut sample = sample();
    sample
        .values
        .insert("number".to_owned(), Value::text("{{ price }}{% for %}"));
    assert_eq!(
        dry_render("t", "{{ number }}", &sample).unwrap(),
        "{{ price }}{% for %}"
    );
}

#[test]
fn only_what_a_text_uses_is_fetched() {
    let used = |paths: &[&[&str]]| {
        let paths: Vec<Vec<String>> = paths
            .iter()
            .map(|path| path.iter().map(|part| (*part).to_owned()).collect())
            .collect();
        Blank::tree(&[], &paths)
    };
    let tree = used(&[&["order", "eta"], &["order", "status"], &["number"]]);
    assert_eq!(
        (tree.len(), tree[0].fields.len(), tree[1].fields.len()),
        (2, 2, 0)
    );
    let whole = used(&[&["order", "eta"], &["order"]]);
    assert_eq!((whole.len(), whole[0].fields.len()), (1, 0));
}
