//! Rewrites the `Bot:` lines of a story to what the bot says now, and leaves everything else as it was written.

use super::run::{Different, Player};
use super::story::{BeatKind, Story};
use crate::engine::Machine;

/// A change to a file: lines `first..=last` (from 1) become `lines`. `last < first` inserts before `first`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    first: u32,
    last: u32,
    lines: Vec<String>,
}

/// The whole file with one story blessed; `Err` if the story fails for another reason than speech.
pub fn bless(machine: &Machine, text: &str, story: &Story) -> Result<String, Box<Different>> {
    let mut player = Player::new(machine, story);
    player.open().map_err(Box::new)?;
    let mut changes = Vec::new();
    let mut after = story.line;
    for (index, beat) in story.beats.iter().enumerate() {
        let typing = matches!(
            beat.kind,
            BeatKind::Customer(_) | BeatKind::Topic(_) | BeatKind::Link(_)
        );
        if !typing {
            player.flush().map_err(Box::new)?;
        }
        if let BeatKind::Bot(expected) = &beat.kind {
            match player.rehearsal.said.pop_front() {
                Some(said) if said.shown.fits(expected) => {}
                said => changes.push(Change {
                    first: beat.first_line,
                    last: beat.last_line,
                    lines: said.map(|said| said.shown.lines()).unwrap_or_default(),
                }),
            }
        } else {
            // Between the customer's own lines of one burst nothing is said.
            insert_said(&mut player, after + 1, &mut changes);
            player.beat(index, beat).map_err(Box::new)?;
        }
        after = beat.last_line;
    }
    player.flush().map_err(Box::new)?;
    insert_said(&mut player, after + 1, &mut changes);
    Ok(apply(text, changes))
}

fn insert_said(player: &mut Player<'_>, before: u32, changes: &mut Vec<Change>) {
    let lines: Vec<String> = player
        .rehearsal
        .said
        .drain(..)
        .flat_map(|said| said.shown.lines())
        .collect();
    if !lines.is_empty() {
        changes.push(Change {
            first: before,
            last: before - 1,
            lines,
        });
    }
}

/// Carries out changes that are in order and do not overlap.
fn apply(text: &str, changes: Vec<Change>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out: Vec<&str> = Vec::with_capacity(lines.len());
    let mut done = 0;
    for change in &changes {
        let kept = (change.first as usize - 1).clamp(done, lines.len());
        out.extend(&lines[done..kept]);
        out.extend(change.lines.iter().map(String::as_str));
        done = (change.last as usize).clamp(kept, lines.len());
    }
    out.extend(&lines[done..]);
    out.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_removed_and_inserted_lines_leave_the_rest_alone() {
        let change = |first, last, lines: &[&str]| Change {
            first,
            last,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let changes = vec![
            change(2, 3, &["B"]),
            change(4, 4, &[]),
            change(6, 5, &["new"]),
            change(7, 6, &["end"]),
        ];
        assert_eq!(apply("a\nb\nb2\nc\nd\ne\n", changes), "a\nB\nd\nnew\ne\nend\n");
    }
}
