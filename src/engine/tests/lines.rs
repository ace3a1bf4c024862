//! Statements that run without the customer: lists, ways of a split, wordings, files, marks and pauses.

use super::*;

const LINES: &str = r#"
flow lines
starts on "lines"

step all
  set sizes = ["38", "39", "40"]
  for each size in sizes
    if size is "39"
      say "39 is sold out."
    else
      say "{{ size }} is there."
    end
  end
  send document "assets/sizes.pdf" caption "All sizes" named "Sizes.pdf"
  send location 38.71, -9.14 named "Shop" at "Rua 1"
  tag "asked {{ sizes | first }}"
  record looked
  record first_size = sizes | first
  subscribe to offers
  pause 2 seconds
  say "That's all."
  unsubscribe from offers
  untag "asked 38"
  -> which

step which
  split wording
    50% -> short
    50%
      say one of "One" or "Two" or "Three"
      done
  end

step short
  say "Short."
  done
"#;

fn noted(talk: &Talk) -> Vec<Noted> {
    let of = |effect: &Effect| match effect {
        Effect::Noted { what, .. } => Some(what.clone()),
        _ => None,
    };
    talk.effects().iter().filter_map(of).collect()
}

#[test]
fn a_list_is_gone_through_and_files_places_marks_and_pauses_come_in_order() {
    let mut talk = Talk::plus(LINES);
    talk.says("lines");
    let seen = std::mem::take(&mut talk.seen);
    assert_eq!(seen[..3], ["38 is there.", "39 is sold out.", "40 is there."]);
    assert!(
        seen[3].contains("File(\"assets/sizes.pdf\")") && seen[3].contains("Sizes.pdf"),
        "{seen:?}"
    );
    assert!(seen[4].contains("lat: 38.71, lng: -9.14"), "{seen:?}");
    assert_eq!(seen[5], "That's all.");
    let turn = talk.turn.as_ref().unwrap();
    let pauses: Vec<u64> = turn.outbox.iter().map(|outgoing| outgoing.after_ms).collect();
    assert_eq!(pauses, [0, 0, 0, 0, 0, 2_000, 0]);
    let text = |text: &str| Some(crate::flow::value::Value::text(text));
    assert_eq!(
        noted(&talk)[..4],
        [
            Noted::Tag {
                tag: "asked 38".to_owned(),
                on: true
            },
            Noted::Record {
                name: "looked".to_owned(),
                value: None
            },
            Noted::Record {
                name: "first_size".to_owned(),
                value: text("38")
            },
            Noted::Subscribe {
                list: Some("offers".to_owned()),
                on: true
            },
        ]
    );
    assert!(
        talk.memory.tags.is_empty() && talk.memory.lists.is_empty(),
        "both were taken back"
    );
    assert_eq!(talk.position.frames.len(), 0);
}

#[test]
fn a_contact_gets_the_same_way_of_a_split_each_time_and_contacts_get_all_of_them() {
    let way = |lot: u64| {
        let mut talk = Talk::plus(LINES);
        talk.memory.lot = lot;
        let mut last = || {
            talk.says("lines");
            let split = talk.log().iter().find_map(|entry| match entry {
                Log::Split { way, .. } => Some(*way),
                _ => None,
            });
            (split.unwrap(), talk.seen.last().cloned().unwrap())
        };
        let (first, second) = (last(), last());
        assert_eq!(first.0, second.0);
        first
    };
    let ways: std::collections::BTreeSet<(u32, String)> = (0..64).map(way).collect();
    let said: Vec<&str> = ways.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(said, ["Short.", "One", "Three", "Two"]);
}

#[test]
fn an_arrow_out_of_a_list_leaves_it_and_the_next_list_begins_anew() {
    let mut talk = Talk::plus(
        r#"
flow lists
starts on "lists"
step one
  for each x in ["a", "b", "c"]
    for each y in [1, 2]
      say "{{ x }}{{ y }}"
      if x is "b" -> two
    end
  end
  done
step two
  for each x in ["d"]
    say "{{ x }}"
  end
  for each x in []
    say "never"
  end
  done
"#,
    );
    talk.says("lists").sees(&["a1", "a2", "b1", "d"]);
}
