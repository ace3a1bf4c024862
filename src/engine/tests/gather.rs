//! One answer from several messages.

use super::*;
use crate::flow::value::Value;

const STORY: &str = r#"
flow story
starts on "story"

step tell
  gather story "What happened?"
    as text, voice or photo up to 4
    finish on "Done" or after 20 seconds of quiet
    check story.photos is not empty else "A photo, please."
    otherwise "Text, voice or photos." up to 2 times, then -> handoff to support
    again "Go on."
    "Never mind" -> done
  end
  say "{{ story.text | default('-') }} / {{ story.lines | count }} lines, {{ story.files | count }} files, {{ story.voices | count }} voices"
  done
"#;

#[test]
fn messages_are_collected_in_silence_until_the_button() {
    let mut talk = Talk::plus(STORY);
    talk.says("story").sees(&["What happened? [Never mind] [Done]"]);
    talk.says("It broke.")
        .sends(MediaKind::Photo, "The wheel", Heard::NotVoice);
    talk.sends(MediaKind::Voice, "all of it", Heard::Words).sees(&[]);
    talk.taps("Done")
        .sees(&["It broke.\nThe wheel\nall of it / 3 lines, 2 files, 1 voices"]);
}

#[test]
fn quiet_or_the_last_message_finishes_it() {
    let mut talk = Talk::plus(STORY);
    talk.says("story").skips();
    talk.waits(60).sees(&[]);
    talk.sends(MediaKind::Photo, "a", Heard::NotVoice)
        .waits(15)
        .says("b")
        .waits(15)
        .sees(&[]);
    talk.waits(5).sees(&["a\nb / 2 lines, 1 files, 0 voices"]);
    talk.says("story").skips();
    for word in ["a", "b", "c"] {
        talk.says(word);
    }
    talk.sees(&[]).sends(MediaKind::Photo, "", Heard::NotVoice);
    talk.sees(&["a\nb\nc / 3 lines, 1 files, 0 voices"]);
}

#[test]
fn what_a_check_refuses_can_be_added_to() {
    let mut talk = Talk::plus(STORY);
    talk.says("story").says("a").says("done").skips();
    talk.sends(MediaKind::Photo, "", Heard::NotVoice)
        .says("Done")
        .sees(&["a / 1 lines, 1 files, 0 voices"]);
}

#[test]
fn nothing_collected_and_other_kinds_are_not_understood_and_an_interruption_loses_nothing() {
    let mut talk = Talk::plus(STORY);
    talk.says("story").skips();
    talk.taps("Done")
        .sees(&["Text, voice or photos. [Never mind] [Done]"]);
    talk.sends(MediaKind::Sticker, "", Heard::NotVoice)
        .sees(&["Text, voice or photos. [Never mind] [Done]"]);
    talk.sends(MediaKind::Photo, "", Heard::NotVoice).says("thanks");
    talk.sees(&["You're welcome.", "Go on. [Never mind] [Done]"]);
    talk.says("more")
        .says("done")
        .sees(&["more / 1 lines, 1 files, 0 voices"]);
    // Asked anew, it begins with nothing.
    talk.says("story")
        .skips()
        .says("x")
        .says("never mind")
        .says("story")
        .skips();
    let draft = &talk.position.frames[0].locals["story"];
    assert!(
        matches!(draft, Value::Record(draft) if draft["text"] == Value::text("")),
        "{draft:?}"
    );
}

#[test]
fn a_story_of_any_length_stays_small() {
    let mut talk = Talk::plus(STORY);
    talk.says("story").skips();
    talk.sends(MediaKind::Photo, "", Heard::NotVoice)
        .says(&"long ".repeat(800))
        .sees(&[])
        .says(&"é".repeat(4_096));
    assert_eq!(talk.position.frames.len(), 0, "so much text finishes it");
    assert_eq!(talk.seen.len(), 1, "and it can be said");
    let faults = talk
        .effects()
        .iter()
        .filter(|effect| matches!(effect, Effect::Fault(_)));
    assert_eq!(faults.count(), 0);
}

#[test]
fn a_story_that_is_interrupted_goes_on_where_it_was() {
    let mut talk = Talk::plus(&format!(
        "{STORY}\non \"how long\"\n  say \"As long as you like.\"\n  resume\n"
    ));
    talk.says("story").skips().says("It broke.").says("how long");
    talk.sees(&["As long as you like.", "Go on. [Never mind] [Done]"]);
    talk.sends(MediaKind::Photo, "", Heard::NotVoice).waits(20);
    talk.sees(&["It broke. / 1 lines, 1 files, 0 voices"]);
}

#[test]
fn a_person_who_takes_the_chat_stops_the_quiet() {
    let mut talk = Talk::plus(STORY);
    talk.says("story").skips().says("It broke.");
    talk.event(EventKind::PersonSaid {
        agent: "Ana".to_owned(),
    });
    talk.waits(3600).sees(&[]);
    talk.says("Hello Ana").sees(&[]);
    assert_eq!(talk.position.mode, Mode::Human);
}

#[test]
fn quiet_without_a_message_is_silence_like_any_other() {
    let mut talk = Talk::plus(STORY);
    talk.says("story").skips().waits(1800).sees(&["Are you there?"]);
    talk.says("a")
        .sends(MediaKind::Photo, "", Heard::NotVoice)
        .waits(20);
    talk.sees(&["a / 1 lines, 1 files, 0 voices"]);
}

#[test]
fn a_voice_note_without_words_is_a_problem_of_transcribe() {
    let transcribes =
        "  transcribe story\n    problem \"I couldn't hear you.\"\n  end\n  say \"{{ story.text";
    let mut talk = Talk::plus(&STORY.replace("  say \"{{ story.text", transcribes));
    talk.says("story").skips();
    talk.sends(MediaKind::Photo, "", Heard::NotVoice)
        .sends(MediaKind::Voice, "It broke.", Heard::Words)
        .taps("Done")
        .sees(&["It broke. / 1 lines, 2 files, 1 voices"]);
    talk.says("story").skips();
    talk.sends(MediaKind::Photo, "", Heard::NotVoice)
        .sends(MediaKind::Voice, "", Heard::Nothing)
        .taps("Done")
        .sees(&["I couldn't hear you.", " / 0 lines, 2 files, 1 voices"]);
}
