//! Applies the fixes that diagnostics offer, for `switchboard check --fix` and editors.

use super::diagnostic::{Edit, Fix};
use super::source::FileId;

/// Applies to the text of `file` every fix that does not overlap one before it, whole or not at all. Gives the new
/// text and how many fixes went in.
pub fn apply<'a>(fixes: impl IntoIterator<Item = &'a Fix>, file: FileId, text: &str) -> (String, usize) {
    let mut accepted: Vec<&Edit> = Vec::new();
    let mut count = 0;
    for fix in fixes {
        let fits = !fix.edits.is_empty()
            && fix.edits.iter().all(|edit| {
                edit.span.file == file
                    && text.get(edit.span.range()).is_some()
                    && accepted.iter().all(|other| apart(edit, other))
            });
        if fits {
            accepted.extend(&fix.edits);
            count += 1;
        }
    }
    // Stable: insertions at one place keep the order in which they were offered.
    accepted.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in accepted {
        out.push_str(&text[at..edit.span.start as usize]);
        out.push_str(&edit.replacement);
        at = edit.span.end as usize;
    }
    out.push_str(&text[at..]);
    (out, count)
}

fn apart(a: &Edit, b: &Edit) -> bool {
    if a == b {
        return false;
    }
    a.span.end <= b.span.start || b.span.end <= a.span.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::source::Span;

    fn fix(start: usize, end: usize, replacement: &str) -> Fix {
        Fix {
            title: replacement.to_owned(),
            edits: vec![Edit {
                span: Span::new(FileId(0), start, end),
                replacement: replacement.to_owned(),
            }],
        }
    }

    #[test]
    fn fixes_apart_from_each_other_are_all_applied() {
        let fixes = [fix(8, 11, "end"), fix(0, 3, "say")];
        let (text, count) = apply(&fixes, FileId(0), "sya one,edn.");
        assert_eq!((text.as_str(), count), ("say one,end.", 2));
    }

    #[test]
    fn of_two_fixes_for_one_place_the_first_wins() {
        let fixes = [fix(0, 3, "say"), fix(2, 5, "x")];
        let (text, count) = apply(&fixes, FileId(0), "sya hello");
        assert_eq!((text.as_str(), count), ("say hello", 1));
    }

    #[test]
    fn two_different_insertions_at_one_place_both_go_in() {
        let fixes = [fix(3, 3, "\n  end"), fix(3, 3, "\nend")];
        let (text, count) = apply(&fixes, FileId(0), "say");
        assert_eq!((text.as_str(), count), ("say\n  end\nend", 2));
    }

    #[test]
    fn a_fix_for_another_file_is_left_alone() {
        let (text, count) = apply(&[fix(0, 1, "x")], FileId(1), "say");
        assert_eq!((text.as_str(), count), ("say", 0));
    }
}
