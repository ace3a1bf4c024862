//! The front door of the language: sources in, a program or explained mistakes out.

use super::diagnostic::{Diagnostic, Severity};
use super::program::Program;
use super::source::Sources;
use super::{blocks, check, lower};

/// What came of compiling.
#[derive(Debug)]
pub struct Compiled {
    /// `None` if there is any error: a business that doesn't compile never goes live.
    pub program: Option<Program>,
    /// All mistakes of all files, sorted by place, at most one a line.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a business: every flow file and the business file, in any order.
///
/// # Example
///
/// ```
/// use switchboard::flow::{compile::compile, source::Sources};
///
/// let mut sources = Sources::default();
/// sources.add("hello.flow", "flow hello\nstarts on \"hi\"\n\nstep hello\n  say \"Hi!\"\n  -> nowhere\n");
/// let compiled = compile(&sources);
/// assert!(compiled.program.is_none());
/// assert_eq!(compiled.diagnostics[0].message, "there is no step called nowhere");
/// ```
pub fn compile(sources: &Sources) -> Compiled {
    let (tree, mut found) = blocks::parse(sources);
    found.extend(check::check_all(sources, &tree));
    let diagnostics = check::tidy(sources, found);
    let broken = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    Compiled {
        program: (!broken).then(|| lower::lower(sources, &tree)),
        diagnostics,
    }
}
