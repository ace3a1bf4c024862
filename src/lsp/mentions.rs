//! Where names are declared and where they are mentioned: for going there, for finding all, for renaming.

use crate::flow::check::walk;
use crate::flow::names::{Names, ROOTS};
use crate::flow::source::{FileId, Sources, Span};
use crate::flow::tree::{
    AnswerExitKind, Expr, ExprKind, Flow, Name, Path, Phrase, Stmt, StmtKind, Target, TargetKind, Text, Tree,
    Trigger, TriggerKind,
};
use crate::flow::{template, text};

/// Something with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Symbol {
    /// By slug.
    Flow(String),
    /// By the number of its flow and its slug.
    Step(usize, String),
    Team(String),
    Topic(String),
    Template(String),
    Service(String),
    /// Service and action.
    Action(String, String),
    /// `contact.first_name`.
    Field(String),
    /// `later reminder`: what `cancel` takes back, from any flow.
    Later(String),
    /// A value of a flow.
    Value(usize, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub symbol: Symbol,
    pub span: Span,
    /// Declared or learned here. A value may be learned at several places.
    pub declares: bool,
}

/// The mention at a byte of a file; at the end of a word it is still that word.
pub(super) fn at(mentions: &[Mention], file: FileId, offset: usize) -> Option<&Mention> {
    let offset = offset as u32;
    let around = |mention: &&Mention| {
        mention.span.file == file && mention.span.start <= offset && offset <= mention.span.end
    };
    mentions
        .iter()
        .filter(around)
        .min_by_key(|mention| mention.span.end - mention.span.start)
}

/// Every name of the business, in no order.
pub(super) fn mentions(sources: &Sources, tree: &Tree) -> Vec<Mention> {
    let mut collector = Collector {
        sources,
        names: Names::of(tree),
        found: Vec::new(),
    };
    for (index, flow) in tree.flows.iter().enumerate() {
        collector.flow(index, flow);
    }
    collector.business(tree);
    walk::statements(tree, |home, stmt| {
        collector.statement(home.flow, stmt);
        walk::arrows(stmt)
            .into_iter()
            .for_each(|target| collector.target(home.flow, target));
        walk::exprs(stmt, &mut |expr| collector.expr(home.flow, expr));
        walk::texts(stmt, &mut |_, text| collector.text(home.flow, text));
    });
    for strings in &tree.strings {
        // Blanks of translations are those of the flow.
        let flow = tree.flows.iter().position(|flow| Some(flow.file) == strings.of);
        for entry in &strings.entries {
            entry.texts.iter().for_each(|text| collector.text(flow, text));
        }
    }
    for tail in walk::default_tails(tree) {
        tail.go.iter().for_each(|target| collector.target(None, target));
        tail.say.iter().for_each(|text| collector.text(None, text));
    }
    collector.found
}

struct Collector<'t> {
    sources: &'t Sources,
    names: Names<'t>,
    found: Vec<Mention>,
}

impl Collector<'_> {
    fn add(&mut self, symbol: Symbol, span: Span, declares: bool) {
        self.found.push(Mention {
            symbol,
            span,
            declares,
        });
    }

    fn flow(&mut self, index: usize, flow: &Flow) {
        self.add(Symbol::Flow(flow.name.slug.clone()), flow.name.span, true);
        for step in &flow.steps {
            self.add(Symbol::Step(index, step.name.slug.clone()), step.name.span, true);
        }
        for field in &flow.needs {
            self.add(
                Symbol::Value(index, field.path.parts.join(".")),
                field.path.span,
                true,
            );
        }
        for starts in &flow.starts {
            starts.triggers.iter().for_each(|trigger| self.trigger(trigger));
            starts
                .condition
                .iter()
                .for_each(|expr| self.expr(Some(index), expr));
        }
        for on in &flow.ons {
            on.triggers.iter().for_each(|trigger| self.trigger(trigger));
            on.condition.iter().for_each(|expr| self.expr(Some(index), expr));
        }
    }

    fn business(&mut self, tree: &Tree) {
        let Some(business) = &tree.business else { return };
        if let Some(flow) = &business.front_door {
            self.add(Symbol::Flow(flow.slug.clone()), flow.span, false);
        }
        for team in &business.teams {
            self.add(Symbol::Team(team.name.text.clone()), team.name.span, true);
        }
        for topic in &business.topics {
            self.add(Symbol::Topic(topic.name.text.clone()), topic.name.span, true);
        }
        for template in &business.templates {
            self.add(
                Symbol::Template(template.name.text.clone()),
                template.name.span,
                true,
            );
        }
        for field in &business.memory {
            self.add(Symbol::Field(field.path.parts.join(".")), field.path.span, true);
        }
        for service in &business.services {
            self.add(
                Symbol::Service(service.name.text.clone()),
                service.name.span,
                true,
            );
            for action in &service.actions {
                let symbol = Symbol::Action(service.name.text.clone(), action.name.text.clone());
                self.add(symbol, action.name.span, true);
            }
        }
        for on in &business.ons {
            on.triggers.iter().for_each(|trigger| self.trigger(trigger));
            on.condition.iter().for_each(|expr| self.expr(None, expr));
        }
    }

    fn trigger(&mut self, trigger: &Trigger) {
        if let TriggerKind::Topic(topic) = &trigger.kind {
            self.add(Symbol::Topic(topic.clone()), trigger.span, false);
        }
        if let TriggerKind::Reply(template) = &trigger.kind {
            self.add(Symbol::Template(template.clone()), trigger.span, false);
        }
    }

    fn statement(&mut self, flow: Option<usize>, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Question(question) => {
                self.learned(flow, question.name.as_ref());
                for each in question.options.iter().flat_map(|option| &option.each) {
                    self.learned(flow, Some(&each.name));
                }
                if let Some(asks) = question.by_template() {
                    let template = Symbol::Template(asks.template.text.clone());
                    self.add(template, asks.template.span, false);
                }
            }
            StmtKind::Set { path, .. } => match path.parts.as_slice() {
                [_] => self.value(flow, &path.parts, path.span, true),
                _ => self.path(flow, path),
            },
            StmtKind::Remember(remember) => {
                self.path(flow, &remember.value);
                remember.field.iter().for_each(|field| self.path(flow, field));
            }
            StmtKind::Forget { fields } => fields.iter().for_each(|field| self.path(flow, field)),
            StmtKind::Fetch(fetch) => {
                self.learned(flow, Some(&fetch.name));
                self.action(&fetch.action);
            }
            StmtKind::Answer(answer) => {
                let exits = answer.exits.iter().filter_map(|exit| match &exit.kind {
                    AnswerExitKind::Topic(topic) => Some(topic),
                    AnswerExitKind::NotSure
                    | AnswerExitKind::OffTopic
                    | AnswerExitKind::Finished
                    | AnswerExitKind::Problem => None,
                });
                for topic in answer.about.iter().chain(exits) {
                    self.add(Symbol::Topic(topic.text.clone()), topic.span, false);
                }
                answer.remembers.iter().for_each(|field| self.path(flow, field));
                answer.uses.iter().for_each(|action| self.action(action));
            }
            StmtKind::ForEach(each) => self.learned(flow, Some(&each.name)),
            StmtKind::Do(call) => {
                self.called(&call.flow);
                self.learned(flow, call.save.as_ref());
            }
            StmtKind::SendTemplate { template, .. } => {
                self.add(Symbol::Template(template.text.clone()), template.span, false);
            }
            StmtKind::Handoff(handoff) => handoff.team.iter().for_each(|team| self.team(team)),
            StmtKind::Notify { team, .. } => self.team(team),
            StmtKind::Later(later) => {
                self.add(Symbol::Later(later.name.text.clone()), later.name.span, true);
            }
            StmtKind::Cancel { name } => self.add(Symbol::Later(name.text.clone()), name.span, false),
            // Arrows, expressions and texts are gone over for every statement.
            StmtKind::Say(_)
            | StmtKind::If(_)
            | StmtKind::Go(_)
            | StmtKind::Done { .. }
            | StmtKind::Close { .. }
            | StmtKind::Resume
            | StmtKind::SendFile(_)
            | StmtKind::SendPlace(_)
            | StmtKind::Record { .. }
            | StmtKind::Tag { .. }
            | StmtKind::Subscribe { .. }
            | StmtKind::Split(_)
            | StmtKind::React(_)
            | StmtKind::Pause(_) => {}
        }
    }

    fn target(&mut self, flow: Option<usize>, target: &Target) {
        match &target.kind {
            TargetKind::Step(step) => {
                if let Some(flow) = flow {
                    self.add(Symbol::Step(flow, step.slug.clone()), step.span, false);
                }
            }
            TargetKind::Flow(called, _) => self.called(called),
            TargetKind::Handoff(team) => team.iter().for_each(|team| self.team(team)),
            TargetKind::Again
            | TargetKind::Resume
            | TargetKind::Back
            | TargetKind::Start
            | TargetKind::Done(_)
            | TargetKind::Close => {}
        }
    }

    fn called(&mut self, flow: &Phrase) {
        self.add(Symbol::Flow(flow.slug.clone()), flow.span, false);
    }

    fn team(&mut self, team: &Name) {
        self.add(Symbol::Team(team.text.clone()), team.span, false);
    }

    fn learned(&mut self, flow: Option<usize>, name: Option<&Name>) {
        if let (Some(flow), Some(name)) = (flow, name) {
            self.add(Symbol::Value(flow, name.text.clone()), name.span, true);
        }
    }

    fn action(&mut self, path: &Path) {
        let [service, action] = path.parts.as_slice() else {
            return;
        };
        let dot = path.span.start as usize + service.len();
        let file = path.span.file;
        let first = Span::new(file, path.span.start as usize, dot);
        let second = Span::new(file, dot + 1, path.span.end as usize);
        self.add(Symbol::Service(service.clone()), first, false);
        self.add(Symbol::Action(service.clone(), action.clone()), second, false);
    }

    fn expr(&mut self, flow: Option<usize>, expr: &Expr) {
        walk::parts(expr, &mut |part| {
            if let ExprKind::Path(path) = &part.kind {
                self.path(flow, path);
            }
        });
    }

    fn path(&mut self, flow: Option<usize>, path: &Path) {
        self.value(flow, &path.parts, path.span, false);
    }

    fn text(&mut self, flow: Option<usize>, text: &Text) {
        if !text.source.contains('{') {
            return;
        }
        let raw = self.sources.text(text.span);
        for used in template::paths(&text.source) {
            let start = text.span.start as usize;
            let from = start + text::offset(raw, used.range.start);
            let to = start + text::offset(raw, used.range.end);
            let span = Span::new(text.span.file, from, to.max(from));
            // Written as `order["eta"]`, the name stands otherwise than it is.
            if self.sources.file(span.file).text.get(span.range()) == Some(used.dotted().as_str()) {
                self.value(flow, &used.path, span, false);
            }
        }
    }

    /// A value at a dotted path: what is known by name is its first part, of memory the first two.
    fn value(&mut self, flow: Option<usize>, parts: &[String], span: Span, declares: bool) {
        let Some(root) = parts.first() else { return };
        let start = span.start as usize;
        let first = Span::new(span.file, start, start + root.len());
        if matches!(root.as_str(), "contact" | "chat") {
            if let Some(field) = parts.get(1) {
                let both = Span::new(span.file, start, start + root.len() + 1 + field.len());
                self.add(Symbol::Field(format!("{root}.{field}")), both, false);
            }
        } else if self.names.team(root).is_some() && !declares {
            self.add(Symbol::Team(root.clone()), first, false);
        } else if let Some(flow) = flow
            && !ROOTS.contains(&root.as_str())
        {
            self.add(Symbol::Value(flow, root.clone()), first, declares);
        }
    }
}
