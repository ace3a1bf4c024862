//! The ten lines of the matching order.

use super::*;
use crate::message::Place;

const QUESTION: &str = "What's the number? [I can't find it]";
const MENU: &str = "How can we help? [Track my order] [Opening hours] [Talk to us]";

#[test]
fn line_2_a_person_has_the_chat_and_nothing_is_matched() {
    let mut talk = Talk::new();
    talk.says("agent").skips().says("track").sees(&[]);
    assert_eq!(talk.position.mode, Mode::Human);
}

#[test]
fn line_3_a_tap_takes_its_option() {
    Talk::new()
        .says("hi")
        .sees(&[MENU])
        .taps("Track my order")
        .sees(&[QUESTION]);
}

#[test]
fn line_4_an_option_is_known_by_label_synonym_and_number() {
    for words in [
        "Track my order",
        "track MY order!",
        "parcel",
        "1",
        "1.",
        "1️⃣",
        "#1",
    ] {
        Talk::new().says("hi").skips().says(words).sees(&[QUESTION]);
    }
    Talk::new()
        .says("hi")
        .skips()
        .says("2")
        .sees(&["We open at nine."]);
    Talk::new()
        .says("hi")
        .skips()
        .says("4")
        .sees(&["Sorry? [Track my order] [Opening hours] [Talk to us]"]);
}

#[test]
fn line_4_a_number_is_no_option_where_numbers_are_answers() {
    let flow = "flow guests\nstarts on \"guests\"\nstep a\n  ask n \"How many?\"\n    as whole number from 1 to 8\n    \"Not sure\" -> done\n  end\n  say \"{{ n }} it is.\"\n  done\n";
    Talk::plus(flow)
        .says("guests")
        .skips()
        .says("1")
        .sees(&["1 it is."]);
    Talk::plus(flow).says("guests").skips().says("not sure").sees(&[]);
}

#[test]
fn line_4_an_option_is_known_by_the_beginning_that_stood_on_its_button() {
    let flow = "flow cars\nstarts on \"cars\"\nstep a\n  menu car \"Which?\"\n    \"Blue estate\"\n    \"Blue saloon\"\n    \"Red van\"\n  end\n  say \"{{ car }}\"\n  done\n";
    Talk::plus(flow)
        .says("cars")
        .skips()
        .says("Blue es…")
        .sees(&["Blue estate"]);
    // Two begin like this, and what is typed without the mark is no beginning.
    for said in ["Blue…", "Blue es"] {
        Talk::plus(flow)
            .says("cars")
            .skips()
            .says(said)
            .sees(&["Sorry? [Blue estate] [Blue saloon] [Red van]"]);
    }
}

#[test]
fn line_5_an_on_phrase_that_is_the_whole_message_interrupts() {
    let mut talk = Talk::new();
    talk.says("track").skips().says("Agent!");
    assert_eq!(talk.handed_over().team, "support");
}

#[test]
fn line_5_goes_before_6() {
    let flow = "flow word\nstarts on \"word\"\nstep a\n  ask w \"Which word?\"\n    as text matching \"[a-z]+\"\n  end\n  say \"Got {{ w }}.\"\n  done\n";
    Talk::plus(flow)
        .says("word")
        .skips()
        .says("other")
        .sees(&["Got other."]);
    let mut talk = Talk::plus(flow);
    talk.says("word").skips().says("agent").sees(&[]);
    assert_eq!(talk.position.mode, Mode::Human);
}

#[test]
fn line_6_a_typed_answer_with_a_shape_is_taken() {
    let mut talk = Talk::new();
    talk.says("track").skips().says("it is a-12345");
    assert_eq!(talk.call().url, "https://api.pedal.example/orders/A-12345");
}

#[test]
fn line_7_an_option_is_known_when_nearly_spelt() {
    Talk::new()
        .says("hi")
        .skips()
        .says("trak my ordr")
        .sees(&[QUESTION]);
    Talk::new()
        .says("hi")
        .skips()
        .says("openning hours")
        .sees(&["We open at nine."]);
    Talk::new().says("hi").skips().says("parcell").sees(&[QUESTION]);
    // Three edits are too many.
    Talk::new()
        .says("hi")
        .skips()
        .says("trk my odr")
        .sees(&["Sorry? [Track my order] [Opening hours] [Talk to us]"]);
}

#[test]
fn line_7_two_equally_near_options_are_none() {
    let flow = "flow pets\nstarts on \"pets\"\nstep a\n  menu pet \"Which?\"\n    \"Colour\"\n    \"Collar\"\n  end\n  say \"{{ pet }}\"\n  done\n";
    Talk::plus(flow)
        .says("pets")
        .skips()
        .says("Colla")
        .sees(&["Collar"]);
    Talk::plus(flow)
        .says("pets")
        .skips()
        .says("collur")
        .sees(&["Sorry? [Colour] [Collar]"]);
    // Words of three letters and fewer are not guessed.
    let flow = "flow yn\nstarts on \"yn\"\nstep a\n  menu x \"Sure?\"\n    \"Yes\"\n    \"No\"\n  end\n  say \"{{ x }}\"\n  done\n";
    Talk::plus(flow)
        .says("yn")
        .skips()
        .says("yas")
        .sees(&["Sorry? [Yes] [No]"]);
}

#[test]
fn line_8_an_on_phrase_inside_a_short_message_interrupts() {
    let mut talk = Talk::new();
    talk.says("hi")
        .skips()
        .says("can I have a person please")
        .sees(&[]);
    assert_eq!(talk.position.mode, Mode::Human);
    let mut talk = Talk::new();
    talk.says("hi")
        .skips()
        .says("I wonder whether you could get me a person now");
    assert_eq!(talk.position.mode, Mode::Autopilot);
}

#[test]
fn open_questions_skip_near_spelling_and_phrases_inside() {
    let flow = "flow story\nstarts on \"story\"\nstep a\n  ask s \"Tell me.\"\n    \"Nothing to tell\" -> done\n  end\n  say \"You said: {{ s }}\"\n  done\n";
    Talk::plus(flow)
        .says("story")
        .skips()
        .says("the agent was rude")
        .sees(&["You said: the agent was rude"]);
    Talk::plus(flow)
        .says("story")
        .skips()
        .says("nothin to tell")
        .sees(&["You said: nothin to tell"]);
    // But a whole `on` word counts there, too.
    let mut talk = Talk::plus(flow);
    talk.says("story").says("agent");
    assert_eq!(talk.position.mode, Mode::Human);
}

#[test]
fn line_9_free_text_and_spoken_words_are_answers() {
    let flow = "flow story\nstarts on \"story\"\nstep a\n  ask s \"Tell me.\"\n  say \"You said: {{ s }}\"\n  done\n";
    Talk::plus(flow)
        .says("story")
        .skips()
        .sends(MediaKind::Voice, "it broke", Heard::Words)
        .sees(&["You said: it broke"]);
}

#[test]
fn line_10_otherwise_is_said_with_the_options_then_it_goes() {
    let mut talk = Talk::new();
    let sorry = "Sorry? [I can't find it]";
    talk.says("track")
        .skips()
        .says("???")
        .sees(&[sorry])
        .says("what")
        .sees(&[sorry])
        .says("eh")
        .sees(&[]);
    assert_eq!(talk.handed_over().team, "support");
    assert!(talk.log().contains(&Log::Left {
        state: "tracking/ask_for_the_number.number".to_owned(),
        exit: Exit::OtherwiseUsedUp
    }));
}

#[test]
fn a_way_without_a_count_is_taken_at_once() {
    let flow = "flow once\nstarts on \"once\"\nstep a\n  menu x \"X?\"\n    \"A\"\n    \"B\"\n    otherwise \"Then not.\" -> b\n  end\n  say \"{{ x }}\"\n  done\nstep b\n  say \"Bye.\"\n  done\n";
    let mut talk = Talk::plus(flow);
    talk.says("once").skips().says("hm").sees(&["Then not.", "Bye."]);
    assert!(talk.log().contains(&Log::Left {
        state: "once/a.x".to_owned(),
        exit: Exit::Otherwise
    }));
}

#[test]
fn the_count_starts_afresh_when_the_question_is_asked_again() {
    let mut talk = Talk::new();
    talk.says("track").says("eh").says("eh").says("help me").skips();
    talk.says("eh").sees(&["Sorry? [I can't find it]"]);
}

#[test]
fn a_voice_note_without_words_has_its_own_sentence() {
    let unheard =
        "I couldn't hear anything in that voice note. Could you type it or try again? [I can't find it]";
    for heard in [Heard::Silence, Heard::Nothing] {
        let mut talk = Talk::new();
        talk.says("track")
            .skips()
            .sends(MediaKind::Voice, "", heard)
            .sees(&[unheard]);
    }
    let mut idle = Talk::new();
    idle.sends(MediaKind::Voice, "", Heard::Silence);
    assert!(idle.seen[0].starts_with("I couldn't hear anything"));
}

#[test]
fn idle_chats_start_on_whole_words_then_phrases_then_topics_then_the_front_door() {
    Talk::new().says("track").sees(&[QUESTION]);
    Talk::new().says("so where is my order").sees(&[QUESTION]);
    Talk::new().says("something else entirely").sees(&[MENU]);
    let mut talk = Talk::new();
    talk.event(EventKind::Message(Incoming {
        text: "it broke".to_owned(),
        topic: Some("complaint".to_owned()),
        ..Incoming::default()
    }));
    talk.sees(&[QUESTION]);
}

#[test]
fn the_longest_phrase_wins() {
    let flow = "flow other\nstarts on \"order\"\nstep a\n  say \"Short.\"\n  done\n";
    Talk::plus(flow)
        .says("tell me where is my order")
        .sees(&[QUESTION]);
    Talk::plus(flow).says("an order").sees(&["Short."]);
}

#[test]
fn first_message_and_any_message_come_before_the_front_door() {
    let first = "flow first\nstarts on first message\nstep a\n  say \"First.\"\n  done\n";
    let mut talk = Talk::plus(first);
    talk.says("hello there")
        .sees(&["First."])
        .says("hello there")
        .sees(&[MENU]);
    let vip = "flow vip\nstarts on any message if contact.vip\nstep a\n  say \"VIP.\"\n  done\n";
    Talk::plus(vip).says("hello there").sees(&[MENU]);
    let mut talk = Talk::plus(vip);
    let yes = Remembered {
        value: Value::YesNo(true),
        forget_at: None,
    };
    talk.memory.fields.insert("vip".to_owned(), yes);
    talk.says("hello there").sees(&["VIP."]);
}

#[test]
fn photos_and_places_start_flows_and_answer_questions() {
    let flow = "flow damage\nstarts on photo, location\nstep a\n  ask p \"Show me.\"\n    as photo or location\n  end\n  say \"{{ p }}!\"\n  done\n";
    let mut talk = Talk::plus(flow);
    talk.sends(MediaKind::Photo, "", Heard::NotVoice)
        .sees(&["Show me."]);
    talk.sends(MediaKind::Photo, "my bike", Heard::NotVoice)
        .sees(&["my bike!"]);
    let place = Incoming {
        place: Some(Place {
            lat: 41.1,
            lng: -8.6,
            name: Some("Harbour".to_owned()),
            address: None,
        }),
        ..Incoming::default()
    };
    talk.event(EventKind::Message(place.clone())).sees(&["Show me."]);
    talk.event(EventKind::Message(place)).sees(&["Harbour!"]);
}

#[test]
fn a_foreign_button_counts_by_its_words() {
    let mut talk = Talk::new();
    let tap = EventKind::Tap {
        id: "quick_reply_7".to_owned(),
        title: "Track".to_owned(),
    };
    talk.event(tap).sees(&[QUESTION]);
}
