//! The plan's rules one by one, and the promise over all of them: limits hold, no option is lost.

use proptest::prelude::*;

use super::*;
use crate::message::TemplateParts;

fn outbound(body: OutboundBody) -> Outbound {
    Outbound {
        to: Address::WaId("6281100000011".into()),
        reply_to: Some("wamid.q".into()),
        ours: Some("1.7.0".into()),
        body,
    }
}

fn option(id: &str, title: &str) -> Choice {
    Choice {
        id: id.into(),
        title: title.into(),
        description: None,
        section: None,
    }
}

fn menu(body: &str, options: Vec<Choice>) -> Choices {
    Choices {
        header: None,
        body: body.into(),
        footer: None,
        open: None,
        as_list: false,
        options,
    }
}

fn shows(choices: Choices, caps: &Caps) -> Vec<Show> {
    shown(plan(&outbound(OutboundBody::Choices(choices)), caps))
}

fn shown(plan: Plan) -> Vec<Show> {
    plan.steps
        .into_iter()
        .map(|step| match step {
            Step::Send { show, .. } => show,
            Step::Seen { .. } => panic!("a plan marks nothing as read"),
            Step::HandOff { .. } | Step::Resolve { .. } => panic!("nothing of this is for an inbox"),
        })
        .collect()
}

#[test]
fn up_to_three_short_options_become_buttons() {
    let options = vec![
        option("a", "Espresso"),
        option("b", "Latte"),
        option("c", "Tea, please, no milk"),
    ];
    let shows = shows(menu("What?", options), &Caps::META);
    assert!(
        matches!(&shows[..], [Show::Buttons { buttons, .. }] if buttons.len() == 3),
        "{shows:?}"
    );
}

#[test]
fn four_options_a_description_a_long_title_or_the_authors_wish_make_a_list() {
    let four = ["a", "b", "c", "d"].map(|id| option(id, id)).to_vec();
    let described = vec![Choice {
        description: Some("hot".into()),
        ..option("a", "Tea")
    }];
    let long = vec![option("a", "Twenty-two characters!")];
    for choices in [
        menu("?", four),
        menu("?", described),
        menu("?", long),
        Choices {
            as_list: true,
            ..menu("?", vec![option("a", "A")])
        },
    ] {
        let shows = shows(choices, &Caps::META);
        assert!(matches!(&shows[..], [Show::List { .. }]), "{shows:?}");
    }
}

#[test]
fn a_title_too_long_for_a_row_is_shortened_and_stands_whole_in_the_description() {
    let shows = shows(
        menu("?", vec![option("a", "A very long name of a very small cake")]),
        &Caps::META,
    );
    let [Show::List { sections, .. }] = &shows[..] else {
        panic!("{shows:?}")
    };
    assert_eq!(sections[0].rows[0].title, "A very long name of a v…");
    assert_eq!(
        sections[0].rows[0].description.as_deref(),
        Some("A very long name of a very small cake")
    );
}

#[test]
fn shortened_titles_that_look_the_same_become_a_numbered_text() {
    let options = vec![
        option("a", "The very same beginning, one"),
        option("b", "The very same beginning, two"),
    ];
    let shows = shows(menu("Which?", options), &Caps::META);
    assert_eq!(
        shows,
        [Show::Text {
            body: "Which?\n\n1. The very same beginning, one\n2. The very same beginning, two".into(),
            preview: false
        }]
    );
}

#[test]
fn more_than_ten_options_become_a_numbered_text() {
    let options = (1..=12)
        .map(|n| option(&format!("o{n}"), &format!("Table {n}")))
        .collect();
    let plan = plan(
        &outbound(OutboundBody::Choices(menu("Where?", options))),
        &Caps::META,
    );
    assert!(matches!(&plan.losses[..], [Loss::NumberedText { .. }]));
    let shows = shown(plan);
    assert!(
        matches!(&shows[..], [Show::Text { body, .. }] if body.ends_with("12. Table 12")),
        "{shows:?}"
    );
}

#[test]
fn equal_titles_are_numbered() {
    let shows = shows(
        menu("?", vec![option("a", "Tea"), option("b", "tea")]),
        &Caps::META,
    );
    let [Show::Buttons { buttons, .. }] = &shows[..] else {
        panic!("{shows:?}")
    };
    assert_eq!(
        (buttons[0].title.as_str(), buttons[1].title.as_str()),
        ("1. Tea", "2. tea")
    );
}

#[test]
fn a_body_over_1024_goes_ahead_as_text_and_the_options_follow_its_last_part() {
    let body = format!("{}\n\nWhat shall it be?", "word ".repeat(300).trim());
    let plan = plan(
        &outbound(OutboundBody::Choices(menu(&body, vec![option("a", "A")]))),
        &Caps::META,
    );
    let [
        Step::Send {
            show: Show::Text { body: first, .. },
            reply_to: Some(_),
            ..
        },
        last,
    ] = &plan.steps[..]
    else {
        panic!("{plan:?}")
    };
    let Step::Send {
        show: Show::Buttons { body: second, .. },
        after_delivery: true,
        reply_to: None,
        ..
    } = last
    else {
        panic!("{plan:?}")
    };
    assert!(second.ends_with("What shall it be?"));
    assert_eq!(format!("{first} {second}"), body);
}

#[test]
fn several_sections_all_have_titles() {
    let options = vec![
        Choice {
            section: Some("Hot drinks".into()),
            ..option("a", "Tea")
        },
        option("b", "Cake"),
        Choice {
            section: Some("Hot drinks".into()),
            ..option("c", "Coffee")
        },
    ];
    let shows = shows(menu("?", options), &Caps::META);
    let [Show::List { sections, open, .. }] = &shows[..] else {
        panic!("{shows:?}")
    };
    assert_eq!(open, "Menu");
    assert_eq!(sections[0].title.as_deref(), Some("Hot drinks"));
    assert_eq!(sections[0].rows.len(), 2);
    assert!(sections[1].title.is_some());
}

#[test]
fn without_buttons_and_lists_options_are_a_numbered_text() {
    let caps = Caps {
        buttons: false,
        lists: false,
        ..Caps::META
    };
    let shows = shows(
        Choices {
            header: Some("Kopi".into()),
            footer: Some("Thanks".into()),
            ..menu("Pick:", vec![option("a", "Tea")])
        },
        &caps,
    );
    assert_eq!(
        shows,
        [Show::Text {
            body: "Kopi\n\nPick:\n\n1. Tea\n\nThanks".into(),
            preview: false
        }]
    );
}

#[test]
fn a_link_becomes_text_where_the_provider_has_no_link_button() {
    let link = |url: &str| {
        outbound(OutboundBody::Link {
            header: None,
            body: "Our menu".into(),
            footer: None,
            label: "Open".into(),
            url: url.into(),
        })
    };
    let with = plan(&link("https://kopi.example"), &Caps::META);
    assert!(matches!(shown(with)[..], [Show::Link { .. }]));
    let without = plan(
        &link("https://kopi.example"),
        &Caps {
            links: false,
            ..Caps::META
        },
    );
    assert_eq!(without.losses, [Loss::LinkAsText]);
    assert_eq!(
        shown(without),
        [Show::Text {
            body: "Our menu\n\nOpen: https://kopi.example".into(),
            preview: true
        }]
    );
    assert!(matches!(
        shown(plan(&link("tel:+62"), &Caps::META))[..],
        [Show::Text { .. }]
    ));
}

#[test]
fn a_caption_that_does_not_fit_follows_as_text() {
    let media = |media, caption: String| {
        let source = MediaSource::Id("1".into());
        shown(plan(
            &outbound(OutboundBody::Media {
                media,
                source,
                caption: Some(caption),
                filename: Some("a.pdf".into()),
            }),
            &Caps::META,
        ))
    };
    assert!(matches!(
        &media(MediaKind::Photo, "x".into())[..],
        [Show::Media {
            caption: Some(_),
            filename: None,
            ..
        }]
    ));
    assert!(matches!(
        &media(MediaKind::Document, "x".into())[..],
        [Show::Media {
            filename: Some(_),
            ..
        }]
    ));
    for (kind, caption) in [
        (MediaKind::Photo, "x".repeat(1025)),
        (MediaKind::Voice, "x".into()),
        (MediaKind::Sticker, "x".into()),
    ] {
        let shows = media(kind, caption);
        assert!(
            matches!(&shows[..], [Show::Media { caption: None, .. }, Show::Text { .. }]),
            "{shows:?}"
        );
    }
}

#[test]
fn a_long_text_is_split_and_only_the_first_part_quotes() {
    let text = OutboundBody::Text {
        body: "A sentence. ".repeat(500),
        preview: true,
    };
    let plan = plan(&outbound(text), &Caps::META);
    let quotes: Vec<bool> = plan
        .steps
        .iter()
        .map(|step| {
            matches!(
                step,
                Step::Send {
                    reply_to: Some(_),
                    ..
                }
            )
        })
        .collect();
    assert_eq!(quotes, [true, false]);
}

#[test]
fn a_user_id_alone_is_not_sendable_where_the_provider_knows_only_numbers() {
    let mut outbound = outbound(OutboundBody::Text {
        body: "Hi".into(),
        preview: false,
    });
    outbound.to = Address::Bsuid("ID.abc".into());
    assert_eq!(
        plan(
            &outbound,
            &Caps {
                bsuid: false,
                ..Caps::META
            }
        )
        .losses,
        [Loss::Unsendable]
    );
    assert_eq!(plan(&outbound, &Caps::META).steps.len(), 1);
}

fn room() -> Address {
    Address::Room {
        id: "60246f36".into(),
        phone: Some("6281100000011".into()),
    }
}

fn to(address: Address, body: OutboundBody) -> Outbound {
    Outbound {
        to: address,
        reply_to: None,
        ours: None,
        body,
    }
}

#[test]
fn where_there_are_no_templates_one_is_said_with_its_buttons_as_options() {
    let reply = |id: &str, title: &str| QuickReply {
        id: id.into(),
        title: title.into(),
    };
    let template = |replies: Vec<QuickReply>| OutboundBody::Template {
        name: "visit_reminder".into(),
        language: "en".into(),
        params: vec!["Friday".into()],
        text: "Your visit is on Friday.".into(),
        parts: Box::new(TemplateParts {
            replies,
            ..TemplateParts::default()
        }),
    };
    let to = |to: Address, body| Outbound { to, ..outbound(body) };
    let room = || Address::Room {
        id: "6281100000011@c.us".into(),
        phone: None,
    };
    let asks = template(vec![reply("y", "I'll be there"), reply("n", "Change it")]);
    let planned = plan(&to(room(), asks.clone()), &Caps::LINKED);
    assert!(
        planned.losses.contains(&Loss::TemplateAsText),
        "{:?}",
        planned.losses
    );
    let texts = shown(planned);
    assert!(
        matches!(&texts[..], [Show::Text { body, .. }]
            if body == "Your visit is on Friday.\n\n1. I'll be there\n2. Change it"),
        "{texts:?}"
    );
    let told = shown(plan(&to(room(), template(Vec::new())), &Caps::LINKED));
    assert!(
        matches!(&told[..], [Show::Text { body, .. }] if body == "Your visit is on Friday."),
        "{told:?}"
    );
    // It opens no chat with somebody who never wrote.
    let first = plan(&to(Address::Phone("+6281100000011".into()), asks), &Caps::LINKED);
    assert_eq!((first.steps.len(), first.losses), (0, vec![Loss::NoRoom]));
}

#[test]
fn where_there_are_rooms_a_number_alone_takes_nothing_but_templates() {
    let hi = || OutboundBody::Text {
        body: "Hi".into(),
        preview: false,
    };
    let template = OutboundBody::Template {
        name: "order_update".into(),
        language: "id".into(),
        params: vec![],
        text: "Your order is on its way.".into(),
        parts: Box::default(),
    };
    let number = || Address::WaId("6281100000011".into());
    assert_eq!(plan(&to(number(), hi()), &Caps::QONTAK).losses, [Loss::NoRoom]);
    assert_eq!(plan(&to(number(), template), &Caps::QONTAK).steps.len(), 1);
    assert_eq!(plan(&to(room(), hi()), &Caps::QONTAK).steps.len(), 1);
    assert_eq!(plan(&to(room(), hi()), &Caps::META).losses, [Loss::ForeignRoom]);
}

#[test]
fn rooms_are_handed_over_and_resolved_where_there_are_any() {
    let hand_off = || OutboundBody::HandOff {
        team: "support".into(),
    };
    let steps = |body, caps: &Caps| plan(&to(room(), body), caps).steps;
    assert_eq!(
        steps(hand_off(), &Caps::QONTAK),
        [Step::HandOff {
            room: "60246f36".into(),
            team: "support".into()
        }]
    );
    assert_eq!(
        steps(OutboundBody::Resolve, &Caps::QONTAK),
        [Step::Resolve {
            room: "60246f36".into()
        }]
    );
    let elsewhere = plan(&to(Address::WaId("1".into()), hand_off()), &Caps::META);
    assert_eq!(elsewhere, Plan::default(), "nothing is said and nothing is lost");
}

#[test]
fn what_qontak_can_t_show_is_said_in_words() {
    let photo = OutboundBody::Media {
        media: MediaKind::Photo,
        source: MediaSource::Url("https://kopi.example/menu.jpg".into()),
        caption: Some("Our menu".into()),
        filename: None,
    };
    let linked = plan(&to(room(), photo), &Caps::QONTAK);
    assert_eq!(linked.losses, [Loss::MediaAsLink]);
    let Step::Send {
        show: Show::Text { body, preview },
        ..
    } = &linked.steps[0]
    else {
        panic!("{linked:?}")
    };
    assert_eq!(
        (body.as_str(), *preview),
        ("Our menu\nhttps://kopi.example/menu.jpg", true)
    );

    let file = OutboundBody::Media {
        media: MediaKind::Photo,
        source: MediaSource::File("menu.jpg".into()),
        caption: Some("Our menu".into()),
        filename: None,
    };
    let with_file = plan(&to(room(), file), &Caps::QONTAK);
    assert_eq!(
        (with_file.steps.len(), &with_file.losses[..]),
        (2, &[Loss::CaptionApart][..])
    );

    let link = OutboundBody::Link {
        header: None,
        body: "See our menu".into(),
        footer: None,
        label: "Menu".into(),
        url: "https://kopi.example".into(),
    };
    assert_eq!(plan(&to(room(), link), &Caps::QONTAK).losses, [Loss::LinkAsText]);

    let question = OutboundBody::Choices(Choices {
        header: Some("Kopi Senja".into()),
        body: "What will it be?".into(),
        footer: Some("Open until nine".into()),
        open: None,
        as_list: false,
        options: vec![Choice {
            id: "o1".into(),
            title: "Espresso".into(),
            description: None,
            section: None,
        }],
    });
    let Step::Send {
        show: Show::Buttons {
            header, body, footer, ..
        },
        ..
    } = &plan(&to(room(), question), &Caps::QONTAK).steps[0]
    else {
        panic!("buttons")
    };
    assert_eq!(
        (header, body.as_str(), footer),
        (&None, "Kopi Senja\n\nWhat will it be?\n\nOpen until nine", &None)
    );
}

fn any_text(most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-zA-Z0-9]{1,12}".boxed(),
        3 => "[ \n\t.!?]{1,3}".boxed(),
        1 => Just("👨‍👩‍👧‍👦".to_owned()).boxed(),
        1 => Just("e\u{301}\u{958}🇮🇩".to_owned()).boxed(),
        1 => Just("https://kopi.example/a?b=c".to_owned()).boxed(),
        1 => "\\PC{0,6}".boxed(),
    ];
    proptest::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

prop_compose! {
    fn any_choice()(id in prop_oneof![8 => "[a-z0-9:]{1,12}", 1 => Just(String::new()), 1 => "[a-z]{195,210}"],
        title in any_text(8), description in proptest::option::of(any_text(20)), section in proptest::option::of(any_text(8)))
        -> Choice
    {
        Choice { id, title, description, section }
    }
}

prop_compose! {
    fn any_choices()(header in proptest::option::of(any_text(15)), body in any_text(400),
        footer in proptest::option::of(any_text(15)), open in proptest::option::of(any_text(6)), as_list: bool,
        options in proptest::collection::vec(any_choice(), 0..14)) -> Choices
    {
        Choices { header, body, footer, open, as_list, options }
    }
}

#[test]
fn a_form_is_shown_with_its_button_or_as_its_words_alone_and_that_is_told() {
    let form = OutboundBody::Form {
        header: None,
        body: "Where shall we bring it?".into(),
        footer: Some("Takes a minute".into()),
        label: String::new(),
        form: "1234567890".into(),
        token: "sb.1.2:a:form".into(),
    };
    let shows = shown(plan(&outbound(form.clone()), &Caps::META));
    assert!(
        matches!(&shows[..], [Show::Form { label, .. }] if label == "Menu"),
        "{shows:?}"
    );
    let poor = Caps {
        forms: false,
        ..Caps::META
    };
    let plan = plan(&outbound(form), &poor);
    assert_eq!(plan.losses, [Loss::FormAsText]);
    let shows = shown(plan);
    assert!(
        matches!(&shows[..], [Show::Text { body, .. }] if body == "Where shall we bring it?\n\nTakes a minute"),
        "{shows:?}"
    );
}

prop_compose! {
    fn any_caps()(buttons: bool, lists: bool, links: bool, ask_location: bool, media: bool) -> Caps {
        Caps { buttons, lists, links, ask_location, media, ..Caps::META }
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// Every limit of a step, counted on the very characters that are sent.
fn within_limits(show: &Show) -> Result<(), TestCaseError> {
    let limits = Caps::META.limits;
    let text = |text: &str, limit: usize| {
        prop_assert!(
            !text.trim().is_empty() && count(text) <= limit,
            "{} of {limit}: {text:?}",
            count(text)
        );
        Ok(())
    };
    let frame = |header: &Option<String>, body: &str, footer: &Option<String>| {
        text(body, limits.question)?;
        header
            .as_deref()
            .map_or(Ok(()), |header| text(header, limits.header))?;
        footer
            .as_deref()
            .map_or(Ok(()), |footer| text(footer, limits.footer))
    };
    match show {
        Show::Template { .. } => {}
        Show::Text { body, .. } => text(body, limits.text)?,
        Show::Buttons {
            header,
            body,
            footer,
            buttons,
        } => {
            frame(header, body, footer)?;
            prop_assert!((1..=limits.buttons).contains(&buttons.len()));
            for button in buttons {
                text(&button.title, limits.button_label)?;
                text(&button.id, 200)?;
            }
            let titles: HashSet<_> = buttons.iter().map(|button| &button.title).collect();
            prop_assert_eq!(titles.len(), buttons.len());
        }
        Show::List {
            header,
            body,
            footer,
            open,
            sections,
        } => {
            frame(header, body, footer)?;
            text(open, limits.list_button)?;
            let rows: Vec<&Row> = sections.iter().flat_map(|section| &section.rows).collect();
            prop_assert!((1..=limits.rows).contains(&rows.len()));
            for section in sections {
                prop_assert!(section.title.is_some() || sections.len() == 1);
                section
                    .title
                    .as_deref()
                    .map_or(Ok(()), |title| text(title, limits.section_label))?;
            }
            for row in rows {
                text(&row.title, limits.row_label)?;
                text(&row.id, 200)?;
                row.description
                    .as_deref()
                    .map_or(Ok(()), |hint| text(hint, limits.row_hint))?;
            }
        }
        Show::Link {
            header,
            body,
            footer,
            label,
            ..
        } => {
            frame(header, body, footer)?;
            text(label, limits.link_label)?;
        }
        Show::Form {
            header,
            body,
            footer,
            label,
            ..
        } => {
            frame(header, body, footer)?;
            text(label, limits.link_label)?;
        }
        Show::Media { caption, .. } => {
            caption
                .as_deref()
                .map_or(Ok(()), |caption| text(caption, limits.caption))?;
        }
        Show::Location(_) | Show::React { .. } => {}
        Show::AskLocation { body } => text(body, limits.question)?,
    }
    Ok(())
}

proptest! {
    // Each case plans several long texts.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_goes_in_every_step_respects_the_limits_and_no_option_is_lost(choices in any_choices(), caps in any_caps()) {
        let plan = plan(&outbound(OutboundBody::Choices(choices.clone())), &caps);
        let shows = shown(plan);
        for show in &shows {
            within_limits(show)?;
        }
        if choices.options.is_empty() {
            return Ok(());
        }
        match shows.last() {
            Some(Show::Buttons { buttons, .. }) => {
                prop_assert!(caps.buttons);
                let ids: Vec<_> = buttons.iter().map(|button| &button.id).collect();
                prop_assert_eq!(ids, choices.options.iter().map(|option| &option.id).collect::<Vec<_>>());
            }
            Some(Show::List { sections, .. }) => {
                prop_assert!(caps.lists);
                let ids: HashSet<_> = sections.iter().flat_map(|s| &s.rows).map(|row| &row.id).collect();
                prop_assert_eq!(ids, choices.options.iter().map(|option| &option.id).collect::<HashSet<_>>());
            }
            Some(Show::Text { .. }) => {
                let squeeze = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                let all: String = shows.iter().map(|show| match show { Show::Text { body, .. } => squeeze(body), _ => String::new() }).collect();
                for (number, option) in (1..).zip(&choices.options) {
                    let title = squeeze(&one_line(&option.title));
                    prop_assert!(all.contains(&format!("{number}.{title}")), "option {number} {title:?} in {all:?}");
                }
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn every_other_kind_respects_the_limits_too(body in any_text(3000), label in any_text(6), header in proptest::option::of(any_text(15)), caps in any_caps()) {
        let link = OutboundBody::Link { header, body: body.clone(), footer: None, label, url: "https://kopi.example".into() };
        let media = OutboundBody::Media { media: MediaKind::Photo, source: MediaSource::Url("https://a.example/b".into()), caption: Some(body.clone()), filename: None };
        for body in [link, media, OutboundBody::AskLocation { body: body.clone() }, OutboundBody::Text { body, preview: false }] {
            for show in shown(plan(&outbound(body), &caps)) {
                within_limits(&show)?;
            }
        }
    }
}

#[test]
fn a_reaction_is_dropped_with_a_word_where_none_can_be_shown() {
    let react = |target: Option<&str>, caps: &Caps| {
        let body = OutboundBody::React {
            emoji: "👍".into(),
            target: target.map(str::to_owned),
        };
        let plan = plan(&outbound(body), caps);
        (plan.steps.len(), plan.losses)
    };
    assert_eq!(react(Some("wamid.1"), &Caps::META), (1, Vec::new()));
    assert_eq!(react(None, &Caps::META), (0, vec![Loss::Reaction]));
    let none = Caps {
        reactions: false,
        ..Caps::META
    };
    assert_eq!(react(Some("wamid.1"), &none), (0, vec![Loss::Reaction]));
}
