//! One mistake, as data: what is wrong, where, why it matters to the customer, and what to do.
//!
//! The same value is drawn in the terminal, written as JSON, and later shown by editors. Sentences about a mistake
//! are made where it is found; how they are drawn is decided in [`super::render`].

use serde::Serialize;

use super::source::Span;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Hint,
    Warning,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    /// Usually the code's own; some checks are an error above a limit and a warning near it.
    pub severity: Severity,
    /// One line, in words: "this question is never closed".
    pub message: String,
    /// The first is the place of the mistake; others are evidence.
    pub labels: Vec<Label>,
    /// Why it matters to the customer, and what can be written instead. Each may have several lines.
    pub notes: Vec<String>,
    pub fixes: Vec<Fix>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// A change that mends the mistake; applied by people or editors, never by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does: "put `end` between lines 11 and 12", or the new text itself.
    pub title: String,
    pub edits: Vec<Edit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub replacement: String,
}

impl Diagnostic {
    pub fn new(code: Code, span: Span, message: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: vec![Label {
                span,
                text: label.into(),
            }],
            notes: Vec::new(),
            fixes: Vec::new(),
        }
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    pub fn fix(mut self, title: impl Into<String>, span: Span, replacement: impl Into<String>) -> Diagnostic {
        self.fixes.push(Fix {
            title: title.into(),
            edits: vec![Edit {
                span,
                replacement: replacement.into(),
            }],
        });
        self
    }

    pub fn severity(mut self, severity: Severity) -> Diagnostic {
        self.severity = severity;
        self
    }

    /// Where the mistake is.
    pub fn span(&self) -> Span {
        self.labels[0].span
    }
}

macro_rules! codes {
    ($($code:ident $severity:ident $title:literal,)*) => {
        /// Stable names of the checks. Each has its page: `switchboard explain F302`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code { $(#[doc = $title] $code,)* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$code,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$code => stringify!($code),)* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Code::$code => Severity::$severity,)* }
            }

            /// What the check looks for, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$code => $title,)* }
            }
        }

        impl std::str::FromStr for Code {
            type Err = ();
            fn from_str(text: &str) -> Result<Code, ()> {
                $(if text.eq_ignore_ascii_case(stringify!($code)) { return Ok(Code::$code); })*
                Err(())
            }
        }
    };
}

codes! {
    F001 Error "a line that can't be read",
    F002 Error "a block that is not closed, or an `end` too many",
    F003 Error "a text that is not closed",
    F004 Error "an unknown word",
    F005 Error "a line in the wrong place",
    F006 Error "a clause written twice",
    F007 Error "a file that is neither a flow nor the business file",
    F008 Error "a number, duration, date or time that makes no sense",
    F010 Warning "a layout that disagrees with the blocks",
    F101 Error "no such step",
    F102 Error "no such flow",
    F103 Error "no such team",
    F104 Error "no such service or action",
    F105 Error "no such topic or knowledge",
    F106 Error "no such template or form",
    F107 Error "a step, flow, team or field defined twice",
    F108 Error "a name that is reserved",
    F109 Error "arguments that don't match what the action needs",
    F110 Error "two flows that start on the same words",
    F111 Warning "a start word that is also an option leading elsewhere",
    F112 Warning "an `on` word that equals an option in its scope",
    F113 Error "a plan that nobody makes",
    F201 Error "a loose end",
    F202 Warning "a step that is never reached",
    F203 Error "a loop without a question",
    F204 Error "something that waits where nothing may wait",
    F205 Error "sub-flows that call each other in a circle",
    F206 Warning "lines that never run",
    F207 Warning "two options that do the same",
    F208 Warning "more than five messages in a row without a question",
    F209 Hint "a flow without a way to a person",
    F301 Error "too many options",
    F302 Error "a text that is too long for WhatsApp",
    F303 Error "two options that read the same",
    F304 Error "a combination that WhatsApp can't send",
    F305 Error "a template that is used otherwise than it was approved",
    F310 Error "a message where the 24-hour window may be closed",
    F311 Warning "a promotion without consent",
    F312 Warning "promotions that nobody can end",
    F401 Error "an unknown value",
    F402 Error "a value that may not be known here",
    F403 Error "types that don't fit",
    F404 Error "a contact field that is not declared",
    F405 Warning "a value that is never used",
    F406 Error "a private answer that is sent, remembered or noted",
    F501 Error "a blank that can't be read",
    F502 Error "an unknown filter",
    F503 Error "a statement inside a text that only flows may use",
    F504 Error "a text that fails when it is filled in",
    F601 Warning "a call whose failure nobody has an answer to",
    F602 Error "an action that changes something, within a model's reach",
    F603 Error "an address outside its service",
    F604 Warning "a timeout longer than a customer waits",
    F701 Warning "a text that is missing in a language",
    F702 Warning "a translation that lost a blank",
    F703 Warning "a translated option that equals another one",
    F704 Warning "a translation of words that have changed",
    F705 Warning "a translation of nothing",
    F801 Warning "people who wait in a step that this version removes or changes",
    F802 Error "a `(was …)` that names a step that is still there",
    F803 Warning "an option that people have on their screens and that is gone",
    F804 Warning "a field of contacts that has another type now",
    F901 Warning "a step that no conversation test comes to",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
