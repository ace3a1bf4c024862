//! The plan and the double know the limits each by themselves. Whatever the one plans, the other takes.

use proptest::prelude::*;
use switchboard::channel::plan;

use crate::*;

fn any_label() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z ]{0,18}",
        2 => "[A-Za-z ]{15,90}",
        1 => "(👩‍🍳|🇮🇩|e\u{301}|\n|\t|\\*|\u{958}){0,40}",
    ]
}

prop_compose! {
    fn any_option()(id in "[a-z]{1,3}", title in any_label(), description in proptest::option::of(any_label()),
        section in proptest::option::of("[A-C]{1}|[A-Z ]{30}")) -> Choice
    {
        Choice { id, title, description, section }
    }
}

prop_compose! {
    fn any_menu()(header in proptest::option::of(any_label()), body in "([A-Za-z]{1,9}[ .\n]{1,2}){0,300}",
        footer in proptest::option::of(any_label()), open in proptest::option::of(any_label()), as_list: bool,
        options in proptest::collection::vec(any_option(), 0..13)) -> OutboundBody
    {
        OutboundBody::Choices(Choices { header, body, footer, open, as_list, options })
    }
}

fn any_message() -> impl Strategy<Value = OutboundBody> {
    prop_oneof![
        6 => any_menu(),
        1 => ("(\\PC|\n){0,5000}", any::<bool>()).prop_map(|(body, preview)| OutboundBody::Text { body, preview }),
        1 => "([a-z]{1,9} ){0,300}".prop_map(|body| OutboundBody::AskLocation { body }),
        2 => (any_label(), "([a-z]{1,9} ){0,300}").prop_map(|(label, body)| OutboundBody::Link {
            header: Some(label.clone()),
            body,
            footer: None,
            label,
            url: "https://kopi.example/menu".into(),
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_planned_and_encoded_is_within_what_meta_takes(body in any_message()) {
        let secret = || SecretString::from("x");
        let meta = Meta::new(MetaSettings::new("1", secret(), vec![secret()], secret())).unwrap();
        for step in plan(&to_sari(body), &meta.capabilities()).steps {
            let request = meta.encode(&step).unwrap();
            let taken = double::would_take(&request.body);
            prop_assert!(taken.is_ok(), "{taken:?}: {}", String::from_utf8_lossy(&request.body));
        }
    }
}
