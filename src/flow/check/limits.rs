//! What WhatsApp takes: how many options (F301), how long texts (F302), what goes together (F304). Figures come from
//! the provider's table ([`crate::message::Limits`]).

use super::Shop;
use super::texts::Samples;
use super::values::has_blanks;
use super::walk::{self, Role};
use crate::flow::diagnostic::{Code, Diagnostic, Severity};
use crate::flow::source::Span;
use crate::flow::tree::{Question, QuestionWord, Say, SendFile, StmtKind, Text};
use crate::message::{Limits, MediaKind, measure};

pub(super) fn check<'t>(shop: &Shop<'t>, samples: &Samples<'t, '_>, found: &mut Vec<Diagnostic>) {
    walk::statements(shop.tree, |home, stmt| {
        let question = match &stmt.kind {
            StmtKind::Question(question) => Some(question.as_ref()),
            _ => None,
        };
        walk::texts(stmt, &mut |role, text| {
            length(shop, samples, home.flow, role, question, text, found);
            if text.source.trim().is_empty() && role != Role::Value && role != Role::Note {
                found.push(empty(text, role));
            }
        });
        match &stmt.kind {
            // What a template shows was fixed when it was approved.
            StmtKind::Question(question) if question.by_template().is_none() => {
                counts(shop, stmt.span, question, found);
                combinations(stmt.span, question, found);
            }
            StmtKind::Say(say) => said(shop, say, found),
            StmtKind::SendFile(file) => sent(shop, file, found),
            _ => {}
        }
    });
    for (role, text) in walk::default_texts(shop.tree) {
        length(shop, samples, None, role, None, text, found);
    }
}

// ───────── F302 ─────────

/// Characters of a quick reply on a template.
const TEMPLATE_BUTTON: usize = 25;

/// How a question will look.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Buttons,
    List,
}

/// `menu` becomes a list where buttons don't do but a list does.
fn form(question: &Question, limits: &Limits, labels: Labels) -> Form {
    match question.word {
        QuestionWord::Buttons | QuestionWord::Ask | QuestionWord::Gather => Form::Buttons,
        QuestionWord::Menu if question.options.iter().any(|option| option.each.is_some()) => Form::List,
        QuestionWord::List => Form::List,
        QuestionWord::Menu => {
            let lengths = || {
                let shown = question
                    .options
                    .iter()
                    .map(|option| labels(&option.label).unwrap_or(&option.label));
                let fixed = shown.filter(|label| !has_blanks(label));
                fixed.map(|label| measure(&label.source).scalars)
            };
            let only_list_fits = lengths().any(|length| length > limits.button_label)
                && lengths().all(|length| length <= limits.row_label);
            if question.options.len() > limits.buttons
                || question.open.is_some()
                || question
                    .options
                    .iter()
                    .any(|option| option.hint.is_some() || option.section.is_some())
                || only_list_fits
            {
                Form::List
            } else {
                Form::Buttons
            }
        }
    }
}

/// The limit of a text, with the words for it: "buttons take".
pub(super) fn limit(
    shop: &Shop,
    role: Role,
    question: Option<&Question>,
    labels: Labels,
) -> Option<(usize, &'static str, &'static str)> {
    let limits = shop.limits;
    Some(match role {
        Role::Say | Role::PlainPrompt => (limits.text, "a message", "messages take"),
        Role::LinkBody => (
            limits.question,
            "a message with a link",
            "with a link button it may have",
        ),
        Role::Prompt => (limits.question, "a question", "with options it may have"),
        Role::LinkLabel => (limits.link_label, "a link button", "link buttons take"),
        Role::Header => (limits.header, "a header", "headers take"),
        Role::Footer => (limits.footer, "a footer", "footers take"),
        Role::Open => (limits.list_button, "the button of a list", "list buttons take"),
        Role::Section => (limits.section_label, "a section's title", "section titles take"),
        Role::Hint => (limits.row_hint, "a hint", "hints take"),
        Role::Label if question.is_some_and(|question| question.by_template().is_some()) => {
            (TEMPLATE_BUTTON, "a button of a template", "they take")
        }
        Role::Label => match question.map_or(Form::Buttons, |question| form(question, limits, labels)) {
            Form::Buttons => (limits.button_label, "a button", "buttons take"),
            Form::List => (limits.row_label, "a row", "rows take"),
        },
        Role::Caption => (limits.caption, "a caption", "captions take"),
        Role::LinkUrl | Role::FileName | Role::Note | Role::Value => return None,
    })
}

fn length<'t>(
    shop: &Shop<'t>,
    samples: &Samples<'t, '_>,
    flow: Option<usize>,
    role: Role,
    question: Option<&Question>,
    text: &'t Text,
    found: &mut Vec<Diagnostic>,
) {
    let as_written = |_: &Text| None;
    let Some(too_long) = too_long(shop, samples, flow, role, question, text, &as_written) else {
        return;
    };
    let diagnostic = too_long.told(text.span, None, excerpt);
    found.push(diagnostic.note(advice(
        shop.limits,
        role,
        question,
        &as_written,
        too_long.severity,
    )));
}

/// A text beyond its limit.
pub(super) struct TooLong {
    pub severity: Severity,
    /// "a button".
    what: &'static str,
    takes: &'static str,
    limit: usize,
    count: usize,
    /// Unicode scalars, if only emoji that count double are too many.
    scalars: usize,
    /// The text with typical values in its blanks.
    filled: Option<String>,
}

impl TooLong {
    /// What is said about it, before any advice. `language`: of a translation.
    pub fn told(&self, at: Span, language: Option<&str>, excerpt: fn(&str) -> String) -> Diagnostic {
        let is = match self.severity {
            Severity::Error => "is",
            Severity::Warning | Severity::Hint => "may be",
        };
        let within = language.map_or_else(String::new, |language| format!(" in {language}"));
        let message = format!("{} {is} too long{within}", self.what);
        let told = Diagnostic::new(Code::F302, at, message, self.label()).severity(self.severity);
        match &self.filled {
            Some(shown) => told.note(format!(
                "Filled in with typical values it reads: {}",
                excerpt(shown)
            )),
            None => told,
        }
    }

    fn label(&self) -> String {
        let TooLong {
            takes, limit, count, ..
        } = self;
        match self.severity {
            Severity::Error => format!("{count} characters, {takes} {limit}"),
            Severity::Warning | Severity::Hint => format!(
                "{} characters, but {count} if emoji count double; {takes} {limit}",
                self.scalars
            ),
        }
    }
}

/// The words that stand for an option's label: its translation, or nothing for its own.
pub(super) type Labels<'a, 't> = &'a dyn Fn(&Text) -> Option<&'t Text>;

/// Measures a text as customers read it.
pub(super) fn too_long<'t>(
    shop: &Shop<'t>,
    samples: &Samples<'t, '_>,
    flow: Option<usize>,
    role: Role,
    question: Option<&Question>,
    text: &'t Text,
    labels: Labels<'_, 't>,
) -> Option<TooLong> {
    let (limit, what, takes) = limit(shop, role, question, labels)?;
    // A text can't have more characters than bytes.
    let blanks = has_blanks(text);
    if !blanks && text.source.len() <= limit {
        return None;
    }
    let filled = if blanks {
        // Even with a long value in every blank it fits.
        if text.source.len() + text.source.matches('{').count() * 64 <= limit {
            return None;
        }
        // What fails is said once, by F501-F504.
        Some(samples.fill(flow, text).ok()?)
    } else {
        None
    };
    let measured = measure(filled.as_ref().unwrap_or(&text.source));
    let (count, severity) = if measured.scalars > limit {
        (measured.scalars, Severity::Error)
    } else if measured.utf16 > limit {
        (measured.utf16, Severity::Warning)
    } else {
        return None;
    };
    Some(TooLong {
        severity,
        what,
        takes,
        limit,
        count,
        scalars: measured.scalars,
        filled,
    })
}

fn excerpt(text: &str) -> String {
    crate::message::clip(text, 120).replace('\n', " ")
}

/// The same advice for a translation: a question's form is changed where the flow stands.
pub(super) fn advice_for(
    shop: &Shop,
    role: Role,
    question: Option<&Question>,
    labels: Labels,
    severity: Severity,
) -> String {
    let limits = shop.limits;
    let shown_as_buttons = |question: &&Question| form(question, limits, labels) == Form::Buttons;
    let buttons = question.filter(shown_as_buttons).filter(|_| role == Role::Label);
    let word = match buttons.map(|question| question.word) {
        Some(QuestionWord::Buttons) => "buttons",
        Some(QuestionWord::Menu | QuestionWord::List) => "menu",
        Some(QuestionWord::Ask | QuestionWord::Gather) | None => "",
    };
    match buttons {
        Some(question) if severity == Severity::Error && !word.is_empty() => format!(
            "Shorten it, or write `list` instead of `{word}` in {}\n(rows take {} characters and a hint of {}).",
            shop.sources.place(question.block),
            limits.row_label,
            limits.row_hint
        ),
        Some(_) | None => advice(limits, role, question, labels, severity),
    }
}

fn advice(
    limits: &Limits,
    role: Role,
    question: Option<&Question>,
    labels: Labels,
    severity: Severity,
) -> String {
    if severity != Severity::Error {
        return format!(
            "{} doesn't say how it counts emoji; it may refuse the message. Shorten it to be sure.",
            limits.provider
        );
    }
    let provider = limits.provider;
    match role {
        Role::Label => {
            let rows = format!(
                "(rows take {} characters and a hint of {})",
                limits.row_label, limits.row_hint
            );
            let cut =
                format!("{provider} refuses the whole message, so the customer would not be asked at all.");
            match question.map(|question| question.word) {
                Some(QuestionWord::Menu | QuestionWord::Buttons)
                    if question.is_some_and(|question| form(question, limits, labels) == Form::Buttons) =>
                {
                    format!("{cut}\nShorten it, or write `list` and put the rest into a hint\n{rows}.")
                }
                Some(QuestionWord::Menu | QuestionWord::List) => {
                    format!("{cut}\nShorten it and put the rest into a hint:  \"Label\" hint \"…\"  {rows}.")
                }
                Some(QuestionWord::Buttons | QuestionWord::Ask | QuestionWord::Gather) | None => {
                    format!("{cut}\nShorten it.")
                }
            }
        }
        Role::Prompt => format!(
            "{provider} refuses the whole message, so the customer would not be asked at all.\nSend the first part with `say` above the question."
        ),
        Role::LinkBody => {
            format!("{provider} refuses the whole message. Send the first part with a `say` of its own.")
        }
        Role::Say | Role::PlainPrompt => format!("{provider} refuses longer messages. Split it into two."),
        Role::Hint
        | Role::Header
        | Role::Footer
        | Role::Open
        | Role::Section
        | Role::LinkLabel
        | Role::LinkUrl
        | Role::Caption
        | Role::FileName
        | Role::Note
        | Role::Value => {
            format!("{provider} refuses the whole message, so the customer would see nothing. Shorten it.")
        }
    }
}

fn empty(text: &Text, role: Role) -> Diagnostic {
    let what = match role {
        Role::Label => "an option needs a label",
        Role::Section => "a section needs a title",
        Role::Header
        | Role::Footer
        | Role::Hint
        | Role::Open
        | Role::LinkLabel
        | Role::Caption
        | Role::FileName => "this text can't be empty",
        Role::LinkUrl => "a link needs an address",
        Role::Say | Role::LinkBody | Role::Prompt | Role::PlainPrompt | Role::Note | Role::Value => {
            "a message can't be empty"
        }
    };
    Diagnostic::new(Code::F304, text.span, what, "nothing is written here")
        .note("WhatsApp refuses messages with empty parts, so the customer would see nothing.")
}

/// What WhatsApp shows beside a file depends on its kind.
fn sent(shop: &Shop, file: &SendFile, found: &mut Vec<Diagnostic>) {
    let provider = shop.limits.provider;
    let mut refuse = |at: Span, message: String, advice: &str| {
        found.push(
            Diagnostic::new(Code::F304, at, message, format!("{provider} doesn't show it")).note(advice),
        );
    };
    let kind = crate::flow::spell::media_kind(file.kind);
    let captioned = match file.kind {
        MediaKind::Photo | MediaKind::Video | MediaKind::Document => true,
        MediaKind::Voice | MediaKind::Audio | MediaKind::Sticker => false,
    };
    if let Some(caption) = file.caption.as_ref().filter(|_| !captioned) {
        let advice = "Say it in a message of its own, before or after the file.";
        refuse(caption.span, format!("a {kind} has no caption"), advice);
    }
    if let Some(named) = file.named.as_ref().filter(|_| file.kind != MediaKind::Document) {
        let advice = "Only documents show a name. Leave it out, or send the file as a document.";
        refuse(named.span, format!("a {kind} has no name"), advice);
    }
}

// ───────── F301 ─────────

fn counts(shop: &Shop, at: Span, question: &Question, found: &mut Vec<Diagnostic>) {
    let limits = shop.limits;
    let count = question.options.len();
    if count == 0 {
        if !super::paths::takes_typed_answers(question) {
            found.push(
                Diagnostic::new(
                    Code::F301,
                    at,
                    "this question has no options",
                    "nothing to tap follows",
                )
                .note(
                    "The customer could not answer. Add options under it, or write `ask` for a typed answer.",
                ),
            );
        }
        return;
    }
    let (most, what) = match question.word {
        QuestionWord::Buttons => (limits.buttons, "buttons"),
        QuestionWord::Ask => (limits.buttons, "buttons under an `ask`"),
        QuestionWord::Gather if finishes(question) => {
            (limits.buttons - 1, "buttons beside the one that finishes")
        }
        QuestionWord::Gather => (limits.buttons, "buttons under a `gather`"),
        // Besides the rows from data there is room for one at least, and for the one that leads on.
        QuestionWord::Menu | QuestionWord::List if question.more.is_some() => {
            (limits.rows - 1, "options beside rows from data")
        }
        QuestionWord::Menu | QuestionWord::List => (limits.rows, "options"),
    };
    if let Some(extra) = question.options.get(most) {
        let advice = match question.word {
            QuestionWord::Buttons => format!(
                "{} refuses the whole message. Write `list` instead of `buttons`: it takes {} rows.",
                limits.provider, limits.rows
            ),
            QuestionWord::Ask | QuestionWord::Gather => format!(
                "{} shows at most {most} buttons. Ask with `list` first, and for the typed answer in a step of its own.",
                limits.provider
            ),
            QuestionWord::Menu | QuestionWord::List => format!(
                "{} refuses the whole message. Put the rest behind an option  \"More\" -> more  with a list of its own.",
                limits.provider
            ),
        };
        found.push(
            Diagnostic::new(
                Code::F301,
                extra.label.span,
                format!("{count} {what} are too many"),
                format!("{} takes {most}; this is number {}", limits.provider, most + 1),
            )
            .label(at, "this question")
            .note(advice),
        );
    }
    let mut sections: Vec<&Text> = Vec::new();
    for section in question
        .options
        .iter()
        .filter_map(|option| option.section.as_ref())
    {
        if sections.last().is_none_or(|last| last.span != section.span) {
            sections.push(section);
        }
    }
    if let Some(extra) = sections.get(limits.sections) {
        found.push(Diagnostic::new(
            Code::F301,
            extra.span,
            format!("{} sections are too many", sections.len()),
            format!("{} takes {}", limits.provider, limits.sections),
        ));
    }
}

/// A button ends it.
fn finishes(question: &Question) -> bool {
    question.finish.as_ref().is_some_and(|finish| finish.on.is_some())
}

// ───────── F304 ─────────

fn combinations(at: Span, question: &Question, found: &mut Vec<Diagnostic>) {
    // A form has a header, a footer and a button of its own.
    if question.form.is_some() {
        return;
    }
    let mut refuse = |span: Span, message: &str, label: &str, note: &str| {
        found.push(Diagnostic::new(Code::F304, span, message, label).note(note));
    };
    if question.options.is_empty() && !finishes(question) {
        for (text, what) in [(&question.header, "header"), (&question.footer, "footer")] {
            if let Some(text) = text {
                refuse(
                    text.span,
                    &format!("a plain question has no {what}"),
                    "WhatsApp shows it only with buttons, a list or a link",
                    "Put it into the question's own words.",
                );
            }
        }
    }
    if matches!(
        question.word,
        QuestionWord::Buttons | QuestionWord::Ask | QuestionWord::Gather
    ) {
        let word = if question.word != QuestionWord::Buttons {
            "the buttons of such a question"
        } else {
            "buttons"
        };
        if let Some(open) = &question.open {
            refuse(
                open.span,
                "only a list has a button that opens it",
                &format!("{word} are shown at once"),
                "Write `list`, or leave this line out.",
            );
        }
        for option in &question.options {
            if let Some(hint) = &option.hint {
                refuse(
                    hint.span,
                    "a button can't show a hint",
                    "only rows of a list have hints",
                    "Write `list`, or leave the hint out.",
                );
            }
        }
        if let Some(section) = question.options.iter().find_map(|option| option.section.as_ref()) {
            refuse(
                section.span,
                "buttons can't stand in sections",
                "only rows of a list can",
                "Write `list`, or leave the section out.",
            );
        }
        return;
    }
    // With more than one section WhatsApp wants a title for each.
    let titled = question.options.iter().find_map(|option| option.section.as_ref());
    if let (Some(section), Some(bare)) = (
        titled,
        question.options.iter().find(|option| option.section.is_none()),
    ) {
        found.push(
            Diagnostic::new(
                Code::F304,
                bare.label.span,
                "a row without a section in a list with sections",
                "this row stands before the first section",
            )
            .label(section.span, "the sections begin here")
            .label(at, "in this list")
            .note("WhatsApp refuses lists in which only some rows have a section. Put a `section` line above it."),
        );
    }
}

fn said(shop: &Shop, say: &Say, found: &mut Vec<Diagnostic>) {
    match &say.link {
        None => {
            for (text, what) in [(&say.header, "header"), (&say.footer, "footer")] {
                if let Some(text) = text {
                    found.push(
                        Diagnostic::new(
                            Code::F304,
                            text.span,
                            format!("a plain message has no {what}"),
                            "WhatsApp shows it only with buttons, a list or a link",
                        )
                        .note("Put it into the message's own words, or add a link."),
                    );
                }
            }
        }
        Some(link) => {
            let address = link.url.source.trim();
            let begins = ["https://", "http://", "{{"]
                .iter()
                .any(|start| address.starts_with(start));
            if !begins && !address.is_empty() {
                let mut diagnostic = Diagnostic::new(
                    Code::F304,
                    link.url.span,
                    "a link button needs a web address",
                    "web addresses begin with https://",
                )
                .note(format!(
                    "{} refuses the whole message otherwise.",
                    shop.limits.provider
                ));
                if address.contains('.') && !address.contains([' ', ':']) {
                    let mended = format!("\"https://{address}\"");
                    diagnostic = diagnostic.fix(mended.clone(), link.url.span, mended);
                }
                found.push(diagnostic);
            }
        }
    }
}
