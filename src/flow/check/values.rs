//! What values there are and what they can be: the names a flow gives to answers, the fields of memory, and what
//! Switchboard itself provides.
//!
//! Types are inferred from where a value comes from; authors never write them inside steps. What can't be told is
//! [`Type::Anything`], which fits everywhere.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::civil;

use super::Shop;
use super::walk::{self, Home};
use crate::flow::names::ROOTS;
use crate::flow::source::Span;
use crate::flow::tree::{BinaryOp, Expr, ExprKind, Field, Kind, Question, QuestionWord, StmtKind, Text};
use crate::flow::value::{Record, Value};

/// What a value can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Anything,
    Text,
    Number,
    YesNo,
    Date,
    Time,
    Duration,
    File,
    Place,
    List(Box<Type>),
    Record(Vec<(String, Type)>),
    /// Only for `is open` and `is closed`.
    Team,
}

pub(crate) const FILE_FIELDS: [(&str, Type); 6] = [
    ("url", Type::Text),
    ("kind", Type::Text),
    ("size", Type::Number),
    ("caption", Type::Text),
    ("seconds", Type::Number),
    ("text", Type::Text),
];
pub(crate) const PLACE_FIELDS: [(&str, Type); 4] = [
    ("name", Type::Text),
    ("address", Type::Text),
    ("lat", Type::Number),
    ("lng", Type::Number),
];

pub(crate) const TEAM_FIELDS: [(&str, Type); 3] =
    [("opens", Type::Text), ("name", Type::Text), ("open", Type::YesNo)];

impl Type {
    pub fn of_kind(kind: &Kind) -> Type {
        match kind {
            Kind::Text
            | Kind::TextLike(_)
            | Kind::TextMatching(_)
            | Kind::Email
            | Kind::Phone
            | Kind::WebAddress => Type::Text,
            Kind::Number { .. } | Kind::WholeNumber { .. } | Kind::Money | Kind::Rating { .. } => {
                Type::Number
            }
            Kind::YesNo => Type::YesNo,
            Kind::Date(_) => Type::Date,
            Kind::Time => Type::Time,
            Kind::Media(_) => Type::File,
            Kind::Location => Type::Place,
            Kind::List(item) => Type::List(Box::new(item.as_deref().map_or(Type::Anything, Type::of_kind))),
        }
    }

    /// In the words of the language, with its article.
    pub fn words(&self) -> &'static str {
        match self {
            Type::Anything => "a value",
            Type::Text => "a text",
            Type::Number => "a number",
            Type::YesNo => "yes or no",
            Type::Date => "a date",
            Type::Time => "a time",
            Type::Duration => "a duration",
            Type::File => "a file",
            Type::Place => "a location",
            Type::List(_) => "a list",
            Type::Record(_) => "a record",
            Type::Team => "a team",
        }
    }

    /// A value of either origin.
    fn or(self, other: Type) -> Type {
        if self == other { self } else { Type::Anything }
    }

    /// Whether a value of this type can stand where the other is wanted.
    pub fn fits(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (Type::Anything, _) | (_, Type::Anything) => true,
            (Type::List(item), Type::List(other)) => item.fits(other),
            (Type::Record(_), Type::Record(_)) => true,
            (one, other) => one == other,
        }
    }

    /// Whether it says all about its values, so that a dry render with a sample proves something.
    pub fn is_certain(&self) -> bool {
        match self {
            Type::Anything => false,
            Type::List(item) => item.is_certain(),
            Type::Record(fields) => fields.iter().all(|(_, field)| field.is_certain()),
            Type::Text
            | Type::Number
            | Type::YesNo
            | Type::Date
            | Type::Time
            | Type::Duration
            | Type::File
            | Type::Place
            | Type::Team => true,
        }
    }

    /// A typical value, to fill texts in with.
    pub fn sample(&self) -> Value {
        let fields = |fields: &[(&str, Type)]| {
            let all = fields
                .iter()
                .map(|(name, field)| ((*name).to_owned(), field.sample()));
            Value::Record(all.collect())
        };
        match self {
            Type::Anything | Type::Text => Value::text("Maria"),
            Type::Team => fields(&TEAM_FIELDS),
            Type::Number => Value::Number(42.into()),
            Type::Duration => Value::Number(1.into()),
            Type::YesNo => Value::YesNo(true),
            Type::Date => Value::Date(civil::date(2026, 3, 6)),
            Type::Time => Value::Time(civil::time(9, 30, 0, 0)),
            Type::File => fields(&FILE_FIELDS),
            Type::Place => fields(&PLACE_FIELDS),
            Type::List(item) => Value::List(vec![item.sample()]),
            Type::Record(fields) => Value::Record(
                fields
                    .iter()
                    .map(|(name, field)| (name.clone(), field.sample()))
                    .collect::<Record>(),
            ),
        }
    }

    /// The type of a field; `None` if there is no such field.
    fn field(&self, name: &str) -> Option<Type> {
        let among = |fields: &[(&str, Type)]| {
            fields
                .iter()
                .find(|(field, _)| *field == name)
                .map(|(_, field)| field.clone())
        };
        match self {
            Type::Anything => Some(Type::Anything),
            Type::File => among(&FILE_FIELDS),
            Type::Place => among(&PLACE_FIELDS),
            Type::Team => among(&TEAM_FIELDS),
            Type::Record(fields) => fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, field)| field.clone()),
            Type::Text
            | Type::Number
            | Type::YesNo
            | Type::Date
            | Type::Time
            | Type::Duration
            | Type::List(_) => None,
        }
    }

    /// Names of its fields, for suggestions.
    pub fn field_names(&self) -> Vec<&str> {
        match self {
            Type::File => FILE_FIELDS.iter().map(|(name, _)| *name).collect(),
            Type::Place => PLACE_FIELDS.iter().map(|(name, _)| *name).collect(),
            Type::Team => TEAM_FIELDS.iter().map(|(name, _)| *name).collect(),
            Type::Record(fields) => fields.iter().map(|(name, _)| name.as_str()).collect(),
            Type::Anything
            | Type::Text
            | Type::Number
            | Type::YesNo
            | Type::Date
            | Type::Time
            | Type::Duration
            | Type::List(_) => Vec::new(),
        }
    }
}

/// A value that a flow gives a name to.
#[derive(Debug)]
pub(crate) struct Var<'t> {
    pub name: &'t str,
    pub kind: Type,
    /// Where it is first learned.
    pub first: Span,
    pub origin: Origin,
    /// Fields that a called flow doesn't give in every case.
    pub unsure_fields: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Needed,
    Asked,
    /// The answer to options that all lead somewhere: the name may be for the place's sake only.
    Chosen,
    Set,
    Fetched,
    /// The action gives nothing.
    FetchedNothing,
    /// One item of a list after the other.
    Each,
    Called,
}

/// The values of one flow.
#[derive(Debug, Default)]
pub(crate) struct Scope<'t> {
    pub vars: Vec<Var<'t>>,
    index: HashMap<&'t str, usize>,
}

impl<'t> Scope<'t> {
    pub fn get(&self, name: &str) -> Option<&Var<'t>> {
        self.index.get(name).map(|index| &self.vars[*index])
    }

    pub fn index(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Notes a value; gives its number. Another value of the name makes its type uncertain.
    fn learn(&mut self, name: &'t str, kind: Type, at: Span, origin: Origin) -> usize {
        if let Some(index) = self.index.get(name).copied() {
            let var = &mut self.vars[index];
            var.kind = std::mem::replace(&mut var.kind, Type::Anything).or(kind);
            return index;
        }
        self.index.insert(name, self.vars.len());
        self.vars.push(Var {
            name,
            kind,
            first: at,
            origin,
            unsure_fields: Vec::new(),
        });
        self.vars.len() - 1
    }
}

/// Where a field of memory is first learned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learned {
    pub at: Span,
    pub flow: Option<usize>,
    pub step: Option<usize>,
}

/// All values of the business.
pub(crate) struct Values<'t> {
    shop_names: &'t crate::flow::names::Names<'t>,
    pub flows: Vec<Scope<'t>>,
    /// By whole name: `contact.first_name`.
    pub learned: HashMap<String, Learned>,
}

/// What a path means.
#[derive(Debug, PartialEq)]
pub(crate) enum Meaning<'a> {
    Value(Cow<'a, Type>),
    /// Nothing is called so.
    NoName,
    /// `contact.x` or `chat.x` that the business file doesn't declare.
    NoMemory,
    /// The value is there but has no such field; the number of path parts that are right.
    NoField(usize, Cow<'a, Type>),
}

impl<'t> Values<'t> {
    pub fn of(shop: &Shop<'t>) -> Values<'t> {
        let tree = shop.tree;
        let mut values = Values {
            shop_names: shop.names,
            flows: tree.flows.iter().map(|_| Scope::default()).collect(),
            learned: HashMap::new(),
        };
        for (flow, scope) in tree.flows.iter().zip(&mut values.flows) {
            for field in &flow.needs {
                if let Some(name) = field.path.parts.first() {
                    scope.learn(name, Type::of_kind(&field.kind), field.span, Origin::Needed);
                }
            }
        }
        let gives_surely = gives_surely(shop);
        // Said once, by F108; the name keeps its own meaning.
        let taken = |name: &str| ROOTS.contains(&name) || shop.names.team(name).is_some();
        // `set` may copy a value that a later line learns: its type comes second.
        walk::statements(tree, |home, stmt| {
            let Some(flow) = home.flow else { return };
            match &stmt.kind {
                StmtKind::Question(question) => {
                    for each in question.options.iter().filter_map(|option| option.each.as_ref()) {
                        if !taken(&each.name.text) {
                            let kind = item_of(values.type_of(Some(flow), &each.list));
                            values.flows[flow].learn(&each.name.text, kind, each.name.span, Origin::Each);
                        }
                    }
                    if let Some(name) = question.name.as_ref().filter(|name| !taken(&name.text)) {
                        let kind = values.answer(home, question);
                        let origin = if super::paths::takes_typed_answers(question)
                            || question
                                .options
                                .iter()
                                .any(|option| super::paths::tail_goes_on(&option.then))
                        {
                            Origin::Asked
                        } else {
                            Origin::Chosen
                        };
                        values.flows[flow].learn(&name.text, kind, name.span, origin);
                    }
                }
                StmtKind::Fetch(fetch) if taken(&fetch.name.text) => {}
                StmtKind::Fetch(fetch) => {
                    let action = shop.names.action(&fetch.action.parts);
                    let (kind, origin) = match action {
                        Some(action) if action.gives.is_empty() => {
                            (Type::Record(Vec::new()), Origin::FetchedNothing)
                        }
                        Some(action) => (record(&action.gives), Origin::Fetched),
                        // F104 says so; what it gives isn't known.
                        None => (Type::Anything, Origin::FetchedNothing),
                    };
                    values.flows[flow].learn(&fetch.name.text, kind, fetch.name.span, origin);
                }
                StmtKind::Do(call) => {
                    let Some(name) = call.save.as_ref().filter(|name| !taken(&name.text)) else {
                        return;
                    };
                    let called = shop.names.flow_index(&call.flow);
                    let kind = called.map_or(Type::Anything, |called| record(&tree.flows[called].gives));
                    let index = values.flows[flow].learn(&name.text, kind, name.span, Origin::Called);
                    if let Some(called) = called {
                        let unsure = tree.flows[called]
                            .gives
                            .iter()
                            .zip(&gives_surely[called])
                            .filter(|(_, sure)| !**sure)
                            .map(|(field, _)| field.path.parts.join("."));
                        let var = &mut values.flows[flow].vars[index];
                        for field in unsure {
                            if !var.unsure_fields.contains(&field) {
                                var.unsure_fields.push(field);
                            }
                        }
                    }
                }
                StmtKind::ForEach(each) if !taken(&each.name.text) => {
                    let kind = item_of(values.type_of(Some(flow), &each.list));
                    values.flows[flow].learn(&each.name.text, kind, each.name.span, Origin::Each);
                }
                StmtKind::Remember(remember) => {
                    let field = match &remember.field {
                        Some(field) => field.parts.join("."),
                        None => match remember.value.parts.last() {
                            Some(name) => format!("contact.{name}"),
                            None => return,
                        },
                    };
                    values.learn_field(field, stmt.span, home);
                }
                StmtKind::Set { path, .. } => {
                    if path.parts.len() > 1 && matches!(path.parts[0].as_str(), "contact" | "chat") {
                        values.learn_field(path.parts.join("."), stmt.span, home);
                    }
                }
                StmtKind::Say(_)
                | StmtKind::Forget { .. }
                | StmtKind::If(_)
                | StmtKind::Go(_)
                | StmtKind::Done { .. }
                | StmtKind::SendTemplate { .. }
                | StmtKind::Close { .. }
                | StmtKind::Resume
                | StmtKind::Handoff(_)
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
                | StmtKind::Pause(_) => {}
                StmtKind::Answer(answer) => {
                    for field in &answer.remembers {
                        values.learn_field(field.parts.join("."), field.span, home);
                    }
                }
            }
        });
        walk::statements(tree, |home, stmt| {
            let (Some(flow), StmtKind::Set { path, value }) = (home.flow, &stmt.kind) else {
                return;
            };
            let Some(root) = path.parts.first() else { return };
            if taken(root) {
                return;
            }
            let kind = if path.parts.len() == 1 {
                values.type_of(home.flow, value)
            } else {
                Type::Anything
            };
            values.flows[flow].learn(root, kind, path.span, Origin::Set);
        });
        values
    }

    fn learn_field(&mut self, field: String, at: Span, home: Home) {
        self.learned.entry(field).or_insert(Learned {
            at,
            flow: home.flow,
            step: home.step,
        });
    }

    /// What the answer to a question can be.
    fn answer(&self, home: Home, question: &Question) -> Type {
        let mut kind: Option<Type> = None;
        let mut add = |other: Type| {
            kind = Some(match kind.take() {
                Some(kind) => kind.or(other),
                None => other,
            });
        };
        if let Some(form) = &question.form {
            let form = self.shop_names.form(&form.text);
            return form.map_or(Type::Anything, |form| record(&form.gives));
        }
        if question.word == QuestionWord::Gather {
            return gathered();
        }
        match &question.accept {
            Some(accept) => accept.kinds.iter().for_each(|(kind, _)| add(Type::of_kind(kind))),
            None if question.word == QuestionWord::Ask => add(Type::Text),
            None => {}
        }
        for option in &question.options {
            match &option.value {
                Some(value) => add(self.type_of(home.flow, value)),
                // The label, unless a typed answer is what is kept.
                None if question.word != QuestionWord::Ask || super::paths::tail_goes_on(&option.then) => {
                    add(Type::Text);
                }
                None => {}
            }
        }
        kind.unwrap_or(Type::Anything)
    }

    /// What a path means in a flow (`None`: in the business file).
    pub fn look_up(&self, flow: Option<usize>, path: &[String]) -> Meaning<'_> {
        let Some((root, rest)) = path.split_first() else {
            return Meaning::NoName;
        };
        let known = |kind: Type| Meaning::Value(Cow::Owned(kind));
        match root.as_str() {
            "contact" | "chat" => {
                let Some(field) = rest.first() else {
                    return Meaning::NoField(1, Cow::Owned(Type::Anything));
                };
                if root == "contact" && matches!(field.as_str(), "phone" | "name" | "language") {
                    return inside(Cow::Owned(Type::Text), path, 2);
                }
                match self.shop_names.field(&format!("{root}.{field}")) {
                    Some(field) => inside(Cow::Owned(Type::of_kind(&field.kind)), path, 2),
                    None => Meaning::NoMemory,
                }
            }
            "message" => match rest.first().map(String::as_str) {
                Some("text" | "kind") => inside(Cow::Owned(Type::Text), path, 2),
                Some("file") => inside(Cow::Owned(Type::File), path, 2),
                Some("place") => inside(Cow::Owned(Type::Place), path, 2),
                Some(_) | None => {
                    let fields = [
                        ("text", Type::Text),
                        ("kind", Type::Text),
                        ("file", Type::File),
                        ("place", Type::Place),
                    ];
                    let fields = fields.into_iter().map(|(name, kind)| (name.to_owned(), kind));
                    Meaning::NoField(1, Cow::Owned(Type::Record(fields.collect())))
                }
            },
            "agent" | "business" => inside(
                Cow::Owned(Type::Record(vec![("name".to_owned(), Type::Text)])),
                path,
                1,
            ),
            "topic" => inside(Cow::Owned(Type::Text), path, 1),
            "today" if rest.is_empty() => known(Type::Date),
            "now" if rest.is_empty() => known(Type::Time),
            _ => {
                if let Some(var) = flow.and_then(|flow| self.flows[flow].get(root)) {
                    return inside(Cow::Borrowed(&var.kind), path, 1);
                }
                if self.shop_names.team(root).is_some() {
                    return match rest {
                        [] => known(Type::Team),
                        _ => inside(Cow::Owned(Type::Team), path, 1),
                    };
                }
                Meaning::NoName
            }
        }
    }

    /// The type of an expression; `Anything` if it can't be told or is wrong.
    pub fn type_of(&self, flow: Option<usize>, expr: &Expr) -> Type {
        match &expr.kind {
            ExprKind::Text(_) => Type::Text,
            ExprKind::Number(_) => Type::Number,
            ExprKind::YesNo(_) | ExprKind::Not(_) | ExprKind::Test { .. } => Type::YesNo,
            ExprKind::Nothing => Type::Anything,
            ExprKind::Date(_) => Type::Date,
            ExprKind::Time(_) => Type::Time,
            ExprKind::Duration(_) => Type::Duration,
            ExprKind::List(items) => {
                let kinds = items.iter().map(|item| self.type_of(flow, item));
                Type::List(Box::new(kinds.reduce(Type::or).unwrap_or(Type::Anything)))
            }
            ExprKind::Path(path) => match self.look_up(flow, &path.parts) {
                Meaning::Value(kind) => kind.into_owned(),
                Meaning::NoName | Meaning::NoMemory | Meaning::NoField(..) => Type::Anything,
            },
            ExprKind::Binary { op, left, right } => match op {
                BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Is
                | BinaryOp::IsNot
                | BinaryOp::IsExactly
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual
                | BinaryOp::Less
                | BinaryOp::LessOrEqual
                | BinaryOp::In
                | BinaryOp::Contains
                | BinaryOp::StartsWith
                | BinaryOp::EndsWith
                | BinaryOp::Matches => Type::YesNo,
                BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                    arithmetic(*op, &self.type_of(flow, left), &self.type_of(flow, right))
                        .unwrap_or(Type::Anything)
                }
            },
            ExprKind::Filter { subject, name, args } => match name.text.as_str() {
                "short" | "upper" | "lower" | "title" | "plain" | "day" | "time" | "ago" | "money"
                | "join" => Type::Text,
                "count" => Type::Number,
                "first" | "last" => match self.type_of(flow, subject) {
                    Type::List(item) => *item,
                    _ => Type::Anything,
                },
                "default" => {
                    let subject = self.type_of(flow, subject);
                    args.first()
                        .map_or(Type::Anything, |other| subject.or(self.type_of(flow, other)))
                }
                _ => Type::Anything,
            },
        }
    }
}

/// Goes on into the fields of a value, from part `at` of the path.
fn inside<'a>(mut kind: Cow<'a, Type>, path: &[String], at: usize) -> Meaning<'a> {
    for (index, part) in path.iter().enumerate().skip(at) {
        let field = match kind {
            // The usual case, the answer of a service, is not copied.
            Cow::Borrowed(Type::Record(fields)) => fields
                .iter()
                .find(|(field, _)| field == part)
                .map(|(_, field)| Cow::Borrowed(field)),
            ref kind => kind.field(part).map(Cow::Owned),
        };
        match field {
            Some(field) => kind = field,
            None => return Meaning::NoField(index, kind),
        }
    }
    Meaning::Value(kind)
}

/// What `+ - * /` make of two types; `None` if they don't go together.
pub(super) fn arithmetic(op: BinaryOp, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Anything, Date, Duration, List, Number, Text, Time};
    Some(match (op, left, right) {
        (_, Anything, _) | (_, _, Anything) => Anything,
        (_, Number, Number) => Number,
        (BinaryOp::Add, Text, _) | (BinaryOp::Add, _, Text) => Text,
        (BinaryOp::Add, List(item), other) => match other {
            List(more) => List(Box::new(item.as_ref().clone().or(more.as_ref().clone()))),
            one => List(Box::new(item.as_ref().clone().or(one.clone()))),
        },
        (BinaryOp::Add | BinaryOp::Subtract, Date, Duration) => Date,
        (BinaryOp::Add | BinaryOp::Subtract, Time, Duration) => Time,
        (BinaryOp::Subtract, Date, Date) | (BinaryOp::Subtract, Time, Time) => Duration,
        (BinaryOp::Add | BinaryOp::Subtract, Duration, Duration) => Duration,
        (BinaryOp::Multiply, Duration, Number) | (BinaryOp::Multiply, Number, Duration) => Duration,
        (BinaryOp::Divide, Duration, Number) => Duration,
        _ => return None,
    })
}

/// What a `gather` makes of the messages.
fn gathered() -> Type {
    let list = |of: Type| Type::List(Box::new(of));
    let fields = [
        ("text", Type::Text),
        ("lines", list(Type::Text)),
        ("files", list(Type::File)),
        ("photos", list(Type::File)),
        ("voices", list(Type::File)),
    ];
    Type::Record(fields.map(|(name, kind)| (name.to_owned(), kind)).into())
}

/// What the items of a list are.
pub(crate) fn item_of(list: Type) -> Type {
    match list {
        Type::List(item) => *item,
        _ => Type::Anything,
    }
}

fn record(fields: &[Field]) -> Type {
    Type::Record(
        fields
            .iter()
            .map(|field| (field.path.parts.join("."), Type::of_kind(&field.kind)))
            .collect(),
    )
}

/// For each flow and each value it declares to give: whether every `done` gives it.
fn gives_surely(shop: &Shop) -> Vec<Vec<bool>> {
    let mut surely: Vec<Vec<bool>> = shop
        .tree
        .flows
        .iter()
        .map(|flow| vec![true; flow.gives.len()])
        .collect();
    let mut leave_out = |flow: usize, args: &[crate::flow::tree::Arg]| {
        for (field, sure) in shop.tree.flows[flow].gives.iter().zip(&mut surely[flow]) {
            *sure &= args
                .iter()
                .any(|arg| field.path.parts.first() == Some(&arg.name.text));
        }
    };
    walk::statements(shop.tree, |home, stmt| {
        if let (Some(flow), StmtKind::Done { gives }) = (home.flow, &stmt.kind) {
            leave_out(flow, gives);
        }
    });
    walk::all_arrows(shop.tree, |home, target| {
        if let (Some(flow), crate::flow::tree::TargetKind::Done(args)) = (home.flow, &target.kind) {
            leave_out(flow, args);
        }
    });
    surely
}

/// Whether a text has anything to fill in.
pub(crate) fn has_blanks(text: &Text) -> bool {
    text.source.contains("{{") || text.source.contains("{%")
}
