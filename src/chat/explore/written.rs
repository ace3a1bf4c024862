//! A walk as a transcript: what the customer did, what the bot said to it, and what services answered.

use super::{Explorer, Lost, Move, PERSON, Turn, play};
use crate::chat::promises::Broken;
use crate::chat::rehearsal::{Happened, Rehearsal};
use crate::chat::written::{act_lines, ai_line, given_line, quoted, with_values};

pub(super) const CUSTOMER: &str = "Maria";
pub(super) const PHONE: &str = "351910000001";

pub(super) fn transcript(explorer: &Explorer<'_>, lost: &Lost, turns: &[Turn]) -> String {
    let mut rehearsal = explorer.rehearsal(lost.seed);
    let mut out = format!("# {}\n", lost.what);
    out += &format!("chat \"Explored: {}, seed {}\"\n", title(&lost.what), lost.seed);
    let language = explorer.language(lost.seed);
    let language = language.map_or_else(String::new, |language| format!(", language {language}"));
    out += &format!("  customer {CUSTOMER}, phone \"+{PHONE}\"{language}\n");
    out += &format!("  time {}\n", rehearsal.time().strftime("%Y-%m-%d %H:%M"));
    out += &format!("  session rules on\n  seed {}\n\n", lost.seed);
    out += &told(&mut rehearsal, turns);
    // A circle fails by itself.
    if !matches!(lost.what, Broken::Circle { .. }) {
        out += "check  every promise holds\n";
    }
    out
}

/// Plays the moves, and writes down what happens.
pub(in crate::chat) fn told(rehearsal: &mut Rehearsal<'_>, turns: &[Turn]) -> String {
    let mut out = String::new();
    for turn in turns {
        let before = rehearsal.happened.len();
        // The last move is the one that breaks it.
        let _ = play(rehearsal, turn);
        for given in &rehearsal.improvised {
            out += &given_line(given);
            out.push('\n');
        }
        lines_of(&turn.what).iter().for_each(|line| {
            out += line;
            out.push('\n');
        });
        for says in &rehearsal.imagined {
            out += &ai_line(says);
            out.push('\n');
        }
        if rehearsal.said.is_empty() && matches!(turn.what, Move::Customer { .. }) {
            out += "(silence)\n";
        }
        for said in rehearsal.said.drain(..) {
            for line in said.shown.lines() {
                out += &line;
                out.push('\n');
            }
        }
        for happened in &rehearsal.happened[before..] {
            match happened {
                Happened::Handed(handed) if !handed.team.is_empty() => {
                    out += &format!("(handed to {})\n", handed.team);
                }
                Happened::Told { team, text } => out += &format!("({team} is told {})\n", quoted(text)),
                Happened::Closed(_) => out += "(the chat closes)\n",
                _ => {}
            }
        }
    }
    out
}

fn title(what: &Broken) -> &'static str {
    match what {
        Broken::Fault { .. } => "something goes wrong inside",
        Broken::Unanswered { .. } => "a message gets no answer",
        Broken::TwoQuestions { .. } => "two questions at once",
        Broken::ClosedWindow { .. } => "a message after the window has closed",
        Broken::TalksOver { .. } => "the bot talks over a person",
        Broken::Stranded { .. } => "no way to a person or an end",
        Broken::Circle { .. } => "a service is called in a circle",
    }
}

fn lines_of(what: &Move) -> Vec<String> {
    match what {
        Move::Customer { act, topic, link } => {
            let mut lines = act_lines(CUSTOMER, act);
            lines.extend(topic.as_ref().map(|topic| format!("(topic {topic})")));
            lines.extend(link.as_ref().map(|code| format!("(link {})", quoted(code))));
            lines
        }
        Move::Happens { event, values } => vec![format!("(event {event}{})", with_values(values))],
        Move::WindowIsClosing => vec!["(window is closing)".to_owned()],
        Move::WindowCloses => vec!["(window closes)".to_owned()],
        Move::Silence(by) if by.as_secs() % 60 == 0 => vec![format!("({} minutes pass)", by.as_secs() / 60)],
        Move::Silence(by) => vec![format!("({} seconds pass)", by.as_secs())],
        Move::Takes => vec![format!("({PERSON} takes the chat)")],
        Move::Writes => vec![format!("{PERSON} (team): I am here.")],
        Move::Returns => vec![format!("({PERSON} returns the chat)")],
    }
}
