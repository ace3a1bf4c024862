//! Flows, steps and their statements.

use super::tail::Ending;
use super::{Lowering, PENDING, Then, ids};
use crate::flow::program::{
    Due, Emit, Expr, Flow, FlowIx, Jump, Message, On, Op, Pc, Place, Plan, Start, Step, Trigger,
};
use crate::flow::tree::{self, Field, If, Kind, Phrase, Say, Stmt, StmtKind, TargetKind, TriggerKind};

impl Lowering<'_> {
    pub(super) fn flow(&mut self, flow: &tree::Flow, index: FlowIx) {
        self.enter(flow.name.slug.clone(), Some(index), None);
        for starts in &flow.starts {
            let condition = self.optional_expr(starts.condition.as_ref());
            let place = self.place(starts.span);
            let translated = self.translated_triggers(&starts.triggers);
            let triggers = starts.triggers.iter().map(trigger_of).chain(translated);
            self.starts.extend(triggers.map(|trigger| Start {
                flow: index,
                trigger,
                condition,
                place,
            }));
        }
        self.flows.push(Flow {
            name: flow.name.slug.clone(),
            words: flow.name.words.clone(),
            title: flow.title.as_ref().map(|title| title.source.clone()),
            entry: self.names.entry(index),
            needs: fields(&flow.needs),
            gives: fields(&flow.gives),
            called: flow.called,
        });
        for step in &flow.steps {
            let place = self.place(step.span);
            self.step(index, &step.name, step.was.as_ref(), &step.body, place);
        }
        if flow.steps.is_empty() {
            let place = self.place(flow.name.span);
            self.step(index, &flow.name, None, &[], place);
        }
        for on in &flow.ons {
            self.on(on, &flow.name.slug, Some(index));
        }
    }

    fn step(&mut self, flow: FlowIx, name: &Phrase, was: Option<&Phrase>, body: &[Stmt], place: Place) {
        let index = super::index(self.steps.len());
        let flow_name = &self.flows[flow as usize].name;
        self.enter(format!("{flow_name}/{}", name.slug), Some(flow), Some(index));
        self.steps.push(Step {
            flow,
            name: name.slug.clone(),
            words: name.words.clone(),
            was: was.map(|was| was.slug.clone()),
            entry: self.here(),
            place,
        });
        if self.body(body) == Then::GoesOn {
            self.finish_flow(place);
        }
    }

    /// An `on` of a flow, or of the business (`flow: None`).
    pub(super) fn on(&mut self, on: &tree::On, prefix: &str, flow: Option<FlowIx>) {
        let first = on.triggers.first().map_or("", |trigger| match &trigger.kind {
            TriggerKind::Words(words) | TriggerKind::Containing(words) | TriggerKind::Topic(words) => words,
            TriggerKind::Event(name) | TriggerKind::Link(name) => name,
            TriggerKind::WindowClosing => "window closing",
            TriggerKind::FirstMessage => "first message",
            TriggerKind::AnyMessage => "any message",
            TriggerKind::Media(_) => "media",
            TriggerKind::Location => "location",
            TriggerKind::Reply(template) => template,
        });
        self.enter(format!("{prefix}/on_{}", ids::id_of(first)), flow, None);
        let place = self.place(on.span);
        let condition = self.optional_expr(on.condition.as_ref());
        let run = self.here();
        if self.body(&on.body) == Then::GoesOn {
            self.emit(Op::Resume, place);
        }
        let translated = self.translated_triggers(&on.triggers);
        self.ons.push(On {
            flow,
            triggers: on.triggers.iter().map(trigger_of).chain(translated).collect(),
            condition,
            run,
            place,
        });
    }

    /// Lines up to the first that leads away.
    pub(super) fn body(&mut self, body: &[Stmt]) -> Then {
        for stmt in body {
            if self.stmt(stmt) == Then::Ends {
                return Then::Ends;
            }
        }
        Then::GoesOn
    }

    fn stmt(&mut self, stmt: &Stmt) -> Then {
        let place = self.place(stmt.span);
        match &stmt.kind {
            StmtKind::Say(say) => self.say_stmt(say, place),
            StmtKind::Question(question) => self.question(question, place),
            StmtKind::Set { path, value } => {
                let value = self.expr(value);
                self.set(&path.parts, value, place);
            }
            StmtKind::Remember(remember) => {
                let value = self.add_expr(Expr::Path(remember.value.parts.clone()));
                let path = remember.field.as_ref().unwrap_or(&remember.value);
                let op = Op::Mem {
                    field: field_name(&path.parts),
                    value: Some(value),
                    keep_seconds: remember.keep.map(|keep| keep.as_secs()),
                };
                self.emit(op, place);
            }
            StmtKind::Forget { fields } => {
                for path in fields {
                    let op = Op::Mem {
                        field: field_name(&path.parts),
                        value: None,
                        keep_seconds: None,
                    };
                    self.emit(op, place);
                }
            }
            StmtKind::If(branches) => return self.branches(branches, place),
            StmtKind::Fetch(fetch) => self.fetch(fetch, place),
            StmtKind::Do(call) => self.call(call, place),
            StmtKind::Go(target) => {
                self.go(target);
                return Then::Ends;
            }
            StmtKind::Done { gives } => {
                let gives = self.args(gives);
                self.emit(Op::Return { gives }, place);
                return Then::Ends;
            }
            StmtKind::SendTemplate { template, args } => {
                if let Some(template) = self.names.template(&template.text) {
                    let args = self.args(args);
                    self.emit(Op::Send(Message::Template { template, args }), place);
                }
            }
            StmtKind::Close { say } => {
                let say = self.optional_text(say.as_ref());
                self.emit(Op::Close { say }, place);
                return Then::Ends;
            }
            StmtKind::Resume => {
                self.emit(Op::Resume, place);
                return Then::Ends;
            }
            StmtKind::Handoff(handoff) => {
                self.handoff(handoff, place);
                return Then::Ends;
            }
            StmtKind::Notify { team, text } => {
                if let Some(team) = self.names.team(Some(&team.text)) {
                    let text = self.text(text);
                    self.emit(Op::Emit(Emit::Notify { team, text }), place);
                }
            }
            StmtKind::SendFile(file) => {
                let source = self.expr(&file.source);
                let message = Message::File {
                    kind: file.kind,
                    source,
                    caption: self.optional_text(file.caption.as_ref()),
                    named: self.optional_text(file.named.as_ref()),
                };
                self.emit(Op::Send(message), place);
            }
            StmtKind::SendPlace(at) => {
                let message = Message::Place {
                    lat: at.lat,
                    lng: at.lng,
                    name: self.optional_text(at.name.as_ref()),
                    address: self.optional_text(at.address.as_ref()),
                };
                self.emit(Op::Send(message), place);
            }
            StmtKind::ForEach(each) => self.for_each(each, place),
            StmtKind::Later(plan) => self.plan(plan, place),
            StmtKind::Cancel { name } => {
                let name = name.text.clone();
                self.emit(Op::Cancel { name }, place);
            }
            StmtKind::Record { name, value } => {
                let value = self.optional_expr(value.as_ref());
                let name = name.text.clone();
                self.emit(Op::Emit(Emit::Record { name, value }), place);
            }
            StmtKind::Tag { tag, on } => {
                let tag = self.text(tag);
                self.emit(Op::Emit(Emit::Tag { tag, on: *on }), place);
            }
            StmtKind::Subscribe { list, on } => {
                let list = list.as_ref().map(|list| list.text.clone());
                self.emit(Op::Emit(Emit::Subscribe { list, on: *on }), place);
            }
            StmtKind::Answer(answer) => return self.answer(answer, place),
            StmtKind::Split(split) => return self.split(split, place),
            StmtKind::React(emoji) => {
                let emoji = self.text(emoji);
                self.emit(Op::Send(Message::React { emoji }), place);
            }
            StmtKind::Pause(pause) => {
                let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                self.emit(Op::Pause { ms }, place);
            }
        }
        Then::GoesOn
    }

    fn say_stmt(&mut self, say: &Say, place: Place) {
        let body = self.text(&say.text);
        let or = say.or.iter().map(|text| self.text(text)).collect();
        let header = self.optional_text(say.header.as_ref());
        let footer = self.optional_text(say.footer.as_ref());
        let link = say
            .link
            .as_ref()
            .map(|link| (self.text(&link.label), self.text(&link.url)));
        let message = Message::Say {
            body,
            or,
            header,
            footer,
            link,
        };
        self.emit(Op::Send(message), place);
    }

    /// The list, its lines, and back for the next item.
    fn for_each(&mut self, each: &tree::ForEach, place: Place) {
        let list = self.expr(&each.list);
        let value = each.name.text.clone();
        let start = self.emit(
            Op::ForEach {
                list,
                value,
                end: PENDING,
            },
            place,
        );
        if self.body(&each.body) == Then::GoesOn {
            self.emit(Op::Jump(Jump::To(start)), place);
        }
        let next = self.here();
        if let Op::ForEach { end, .. } = &mut self.code[start as usize].op {
            *end = next;
        }
    }

    fn plan(&mut self, plan: &tree::Later, place: Place) {
        let seconds = |by: std::time::Duration| i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
        let due = match &plan.due {
            tree::Due::In(after) => Due::In(after.as_secs()),
            tree::Due::At(when) => Due::At(self.expr(when)),
            tree::Due::Before(by, when) => Due::From(-seconds(*by), self.expr(when)),
            tree::Due::After(by, when) => Due::From(seconds(*by), self.expr(when)),
        };
        let to = match &plan.to.kind {
            TargetKind::Step(name) => self
                .scope
                .flow
                .and_then(|flow| self.names.step(flow, &name.slug))
                .map(Jump::Step),
            TargetKind::Flow(name, args) => self.names.flow(&name.slug).map(|flow| Jump::Flow {
                flow,
                args: self.args(args),
            }),
            TargetKind::Again
            | TargetKind::Resume
            | TargetKind::Back
            | TargetKind::Start
            | TargetKind::Done(_)
            | TargetKind::Close
            | TargetKind::Handoff(_) => None,
        };
        if let Some(to) = to {
            let name = plan.name.text.clone();
            self.emit(Op::Plan(Box::new(Plan { name, due, to })), place);
        }
    }

    fn split(&mut self, split: &tree::Split, place: Place) -> Then {
        let name = split.name.text.clone();
        let start = self.emit(
            Op::Split {
                name,
                ways: Vec::new(),
            },
            place,
        );
        let mut to_next = Vec::new();
        let mut found = Vec::new();
        for way in &split.ways {
            let place = self.place(way.span);
            found.push((
                way.percent,
                self.way(&way.tail, place, Ending::Next, &mut to_next),
            ));
        }
        if let Op::Split { ways, .. } = &mut self.code[start as usize].op {
            *ways = found;
        }
        self.join(&to_next);
        if to_next.is_empty() && !split.ways.is_empty() {
            Then::Ends
        } else {
            Then::GoesOn
        }
    }

    /// `set contact.x = …` writes memory, anything else a value.
    fn set(&mut self, path: &[String], value: u32, place: Place) {
        let op = match path {
            [scope, ..] if scope == "contact" => Op::Mem {
                field: field_name(path),
                value: Some(value),
                keep_seconds: None,
            },
            _ => Op::Set {
                path: path.to_vec(),
                value,
            },
        };
        self.emit(op, place);
    }

    /// All conditions in order, then `else`, then the branches; each comes back behind them all.
    fn branches(&mut self, branches: &If, place: Place) -> Then {
        let tests: Vec<Pc> = branches
            .branches
            .iter()
            .map(|branch| {
                let condition = self.expr(&branch.condition);
                let place = self.place(branch.span);
                let op = Op::JumpIf {
                    condition,
                    to: PENDING,
                };
                self.emit(op, place)
            })
            .collect();
        let mut to_next = Vec::new();
        if self.body(branches.otherwise.as_deref().unwrap_or_default()) == Then::GoesOn {
            to_next.push(self.emit(Op::Jump(Jump::To(PENDING)), place));
        }
        for (branch, test) in branches.branches.iter().zip(&tests) {
            let start = self.here();
            self.patch(&[*test], start);
            if self.body(&branch.body) == Then::GoesOn {
                to_next.push(self.emit(Op::Jump(Jump::To(PENDING)), place));
            }
        }
        self.join(&to_next);
        if to_next.is_empty() {
            Then::Ends
        } else {
            Then::GoesOn
        }
    }
}

/// The field's own name, without `contact.`.
fn field_name(path: &[String]) -> String {
    match path {
        [scope, field @ ..] if scope == "contact" && !field.is_empty() => field.join("."),
        _ => path.last().cloned().unwrap_or_default(),
    }
}

pub(super) fn fields(fields: &[Field]) -> Vec<(String, Kind)> {
    fields
        .iter()
        .map(|field| (field.path.parts.join("."), field.kind.clone()))
        .collect()
}

fn trigger_of(trigger: &tree::Trigger) -> Trigger {
    match &trigger.kind {
        TriggerKind::Words(words) => Trigger::Words(words.clone()),
        TriggerKind::Containing(words) => Trigger::Containing(words.clone()),
        TriggerKind::Topic(topic) => Trigger::Topic(topic.clone()),
        TriggerKind::Event(name) => Trigger::Event(name.clone()),
        TriggerKind::Link(code) => Trigger::Link(code.clone()),
        TriggerKind::WindowClosing => Trigger::WindowClosing,
        TriggerKind::FirstMessage => Trigger::FirstMessage,
        TriggerKind::AnyMessage => Trigger::AnyMessage,
        TriggerKind::Media(kind) => Trigger::Media(*kind),
        TriggerKind::Location => Trigger::Location,
        TriggerKind::Reply(template) => Trigger::Reply(template.clone()),
    }
}
