//! What is wrong in a configuration file: where, what, and what to do.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Mistakes of one file, drawn as the compiler draws those of flows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.drawn())]
pub struct ConfigError {
    pub path: String,
    pub text: String,
    pub mistakes: Vec<Mistake>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Bytes of the file; `None` if it is about something that is missing, or about the whole file.
    pub span: Option<Range<usize>>,
    pub says: String,
    /// What to do.
    pub help: String,
}

impl ConfigError {
    /// Line of the file, from 1.
    pub fn line(&self, mistake: &Mistake) -> Option<usize> {
        let span = mistake.span.as_ref()?;
        Some(self.text.get(..span.start)?.matches('\n').count() + 1)
    }

    fn drawn(&self) -> String {
        let draw = |mistake| Renderer::plain().render(&[self.group(mistake)]);
        self.mistakes.iter().map(draw).collect::<Vec<_>>().join("\n\n")
    }

    fn group<'a>(&'a self, mistake: &'a Mistake) -> Group<'a> {
        let title = Level::ERROR.primary_title(&mistake.says);
        let drawn = match &mistake.span {
            Some(span) => title.element(
                Snippet::source(&self.text)
                    .path(&self.path)
                    .annotation(AnnotationKind::Primary.span(span.clone())),
            ),
            None => title.element(annotate_snippets::Origin::path(&self.path)),
        };
        if mistake.help.is_empty() {
            drawn
        } else {
            drawn.element(Level::HELP.message(&mistake.help))
        }
    }
}
