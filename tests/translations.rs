//! Flows in further languages: the files that translators write, what the checks say of them, and how the bot speaks.

mod story;

use story::Story;
use switchboard::flow::compile::{Compiled, compile};
use switchboard::flow::diagnostic::Code;
use switchboard::flow::source::{FileId, Sources};
use switchboard::flow::{blocks, render, strings};

const BUSINESS: &str = "\
business \"Kinini Shoes\"
languages en, pt

team support \"Customer care\"
";

const WELCOME: &str = "\
flow welcome
starts on \"hi\"

step hello
  say \"Hi {{ contact.name | default('there') }}!\"
  menu \"How can we help?\"
    \"Track my order\" also \"parcel\" -> handoff to support
    \"Nothing, thanks\" -> done
  end
";

const PORTUGUESE: &str = "\
start#words.1 954f0250  \"olá\", \"oi\"
hello#say.1 0ee0a5d6  \"Olá {{ contact.name | default('cliente') }}!\"
hello#ask.1 0c2d483c  \"Em que podemos ajudar?\"
hello#menu.1 5cfc182b  \"Seguir encomenda\" also \"pacote\"
hello#menu.2 19d32d8a  \"Nada, obrigado\"
";

fn compiled(strings: &str) -> (Sources, Compiled) {
    let mut sources = Sources::default();
    sources.add("business.flow", BUSINESS);
    sources.add("welcome.flow", WELCOME);
    sources.add("welcome.pt.strings", strings);
    let compiled = compile(&sources);
    (sources, compiled)
}

/// Code and line of each mistake, all of which are in the translations.
#[track_caller]
fn found(from: &str, to: &str) -> Vec<(Code, u32)> {
    assert!(PORTUGUESE.contains(from), "the sample has no {from:?} any more");
    let (sources, compiled) = compiled(&PORTUGUESE.replacen(from, to, 1));
    let found = compiled.diagnostics.iter().map(|found| {
        let place = sources.place(found.span());
        assert_eq!(
            place.file,
            "welcome.pt.strings",
            "{}",
            render::text(&sources, &compiled.diagnostics, false)
        );
        (found.code, place.line)
    });
    found.collect()
}

fn shop() -> Story {
    Story::new()
        .file("flows/business.flow", BUSINESS)
        .file("flows/welcome.flow", WELCOME)
}

#[test]
fn a_good_translation_has_nothing_to_mend_and_is_part_of_the_program() {
    let (sources, compiled) = compiled(PORTUGUESE);
    assert!(
        compiled.diagnostics.is_empty(),
        "{}",
        render::text(&sources, &compiled.diagnostics, false)
    );
    let program = compiled.program.expect("nothing to mend");
    assert_eq!(program.wordings.len(), 1);
    assert_eq!(program.wordings[0].texts.len(), 4);
    // Words that start a flow are understood from everybody.
    assert_eq!(program.starts.len(), 3);
}

#[test]
fn another_wording_is_another_program_with_the_same_places_to_wait() {
    let program = |strings: &str| compiled(strings).1.program.expect("nothing to mend");
    let (one, other) = (
        program(PORTUGUESE),
        program(&PORTUGUESE.replace("Nada, obrigado", "Não, obrigado")),
    );
    assert_ne!(one.hash, other.hash);
    let anchors = |program: &switchboard::flow::program::Program| -> Vec<String> {
        program.states.iter().map(|state| state.anchor.clone()).collect()
    };
    assert_eq!(anchors(&one), anchors(&other));
}

#[test]
fn a_button_that_is_too_long_in_one_language_is_drawn_with_its_source() {
    let (sources, compiled) =
        compiled(&PORTUGUESE.replace("\"Seguir encomenda\"", "\"Acompanhar a minha encomenda\""));
    assert_eq!(compiled.diagnostics.len(), 1);
    assert!(compiled.program.is_none());
    insta::assert_snapshot!(render::text(&sources, &compiled.diagnostics, false));
}

#[test]
fn what_only_a_list_can_show_makes_a_list_in_that_language() {
    // 23 characters: no button, but a row.
    assert_eq!(found("\"Seguir encomenda\"", "\"Acompanhar a encomenda!\""), []);
}

#[test]
fn each_mistake_of_a_translation_is_told_at_its_line() {
    for (from, to, expected) in [
        // F701: an empty text, and one without a line.
        ("\"Nada, obrigado\"", "\"\"", (Code::F701, 5)),
        // F702.
        (
            "Olá {{ contact.name | default('cliente') }}!",
            "Olá!",
            (Code::F702, 2),
        ),
        // F703: a synonym of one is the other's label; a number is another one's place.
        ("\"pacote\"", "\"nada, OBRIGADO\"", (Code::F703, 5)),
        ("\"pacote\"", "\"2\"", (Code::F703, 4)),
        // F704: marked, and of other words.
        ("0c2d483c", "0c2d483c stale", (Code::F704, 3)),
        ("0c2d483c", "00000000", (Code::F704, 3)),
        // F4xx and F5xx.
        (" | default('cliente')", "", (Code::F402, 2)),
        (
            "contact.name | default('cliente')",
            "contact.nam",
            (Code::F401, 2),
        ),
        ("default('cliente')", "defualt('cliente')", (Code::F502, 2)),
        (
            "{{ contact.name",
            "{% set x = 1 %}{{ contact.name",
            (Code::F503, 2),
        ),
        ("default('cliente') }}", "default( }}", (Code::F501, 2)),
        ("\"olá\"", "\"{{ olá }}\"", (Code::F501, 1)),
        // The form of the file.
        ("0c2d483c", "0c2d", (Code::F001, 3)),
        ("hello#ask.1", "hello", (Code::F001, 3)),
        ("\"Nada, obrigado\"", "Nada, obrigado", (Code::F001, 5)),
        ("\"Nada, obrigado\"", "\"Nada, obrigado", (Code::F003, 5)),
        ("also \"pacote\"", "also", (Code::F001, 4)),
        (
            "\"Em que podemos ajudar?\"",
            "\"Em que podemos\" ajudar?",
            (Code::F001, 3),
        ),
        ("hello#menu.2 19d32d8a", "hello#menu.1 5cfc182b", (Code::F006, 5)),
    ] {
        assert_eq!(found(from, to), [expected], "{from} → {to}");
    }
}

#[test]
fn many_missing_texts_are_one_warning() {
    let none = PORTUGUESE.lines().next().unwrap_or_default();
    let (_, compiled) = compiled(none);
    assert_eq!(compiled.diagnostics.len(), 1);
    let told = &compiled.diagnostics[0];
    assert_eq!(told.code, Code::F701);
    assert_eq!(told.message, "4 of 5 texts are missing in Portuguese");
    assert!(compiled.program.is_some(), "customers get the words of the flow");
}

#[test]
fn pasted_quotes_and_blanks_are_read_and_made_plain() {
    let pasted = PORTUGUESE
        .replace(
            "\"Olá {{ contact.name | default('cliente') }}!\"",
            "“Olá {{ contact.name | default(‘cliente’) }}!”",
        )
        .replace("\"pacote\"", "„pacote“")
        .replace("  \"", "\u{A0}\u{A0}\"")
        .replace('\n', "\r\n");
    let (sources, compiled) = compiled(&pasted);
    assert!(
        compiled.diagnostics.is_empty(),
        "{}",
        render::text(&sources, &compiled.diagnostics, false)
    );
    let plain = switchboard::flow::format::format("welcome.pt.strings", &pasted).expect("it can be read");
    let loose: String = plain
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(loose, PORTUGUESE);
    assert_eq!(
        switchboard::flow::format::format("welcome.pt.strings", &plain),
        Ok(plain.clone())
    );
}

#[test]
fn the_command_writes_a_file_with_a_place_for_each_text() {
    let shop = shop();
    shop.run(["strings", "pt"])
        .code(0)
        .stdout_has("flows/welcome.pt.strings: 5 texts to translate, 5 without a translation");
    let written = shop.read("flows/welcome.pt.strings");
    assert!(
        written.contains("\n# \"Track my order\" also \"parcel\"\nhello#menu.1 5cfc182b  \"\"\n"),
        "{written}"
    );
    shop.run(["strings", "pt", "--check"]).code(0).stdout("");
    shop.run(["check"])
        .code(0)
        .stdout_has("5 of 5 texts are missing in Portuguese");
    shop.run(["fmt", "--check"]).code(0).stdout("");
}

#[test]
fn written_anew_nothing_that_a_translator_wrote_is_lost() {
    let shop = shop()
        .file(
            "flows/welcome.pt.strings",
            &PORTUGUESE.replace(
                "hello#ask",
                "# Ask Ana whether this is polite enough.\n# \"How can we help?\"\nhello#ask",
            ),
        )
        .file(
            "flows/welcome.flow",
            &(WELCOME
                // Reworded, moved behind a new option, and gone.
                .replace("How can we help?", "What can we do for you?")
                .replace("    \"Track", "    \"Opening hours\" -> hours\n    \"Track")
                .replace("  say \"Hi {{ contact.name | default('there') }}!\"\n", "")
                + "\nstep hours\n  say \"Every day.\"\n  done\n"),
        );
    shop.run(["strings", "pt"])
        .code(0)
        .stdout_has("6 texts to translate, 2 without a translation, 1 to look at again, marked stale, 1 kept though nothing uses them");
    insta::assert_snapshot!(shop.read("flows/welcome.pt.strings"));
    shop.run(["strings", "pt", "--check"]).code(0);
    shop.run(["fmt", "--check"]).code(0);

    // The old words come back, and with them their translation.
    let shop = shop.file("flows/welcome.flow", WELCOME);
    shop.run(["strings", "pt"]).code(0);
    let written = shop.read("flows/welcome.pt.strings");
    assert!(written.contains("hello#say.1 0ee0a5d6  \"Olá {{"), "{written}");
    assert!(!written.contains("\nunused\n"), "{written}");
}

#[test]
fn a_renamed_step_and_a_text_that_moved_take_their_translation_along() {
    let renamed = WELCOME.replace("step hello", "step front door (was hello)");
    let shop = shop()
        .file("flows/welcome.pt.strings", PORTUGUESE)
        .file("flows/welcome.flow", &renamed);
    shop.run(["check", "--deny", "warnings"]).code(0);
    shop.run(["strings", "pt"])
        .code(0)
        .stdout_has("5 texts to translate\n");
    assert!(
        shop.read("flows/welcome.pt.strings")
            .contains("front_door#menu.2 19d32d8a  \"Nada, obrigado\"")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_not_written_over() {
    let broken = PORTUGUESE.replace("\"Nada, obrigado\"", "\"Nada, obrigado");
    let shop = shop().file("flows/welcome.pt.strings", &broken);
    shop.run(["strings", "pt"])
        .code(1)
        .stderr_has("welcome.pt.strings:5");
    assert_eq!(shop.read("flows/welcome.pt.strings"), broken);
}

#[test]
fn a_language_that_makes_no_sense_is_refused_with_a_sentence() {
    shop()
        .run(["strings", "portuguese!"])
        .code(2)
        .stderr_has("two or three letters");
    shop()
        .run(["strings", "en"])
        .code(2)
        .stderr_has("the flows are written in English");
    shop()
        .run(["strings", "es"])
        .code(0)
        .stderr_has("languages en, pt, es");
}

#[test]
fn mistakes_of_a_translation_are_told_in_every_format() {
    let shop = shop().file(
        "flows/welcome.pt.strings",
        &PORTUGUESE.replace("Seguir encomenda", "Acompanhar a minha encomenda"),
    );
    for format in ["text", "json", "sarif", "github", "narrated"] {
        shop.run(["check", "--format", format])
            .code(1)
            .stdout_has("welcome.pt.strings")
            .stdout_has("F302");
    }
}

#[test]
fn a_flow_named_alone_is_checked_with_its_translations() {
    let shop = shop().file(
        "flows/welcome.pt.strings",
        &PORTUGUESE.replace("Seguir encomenda", "Acompanhar a minha encomenda"),
    );
    shop.run(["check", "flows/business.flow", "flows/welcome.flow"])
        .code(1)
        .stdout_has("F302");
}

#[test]
fn a_conversation_in_another_language_reads_like_the_chat() {
    shop()
        .file(
            "flows/welcome.pt.strings",
            &PORTUGUESE.replace("\"Nada, obrigado\"", "\"\""),
        )
        .file(
            "flows/tests/pt.chat",
            "\
chat \"Missing words are those of the flow\"
  customer Rita, language pt

Rita: oi
Bot:   Olá Rita!
Bot:   Em que podemos ajudar?
       [Seguir encomenda] [Nothing, thanks]
Rita: seguir encomneda
(handed to support)

chat \"A customer of a language that the business doesn't speak is understood in the words of the flow\"
  customer Ana, language fr

Ana: hi
Bot:   Hi Ana!
Bot:   How can we help?
       [Track my order] [Nothing, thanks]
Ana: pacote
Bot:   Sorry, I didn't get that.
       [Track my order] [Nothing, thanks]
Ana: parcel
(handed to support)
",
        )
        .run(["test"])
        .code(0)
        .stdout_has("2 passed, 0 failed");
}

#[test]
fn the_options_of_a_template_are_its_buttons_in_every_language_that_it_is_approved_in() {
    const SHOP: &str = "\
business \"Kinini Shoes\"
languages en, pt
starts with visits

template visit_reminder utility
  en \"Hi {{ name }}, your visit is tomorrow.\"
  pt \"Olá {{ name }}, a sua visita é amanhã.\"
  button \"I'll be there\", \"Change it\"
  button pt \"Lá estarei\", \"Mudar\"
end

team support \"Customer care\"
";
    const VISITS: &str = "\
flow visits
starts on \"visit\"

step remind
  menu template visit_reminder with name = contact.name | default(\"there\")
    \"I'll be there\" -> done
    \"Change it\" -> handoff to support
  end
";
    const TEXTS: &str = "\
start#words.1 05531e63  \"visita\"
remind#menu.1 5b624414  \"Lá estarei\"
remind#menu.2 b9a92595  \"Mudar\"
";
    let found = |business: &str, texts: &str| {
        let mut sources = Sources::default();
        sources.add("business.flow", business);
        sources.add("visits.flow", VISITS);
        sources.add("visits.pt.strings", texts);
        sources.add("business.pt.strings", "support#title.1 ebe808eb  \"Apoio\"\n");
        let compiled = compile(&sources);
        let told = compiled.diagnostics.iter().map(|told| {
            let place = sources.place(told.span());
            (told.code, place.file, place.line)
        });
        let told: Vec<_> = told.collect();
        (told, compiled)
    };
    let at = |file: &str, line: u32| vec![(Code::F305, file.to_owned(), line)];
    let (told, compiled) = found(SHOP, TEXTS);
    assert_eq!(told, []);
    let template = &compiled.program.expect("nothing to mend").business.templates[0];
    assert_eq!(
        template.further_buttons,
        [("pt".to_owned(), vec!["Lá estarei".to_owned(), "Mudar".to_owned()])]
    );

    let strings = "visits.pt.strings";
    // Another word, one that is nearly right, and the buttons in another order.
    let (told, compiled) = found(SHOP, &TEXTS.replace("Mudar", "Alterar"));
    assert_eq!(told, at(strings, 3));
    assert_eq!(
        compiled.diagnostics[0].message,
        "the Portuguese options are not the template's buttons"
    );
    let (told, compiled) = found(SHOP, &TEXTS.replace("estarei", "estare"));
    assert_eq!(told, at(strings, 2));
    assert!(!compiled.diagnostics[0].fixes.is_empty());
    let turned = TEXTS
        .replace("Mudar", "x")
        .replace("Lá estarei", "Mudar")
        .replace("\"x\"", "\"Lá estarei\"");
    assert_eq!(found(SHOP, &turned).0, at(strings, 2));
    // Approved with the same buttons everywhere: translating them promises what nobody sees.
    let plain = SHOP.replace("  button pt \"Lá estarei\", \"Mudar\"\n", "");
    assert_eq!(found(&plain, TEXTS).0, at(strings, 2));
    let english = TEXTS
        .replace("Lá estarei", "I'll be there")
        .replace("Mudar", "Change it");
    assert_eq!(found(&plain, &english).0, []);
    // It isn't approved in Portuguese: it goes out in English, whatever the flow's options are called.
    let without = plain.replace("  pt \"Olá {{ name }}, a sua visita é amanhã.\"\n", "");
    assert_eq!(found(&without, TEXTS).0, []);
    // Buttons in a language without a text, and one too few.
    let lost = SHOP.replace("  pt \"Olá {{ name }}, a sua visita é amanhã.\"\n", "");
    assert_eq!(found(&lost, TEXTS).0, at("business.flow", 8));
    let few = SHOP.replace("\"Lá estarei\", \"Mudar\"", "\"Lá estarei\"");
    assert_eq!(found(&few, TEXTS).0, at("business.flow", 9));
}

#[test]
fn a_button_of_a_template_has_its_limit_in_every_language() {
    let shop = |label: &str| {
        let mut sources = Sources::default();
        sources.add(
            "business.flow",
            format!(
                "business \"Shoes\"\nlanguages en, pt\nstarts with visits\n\ntemplate reminder utility\n  en \"Tomorrow.\"\n  pt \"Amanhã.\"\n  button \"I'll be there\"\n  button pt \"{label}\"\nend\n\nteam support \"Care\"\n\non \"agent\" -> handoff to support\n"
            ),
        );
        sources.add(
            "visits.flow",
            "flow visits\nstarts on \"visit\"\n\nstep remind\n  menu template reminder\n    \"I'll be there\" -> done\n  end\n",
        );
        sources.add(
            "visits.pt.strings",
            format!("start#words.1 05531e63  \"visita\"\nremind#menu.1 5b624414  \"{label}\"\n"),
        );
        sources.add(
            "business.pt.strings",
            "support#title.1 00000000  \"Apoio\"\non_agent#words.1 ed461387  \"agente\"\n",
        );
        let compiled = compile(&sources);
        let told = compiled.diagnostics.iter();
        told.filter(|told| told.code != Code::F704)
            .map(|told| (told.code, sources.place(told.span()).file))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shop("Lá estarei de certeza, sim"),
        [(Code::F302, "visits.pt.strings".to_owned())]
    );
    assert_eq!(shop("Lá estarei"), []);
}

/// A flow's name and text, and its Portuguese words by key.
type Translated<'t> = (&'t str, &'t str, &'t [(&'t str, &'t str)]);

/// What is found of words that open things (F110, F111, F112).
fn openings(flows: &[Translated]) -> Vec<(Code, String)> {
    let mut sources = Sources::default();
    sources.add("business.flow", BUSINESS);
    for (name, text, _) in flows {
        sources.add(format!("{name}.flow"), *text);
    }
    let (tree, _) = blocks::parse(&sources);
    for (index, (name, _, words)) in flows.iter().enumerate() {
        let file = FileId(u16::try_from(index + 1).unwrap());
        let mut text = strings::write::rewritten(&sources, &tree, file, "pt", None).text;
        for (key, said) in *words {
            let at = text
                .find(&format!("\n{key} "))
                .unwrap_or_else(|| panic!("{text} has no {key}"));
            let empty = at + text[at..].find("\"\"").unwrap();
            text.replace_range(empty..empty + 2, said);
        }
        sources.add(format!("{name}.pt.strings"), text);
    }
    let openings = [Code::F110, Code::F111, Code::F112];
    let compiled = compile(&sources);
    let found = compiled.diagnostics.iter();
    found
        .filter(|found| openings.contains(&found.code))
        .map(|found| {
            let first = sources.text(found.span()).to_owned();
            (
                found.code,
                format!("{}: {first}", sources.place(found.span()).file),
            )
        })
        .collect()
}

const RETURNS: &str = "flow returns\nstarts on \"return\"\n\nstep hello\n  say \"Bring it back.\"\n  done\n";

#[test]
fn two_flows_on_the_same_words_of_a_further_language_are_found() {
    let welcome = |words: &'static [(&'static str, &'static str)]| ("welcome", WELCOME, words);
    let start = "start#words.1";
    assert_eq!(
        openings(&[
            welcome(&[("start#words.1", "\"olá\", \"voltar\"")]),
            ("returns", RETURNS, &[(start, "\"devolver\", \"Voltar\"")]),
        ]),
        [(Code::F110, "returns.pt.strings: \"Voltar\"".to_owned())]
    );
    // What is left empty is no word.
    assert_eq!(
        openings(&[
            welcome(&[("start#words.1", "\"olá\", \"\"")]),
            ("returns", RETURNS, &[(start, "\"devolver\", \"\"")]),
        ]),
        []
    );
    // A translation and the other flow's own word: who speaks Portuguese may write both.
    assert_eq!(
        openings(&[
            welcome(&[("start#words.1", "\"olá\", \"return\"")]),
            ("returns", RETURNS, &[(start, "\"devolver\"")]),
        ]),
        [(Code::F110, "returns.flow: \"return\"".to_owned())]
    );
    // What is wrong in the flows themselves is said once.
    let twice = RETURNS.replace("\"return\"", "\"hi\"");
    assert_eq!(
        openings(&[
            welcome(&[("start#words.1", "\"olá\"")]),
            ("returns", &twice, &[(start, "\"devolver\"")]),
        ]),
        [(Code::F110, "returns.flow: \"hi\"".to_owned())]
    );
    assert_eq!(
        openings(&[
            welcome(&[("start#words.1", "\"olá\", \"hi\"")]),
            ("returns", RETURNS, &[(start, "\"return\"")]),
        ]),
        []
    );
}

#[test]
fn an_option_that_means_something_else_at_other_times_in_a_further_language_is_found() {
    let shop = "flow shop\nstarts on \"shop\"\n\nstep hello\n  menu \"What now?\"\n    \"Bring back\" -> counter\n    \"Sizes\" -> counter\n  end\n\nstep counter\n  say \"Come in.\"\n  done\n\non \"size guide\"\n  say \"Measure heel to toe.\"\n  resume\n";
    let with = |back: &'static str, sizes: &'static str| {
        openings(&[
            (
                "shop",
                shop,
                &[
                    ("hello#menu.1", back),
                    ("hello#menu.2", sizes),
                    ("on_size_guide#words.1", "\"tamanhos\""),
                ],
            ),
            ("returns", RETURNS, &[("start#words.1", "\"devolver\"")]),
        ])
    };
    assert_eq!(with("\"Trazer\"", "\"Medidas\""), []);
    assert_eq!(
        with("\"Devolver\"", "\"Medidas\""),
        [(Code::F111, "shop.pt.strings: \"Devolver\"".to_owned())]
    );
    assert_eq!(
        with("\"Trazer\" also \"devolver\"", "\"Medidas\""),
        [(Code::F111, "shop.pt.strings: \"devolver\"".to_owned())]
    );
    assert_eq!(
        with("\"Trazer\"", "\"Tamanhos\""),
        [(Code::F112, "shop.pt.strings: \"Tamanhos\"".to_owned())]
    );
}
