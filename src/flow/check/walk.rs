//! Going over the tree: every statement with the bodies, arrows, texts and expressions that belong to it.

use crate::flow::tree::{
    Answer, Arg, Choice, Due, Expr, ExprKind, If, Question, Stmt, StmtKind, Tail, Target, TargetKind, Text,
    Tree,
};

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    /// `None`: the business file.
    pub flow: Option<usize>,
    /// `None`: an `on` body or a default.
    pub step: Option<usize>,
}

/// Calls `visit` for every statement of the business, outer ones first.
pub(crate) fn statements<'t>(tree: &'t Tree, mut visit: impl FnMut(Home, &'t Stmt)) {
    for (index, flow) in tree.flows.iter().enumerate() {
        for (step, body) in flow.steps.iter().enumerate() {
            let home = Home {
                flow: Some(index),
                step: Some(step),
            };
            in_body(&body.body, &mut |stmt| visit(home, stmt));
        }
        let home = Home {
            flow: Some(index),
            step: None,
        };
        for on in &flow.ons {
            in_body(&on.body, &mut |stmt| visit(home, stmt));
        }
    }
    let home = Home {
        flow: None,
        step: None,
    };
    if let Some(business) = &tree.business {
        for on in &business.ons {
            in_body(&on.body, &mut |stmt| visit(home, stmt));
        }
        for tail in default_tails(tree) {
            in_body(&tail.body, &mut |stmt| visit(home, stmt));
        }
    }
}

/// Calls `visit` for every statement of a body, outer ones first.
pub(crate) fn in_body<'t>(body: &'t [Stmt], visit: &mut impl FnMut(&'t Stmt)) {
    for stmt in body {
        visit(stmt);
        match &stmt.kind {
            StmtKind::If(branches) => {
                for body in branch_bodies(branches) {
                    in_body(body, visit);
                }
            }
            StmtKind::Question(_)
            | StmtKind::Fetch(_)
            | StmtKind::Handoff(_)
            | StmtKind::Split(_)
            | StmtKind::Answer(_) => {
                for tail in tails(stmt) {
                    in_body(&tail.body, visit);
                }
            }
            StmtKind::ForEach(each) => in_body(&each.body, visit),
            StmtKind::Say(_)
            | StmtKind::Set { .. }
            | StmtKind::Remember(_)
            | StmtKind::Forget { .. }
            | StmtKind::Go(_)
            | StmtKind::Do(_)
            | StmtKind::Done { .. }
            | StmtKind::SendTemplate { .. }
            | StmtKind::Close { .. }
            | StmtKind::Resume
            | StmtKind::Notify { .. }
            | StmtKind::SendFile(_)
            | StmtKind::SendPlace(_)
            | StmtKind::Later(_)
            | StmtKind::Cancel { .. }
            | StmtKind::Record { .. }
            | StmtKind::Tag { .. }
            | StmtKind::Subscribe { .. }
            | StmtKind::React(_)
            | StmtKind::Pause(_) => {}
        }
    }
}

pub(crate) fn branch_bodies(branches: &If) -> impl Iterator<Item = &[Stmt]> {
    branches
        .branches
        .iter()
        .map(|branch| branch.body.as_slice())
        .chain(branches.otherwise.as_deref())
}

/// The bodies that a statement has itself, not those of statements inside it.
pub(crate) fn bodies(stmt: &Stmt) -> Vec<&[Stmt]> {
    match &stmt.kind {
        StmtKind::If(branches) => branch_bodies(branches).collect(),
        StmtKind::ForEach(each) => vec![&each.body],
        _ => tails(stmt).into_iter().map(|tail| tail.body.as_slice()).collect(),
    }
}

/// The cases under a question, fetch or handoff.
pub(crate) fn tails(stmt: &Stmt) -> Vec<&Tail> {
    match &stmt.kind {
        StmtKind::Question(question) => question_tails(question).collect(),
        StmtKind::Fetch(fetch) => fetch.outcomes.iter().map(|outcome| &outcome.tail).collect(),
        StmtKind::Handoff(handoff) => handoff.tails().collect(),
        StmtKind::Split(split) => split.ways.iter().map(|way| &way.tail).collect(),
        StmtKind::Answer(answer) => answer_tails(answer).collect(),
        StmtKind::Go(_)
        | StmtKind::Say(_)
        | StmtKind::Set { .. }
        | StmtKind::Remember(_)
        | StmtKind::Forget { .. }
        | StmtKind::If(_)
        | StmtKind::Do(_)
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
        | StmtKind::React(_)
        | StmtKind::Pause(_) => Vec::new(),
    }
}

pub(crate) fn answer_tails(answer: &Answer) -> impl Iterator<Item = &Tail> {
    answer
        .exits
        .iter()
        .map(|exit| &exit.tail)
        .chain(answer.no_reply.iter().map(|line| &line.tail))
}

pub(crate) fn question_tails(question: &Question) -> impl Iterator<Item = &Tail> {
    question
        .options
        .iter()
        .map(|option| &option.then)
        .chain(&question.none)
        .chain(question.otherwise.iter().map(|line| &line.tail))
        .chain(question.no_reply.iter().map(|line| &line.tail))
}

/// `otherwise`, `no reply` and `problem` of the business file.
pub(crate) fn default_tails(tree: &Tree) -> impl Iterator<Item = &Tail> {
    tree.business.iter().flat_map(|business| {
        let defaults = &business.defaults;
        defaults
            .otherwise
            .iter()
            .map(|line| &line.tail)
            .chain(defaults.no_reply.iter().map(|line| &line.tail))
            .chain(&defaults.problem)
    })
}

/// The sentences of the business's defaults, with what they are.
pub(crate) fn default_texts(tree: &Tree) -> impl Iterator<Item = (Role, &Text)> {
    tree.business.iter().flat_map(|business| {
        let defaults = &business.defaults;
        // It goes out with the options of whatever question was asked.
        let otherwise = defaults.otherwise.iter().map(|line| (Role::Prompt, &line.tail));
        let no_reply = defaults.no_reply.iter().map(|line| (Role::Say, &line.tail));
        let problem = defaults.problem.iter().map(|tail| (Role::Say, tail));
        let tails = otherwise.chain(no_reply).chain(problem);
        tails
            .filter_map(|(role, tail)| Some((role, tail.say.as_ref()?)))
            .chain(defaults.closed.iter().map(|text| (Role::Say, text)))
    })
}

/// The arrows that a statement has itself, not those of statements inside it.
pub(crate) fn arrows(stmt: &Stmt) -> Vec<&Target> {
    match &stmt.kind {
        StmtKind::Go(target) => vec![target],
        StmtKind::Later(plan) => vec![&plan.to],
        StmtKind::Answer(answer) => {
            let replies = answer.up_to.iter().map(|up_to| &up_to.then);
            let tails = answer_tails(answer).filter_map(|tail| tail.go.as_ref());
            tails.chain(replies).collect()
        }
        StmtKind::Question(_) | StmtKind::Fetch(_) | StmtKind::Handoff(_) | StmtKind::Split(_) => tails(stmt)
            .into_iter()
            .filter_map(|tail| tail.go.as_ref())
            .collect(),
        StmtKind::Say(_)
        | StmtKind::Set { .. }
        | StmtKind::Remember(_)
        | StmtKind::Forget { .. }
        | StmtKind::If(_)
        | StmtKind::Do(_)
        | StmtKind::Done { .. }
        | StmtKind::SendTemplate { .. }
        | StmtKind::Close { .. }
        | StmtKind::Resume
        | StmtKind::Notify { .. }
        | StmtKind::SendFile(_)
        | StmtKind::SendPlace(_)
        | StmtKind::ForEach(_)
        | StmtKind::Cancel { .. }
        | StmtKind::Record { .. }
        | StmtKind::Tag { .. }
        | StmtKind::Subscribe { .. }
        | StmtKind::React(_)
        | StmtKind::Pause(_) => Vec::new(),
    }
}

/// All arrows of the business, with where they stand.
pub(crate) fn all_arrows<'t>(tree: &'t Tree, mut visit: impl FnMut(Home, &'t Target)) {
    statements(tree, |home, stmt| {
        for target in arrows(stmt) {
            visit(home, target);
        }
    });
    let home = Home {
        flow: None,
        step: None,
    };
    for tail in default_tails(tree) {
        if let Some(target) = &tail.go {
            visit(home, target);
        }
    }
}

/// Arguments given by an arrow.
pub(crate) fn target_args(target: &Target) -> &[Arg] {
    match &target.kind {
        TargetKind::Flow(_, args) | TargetKind::Done(args) => args,
        TargetKind::Step(_)
        | TargetKind::Again
        | TargetKind::Resume
        | TargetKind::Back
        | TargetKind::Start
        | TargetKind::Close
        | TargetKind::Handoff(_) => &[],
    }
}

/// What a text is for: decides its limits and who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// A message of its own.
    Say,
    /// A message with a link button.
    LinkBody,
    LinkLabel,
    LinkUrl,
    /// The words of a question with options.
    Prompt,
    /// The words of a question without options.
    PlainPrompt,
    Header,
    Footer,
    /// The button that opens a list.
    Open,
    Section,
    Label,
    Hint,
    /// Under a picture, a video or a document.
    Caption,
    /// A file's or place's name.
    FileName,
    /// Read by the team.
    Note,
    /// Part of an expression.
    Value,
}

/// The texts that a statement has itself, not those of statements inside it. Options' labels are among them,
/// synonyms (which are never shown) are not.
pub(crate) fn texts<'t>(stmt: &'t Stmt, visit: &mut impl FnMut(Role, &'t Text)) {
    match &stmt.kind {
        StmtKind::Say(say) => {
            visit(
                if say.link.is_some() {
                    Role::LinkBody
                } else {
                    Role::Say
                },
                &say.text,
            );
            for text in &say.or {
                let role = if say.link.is_some() {
                    Role::LinkBody
                } else {
                    Role::Say
                };
                visit(role, text);
            }
            if let Some(link) = &say.link {
                visit(Role::LinkLabel, &link.label);
                visit(Role::LinkUrl, &link.url);
            }
            say.header.iter().for_each(|text| visit(Role::Header, text));
            say.footer.iter().for_each(|text| visit(Role::Footer, text));
        }
        StmtKind::Question(question) => {
            let words = prompt_role(question);
            question.words().into_iter().for_each(|text| visit(words, text));
            question.header.iter().for_each(|text| visit(Role::Header, text));
            question.footer.iter().for_each(|text| visit(Role::Footer, text));
            question.open.iter().for_each(|text| visit(Role::Open, text));
            let mut section = None;
            for option in &question.options {
                if option.section.as_ref().map(|text| text.span) != section {
                    section = option.section.as_ref().map(|text| text.span);
                    option.section.iter().for_each(|text| visit(Role::Section, text));
                }
                visit(Role::Label, &option.label);
                option.hint.iter().for_each(|text| visit(Role::Hint, text));
                option.then.say.iter().for_each(|text| visit(Role::Say, text));
            }
            let finish = question.finish.iter().flat_map(|finish| &finish.on);
            finish
                .chain(&question.more)
                .for_each(|text| visit(Role::Label, text));
            if let Some(tail) = &question.none {
                tail.say.iter().for_each(|text| visit(Role::Say, text));
            }
            question
                .checks
                .iter()
                .for_each(|check| visit(words, &check.otherwise));
            question.again.iter().for_each(|text| visit(words, text));
            if let Some(line) = &question.otherwise {
                line.tail.say.iter().for_each(|text| visit(words, text));
            }
            for line in &question.no_reply {
                line.tail.say.iter().for_each(|text| visit(Role::Say, text));
            }
        }
        StmtKind::Fetch(fetch) => {
            for outcome in &fetch.outcomes {
                outcome.tail.say.iter().for_each(|text| visit(Role::Say, text));
            }
        }
        // What the model is told is not read by customers and holds no blanks.
        StmtKind::Answer(answer) => {
            for tail in answer_tails(answer) {
                tail.say.iter().for_each(|text| visit(Role::Say, text));
            }
        }
        StmtKind::Close { say } => say.iter().for_each(|text| visit(Role::Say, text)),
        StmtKind::Handoff(handoff) => {
            handoff.note.iter().for_each(|text| visit(Role::Note, text));
            handoff.when_taken.iter().for_each(|text| visit(Role::Say, text));
            for tail in handoff.tails() {
                tail.say.iter().for_each(|text| visit(Role::Say, text));
            }
        }
        StmtKind::Notify { text, .. } | StmtKind::Tag { tag: text, .. } | StmtKind::React(text) => {
            visit(Role::Note, text)
        }
        StmtKind::SendFile(file) => {
            file.caption.iter().for_each(|text| visit(Role::Caption, text));
            file.named.iter().for_each(|text| visit(Role::FileName, text));
        }
        StmtKind::SendPlace(place) => {
            place.name.iter().for_each(|text| visit(Role::FileName, text));
            place.address.iter().for_each(|text| visit(Role::FileName, text));
        }
        StmtKind::Split(split) => {
            for way in &split.ways {
                way.tail.say.iter().for_each(|text| visit(Role::Say, text));
            }
        }
        StmtKind::Set { .. }
        | StmtKind::Remember(_)
        | StmtKind::Forget { .. }
        | StmtKind::If(_)
        | StmtKind::Go(_)
        | StmtKind::Do(_)
        | StmtKind::Done { .. }
        | StmtKind::SendTemplate { .. }
        | StmtKind::Resume
        | StmtKind::ForEach(_)
        | StmtKind::Later(_)
        | StmtKind::Cancel { .. }
        | StmtKind::Record { .. }
        | StmtKind::Subscribe { .. }
        | StmtKind::Pause(_) => {}
    }
    exprs(stmt, &mut |expr| {
        expr_texts(expr, &mut |text| visit(Role::Value, text))
    });
}

pub(crate) fn prompt_role(question: &Question) -> Role {
    let button = question.finish.as_ref().is_some_and(|finish| finish.on.is_some());
    if question.options.is_empty() && !button && question.form.is_none() {
        Role::PlainPrompt
    } else {
        Role::Prompt
    }
}

/// The expressions that a statement has itself, whole.
pub(crate) fn exprs<'t>(stmt: &'t Stmt, visit: &mut impl FnMut(&'t Expr)) {
    match &stmt.kind {
        StmtKind::Question(question) => {
            let args = question.by_template().map_or(&[][..], |asks| &asks.args);
            args.iter().for_each(|arg| visit(&arg.value));
            for Choice {
                each,
                value,
                condition,
                ..
            } in &question.options
            {
                each.iter().for_each(|each| visit(&each.list));
                value.iter().for_each(&mut *visit);
                condition.iter().for_each(&mut *visit);
            }
            question.checks.iter().for_each(|check| visit(&check.condition));
        }
        StmtKind::Set { value, .. } => visit(value),
        StmtKind::If(branches) => branches
            .branches
            .iter()
            .for_each(|branch| visit(&branch.condition)),
        StmtKind::Fetch(fetch) => fetch.args.iter().for_each(|arg| visit(&arg.value)),
        StmtKind::Do(call) => call.args.iter().for_each(|arg| visit(&arg.value)),
        StmtKind::Done { gives } => gives.iter().for_each(|arg| visit(&arg.value)),
        StmtKind::SendTemplate { args, .. } => args.iter().for_each(|arg| visit(&arg.value)),
        StmtKind::Handoff(handoff) => {
            if let Some(priority) = &handoff.priority {
                priority.condition.iter().for_each(&mut *visit);
            }
        }
        StmtKind::SendFile(file) => visit(&file.source),
        StmtKind::ForEach(each) => visit(&each.list),
        StmtKind::Later(plan) => match &plan.due {
            Due::In(_) => {}
            Due::At(when) | Due::Before(_, when) | Due::After(_, when) => visit(when),
        },
        StmtKind::Record { value, .. } => value.iter().for_each(&mut *visit),
        StmtKind::Say(_)
        | StmtKind::Remember(_)
        | StmtKind::Forget { .. }
        | StmtKind::Go(_)
        | StmtKind::Close { .. }
        | StmtKind::Resume
        | StmtKind::Notify { .. }
        | StmtKind::SendPlace(_)
        | StmtKind::Cancel { .. }
        | StmtKind::Tag { .. }
        | StmtKind::Subscribe { .. }
        | StmtKind::Split(_)
        | StmtKind::React(_)
        | StmtKind::Answer(_)
        | StmtKind::Pause(_) => {}
    }
    for target in arrows(stmt) {
        target_args(target).iter().for_each(|arg| visit(&arg.value));
    }
}

/// Every part of an expression, itself first.
pub(crate) fn parts<'t>(expr: &'t Expr, visit: &mut impl FnMut(&'t Expr)) {
    visit(expr);
    match &expr.kind {
        ExprKind::Not(inner) => parts(inner, visit),
        ExprKind::Binary { left, right, .. } => {
            parts(left, visit);
            parts(right, visit);
        }
        ExprKind::Test { subject, .. } => parts(subject, visit),
        ExprKind::Filter { subject, args, .. } => {
            parts(subject, visit);
            args.iter().for_each(|arg| parts(arg, visit));
        }
        ExprKind::List(items) => items.iter().for_each(|item| parts(item, visit)),
        ExprKind::Text(_)
        | ExprKind::Number(_)
        | ExprKind::YesNo(_)
        | ExprKind::Nothing
        | ExprKind::Date(_)
        | ExprKind::Time(_)
        | ExprKind::Duration(_)
        | ExprKind::Path(_) => {}
    }
}

fn expr_texts<'t>(expr: &'t Expr, visit: &mut impl FnMut(&'t Text)) {
    parts(expr, &mut |part| {
        if let ExprKind::Text(text) = &part.kind {
            visit(text);
        }
    });
}
