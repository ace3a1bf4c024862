//! A program holds together: whatever it says leads somewhere, and nothing strands a customer.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{SHOP, files_of, flow, lowered, lowered_folder};
use crate::flow::listing::listing;
use crate::flow::lower::lower;
use crate::flow::program::{
    Due, Emit, Expr, ExprIx, Jump, Message, Op, Pc, Program, Question, State, StateKind, TextIx,
};
use crate::flow::source::Sources;
use crate::flow::{blocks, graph};

/// Checks every index and every promise about states.
#[track_caller]
fn assert_whole(program: &Program) {
    let whole = Whole { program };
    for (pc, instruction) in program.code.iter().enumerate() {
        whole.op(&instruction.op);
        let falls_through = matches!(
            instruction.op,
            Op::Send(_)
                | Op::Set { .. }
                | Op::Mem { .. }
                | Op::JumpIf { .. }
                | Op::Emit(_)
                | Op::ForEach { .. }
                | Op::Plan(_)
                | Op::Cancel { .. }
                | Op::Pause { .. }
        );
        assert!(
            !falls_through || pc + 1 < program.code.len(),
            "code runs off its end"
        );
    }
    for state in &program.states {
        whole.state(state);
    }
    for step in &program.steps {
        whole.pc(step.entry);
        assert!((step.flow as usize) < program.flows.len());
    }
    for flow in &program.flows {
        assert!(
            (flow.entry as usize) < program.steps.len(),
            "{} begins nowhere",
            flow.name
        );
    }
    for on in &program.ons {
        whole.pc(on.run);
        on.condition
            .into_iter()
            .for_each(|condition| whole.expr(condition));
    }
    for start in &program.starts {
        start
            .condition
            .into_iter()
            .for_each(|condition| whole.expr(condition));
    }
    if let Some(problem) = program.business.problem {
        whole.pc(problem);
    }
    if let Some(closed) = program.business.closed {
        whole.text(closed);
    }
    assert!(!program.business.languages.is_empty());
    assert_eq!(
        program.business.front_door.is_none(),
        program.flows.iter().all(|flow| flow.called)
    );
    let names: HashSet<&str> = program.states.iter().map(|state| state.name.as_str()).collect();
    assert_eq!(names.len(), program.states.len(), "two states have one name");
    for index in 0..program.exprs.len() {
        whole.expr(index as ExprIx);
    }
}

struct Whole<'p> {
    program: &'p Program,
}

impl Whole<'_> {
    fn pc(&self, pc: Pc) {
        assert!((pc as usize) < self.program.code.len(), "a jump leads to {pc}");
    }

    fn text(&self, text: TextIx) {
        let text = &self.program.texts[text as usize];
        assert_eq!(
            text.fixed,
            !text.source.contains("{{") && !text.source.contains("{%")
        );
    }

    fn expr(&self, expr: ExprIx) {
        fn walk(whole: &Whole<'_>, expr: &Expr) {
            match expr {
                Expr::Text(text) => whole.text(*text),
                Expr::List(items) => items.iter().for_each(|item| walk(whole, item)),
                Expr::Not(inner) | Expr::Test { subject: inner, .. } => walk(whole, inner),
                Expr::Binary(_, left, right) => {
                    walk(whole, left);
                    walk(whole, right);
                }
                Expr::Filter { subject, args, .. } => {
                    walk(whole, subject);
                    args.iter().for_each(|arg| walk(whole, arg));
                }
                Expr::Number(_)
                | Expr::YesNo(_)
                | Expr::Nothing
                | Expr::Date(_)
                | Expr::Time(_)
                | Expr::Duration(_)
                | Expr::Path(_) => {}
            }
        }
        walk(self, &self.program.exprs[expr as usize]);
    }

    fn args(&self, args: &[(String, ExprIx)]) {
        args.iter().for_each(|(_, value)| self.expr(*value));
    }

    fn message(&self, message: &Message) {
        match message {
            Message::Say {
                body,
                or,
                header,
                footer,
                link,
            } => {
                let link = link.iter().flat_map(|(label, url)| [*label, *url]);
                let texts = [Some(*body), *header, *footer].into_iter().flatten();
                let or = or.iter().copied();
                texts.chain(link).chain(or).for_each(|text| self.text(text));
            }
            Message::Template { template, args } => {
                assert!((*template as usize) < self.program.business.templates.len());
                self.args(args);
            }
            Message::File {
                source,
                caption,
                named,
                ..
            } => {
                self.expr(*source);
                caption.iter().chain(named).for_each(|text| self.text(*text));
            }
            Message::React { emoji } => self.text(*emoji),
            Message::Place { name, address, .. } => {
                name.iter().chain(address).for_each(|text| self.text(*text));
            }
        }
    }

    fn op(&self, op: &Op) {
        let kind = |state: &u32| &self.program.states[*state as usize].kind;
        match op {
            Op::Send(message) => self.message(message),
            Op::Set { value, .. } => self.expr(*value),
            Op::Mem { value, .. } => value.iter().for_each(|value| self.expr(*value)),
            Op::Jump(Jump::To(to)) => self.pc(*to),
            Op::Jump(Jump::Step(step)) => assert!((*step as usize) < self.program.steps.len()),
            Op::Jump(Jump::Flow { flow, args }) => {
                assert!((*flow as usize) < self.program.flows.len());
                self.args(args);
            }
            Op::Jump(Jump::Again | Jump::Back | Jump::Start) | Op::Resume | Op::Wait => {}
            Op::JumpIf { condition, to } => {
                self.expr(*condition);
                self.pc(*to);
            }
            Op::Ask(state) => assert!(matches!(kind(state), StateKind::Question(_))),
            Op::Answer(state) => assert!(matches!(kind(state), StateKind::Answer(_))),
            Op::Effect(state) => assert!(matches!(kind(state), StateKind::Fetch(_))),
            Op::Call(state) => assert!(matches!(kind(state), StateKind::Call(_))),
            Op::Handoff(state) => assert!(matches!(kind(state), StateKind::Human(_))),
            Op::Return { gives } => self.args(gives),
            Op::Close { say } => say.iter().for_each(|say| self.text(*say)),
            Op::Emit(Emit::Notify { team, text }) => {
                assert!((*team as usize) < self.program.business.teams.len());
                self.text(*text);
            }
            Op::Emit(Emit::Record { value, .. }) => value.iter().for_each(|value| self.expr(*value)),
            Op::Emit(Emit::Tag { tag, .. }) => self.text(*tag),
            Op::Emit(Emit::Subscribe { .. }) | Op::Cancel { .. } | Op::Pause { .. } => {}
            Op::ForEach { list, end, .. } => {
                self.expr(*list);
                self.pc(*end);
            }
            Op::Plan(plan) => {
                match plan.due {
                    Due::In(_) => {}
                    Due::At(when) | Due::From(_, when) => self.expr(when),
                }
                assert!(matches!(plan.to, Jump::Step(_) | Jump::Flow { .. }));
                self.op(&Op::Jump(plan.to.clone()));
            }
            Op::Split { ways, .. } => ways.iter().for_each(|(_, run)| self.pc(*run)),
        }
    }

    fn state(&self, state: &State) {
        assert!(state.anchor.starts_with("b3:"), "{} has no anchor", state.name);
        match &state.kind {
            StateKind::Question(question) => self.question(question, &state.name),
            StateKind::Fetch(fetch) => {
                let service = &self.program.business.services[fetch.service as usize];
                assert!((fetch.action as usize) < service.actions.len());
                self.args(&fetch.args);
                let written = [Some(fetch.next), fetch.not_found, fetch.refused, fetch.problem];
                let statuses = fetch.statuses.iter().map(|(_, run)| *run);
                written
                    .into_iter()
                    .flatten()
                    .chain(statuses)
                    .for_each(|pc| self.pc(pc));
            }
            StateKind::Call(call) => {
                assert!((call.flow as usize) < self.program.flows.len());
                self.args(&call.args);
                self.pc(call.next);
            }
            StateKind::Answer(answer) => {
                let reply = &self.program.states[answer.reply as usize];
                assert!(matches!(reply.kind, StateKind::Question(_)));
                let off_topic = answer.off_topic.as_ref().and_then(|line| line.run);
                let runs = [Some(answer.finished), answer.not_sure, off_topic, answer.problem];
                let topics = answer.topics.iter().map(|(_, run)| *run);
                let all = runs.into_iter().flatten().chain(topics);
                all.chain(answer.up_to.map(|(_, run)| run))
                    .for_each(|pc| self.pc(pc));
            }
            StateKind::Human(human) => {
                let teams = self.program.business.teams.len();
                assert_eq!(human.team.is_none(), teams == 0);
                assert!(human.team.is_none_or(|team| (team as usize) < teams));
                human.note.into_iter().for_each(|note| self.text(note));
                human.when_taken.into_iter().for_each(|text| self.text(text));
                assert!(human.no_agent.is_sorted_by_key(|line| line.after_seconds));
                for line in &human.no_agent {
                    line.say.into_iter().for_each(|say| self.text(say));
                    line.run.into_iter().for_each(|run| self.pc(run));
                }
                let written = [human.when_closed, human.when_returned];
                written.into_iter().flatten().for_each(|run| self.pc(run));
            }
        }
    }

    fn question(&self, question: &Question, name: &str) {
        self.message(&question.prompt);
        self.pc(question.next);
        if let Some(otherwise) = &question.otherwise {
            let silent = otherwise.up_to.is_some() && otherwise.run.is_none();
            assert!(!silent, "{name} falls silent after some tries");
            otherwise.run.into_iter().for_each(|run| self.pc(run));
            otherwise.say.into_iter().for_each(|say| self.text(say));
        }
        assert!(question.silence.is_sorted_by_key(|silence| silence.after_seconds));
        for silence in &question.silence {
            silence.run.into_iter().for_each(|run| self.pc(run));
            silence.say.into_iter().for_each(|say| self.text(say));
        }
        let ids: HashSet<&str> = question.options.iter().map(|option| option.id.as_str()).collect();
        assert_eq!(
            ids.len(),
            question.options.len(),
            "two options of {name} have one id"
        );
        question.none.into_iter().for_each(|run| self.pc(run));
        question.more.into_iter().for_each(|text| self.text(text));
        for option in &question.options {
            option.each.iter().for_each(|(_, list)| self.expr(*list));
            self.text(option.label);
            option.run.into_iter().for_each(|run| self.pc(run));
            option.value.into_iter().for_each(|value| self.expr(value));
        }
    }
}

#[test]
fn the_sample_business_holds_together() {
    assert_whole(&lowered_folder("flows"));
}

#[test]
fn names_that_lead_nowhere_become_something_harmless() {
    assert_whole(&flow(
        r#"flow odd
starts on "hi"
step one
  fetch x from shop.get with a = 1
    not found -> nowhere
  end
  do nothing_there save y
  send template gone with a = 1
  menu "Where to?"
    "Nowhere" -> nowhere
    "Another flow" -> flow gone
    "Sales" -> handoff to sales
  end
  notify sales "Help"
"#,
    ));
    assert_whole(&flow("flow empty\n"));
    assert_whole(&lowered(&[]));
}

/// The files of the shop with lines dropped, doubled and moved about.
fn mangled() -> impl Strategy<Value = Vec<String>> {
    let shop: Vec<Vec<String>> = files_of(SHOP)
        .into_iter()
        .map(|(_, text)| text.lines().map(str::to_owned).collect())
        .collect();
    let edits = prop::collection::vec((0..shop.len(), any::<prop::sample::Index>(), 0..4_u8), 0..24);
    edits.prop_map(move |edits| {
        let mut files = shop.clone();
        for (file, line, edit) in edits {
            let lines = &mut files[file];
            if lines.is_empty() {
                continue;
            }
            let at = line.index(lines.len());
            match edit {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => lines.swap(at, 0),
                _ => lines.truncate(at),
            }
        }
        files.into_iter().map(|lines| lines.join("\n")).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_becomes_a_whole_program(files in mangled()) {
        let mut sources = Sources::default();
        for (text, number) in files.iter().zip(1..) {
            sources.add(format!("{number}.flow"), text.as_str());
        }
        let (tree, _) = blocks::parse(&sources);
        let program = lower(&sources, &tree);
        assert_whole(&program);
        // People may look at whatever was made.
        assert!(!listing(&program).is_empty());
        assert!(!graph::mermaid(&program, None).is_empty());
    }
}
