//! Flow files to tree and diagnostics: every file under `tests/flow/parse/` has a snapshot of what is said about it.

use std::fmt::Write;
use std::path::Path;

use switchboard::flow::blocks::parse;
use switchboard::flow::diagnostic::Diagnostic;
use switchboard::flow::fixes;
use switchboard::flow::format::format;
use switchboard::flow::source::{FileId, Sources};
use switchboard::flow::tree::Tree;

/// The files under `tests/flow/parse/`, by name.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flow/parse");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the folder is part of the project")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "flow"))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a text"))
        })
        .collect();
    files.sort();
    files
}

fn one(name: &str, text: &str) -> (Sources, Tree, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    sources.add(name, text);
    let (tree, mistakes) = parse(&sources);
    (sources, tree, mistakes)
}

/// A tree with every span taken out, so that two layouts of one flow compare equal.
fn bare(tree: &Tree) -> String {
    let printed = format!("{tree:?}");
    let mut out = String::with_capacity(printed.len());
    let mut rest = printed.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').expect("a printed span ends");
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}

fn told(sources: &Sources, mistakes: &[Diagnostic]) -> String {
    let mut out = String::new();
    for mistake in mistakes {
        writeln!(
            out,
            "{:?} {}: {}",
            mistake.severity, mistake.code, mistake.message
        )
        .expect("a string");
        for label in &mistake.labels {
            let place = sources.place(label.span);
            let file = sources.file(label.span.file);
            let column = file.column(label.span.start);
            writeln!(
                out,
                "  {place}:{column} [{}] {}",
                sources.text(label.span),
                label.text
            )
            .expect("a string");
        }
        for note in &mistake.notes {
            writeln!(out, "  {note}").expect("a string");
        }
        for fix in &mistake.fixes {
            writeln!(out, "  fix: {}", fix.title).expect("a string");
            for edit in &fix.edits {
                let (place, before) = (sources.place(edit.span), sources.text(edit.span));
                writeln!(out, "    {place} {before:?} -> {:?}", edit.replacement).expect("a string");
            }
        }
    }
    out
}

#[test]
fn every_mistake_is_told_as_its_golden_file_says() {
    for (name, text) in files() {
        let (sources, _, mistakes) = one(&name, &text);
        insta::with_settings!({
            snapshot_path => "flow/parse/snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name.as_str(), told(&sources, &mistakes));
        });
    }
}

#[test]
fn clean_files_are_told_nothing_and_already_have_their_layout() {
    for name in ["business.flow", "everything.flow", "shop.flow"] {
        let text = files()
            .into_iter()
            .find(|(file, _)| file == name)
            .expect("the file is there")
            .1;
        let (sources, _, mistakes) = one(name, &text);
        assert_eq!(told(&sources, &mistakes), "", "{name}");
        if name != "shop.flow" {
            assert_eq!(format(name, &text).as_ref(), Ok(&text), "{name}");
        }
    }
}

#[test]
fn pasted_text_parses_to_the_same_tree() {
    let find = |wanted: &str| {
        files()
            .into_iter()
            .find(|(name, _)| name == wanted)
            .expect("the file is there")
            .1
    };
    let (_, clean, mistakes) = one("shop.flow", &find("shop.flow"));
    assert_eq!(mistakes, []);
    let (_, pasted, mistakes) = one("shop.flow", &find("pasted.flow"));
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert_eq!(mistakes[0].code.as_str(), "F010");
    assert_eq!(bare(&pasted), bare(&clean));
    assert_eq!(
        format("pasted.flow", &find("pasted.flow")),
        format("shop.flow", &find("shop.flow"))
    );

    let windows = format!(
        "\u{FEFF}{}",
        find("shop.flow").replace('\n', "\r\n").replace("  ", "\u{A0}\t")
    );
    let (_, windows, _) = one("shop.flow", &windows);
    assert_eq!(bare(&windows), bare(&clean));
}

#[test]
fn a_fix_mends_the_mistake_it_is_offered_for() {
    for (name, text) in files() {
        let (_, _, mistakes) = one(&name, &text);
        for mistake in &mistakes {
            for fix in &mistake.fixes {
                let (mended, count) = fixes::apply([fix], FileId(0), &text);
                assert_eq!(count, 1, "{name}: {mistake:?}");
                let (_, _, left) = one(&name, &mended);
                let same = left
                    .iter()
                    .filter(|other| other.message == mistake.message)
                    .count();
                let before = mistakes
                    .iter()
                    .filter(|other| other.message == mistake.message)
                    .count();
                assert!(same < before, "{name}: {mistake:#?}\n{mended}");
            }
        }
    }
}

#[test]
fn the_formatter_sets_the_layout_and_keeps_texts_and_comments() {
    let written = "\u{FEFF}# The shop\nFLOW  shop   “Shop”\r\nstarts on \"hi\",\"hello\"   # greetings\nstep hello\n\
        \u{A0}say \"\"\"\n            One  \n\n              two\n      \"\"\"\n\n\n\n# which\nmenu“Which?”\n\"A\"   also\"b\",\"c\" → hello\n\
        \"B\"\nset x=1+2*(y-3)|short( 200 )\n# then\n-> flow order  tracking with a=[1,2]\nno reply in 10minutes->hello\n# end of it\nend\n\
        if not x is known\ndone\nelse\n-> again\nend\n# about the next\nstep two(was one)\ndone";
    let wanted = "\
# The shop
flow shop \"Shop\"
starts on \"hi\", \"hello\"  # greetings

step hello
  say \"\"\"
    One  \u{20}

      two
    \"\"\"

  # which
  menu \"Which?\"
    \"A\" also \"b\", \"c\" -> hello
    \"B\"
      set x = 1 + 2 * (y - 3) | short(200)
      # then
      -> flow order tracking with a = [1, 2]
    no reply in 10 minutes -> hello
    # end of it
  end
  if not x is known
    done
  else
    -> again
  end

# about the next
step two (was one)
  done
"
    .replace("One  \u{20}", "One  ");
    assert_eq!(format("shop.flow", written).expect("it can be read"), wanted);
}

#[test]
fn a_file_that_cannot_be_read_is_not_formatted() {
    let mistakes = format("x.flow", "flow x\nstep y\n   say Hello\n").expect_err("a text without quotes");
    assert_eq!(mistakes[0].code.as_str(), "F001");
}
