//! Paths through one step: loose ends (F201), lines that wait where nothing may wait (F204), lines that never run
//! (F206).

use super::Shop;
use super::walk::{self, branch_bodies, tails};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{
    Answer, AnswerExitKind, Flow, If, Question, QuestionWord, Step, Stmt, StmtKind, Tail,
};

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    for flow in &shop.tree.flows {
        for (index, step) in flow.steps.iter().enumerate() {
            let mut ends = Vec::new();
            loose_ends(&step.body, &mut ends);
            if step.body.is_empty() {
                ends.push(End::new(step.span, "this step has no lines"));
            }
            found.extend(
                ends.into_iter()
                    .map(|end| loose_end(shop, flow, step, index, end)),
            );
            never_run(&step.body, found);
        }
        for on in &flow.ons {
            never_run(&on.body, found);
        }
    }
    for on in shop.tree.business.iter().flat_map(|business| &business.ons) {
        never_run(&on.body, found);
    }
    walk::statements(shop.tree, |_, stmt| {
        if let StmtKind::Question(question) = &stmt.kind {
            found.extend(no_rows(shop, stmt.span, question));
        }
        for tail in tails(stmt) {
            waits_under_a_clause(shop, stmt, &tail.body, found);
        }
        if let StmtKind::ForEach(each) = &stmt.kind {
            waits_under_a_clause(shop, stmt, &each.body, found);
        }
    });
    for tail in walk::default_tails(shop.tree) {
        for stmt in &tail.body {
            waits_under_a_clause(shop, stmt, std::slice::from_ref(stmt), found);
        }
    }
}

// ───────── does it go on? ─────────

/// Whether something can follow a body: no line of it always leads elsewhere.
pub(super) fn body_goes_on(body: &[Stmt]) -> bool {
    body.iter().all(goes_on)
}

pub(super) fn tail_goes_on(tail: &Tail) -> bool {
    tail.go.is_none() && body_goes_on(&tail.body)
}

/// Whether a statement can be followed by the next line.
fn goes_on(stmt: &Stmt) -> bool {
    match &stmt.kind {
        StmtKind::Say(_)
        | StmtKind::Set { .. }
        | StmtKind::Remember(_)
        | StmtKind::Forget { .. }
        | StmtKind::Fetch(_)
        | StmtKind::Do(_)
        | StmtKind::SendTemplate { .. }
        | StmtKind::Notify { .. }
        | StmtKind::SendFile(_)
        | StmtKind::SendPlace(_)
        | StmtKind::ForEach(_)
        | StmtKind::Later(_)
        | StmtKind::Cancel { .. }
        | StmtKind::Record { .. }
        | StmtKind::Tag { .. }
        | StmtKind::Subscribe { .. }
        | StmtKind::React(_)
        | StmtKind::Pause(_) => true,
        StmtKind::Split(split) => {
            split.ways.is_empty() || split.ways.iter().any(|way| tail_goes_on(&way.tail))
        }
        StmtKind::Question(question) => {
            takes_typed_answers(question)
                || question.options.is_empty()
                || question.options.iter().any(|option| tail_goes_on(&option.then))
                || question.none.as_ref().is_some_and(tail_goes_on)
        }
        StmtKind::Answer(answer) => answer_goes_on(answer),
        StmtKind::If(branches) => branches.otherwise.is_none() || branch_bodies(branches).any(body_goes_on),
        // People have the chat; it is theirs until they give it back.
        StmtKind::Handoff(_)
        | StmtKind::Go(_)
        | StmtKind::Done { .. }
        | StmtKind::Close { .. }
        | StmtKind::Resume => false,
    }
}

/// Behind its block go on: a conversation that is finished, and a problem, unless their lines lead away. Whoever is
/// not sure or off the topic goes on talking.
fn answer_goes_on(answer: &Answer) -> bool {
    let behind = |kind: &AnswerExitKind| answer.exit(kind).map(|exit| tail_goes_on(&exit.tail));
    behind(&AnswerExitKind::Finished).unwrap_or(true) || behind(&AnswerExitKind::Problem).unwrap_or(false)
}

/// An answer other than an option is kept and goes on after the block.
pub(super) fn takes_typed_answers(question: &Question) -> bool {
    matches!(question.word, QuestionWord::Ask | QuestionWord::Gather) || question.accept.is_some()
}

// ───────── F201 ─────────

/// Where a path ends without saying what is next.
struct End {
    at: Span,
    label: &'static str,
    /// The last line before the end, if that is another one.
    last: Option<Span>,
}

impl End {
    fn new(at: Span, label: &'static str) -> End {
        End {
            at,
            label,
            last: None,
        }
    }
}

fn loose_ends(body: &[Stmt], ends: &mut Vec<End>) {
    if !body_goes_on(body) {
        return;
    }
    let Some(last) = body.last() else { return };
    match &last.kind {
        StmtKind::If(branches) => loose_branches(last.span, branches, ends),
        StmtKind::Question(question) => loose_question(last.span, question, ends),
        StmtKind::Split(split) => {
            if split.ways.iter().all(|way| tail_goes_on(&way.tail)) {
                return ends.push(End::new(
                    last.span,
                    "after this block nothing says what happens next",
                ));
            }
            for way in split.ways.iter().filter(|way| tail_goes_on(&way.tail)) {
                ends.push(End {
                    at: way.span,
                    label: "for this share nothing says what happens next",
                    last: way.tail.body.last().map(|stmt| stmt.span),
                });
            }
        }
        StmtKind::Answer(_) => ends.push(End::new(
            last.span,
            "when the conversation is finished nothing says what happens next",
        )),
        StmtKind::Fetch(_) => ends.push(End::new(
            last.span,
            "after the answer of the service nothing says what happens next",
        )),
        StmtKind::Say(_)
        | StmtKind::Set { .. }
        | StmtKind::Remember(_)
        | StmtKind::Forget { .. }
        | StmtKind::Do(_)
        | StmtKind::SendTemplate { .. }
        | StmtKind::Notify { .. }
        | StmtKind::Handoff(_)
        | StmtKind::Go(_)
        | StmtKind::Done { .. }
        | StmtKind::Close { .. }
        | StmtKind::Resume
        | StmtKind::SendFile(_)
        | StmtKind::SendPlace(_)
        | StmtKind::ForEach(_)
        | StmtKind::Later(_)
        | StmtKind::Cancel { .. }
        | StmtKind::Record { .. }
        | StmtKind::Tag { .. }
        | StmtKind::Subscribe { .. }
        | StmtKind::React(_)
        | StmtKind::Pause(_) => {
            ends.push(End::new(
                last.span,
                "after this line nothing says what happens next",
            ));
        }
    }
}

fn loose_branches(at: Span, branches: &If, ends: &mut Vec<End>) {
    if branches.otherwise.is_none() {
        let label = if branches.one_line {
            "if this is not so, nothing says what happens next"
        } else {
            "after this block nothing says what happens next"
        };
        return ends.push(End::new(at, label));
    }
    if branch_bodies(branches).all(body_goes_on) {
        return ends.push(End::new(at, "after this block nothing says what happens next"));
    }
    for branch in &branches.branches {
        if branch.body.is_empty() {
            ends.push(End::new(
                branch.span,
                "under this condition nothing says what happens next",
            ));
        }
        loose_ends(&branch.body, ends);
    }
    if let Some(body) = &branches.otherwise {
        if body.is_empty() {
            ends.push(End::new(at, "under its `else` nothing says what happens next"));
        }
        loose_ends(body, ends);
    }
}

fn loose_question(at: Span, question: &Question, ends: &mut Vec<End>) {
    let loose = || {
        question
            .options
            .iter()
            .filter(|option| tail_goes_on(&option.then))
    };
    if takes_typed_answers(question) || loose().count() == question.options.len() {
        return ends.push(End::new(at, "after the answer nothing says what happens next"));
    }
    if question.none.as_ref().is_some_and(tail_goes_on) {
        ends.push(End::new(at, "with an empty list nothing says what happens next"));
    }
    for option in loose() {
        ends.push(End {
            at: option.label.span,
            label: "after this option nothing says what happens next",
            last: option.then.body.last().map(|stmt| stmt.span),
        });
    }
}

/// A list of nothing but rows from data is empty on some days.
fn no_rows(shop: &Shop, at: Span, question: &Question) -> Option<Diagnostic> {
    let rows = question.options.iter().find(|option| option.each.is_some())?;
    let others = question
        .options
        .iter()
        .any(|option| option.each.is_none() && option.condition.is_none());
    if others || question.none.is_some() || question.accept.is_some() {
        return None;
    }
    let label = "if there are none, the customer has nothing to tap";
    Some(
        Diagnostic::new(Code::F201, rows.span, "the conversation just stops here", label)
            .label(first_line(shop, at), "this question would have no options")
            .note("Say what happens when the list is empty, for example:  none \"Nothing is free then.\" -> another day"),
    )
}

fn loose_end(shop: &Shop, flow: &Flow, step: &Step, index: usize, end: End) -> Diagnostic {
    // One line of evidence is enough: blocks are underlined at their first line only.
    let at = first_line(shop, end.at);
    let next = flow.steps.get(index + 1).unwrap_or(step);
    let example = if std::ptr::eq(next, step) {
        "some step"
    } else {
        &next.name.words
    };
    let width = example.chars().count().max(4) + 3;
    let row = |what: &str, why: &str| format!("{what:width$}   {why}");
    let mut diagnostic = Diagnostic::new(Code::F201, at, "the conversation just stops here", end.label);
    if let Some(last) = end.last {
        diagnostic = diagnostic.label(first_line(shop, last), "this is the last the customer hears");
    }
    diagnostic.note(format!(
        "The customer would get no answer any more. Add one of:\n  {}\n  {}\n  {}",
        row("done", "the flow is finished"),
        row("close", "and so is the chat"),
        row(&format!("-> {example}"), "go on there"),
    ))
}

/// A span cut at its first line break.
pub(super) fn first_line(shop: &Shop, span: Span) -> Span {
    let text = shop.sources.text(span);
    let length = text.find('\n').unwrap_or(text.len());
    Span::new(
        span.file,
        span.start as usize,
        span.start as usize + text[..length].trim_end().len(),
    )
}

// ───────── F206 ─────────

fn never_run(body: &[Stmt], found: &mut Vec<Diagnostic>) {
    for pair in body.windows(2) {
        let [leaves, dead] = pair else { continue };
        if !goes_on(leaves) {
            let rest = &body[body.len() - 1];
            let lines = if std::ptr::eq(rest, dead) {
                "this line never runs"
            } else {
                "from here on no line of this block runs"
            };
            found.push(
                Diagnostic::new(Code::F206, dead.span, lines, "no path leads here")
                    .label(leaves.span, "the conversation has always left by now")
                    .note("A customer will never see it. Move it further up, or give it a step of its own."),
            );
            break;
        }
    }
    for stmt in body {
        walk::bodies(stmt)
            .into_iter()
            .for_each(|body| never_run(body, found));
    }
}

// ───────── F204 ─────────

fn waits_under_a_clause(shop: &Shop, owner: &Stmt, body: &[Stmt], found: &mut Vec<Diagnostic>) {
    walk::in_body(body, &mut |stmt| {
        let what = match &stmt.kind {
            StmtKind::Question(_) => "a question",
            StmtKind::Fetch(_) => "a service call",
            StmtKind::Answer(_) => "an `answer`",
            StmtKind::Do(_) => "a call of another flow",
            StmtKind::Handoff(_) => "a handoff with lines",
            StmtKind::Say(_)
            | StmtKind::Set { .. }
            | StmtKind::Remember(_)
            | StmtKind::Forget { .. }
            | StmtKind::If(_)
            | StmtKind::Go(_)
            | StmtKind::Done { .. }
            | StmtKind::SendTemplate { .. }
            | StmtKind::Close { .. }
            | StmtKind::Resume
            | StmtKind::Notify { .. }
            | StmtKind::SendFile(_)
            | StmtKind::SendPlace(_)
            | StmtKind::ForEach(_)
            | StmtKind::Later(_)
            | StmtKind::Cancel { .. }
            | StmtKind::Record { .. }
            | StmtKind::Tag { .. }
            | StmtKind::Subscribe { .. }
            | StmtKind::Split(_)
            | StmtKind::React(_)
            | StmtKind::Pause(_) => return,
        };
        let mut diagnostic = Diagnostic::new(
            Code::F204,
            first_line(shop, stmt.span),
            format!("{what} can't stand under another line"),
            "the chat would have to wait here, in the middle of a block",
        );
        if owner.span != stmt.span {
            diagnostic = diagnostic.label(first_line(shop, owner.span), "this block is still open");
        }
        found.push(diagnostic.note("Give it a step of its own and lead there with an arrow:  -> that step"));
    });
}
