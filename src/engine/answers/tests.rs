use jiff::civil::{date, time};

use super::*;
use crate::flow::tree::When;

fn reads_in(code: &str, kind: &Kind, text: &str) -> Option<Answer> {
    let regex = Regex::new("^(?:[A-Z]{2})$").unwrap();
    let pattern = |source: &str| (source == "[A-Z]{2}").then_some(&regex);
    let reader = Reader {
        language: Language::of(code),
        day_first: code != "en_US",
        // A Monday.
        today: date(2026, 3, 2),
        pattern: &pattern,
    };
    reader.read(kind, &typed(text))
}

#[track_caller]
fn is(code: &str, kind: &Kind, text: &str, expected: Value) {
    let value = reads_in(code, kind, text).map(|answer| answer.value);
    assert_eq!(value, Some(expected), "{text}");
}

#[track_caller]
fn is_not(kind: &Kind, texts: &[&str]) {
    for text in texts {
        assert_eq!(reads_in("en", kind, text), None, "{text}");
    }
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

#[test]
fn a_pattern_gives_its_case_to_the_answer() {
    let kind = Kind::TextLike("A-#####".to_owned());
    is("en", &kind, "a-12345", Value::text("A-12345"));
    is("en", &kind, " A–12345 ", Value::text("A-12345"));
    is("en", &kind, "it's a-12345, thanks", Value::text("A-12345"));
    is_not(&kind, &["12345", "A-1234", "A-123456", "A-11111 or A-22222", ""]);
    is(
        "en",
        &Kind::TextLike("@@ *".to_owned()),
        "ab c d",
        Value::text("ab c d"),
    );
    is(
        "en",
        &Kind::TextLike("####-###".to_owned()),
        "1200-109",
        Value::text("1200-109"),
    );
    is(
        "en",
        &Kind::TextMatching("[A-Z]{2}".to_owned()),
        "PT",
        Value::text("PT"),
    );
    is_not(&Kind::TextMatching("[A-Z]{2}".to_owned()), &["pt", "PTX"]);
}

#[test]
fn numbers_follow_the_language() {
    let kind = Kind::Number { from: None, to: None };
    is("en", &kind, "1,234.50", number("1234.50"));
    is("pt", &kind, "1.234,50", number("1234.50"));
    is("pt", &kind, "1,5", number("1.5"));
    is("en", &kind, "1,234", number("1234"));
    is("pt", &kind, "1.234", number("1234"));
    is("en", &kind, "1.234", number("1.234"));
    is("en", &kind, "1,234,567", number("1234567"));
    is("en", &kind, "-3", number("-3"));
    is_not(&kind, &["three", "1,2,3", "1.", "12 apples", "1.2.3,4,5"]);
    let guests = Kind::WholeNumber {
        from: Some(1.into()),
        to: Some(8.into()),
    };
    is("en", &guests, "8", number("8"));
    is_not(&guests, &["0", "9", "2.5"]);
    is("en", &Kind::Money, "€12.50", number("12.50"));
    is("id", &Kind::Money, "Rp 12.000", number("12000"));
    is("pt", &Kind::Money, "12,50 euros", number("12.50"));
}

#[test]
fn ratings_are_numbers_or_stars() {
    let kind = Kind::Rating { from: 1, to: 5 };
    is("en", &kind, "4", number("4"));
    is("en", &kind, "4/5", number("4"));
    is("en", &kind, "⭐⭐⭐", number("3"));
    is_not(&kind, &["0", "6", "great"]);
}

#[test]
fn yes_and_no_are_understood_in_the_customers_language_and_in_english() {
    for (code, text, yes) in [
        ("en", "Yes!", true),
        ("pt", "não", false),
        ("pt", "sim", true),
        ("id", "ya", true),
        ("id", "nggak", false),
        ("es", "sí", true),
        ("pt", "yes", true),
        ("en", "👍", true),
        ("en", "No, thanks", false),
    ] {
        let value = reads_in(code, &Kind::YesNo, &text.replace(',', "")).map(|answer| answer.value);
        assert_eq!(value, Some(Value::YesNo(yes)), "{text}");
    }
    is_not(&Kind::YesNo, &["maybe", "yesterday"]);
}

#[test]
fn dates_are_understood_in_words_and_figures() {
    let future = Kind::Date(When::Future);
    for (text, expected) in [
        ("tomorrow", date(2026, 3, 3)),
        ("Friday", date(2026, 3, 6)),
        ("next friday", date(2026, 3, 6)),
        ("monday", date(2026, 3, 9)),
        ("12 March", date(2026, 3, 12)),
        ("March 12th", date(2026, 3, 12)),
        ("on the 12th of march", date(2026, 3, 12)),
        ("Thu 12 March 2026", date(2026, 3, 12)),
        ("1 march", date(2027, 3, 1)),
        ("25/12", date(2026, 12, 25)),
        ("2026-03-12", date(2026, 3, 12)),
        ("12.03.26", date(2026, 3, 12)),
        ("29 february", date(2028, 2, 29)),
    ] {
        is("en", &future, text, Value::Date(expected));
    }
    is("pt", &future, "sexta", Value::Date(date(2026, 3, 6)));
    is("pt", &future, "Sexta-feira", Value::Date(date(2026, 3, 6)));
    is("pt", &future, "12 de março", Value::Date(date(2026, 3, 12)));
    is("id", &future, "besok", Value::Date(date(2026, 3, 3)));
    is("id", &future, "hari jumat", Value::Date(date(2026, 3, 6)));
    is("es", &future, "pasado mañana", Value::Date(date(2026, 3, 4)));
    is_not(
        &future,
        &["today", "yesterday", "1/3/2026", "32 march", "soon", "12"],
    );
    is(
        "en",
        &Kind::Date(When::Past),
        "friday",
        Value::Date(date(2026, 2, 27)),
    );
    is(
        "en",
        &Kind::Date(When::Past),
        "12 march",
        Value::Date(date(2025, 3, 12)),
    );
    is(
        "en",
        &Kind::Date(When::Any),
        "today",
        Value::Date(date(2026, 3, 2)),
    );
    is(
        "en",
        &Kind::Date(When::Any),
        "20 february",
        Value::Date(date(2026, 2, 20)),
    );
}

#[test]
fn a_date_that_reads_two_ways_says_so() {
    let future = Kind::Date(When::Future);
    let read = |code, text| reads_in(code, &future, text).unwrap();
    assert_eq!(read("pt", "12/04").value, Value::Date(date(2026, 4, 12)));
    assert_eq!(read("en_US", "12/04").value, Value::Date(date(2026, 12, 4)));
    assert!(read("pt", "12/04").ambiguous);
    assert!(!read("pt", "25/04").ambiguous);
    assert!(!read("pt", "4/4").ambiguous);
}

#[test]
fn times_are_understood_as_people_write_them() {
    for (text, hour, minute) in [
        ("14:30", 14, 30),
        ("14.30", 14, 30),
        ("14h30", 14, 30),
        ("21h", 21, 0),
        ("2pm", 14, 0),
        ("2:15 p.m.", 14, 15),
        ("12 am", 0, 0),
        ("at 9", 9, 0),
        ("noon", 12, 0),
    ] {
        is("en", &Kind::Time, text, Value::Time(time(hour, minute, 0, 0)));
    }
    is_not(&Kind::Time, &["25:00", "13pm", "later", "9:75", "pm"]);
}

#[test]
fn addresses_are_found_in_a_sentence() {
    is(
        "en",
        &Kind::Email,
        "it's maria@shoes.example.",
        Value::text("maria@shoes.example"),
    );
    is_not(
        &Kind::Email,
        &["maria@", "maria@shoes", "a@b.example c@d.example", "@x.example"],
    );
    is(
        "en",
        &Kind::Phone,
        "+351 910 000 001",
        Value::text("+351910000001"),
    );
    is(
        "en",
        &Kind::Phone,
        "00351 910-000-001",
        Value::text("+351910000001"),
    );
    is_not(&Kind::Phone, &["12345", "call me", "1+2345678"]);
    is(
        "en",
        &Kind::WebAddress,
        "see www.shoes.example/x",
        Value::text("https://www.shoes.example/x"),
    );
    is(
        "en",
        &Kind::WebAddress,
        "http://shoes.example",
        Value::text("http://shoes.example"),
    );
    is_not(&Kind::WebAddress, &["shoes", "a@b.example"]);
}

#[test]
fn files_and_places_are_records() {
    let incoming = Incoming {
        text: "my shoes".to_owned(),
        file: Some(File {
            kind: MediaKind::Photo,
            url: "media:1".to_owned(),
            size: Some(5),
            seconds: None,
            heard: Heard::NotVoice,
        }),
        ..Incoming::default()
    };
    let reader = Reader {
        language: Language::of("en"),
        day_first: true,
        today: date(2026, 3, 2),
        pattern: &|_| None,
    };
    let Some(Value::Record(file)) = reader
        .read(&Kind::Media(MediaKind::Photo), &incoming)
        .map(|answer| answer.value)
    else {
        panic!("a photo is an answer");
    };
    assert_eq!(file["caption"], Value::text("my shoes"));
    assert_eq!(reader.read(&Kind::Media(MediaKind::Voice), &incoming), None);
}

#[test]
fn what_a_service_gives_is_fitted_to_what_it_declares() {
    assert_eq!(fit(&Kind::Text, &number("5")), Some(Value::text("5")));
    assert_eq!(
        fit(&Kind::Date(When::Any), &Value::text("2026-03-04T10:00:00Z")),
        Some(Value::Date(date(2026, 3, 4)))
    );
    assert_eq!(
        fit(&Kind::Number { from: None, to: None }, &Value::text("12.5")),
        Some(number("12.5"))
    );
    assert_eq!(
        fit(&Kind::Number { from: None, to: None }, &Value::text("soon")),
        None
    );
    assert_eq!(fit(&Kind::List(None), &Value::text("x")), None);
}

#[test]
fn a_pattern_can_be_spoken_in_a_voice_note() {
    let order = Kind::TextLike("A-#####".to_owned());
    let said = |kind: &Kind, words: &str| {
        let pattern = |_: &str| None;
        let reader = Reader {
            language: Language::of("en"),
            day_first: true,
            today: date(2026, 3, 2),
            pattern: &pattern,
        };
        let note = Incoming {
            text: words.to_owned(),
            file: Some(File {
                kind: MediaKind::Voice,
                url: "note".to_owned(),
                size: None,
                seconds: Some(4),
                heard: Heard::Words,
            }),
            ..Incoming::default()
        };
        reader.read(kind, &note).map(|answer| answer.value)
    };
    for words in [
        "It is order A 1 2 3 4 5.",
        "order a12345",
        "A one two three, four five",
        "a-12345",
    ] {
        assert_eq!(said(&order, words), Some(Value::text("A-12345")), "{words}");
    }
    for words in [
        "1 2 3 4 5",
        "A 1 2 3 4",
        "A 1 2 3 4 5 6",
        "A 1 1 1 1 1 or A 2 2 2 2 2",
    ] {
        assert_eq!(said(&order, words), None, "{words}");
    }
    let postcode = Kind::TextLike("####-###".to_owned());
    assert_eq!(said(&postcode, "it's 1200 109"), Some(Value::text("1200-109")));
    // Typed, the same words are no order number: there a person can see what was written.
    is_not(&order, &["order a 1 2 3 4 5"]);
}
