//! What fits a template and what does not, with the sentence that is said.

use serde_json::json;

use super::*;

fn listed(status: &str) -> Template {
    of_meta(&json!({ "name": "order_shipped", "language": "en", "status": status, "category": "UTILITY", "id": "9",
        "components": [
            { "type": "HEADER", "format": "IMAGE", "example": {} },
            { "type": "BODY", "text": "Hi {{1}}, order {{2}} left. Bye {{1}}!" },
            { "type": "FOOTER", "text": "Kopi Senja" },
            { "type": "BUTTONS", "buttons": [
                { "type": "QUICK_REPLY", "text": "Thanks" },
                { "type": "URL", "text": "Track", "url": "https://shop.example/{{1}}" } ] } ] }))
    .expect("it has a name")
}

fn picture() -> TemplateHeader {
    TemplateHeader::File {
        media: MediaKind::Photo,
        url: "https://shop.example/a.png".into(),
        filename: None,
    }
}

fn filling(values: &[&str]) -> Filling {
    Filling {
        values: Values::InOrder(values.iter().map(|value| (*value).to_owned()).collect()),
        header: Some(picture()),
        buttons: [(1, "A-1".to_owned())].into(),
    }
}

fn refused(filling: &Filling) -> String {
    listed("APPROVED").filled(filling).unwrap_err().to_string()
}

#[test]
fn what_fits_is_a_message_with_the_words_that_the_customer_reads() {
    let body = listed("APPROVED").filled(&filling(&["Sari", "A-1"])).unwrap();
    let OutboundBody::Template {
        params, text, parts, ..
    } = body
    else {
        panic!("{body:?}")
    };
    assert_eq!(params, ["Sari", "A-1"]);
    assert_eq!(
        text,
        "https://shop.example/a.png\nHi Sari, order A-1 left. Bye Sari!\nKopi Senja"
    );
    assert_eq!(parts.header, Some(picture()));
    assert!(parts.names.is_empty(), "its blanks are numbered");
    let button = ButtonValue {
        index: 1,
        copies: false,
        value: "A-1".into(),
    };
    assert_eq!(parts.buttons, [button]);
}

#[test]
fn a_value_too_few_too_many_or_empty_is_refused() {
    assert_eq!(
        refused(&filling(&["Sari"])),
        "the template order_shipped takes 2 values (1, 2), and one is given"
    );
    assert!(refused(&filling(&["a", "b", "c"])).ends_with("3 are given"));
    assert!(refused(&filling(&["Sari", " "])).contains("the value of 2 is empty"));
    assert!(refused(&filling(&["Sari", &"x".repeat(1025)])).contains("1025 characters"));
}

#[test]
fn header_and_buttons_are_checked_as_well() {
    let mut none = filling(&["Sari", "A-1"]);
    none.header = None;
    assert!(refused(&none).contains("takes a picture"), "{}", refused(&none));
    let mut text = filling(&["Sari", "A-1"]);
    text.header = Some(TemplateHeader::Text("Hi".into()));
    assert!(refused(&text).contains("something else is given"));
    let mut nowhere = filling(&["Sari", "A-1"]);
    nowhere.header = Some(TemplateHeader::File {
        media: MediaKind::Photo,
        url: "a.png".into(),
        filename: None,
    });
    assert!(refused(&nowhere).contains("no address of a file"));
    let mut unpressed = filling(&["Sari", "A-1"]);
    unpressed.buttons.clear();
    assert!(refused(&unpressed).contains("the button 1"));
    let mut strange = filling(&["Sari", "A-1"]);
    strange.buttons.insert(0, "x".into());
    assert!(refused(&strange).contains("no button 0"));
}

#[test]
fn blanks_with_names_take_values_by_name_and_in_their_order() {
    let named = of_meta(
        &json!({ "name": "n", "language": "en", "status": "APPROVED", "components": [
        { "type": "BODY", "text": "Hi {{first_name}}, see you on {{day}}." } ] }),
    )
    .unwrap();
    assert_eq!(named.blanks, ["first_name", "day"]);
    let by_name = |pairs: &[(&str, &str)]| Filling {
        values: Values::ByName(
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        ),
        ..Filling::default()
    };
    let body = named
        .filled(&by_name(&[("day", "Monday"), ("first_name", "Sari")]))
        .unwrap();
    let OutboundBody::Template { params, parts, .. } = body else {
        panic!("{body:?}")
    };
    assert_eq!(params, ["Sari", "Monday"]);
    assert_eq!(parts.names, ["first_name", "day"]);
    let says = |filling| named.filled(&filling).unwrap_err().to_string();
    assert!(says(by_name(&[("day", "Monday")])).contains("first_name of the template n is given no value"));
    assert!(says(by_name(&[("d", "Monday")])).contains("no blank \"d\"; it has first_name, day"));
}

#[test]
fn what_is_not_approved_does_not_leave_and_says_what_to_do() {
    for (status, next) in [
        ("PAUSED", "comes back by itself"),
        ("REJECTED", "hand it in again"),
        ("PENDING", "wait until"),
        ("DISABLED", "make a new one"),
        ("LIMIT_EXCEEDED", "look at it"),
    ] {
        let says = listed(status)
            .filled(&filling(&["Sari", "A-1"]))
            .unwrap_err()
            .to_string();
        assert!(
            says.contains(&status.to_lowercase()) && says.contains(next),
            "{says}"
        );
    }
}

#[test]
fn ten_numbered_blanks_stand_in_the_order_of_their_numbers() {
    let text: String = (1..=11).rev().map(|at| format!("{{{{{at}}}}} ")).collect();
    let blanks = blanks_of(&text);
    assert_eq!((blanks[0].as_str(), blanks[10].as_str()), ("1", "11"));
    assert_eq!(blanks_of("{{1}} and {{ 2 }} and {{"), ["1", "2"]);
    assert_eq!(blanks_of("}} {{}}"), Vec::<String>::new());
}

#[test]
fn whatever_a_provider_lists_is_read_without_a_fault() {
    for strange in [
        json!(null),
        json!({ "name": 1 }),
        json!({ "name": "a", "language": "en", "components": [{}, 1, { "type": "BUTTONS", "buttons": [1] }] }),
        json!({ "name": "a", "language": "en", "components": { "type": "BODY" } }),
    ] {
        let _ = of_meta(&strange);
    }
    let location = of_meta(&json!({ "name": "a", "language": "en", "status": "approved",
        "components": [{ "type": "HEADER", "format": "LOCATION" }] }))
    .unwrap();
    assert!(location.is_approved(), "360dialog writes it small");
    let says = location.filled(&Filling::default()).unwrap_err().to_string();
    assert!(says.contains("is location"), "{says}");
}
