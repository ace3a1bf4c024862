//! The front door of the language: sources in, a program or explained mistakes out.

use super::diagnostic::{Diagnostic, Severity};
use super::program::{Expr, Op, Program, Text};
use super::source::Sources;
use super::{blocks, check, lower, strings};

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
/// assert!(compiled.diagnostics.iter().any(|found| found.message == "there is no step called nowhere"));
/// ```
pub fn compile(sources: &Sources) -> Compiled {
    let (tree, mut found) = blocks::parse(sources);
    let pairs = strings::pairs_of_further(&tree);
    found.extend(check::check_paired(sources, &tree, &pairs));
    let diagnostics = check::tidy(sources, found);
    let broken = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    Compiled {
        program: (!broken).then(|| lower::lower_paired(sources, &tree, &pairs)),
        diagnostics,
    }
}

/// An expression that stands in no flow, such as a transcript's `check`, with the texts it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Loose {
    pub expr: Expr,
    /// What [`Expr::Text`] in it counts.
    pub texts: Vec<Text>,
}

/// Reads one expression.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn expression(text: &str) -> Result<Loose, String> {
    // A flow of one condition: the language's own road reads it.
    let mut sources = Sources::default();
    sources.add(
        "check",
        format!("flow check\nstep check\n  if {text}\n    done\n  end\n  done\n"),
    );
    let (tree, found) = blocks::parse(&sources);
    if let Some(mistake) = found.iter().find(|found| found.severity == Severity::Error) {
        return Err(format!("{:?} can't be read: {}", text, mistake.message));
    }
    let program = lower::lower(&sources, &tree);
    let expr = program.code.iter().find_map(|instruction| match instruction.op {
        Op::JumpIf { condition, .. } => program.exprs.get(condition as usize).cloned(),
        _ => None,
    });
    let expr = expr.ok_or_else(|| format!("{text:?} is no condition"))?;
    Ok(Loose {
        expr,
        texts: program.texts,
    })
}
