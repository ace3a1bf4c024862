//! Rows from data: labels, hints and values made of items, paging, and an empty list.

use super::*;

const SLOTS: &str = r#"
flow slots
starts on "slots"

step pick
  set free = chat.mood | default([])
  set more_free = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
  menu slot "Free times:"
    each one in more_free as "At {{ one }}" hint "Chair {{ one }}" = one * 10
    none -> nothing free
    more "Later"
    "Another day" -> done
  end
  say "You have {{ slot }}."
  done

step nothing free
  say "Nothing."
  done
"#;

fn labels(talk: &Talk) -> Vec<String> {
    let outbox = &talk.turn.as_ref().unwrap().outbox;
    outbox
        .iter()
        .filter_map(|outgoing| match &outgoing.body {
            OutboundBody::Choices(choices) => Some(&choices.options),
            _ => None,
        })
        .flatten()
        .map(|option| option.title.clone())
        .collect()
}

#[test]
fn rows_come_in_pages_that_a_list_holds_and_keep_their_values() {
    let mut talk = Talk::plus(&SLOTS.replace("  set free = chat.mood | default([])\n", ""));
    talk.says("slots");
    let first = labels(&talk);
    assert_eq!(first.len(), 10);
    assert_eq!(
        (
            first[0].as_str(),
            first[7].as_str(),
            first[8].as_str(),
            first[9].as_str()
        ),
        ("At 1", "At 8", "Later", "Another day")
    );
    talk.says("later");
    assert_eq!(labels(&talk), ["At 9", "At 10", "At 11", "At 12", "Another day"]);
    // A row of the first page is still on the screen.
    talk.skips().taps_old("At 2").sees(&["You have 20."]);
    talk.says("slots")
        .says("Later")
        .skips()
        .says("3")
        .sees(&["You have 110."]);
}

const FETCHED: &str = r#"
flow booking
starts on "book"

step pick
  fetch order from shop.slots with number = "1"
  list slot "Free:"
    each s in order.slots as "{{ s.time }}" hint "with {{ s.who }}" = s.id if s.who is not "Rui"
      say "{{ s.time }} with {{ s.who }}, {{ slot }}."
      done
    none "Nothing is free." -> done
  end
"#;

fn booking() -> Talk {
    let slots = "  action slots needs number\n    get \"/slots\"\n    gives slots: list\n";
    let business = BUSINESS.replace("  action book", &format!("{slots}  action book"));
    Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("booking.flow", FETCHED),
    ])
}

#[test]
fn the_lines_under_a_row_know_its_item_and_an_empty_list_has_its_own_way() {
    let slots = json!({"slots": [
        {"id": "s1", "time": "10:00", "who": "Ana"},
        {"id": "s2", "time": "11:00", "who": "Rui"},
        {"id": "s3", "time": "12:00", "who": "Eva"},
    ]});
    let mut talk = booking();
    talk.says("book")
        .answers(200, slots)
        .sees(&["Free: [10:00] [12:00]"]);
    talk.says("12:00").sees(&["12:00 with Eva, s3."]);
    talk.says("book")
        .answers(200, json!({"slots": []}))
        .sees(&["Nothing is free."]);
    assert!(talk.log().iter().any(|entry| matches!(
        entry,
        Log::Left {
            exit: Exit::Empty,
            ..
        }
    )));
    // No list at all is an empty one.
    talk.says("book")
        .answers(200, json!({}))
        .sees(&["Nothing is free."]);
}

#[test]
fn a_tap_means_its_row_although_the_data_has_changed() {
    let at = |id: &str, time: &str| json!({"id": id, "time": time, "who": "Ana"});
    let mut talk = booking();
    talk.says("book")
        .answers(200, json!({"slots": [at("s1", "10:00"), at("s2", "11:00")]}));
    talk.skips().taps("10:00").skips();
    // Asked anew, the same time is another slot, and the first list still stands above it.
    talk.says("book")
        .answers(200, json!({"slots": [at("t9", "11:00")]}));
    talk.skips().taps_old("11:00").sees(&["11:00 with Ana, s2."]);
}

#[test]
fn long_rows_are_shortened_by_the_channel_and_still_tapped_whole() {
    let long = "Between a quarter past nine and ten";
    let mut talk = booking();
    talk.says("book")
        .answers(200, json!({"slots": [{"id": "s1", "time": long, "who": "Ana"}]}));
    talk.skips()
        .says("Between a quarter past…")
        .sees(&[&format!("{long} with Ana, s1.")]);
}
