//! Types that don't fit (F403): comparisons that can never hold, sums of unlike things, filters and arguments that
//! get what they can't take. Filters of expressions are looked up here too (F502).

use jiff::civil;

use super::values::{Meaning, Type, Values, arithmetic};
use super::{Shop, texts, walk};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::locale::Language;
use crate::flow::source::Span;
use crate::flow::template::{self, FILTERS, Moment};
use crate::flow::tree::{Arg, BinaryOp, Due, Expr, ExprKind, Field, Flow, Kind, StmtKind, TargetKind, Test};
use crate::flow::value::Value;

pub(super) fn check(shop: &Shop, values: &Values, found: &mut Vec<Diagnostic>) {
    let mut types = Types { shop, values, found };
    walk::statements(shop.tree, |home, stmt| {
        let flow = home.flow;
        walk::exprs(stmt, &mut |expr| types.expr(flow, expr));
        match &stmt.kind {
            StmtKind::If(branches) => {
                branches
                    .branches
                    .iter()
                    .for_each(|branch| types.condition(flow, &branch.condition));
            }
            StmtKind::Question(question) => {
                question
                    .checks
                    .iter()
                    .for_each(|check| types.condition(flow, &check.condition));
                let conditions = question
                    .options
                    .iter()
                    .filter_map(|option| option.condition.as_ref());
                conditions.for_each(|condition| types.condition(flow, condition));
                for each in question.options.iter().filter_map(|option| option.each.as_ref()) {
                    types.list(&each.list, values.type_of(flow, &each.list));
                }
                if let Some(accept) = &question.accept {
                    accept
                        .kinds
                        .iter()
                        .for_each(|(kind, span)| types.kind(kind, *span));
                }
            }
            StmtKind::Handoff(handoff) => {
                let condition = handoff
                    .priority
                    .as_ref()
                    .and_then(|priority| priority.condition.as_ref());
                condition
                    .into_iter()
                    .for_each(|condition| types.condition(flow, condition));
            }
            StmtKind::Set { path, value } => {
                if let [root, name] = path.parts.as_slice()
                    && matches!(root.as_str(), "contact" | "chat")
                    && let Some(field) = shop.names.field(&format!("{root}.{name}"))
                {
                    types.remembered(field, value.span, &values.type_of(flow, value));
                }
            }
            StmtKind::Remember(remember) => {
                let name = match &remember.field {
                    Some(field) => field.parts.join("."),
                    None => format!(
                        "contact.{}",
                        remember.value.parts.last().map_or("", String::as_str)
                    ),
                };
                if let (Some(field), Meaning::Value(kind)) = (
                    shop.names.field(&name),
                    values.look_up(flow, &remember.value.parts),
                ) {
                    types.remembered(field, remember.value.span, &kind);
                }
            }
            StmtKind::Do(call) => {
                if let Some(called) = shop.names.flow(&call.flow) {
                    types.arguments(flow, called, &called.needs, &call.args);
                }
            }
            StmtKind::Done { gives } => {
                if let Some(own) = flow {
                    let own = &shop.tree.flows[own];
                    types.arguments(flow, own, &own.gives, gives);
                }
            }
            StmtKind::SendFile(file) => {
                let kind = values.type_of(flow, &file.source);
                if !kind.fits(&Type::Text) {
                    types.say(
                        file.source.span,
                        "this can't be sent as a file",
                        format!("this is {}, a file is named by a text", kind.words()),
                        "Write the name of a file beside the flows, or an address that begins with https://",
                    );
                }
            }
            StmtKind::ForEach(each) => types.list(&each.list, values.type_of(flow, &each.list)),
            StmtKind::Later(plan) => match &plan.due {
                Due::In(_) => {}
                Due::At(when) | Due::Before(_, when) | Due::After(_, when) => {
                    let kind = values.type_of(flow, when);
                    let is_time = kind.fits(&Type::Time) && matches!(plan.due, Due::At(_));
                    if !kind.fits(&Type::Date) && !is_time {
                        types.say(
                            when.span,
                            "this is no date",
                            format!("a plan needs a date, and this is {}", kind.words()),
                            "Ask for one with  as date , or let the service declare it:  gives day: date",
                        );
                    }
                }
            },
            StmtKind::Say(_)
            | StmtKind::Forget { .. }
            | StmtKind::Fetch(_)
            | StmtKind::Go(_)
            | StmtKind::SendTemplate { .. }
            | StmtKind::Close { .. }
            | StmtKind::Resume
            | StmtKind::Notify { .. }
            | StmtKind::SendPlace(_)
            | StmtKind::Cancel { .. }
            | StmtKind::Record { .. }
            | StmtKind::Tag { .. }
            | StmtKind::Subscribe { .. }
            | StmtKind::Split(_)
            | StmtKind::React(_)
            | StmtKind::Answer(_)
            | StmtKind::Pause(_) => {}
        }
    });
    walk::all_arrows(shop.tree, |home, target| match &target.kind {
        TargetKind::Flow(name, args) => {
            if let Some(flow) = shop.names.flow(name) {
                types.arguments(home.flow, flow, &flow.needs, args);
            }
        }
        TargetKind::Done(args) => {
            if let Some(own) = home.flow {
                let flow = &shop.tree.flows[own];
                types.arguments(home.flow, flow, &flow.gives, args);
            }
        }
        TargetKind::Step(_)
        | TargetKind::Again
        | TargetKind::Resume
        | TargetKind::Back
        | TargetKind::Start
        | TargetKind::Close
        | TargetKind::Handoff(_) => {}
    });
    types.headings();
}

struct Types<'c, 't> {
    shop: &'c Shop<'t>,
    values: &'c Values<'t>,
    found: &'c mut Vec<Diagnostic>,
}

impl Types<'_, '_> {
    fn headings(&mut self) {
        let shop = self.shop;
        for (index, flow) in shop.tree.flows.iter().enumerate() {
            let conditions = flow
                .starts
                .iter()
                .filter_map(|starts| starts.condition.as_ref())
                .chain(flow.ons.iter().filter_map(|on| on.condition.as_ref()));
            for condition in conditions {
                self.expr(Some(index), condition);
                self.condition(Some(index), condition);
            }
            flow.needs.iter().for_each(|field| self.default(field));
        }
        for condition in shop
            .tree
            .business
            .iter()
            .flat_map(|business| business.ons.iter().filter_map(|on| on.condition.as_ref()))
        {
            self.expr(None, condition);
            self.condition(None, condition);
        }
        for field in shop.tree.business.iter().flat_map(|business| &business.memory) {
            self.default(field);
        }
    }

    fn say(
        &mut self,
        at: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        note: &str,
    ) -> &mut Diagnostic {
        let mut diagnostic = Diagnostic::new(Code::F403, at, message, label);
        if !note.is_empty() {
            diagnostic = diagnostic.note(note);
        }
        self.found.push(diagnostic);
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn written(&self, span: Span) -> &str {
        self.shop.sources.text(span)
    }

    fn list(&mut self, list: &Expr, kind: Type) {
        if !kind.fits(&Type::List(Box::new(Type::Anything))) {
            self.say(
                list.span,
                "this is no list",
                format!("each item of a list is meant, and this is {}", kind.words()),
                "Name a list, for example one that a service gives:  each line in order.lines",
            );
        }
    }

    fn default(&mut self, field: &Field) {
        let Some(default) = &field.default else { return };
        let (wanted, kind) = (Type::of_kind(&field.kind), self.values.type_of(None, default));
        if !kind.fits(&wanted) {
            self.say(
                default.span,
                format!(
                    "{} can't begin as {}",
                    field.path.parts.join("."),
                    self.written(default.span)
                ),
                format!("this is {}, the field holds {}", kind.words(), wanted.words()),
                "",
            );
        }
    }

    fn remembered(&mut self, field: &Field, at: Span, kind: &Type) {
        let wanted = Type::of_kind(&field.kind);
        if kind.fits(&wanted) {
            return;
        }
        let name = field.path.parts.join(".");
        self.say(
            at,
            format!("{name} can't hold this"),
            format!("this is {} …", kind.words()),
            "What is remembered keeps its type, so that every flow can rely on it. Remember it under another name,\nor change the type in the business file.",
        )
        .labels
        .push(crate::flow::diagnostic::Label {
            span: field.span,
            text: format!("… and it is declared as {}", wanted.words()),
        });
    }

    fn arguments(&mut self, flow: Option<usize>, callee: &Flow, fields: &[Field], args: &[Arg]) {
        for arg in args {
            let Some(field) = fields
                .iter()
                .find(|field| field.path.parts.first() == Some(&arg.name.text))
            else {
                continue;
            };
            let (wanted, kind) = (Type::of_kind(&field.kind), self.values.type_of(flow, &arg.value));
            if !kind.fits(&wanted) {
                self.say(
                    arg.value.span,
                    format!("{} of flow {} can't be this", arg.name.text, callee.name.words),
                    format!("this is {} …", kind.words()),
                    "",
                )
                .labels
                .push(crate::flow::diagnostic::Label {
                    span: field.span,
                    text: format!("… and it is declared as {}", wanted.words()),
                });
            }
        }
    }

    /// A pattern or range that no answer could fit.
    fn kind(&mut self, kind: &Kind, at: Span) {
        match kind {
            Kind::TextMatching(pattern) => {
                if let Err(error) = regex::Regex::new(pattern) {
                    let reason = error.to_string();
                    let reason = reason
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches("error: ")
                        .to_owned();
                    self.say(
                        at,
                        "this pattern can't be read",
                        reason,
                        "No answer could ever fit, so the customer would be asked again and again.\nFor simple shapes  text like \"A-#####\"  is enough: # is a digit, @ a letter, * anything.",
                    );
                }
            }
            Kind::Number {
                from: Some(from),
                to: Some(to),
            }
            | Kind::WholeNumber {
                from: Some(from),
                to: Some(to),
            } if from > to => {
                self.say(
                    at,
                    "no number fits here",
                    format!("{from} is more than {to}"),
                    "Write the smaller number first.",
                );
            }
            Kind::Rating { from, to } if from >= to => {
                self.say(
                    at,
                    "no rating fits here",
                    format!("{from} is not less than {to}"),
                    "Write the smaller number first.",
                );
            }
            Kind::List(Some(item)) => self.kind(item, at),
            Kind::Text
            | Kind::TextLike(_)
            | Kind::Number { .. }
            | Kind::WholeNumber { .. }
            | Kind::YesNo
            | Kind::Money
            | Kind::Date(_)
            | Kind::Time
            | Kind::Email
            | Kind::Phone
            | Kind::WebAddress
            | Kind::Media(_)
            | Kind::Location
            | Kind::Rating { .. }
            | Kind::List(None) => {}
        }
    }

    /// What decides must be yes or no.
    fn condition(&mut self, flow: Option<usize>, expr: &Expr) {
        if let ExprKind::Binary {
            op: BinaryOp::And | BinaryOp::Or,
            left,
            right,
        } = &expr.kind
        {
            self.condition(flow, left);
            self.condition(flow, right);
            return;
        }
        if let ExprKind::Not(inner) = &expr.kind {
            return self.condition(flow, inner);
        }
        let kind = self.values.type_of(flow, expr);
        // A text, number or list counts as yes if there is something in it.
        if matches!(
            kind,
            Type::YesNo | Type::Anything | Type::Text | Type::Number | Type::List(_)
        ) {
            return;
        }
        let written = self.written(expr.span).to_owned();
        let advice = match kind {
            Type::Team => format!("Write  {written} is open  or  {written} is closed"),
            _ => format!("Write  {written} is known , or compare it:  {written} is …"),
        };
        self.say(
            expr.span,
            "this is neither yes nor no",
            format!("this is {}", kind.words()),
            &advice,
        );
    }

    fn expr(&mut self, flow: Option<usize>, expr: &Expr) {
        walk::parts(expr, &mut |part| match &part.kind {
            ExprKind::Binary { op, left, right } => self.binary(flow, part, *op, left, right),
            ExprKind::Test { subject, test, .. } => self.test(flow, subject, *test),
            ExprKind::Filter { subject, name, args } => {
                if !FILTERS.contains(&name.text.as_str()) {
                    self.found.push(texts::unknown_filter(name.span, &name.text));
                } else {
                    self.filter(flow, part, subject, &name.text, args);
                }
            }
            ExprKind::Text(_)
            | ExprKind::Number(_)
            | ExprKind::YesNo(_)
            | ExprKind::Nothing
            | ExprKind::Date(_)
            | ExprKind::Time(_)
            | ExprKind::Duration(_)
            | ExprKind::List(_)
            | ExprKind::Path(_)
            | ExprKind::Not(_) => {}
        });
    }

    fn test(&mut self, flow: Option<usize>, subject: &Expr, test: Test) {
        let wants_team = match test {
            Test::Open | Test::Closed => true,
            Test::Known | Test::Unknown | Test::Empty | Test::Unheard => false,
        };
        let kind = self.values.type_of(flow, subject);
        let files = kind.fits(&Type::File) || matches!(&kind, Type::Record(_) | Type::List(_));
        if test == Test::Unheard && !files {
            self.say(
                subject.span,
                "there are no voice notes in this",
                format!("this is {}", kind.words()),
                "Name the answer of an `ask` or `gather` that takes voice notes:  transcribe story",
            );
        }
        // An unknown name is F401.
        if !wants_team || matches!(kind, Type::Team | Type::Anything) {
            return;
        }
        let teams: Vec<&str> = self
            .shop
            .tree
            .business
            .iter()
            .flat_map(|business| business.teams.iter().map(|team| team.name.text.as_str()))
            .collect();
        let note = format!("Teams: {}.", teams.join(", "));
        let note = if teams.is_empty() { "" } else { &note };
        self.say(
            subject.span,
            "only teams are open or closed",
            format!("this is {}", kind.words()),
            note,
        );
    }

    fn binary(&mut self, flow: Option<usize>, whole: &Expr, op: BinaryOp, left: &Expr, right: &Expr) {
        let (a, b) = (self.values.type_of(flow, left), self.values.type_of(flow, right));
        if a == Type::Team || b == Type::Team {
            let span = if a == Type::Team { left.span } else { right.span };
            let written = self.written(span).to_owned();
            self.say(
                span,
                "a team has no value of its own",
                "this is a team",
                &format!("Write  {written} is open  or  {written} is closed"),
            );
            return;
        }
        let fine = match op {
            BinaryOp::And | BinaryOp::Or => true,
            BinaryOp::Is | BinaryOp::IsNot | BinaryOp::IsExactly => comparable(&a, &b),
            BinaryOp::Greater | BinaryOp::GreaterOrEqual | BinaryOp::Less | BinaryOp::LessOrEqual => {
                ordered(&a, &b)
            }
            BinaryOp::In => match &b {
                Type::List(item) => comparable(&a, item),
                Type::Text => matches!(a, Type::Text | Type::Anything),
                other => *other == Type::Anything,
            },
            BinaryOp::Contains => match &a {
                Type::List(item) => comparable(&b, item),
                Type::Text => matches!(b, Type::Text | Type::Anything),
                other => *other == Type::Anything,
            },
            BinaryOp::StartsWith | BinaryOp::EndsWith | BinaryOp::Matches => {
                matches!(a, Type::Text | Type::Anything) && matches!(b, Type::Text | Type::Anything)
            }
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                arithmetic(op, &a, &b).is_some()
            }
        };
        if fine {
            if op == BinaryOp::Matches
                && let ExprKind::Text(pattern) = &right.kind
            {
                self.kind(&Kind::TextMatching(pattern.source.clone()), right.span);
            }
            return;
        }
        let (what, why) = match op {
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => (
                "these can't be calculated with each other",
                "The customer would get the sentence for problems.",
            ),
            _ => (
                "these can't be compared",
                "The answer would be no every time, whatever the customer does.",
            ),
        };
        let fix = unit_missing(self.shop, &a, &b, left, right);
        let mut note = why.to_owned();
        if let Some(advice) = &fix {
            note = format!("{note}\n{advice}");
        }
        let place = if left.span.file == right.span.file {
            left.span.to(right.span)
        } else {
            whole.span
        };
        self.say(
            place,
            what,
            format!(
                "{} is {}, {} is {}",
                short(self.written(left.span)),
                a.words(),
                short(self.written(right.span)),
                b.words()
            ),
            &note,
        );
    }

    fn filter(&mut self, flow: Option<usize>, whole: &Expr, subject: &Expr, name: &str, args: &[Expr]) {
        let kind = self.values.type_of(flow, subject);
        if !kind.is_certain() || kind == Type::Team {
            return;
        }
        let args: Vec<Value> = args
            .iter()
            .map(|arg| match &arg.kind {
                ExprKind::Number(number) => Value::Number(*number),
                ExprKind::Text(text) => Value::text(text.source.as_str()),
                _ => self.values.type_of(flow, arg).sample(),
            })
            .collect();
        let moment = Moment(civil::date(2026, 3, 2).at(10, 0, 0, 0));
        if let Err(fault) = template::apply(name, Some(&kind.sample()), &args, Language::of("en"), &moment) {
            self.say(
                whole.span,
                "this filter can't be used here",
                fault.to_string(),
                "The customer would get the sentence for problems.",
            );
        }
    }
}

fn comparable(a: &Type, b: &Type) -> bool {
    a.fits(b) && !matches!((a, b), (Type::Record(_), _) | (Type::File, _) | (Type::Place, _))
}

fn ordered(a: &Type, b: &Type) -> bool {
    use Type::{Anything, Date, Duration, Number, Text, Time};
    match (a, b) {
        (Anything, other) | (other, Anything) => {
            matches!(other, Anything | Number | Text | Date | Time | Duration)
        }
        (one, other) => one == other && matches!(one, Number | Text | Date | Time | Duration),
    }
}

/// `day - today <= 30`: a number where a duration is wanted, and the like.
fn unit_missing(shop: &Shop, a: &Type, b: &Type, left: &Expr, right: &Expr) -> Option<String> {
    match (a, b, &left.kind, &right.kind) {
        (Type::Duration, Type::Number, _, ExprKind::Number(number)) => {
            Some(format!("A length of time has a unit:  {number} days"))
        }
        (Type::Number, Type::Text, _, ExprKind::Text(text)) if text.source.trim().parse::<f64>().is_ok() => {
            Some(format!(
                "Write the number without quotes:  {}",
                text.source.trim()
            ))
        }
        (Type::Text, Type::Number, _, ExprKind::Number(number)) => Some(format!(
            "Write it in quotes:  {} is \"{number}\"",
            shop.sources.text(left.span)
        )),
        (Type::YesNo, Type::Text, _, _) => Some(format!("Write  {} is yes", shop.sources.text(left.span))),
        _ => None,
    }
}

fn short(text: &str) -> String {
    crate::message::clip(text, 30).into_owned()
}
