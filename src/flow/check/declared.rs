//! Names: everything that is mentioned must be declared (F101–F106), and be given what it needs (F109).

use super::own_names::{self, set_name, value_name};
use super::walk::{self, Home};
use super::{Shop, and_list, did_you_mean};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::names::nearest;
use crate::flow::source::Span;
use crate::flow::tree::{
    Arg, Flow, Name, On, Path, Phrase, Starts, Stmt, StmtKind, Target, TargetKind, Template, Trigger,
    TriggerKind,
};

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    own_names::twice(shop, found);
    own_names::reserved_places(shop, found);
    headings(shop, found);
    let templates = shop.tree.business.iter().flat_map(|business| &business.templates);
    templates.for_each(|template| super::by_template::declared(template, found));
    walk::statements(shop.tree, |home, stmt| statement(shop, home, stmt, found));
    walk::all_arrows(shop.tree, |home, target| arrow(shop, home, target, found));
    plans(shop, found);
}

// ───────── mentions ─────────

fn headings(shop: &Shop, found: &mut Vec<Diagnostic>) {
    for flow in &shop.tree.flows {
        for Starts { triggers, .. } in &flow.starts {
            triggers.iter().for_each(|trigger| named_by(shop, trigger, found));
        }
        for On { triggers, .. } in &flow.ons {
            triggers.iter().for_each(|trigger| named_by(shop, trigger, found));
            triggers
                .iter()
                .for_each(|trigger| no_interruption(trigger, found));
        }
        brings_nothing(flow, found);
        for name in flow.needs.iter().flat_map(|field| field.path.parts.first()) {
            let span = flow
                .needs
                .iter()
                .find(|field| field.path.parts.first() == Some(name));
            if let Some(field) = span {
                value_name(shop, name, field.path.span, found);
            }
        }
    }
    if let Some(business) = &shop.tree.business {
        for On { triggers, .. } in &business.ons {
            triggers.iter().for_each(|trigger| named_by(shop, trigger, found));
            triggers
                .iter()
                .for_each(|trigger| no_interruption(trigger, found));
        }
        if let Some(name) = &business.front_door
            && shop.names.flow(name).is_none()
        {
            found.push(no_flow(shop, name));
        }
        if let Some(flow) = business
            .front_door
            .as_ref()
            .and_then(|name| shop.names.flow(name))
            && let Some(needed) = flow.needs.first()
            && let Some(name) = &business.front_door
        {
            found.push(
                Diagnostic::new(
                    Code::F109,
                    name.span,
                    format!(
                        "{} can't be the front door: it needs {}",
                        flow.name.words,
                        needed.path.parts.join(".")
                    ),
                    "a customer who just writes brings nothing along",
                )
                .label(needed.span, "needed here"),
            );
        }
    }
}

/// A flow that needs values can't be opened by a customer's message.
fn brings_nothing(flow: &Flow, found: &mut Vec<Diagnostic>) {
    // An event of the business's own systems brings what the flow needs.
    let by_message = |starts: &&Starts| {
        let event = |trigger: &Trigger| matches!(trigger.kind, TriggerKind::Event(_));
        !starts.triggers.iter().all(event)
    };
    let (Some(needed), Some(starts)) = (flow.needs.first(), flow.starts.iter().find(by_message)) else {
        return;
    };
    let name = needed.path.parts.join(".");
    found.push(
        Diagnostic::new(
            Code::F109,
            starts.span,
            format!("a customer who opens this flow doesn't bring {name}"),
            format!("opens the flow without {name} …"),
        )
        .label(needed.span, "… which it needs from its caller")
        .note(format!(
            "Ask for {name} in the flow itself, or write `starts when called` and let another flow\nask first and call it:  do {} with {name} = …",
            flow.name.words
        )),
    );
}

/// An event waits until the chat is free, so it interrupts nothing.
fn no_interruption(trigger: &Trigger, found: &mut Vec<Diagnostic>) {
    if let TriggerKind::Event(name) = &trigger.kind {
        found.push(
            Diagnostic::new(
                Code::F005,
                trigger.span,
                "an event can't interrupt a chat",
                "it waits until the chat is free, so nothing is open then",
            )
            .note(format!(
                "Give what happens then a flow of its own:\n  flow {}\n  starts on event {name}",
                name.replace('.', " ")
            )),
        );
    }
}

/// Topics and templates that a trigger names.
fn named_by(shop: &Shop, trigger: &Trigger, found: &mut Vec<Diagnostic>) {
    if let TriggerKind::Reply(name) = &trigger.kind
        && shop.names.template(name).is_none()
    {
        found.push(no_template(shop, name, last_word(shop, trigger.span)));
    }
    if let TriggerKind::Topic(name) = &trigger.kind {
        // The trigger's span covers `topic NAME`; the name is its last word.
        let span = last_word(shop, trigger.span);
        topic_named(
            shop,
            name,
            span,
            "Nothing would ever be recognised as this topic, so this never opens.",
            found,
        );
    }
}

pub(super) fn topic_named(shop: &Shop, name: &str, span: Span, why: &str, found: &mut Vec<Diagnostic>) {
    if shop.names.topic(name).is_some() {
        return;
    }
    let declared = || {
        business_names(shop, |business| {
            business.topics.iter().map(|topic| &topic.name).collect()
        })
    };
    let near = nearest(name, declared());
    found.push(unknown(Code::F105, "topic", name, span, near, &declared(), why));
}

fn last_word(shop: &Shop, span: Span) -> Span {
    let text = shop.sources.text(span);
    let start = text.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
    Span::new(span.file, span.start as usize + start, span.end as usize)
}

pub(super) fn business_names<'t>(
    shop: &Shop<'t>,
    of: impl Fn(&'t crate::flow::tree::Business) -> Vec<&'t Name>,
) -> Vec<&'t str> {
    shop.tree.business.as_ref().map_or_else(Vec::new, |business| {
        of(business).into_iter().map(|name| name.text.as_str()).collect()
    })
}

pub(super) fn unknown(
    code: Code,
    what: &str,
    name: &str,
    span: Span,
    near: Option<&str>,
    declared: &[&str],
    why: &str,
) -> Diagnostic {
    let label = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the business file declares no {what} of this name"),
    };
    let mut diagnostic =
        Diagnostic::new(code, span, format!("there is no {what} called {name}"), label).note(why);
    if !declared.is_empty() {
        let mut shown: Vec<&str> = declared.iter().copied().take(8).collect();
        if declared.len() > shown.len() {
            shown.push("…");
        }
        diagnostic = diagnostic.note(format!("You have: {}.", shown.join(", ")));
    }
    did_you_mean(diagnostic, span, near)
}

fn no_flow(shop: &Shop, name: &Phrase) -> Diagnostic {
    let near = nearest(
        &name.words,
        shop.tree.flows.iter().map(|flow| flow.name.words.as_str()),
    );
    let label = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "no file begins with this flow's name".to_owned(),
    };
    let diagnostic = Diagnostic::new(
        Code::F102,
        name.span,
        format!("there is no flow called {}", name.words),
        label,
    )
    .note("The customer would be sent nowhere and never get an answer.");
    did_you_mean(diagnostic, name.span, near)
}

fn team(shop: &Shop, name: &Name, found: &mut Vec<Diagnostic>) {
    if shop.names.team(&name.text).is_some() {
        return;
    }
    let declared = business_names(shop, |business| {
        business.teams.iter().map(|team| &team.name).collect()
    });
    let near = nearest(&name.text, declared.iter().copied());
    found.push(unknown(
        Code::F103,
        "team",
        &name.text,
        name.span,
        near,
        &declared,
        "The chat would wait for people who don't exist.",
    ));
}

fn form(shop: &Shop, name: &Name, found: &mut Vec<Diagnostic>) {
    if shop.names.form(&name.text).is_some() {
        return;
    }
    let declared = business_names(shop, |business| {
        business.forms.iter().map(|form| &form.name).collect()
    });
    let near = nearest(&name.text, declared.iter().copied());
    found.push(unknown(
        Code::F106,
        "form",
        &name.text,
        name.span,
        near,
        &declared,
        "WhatsApp only shows forms that were made there; the business file knows them by their id.",
    ));
}

fn arrow(shop: &Shop, home: Home, target: &Target, found: &mut Vec<Diagnostic>) {
    match &target.kind {
        TargetKind::Step(name) => match home.flow {
            Some(flow) if shop.names.step(flow, name).is_none() => found.push(no_step(shop, flow, name)),
            Some(_) => {}
            None => {
                let near = shop
                    .names
                    .flow(name)
                    .map(|flow| format!("flow {}", flow.name.words));
                let diagnostic = Diagnostic::new(
                    Code::F101,
                    name.span,
                    format!("the business file has no step called {}", name.words),
                    "steps are places inside a flow",
                )
                .note("From here an arrow can lead to  flow NAME , close , resume  or  handoff to TEAM .");
                found.push(did_you_mean(diagnostic, name.span, near.as_deref()));
            }
        },
        TargetKind::Flow(name, args) => match shop.names.flow(name) {
            None => found.push(no_flow(shop, name)),
            Some(flow) => flow_args(flow, args, target.span, found),
        },
        TargetKind::Done(args) => {
            if let Some(flow) = home.flow {
                gives(&shop.tree.flows[flow], args, found);
            }
        }
        TargetKind::Handoff(Some(name)) => team(shop, name, found),
        TargetKind::Handoff(None)
        | TargetKind::Again
        | TargetKind::Resume
        | TargetKind::Back
        | TargetKind::Start
        | TargetKind::Close => {}
    }
}

fn no_step(shop: &Shop, flow: usize, name: &Phrase) -> Diagnostic {
    let steps = &shop.tree.flows[flow].steps;
    let near = nearest(&name.words, steps.iter().map(|step| step.name.words.as_str()));
    let other_flow = shop.names.flow(name);
    let label = match (near, other_flow) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(_)) => "this is a flow, not a step".to_owned(),
        (None, None) => format!("flow {} has no such step", shop.tree.flows[flow].name.words),
    };
    let diagnostic = Diagnostic::new(
        Code::F101,
        name.span,
        format!("there is no step called {}", name.words),
        label,
    )
    .note("The customer would be sent nowhere and never get an answer.");
    let as_flow = other_flow.map(|flow| format!("flow {}", flow.name.words));
    let diagnostic = did_you_mean(diagnostic, name.span, near.or(as_flow.as_deref()));
    // Steps of the flow are shown only if no name is near: the list is long.
    if near.is_none() && other_flow.is_none() {
        let all: Vec<&str> = steps
            .iter()
            .map(|step| step.name.words.as_str())
            .take(8)
            .collect();
        return diagnostic.note(format!("Steps here: {}.", all.join(", ")));
    }
    diagnostic
}

fn statement(shop: &Shop, home: Home, stmt: &Stmt, found: &mut Vec<Diagnostic>) {
    match &stmt.kind {
        StmtKind::Question(question) => {
            question.form.iter().for_each(|name| form(shop, name, found));
            if let Some(name) = &question.name {
                value_name(shop, &name.text, name.span, found);
            }
            for each in question.options.iter().filter_map(|option| option.each.as_ref()) {
                value_name(shop, &each.name.text, each.name.span, found);
            }
            if let Some(asks) = question.by_template()
                && let Some(declared) = template_filled(shop, &asks.template, &asks.args, found)
            {
                super::by_template::check(question, asks, declared, found);
            }
        }
        StmtKind::Set { path, .. } => set_name(shop, path, found),
        StmtKind::Fetch(fetch) => {
            value_name(shop, &fetch.name.text, fetch.name.span, found);
            action(shop, &fetch.action, &fetch.args, found);
        }
        StmtKind::Do(call) => {
            if let Some(name) = &call.save {
                value_name(shop, &name.text, name.span, found);
            }
            match shop.names.flow(&call.flow) {
                None => found.push(no_flow(shop, &call.flow)),
                Some(flow) => flow_args(flow, &call.args, call.flow.span, found),
            }
        }
        StmtKind::Done { gives: args } => {
            if let Some(flow) = home.flow {
                gives(&shop.tree.flows[flow], args, found);
            }
        }
        StmtKind::SendTemplate { template, args } => {
            template_filled(shop, template, args, found);
        }
        StmtKind::Handoff(handoff) => handoff.team.iter().for_each(|name| team(shop, name, found)),
        StmtKind::Notify { team: name, .. } => team(shop, name, found),
        StmtKind::ForEach(each) => value_name(shop, &each.name.text, each.name.span, found),
        StmtKind::Say(_)
        | StmtKind::Remember(_)
        | StmtKind::Forget { .. }
        | StmtKind::If(_)
        | StmtKind::Go(_)
        | StmtKind::Close { .. }
        | StmtKind::Resume
        | StmtKind::SendFile(_)
        | StmtKind::SendPlace(_)
        | StmtKind::Later(_)
        | StmtKind::Cancel { .. }
        | StmtKind::Record { .. }
        | StmtKind::Tag { .. }
        | StmtKind::Subscribe { .. }
        | StmtKind::Split(_)
        | StmtKind::React(_)
        | StmtKind::Pause(_) => {}
        StmtKind::Answer(answer) => super::answer::names(shop, answer, found),
    }
}

/// What is cancelled must be planned somewhere (F113).
fn plans(shop: &Shop, found: &mut Vec<Diagnostic>) {
    let (mut planned, mut cancelled): (Vec<&str>, Vec<&Name>) = Default::default();
    walk::statements(shop.tree, |_, stmt| match &stmt.kind {
        StmtKind::Later(plan) => planned.push(&plan.name.text),
        StmtKind::Cancel { name } => cancelled.push(name),
        _ => {}
    });
    planned.sort_unstable();
    planned.dedup();
    for name in cancelled {
        if planned.binary_search(&name.text.as_str()).is_ok() {
            continue;
        }
        let near = nearest(&name.text, planned.iter().copied());
        let label = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "no `later` line makes it".to_owned(),
        };
        let message = format!("nothing is planned under the name {}", name.text);
        let diagnostic = Diagnostic::new(Code::F113, name.span, message, label)
            .note("Nothing would be cancelled, and the customer would be written to all the same.");
        found.push(did_you_mean(diagnostic, name.span, near));
    }
}

fn action(shop: &Shop, path: &Path, args: &[Arg], found: &mut Vec<Diagnostic>) {
    if let Some(action) = shop.names.action(&path.parts) {
        let needs: Vec<&str> = action.needs.iter().map(|name| name.text.as_str()).collect();
        let what = path.parts.join(".");
        arguments(
            Code::F109,
            &what,
            &needs,
            args,
            path.span,
            Some(action.span),
            found,
        );
        return;
    }
    no_action(shop, path, found);
}

pub(super) fn no_action(shop: &Shop, path: &Path, found: &mut Vec<Diagnostic>) {
    let mut declared: Vec<String> = Vec::new();
    if let Some(business) = &shop.tree.business {
        for service in &business.services {
            for action in &service.actions {
                declared.push(format!("{}.{}", service.name.text, action.name.text));
            }
        }
    }
    let name = path.parts.join(".");
    let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
    let same_action =
        |candidate: &&&str| candidate.rsplit('.').next() == path.parts.last().map(String::as_str);
    let near =
        nearest(&name, declared.iter().copied()).or_else(|| declared.iter().find(same_action).copied());
    found.push(unknown(
        Code::F104,
        "action",
        &name,
        path.span,
        near,
        &declared,
        "Nothing could be looked up, so the customer would get the sentence for problems every time.",
    ));
}

fn no_template(shop: &Shop, name: &str, at: Span) -> Diagnostic {
    let all = business_names(shop, |business| {
        business.templates.iter().map(|each| &each.name).collect()
    });
    let near = nearest(name, all.iter().copied());
    unknown(
        Code::F106,
        "template",
        name,
        at,
        near,
        &all,
        "WhatsApp only sends templates that it has approved.",
    )
}

/// The template that is meant, and whether its blanks are filled.
fn template_filled<'t>(
    shop: &Shop<'t>,
    template: &Name,
    args: &[Arg],
    found: &mut Vec<Diagnostic>,
) -> Option<&'t Template> {
    let Some(declared) = shop.names.template(&template.text) else {
        found.push(no_template(shop, &template.text, template.span));
        return None;
    };
    let mut blanks: Vec<String> = Vec::new();
    for (_, text) in &declared.texts {
        for blank in super::blanks::simple_blanks(&text.source) {
            if !blanks.contains(&blank) {
                blanks.push(blank);
            }
        }
    }
    let blanks: Vec<&str> = blanks.iter().map(String::as_str).collect();
    arguments(
        Code::F305,
        &template.text,
        &blanks,
        args,
        template.span,
        Some(declared.span),
        found,
    );
    Some(declared)
}

// ───────── arguments ─────────

fn flow_args(flow: &Flow, args: &[Arg], at: Span, found: &mut Vec<Diagnostic>) {
    let needs: Vec<&str> = flow
        .needs
        .iter()
        .filter_map(|field| field.path.parts.first().map(String::as_str))
        .collect();
    let declared = flow.needs.first().map(|field| field.span);
    arguments(
        Code::F109,
        &format!("flow {}", flow.name.words),
        &needs,
        args,
        at,
        declared,
        found,
    );
}

fn arguments(
    code: Code,
    what: &str,
    needs: &[&str],
    args: &[Arg],
    at: Span,
    declared: Option<Span>,
    found: &mut Vec<Diagnostic>,
) {
    let given: Vec<&str> = args.iter().map(|arg| arg.name.text.as_str()).collect();
    let missing: Vec<&str> = needs
        .iter()
        .copied()
        .filter(|need| !given.contains(need))
        .collect();
    let mut explained = false;
    for (index, arg) in args.iter().enumerate() {
        let name = arg.name.text.as_str();
        if given[..index].contains(&name) {
            found.push(Diagnostic::new(
                code,
                arg.name.span,
                format!("{name} is given twice"),
                "which of the two is meant?",
            ));
        } else if !needs.contains(&name) {
            let near = nearest(name, missing.iter().copied());
            let label = match (near, needs.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => format!("{what} takes nothing"),
                (None, false) => format!("{what} takes {}", and_list(needs.iter().copied())),
            };
            explained |= near.is_some();
            let mut diagnostic =
                Diagnostic::new(code, arg.name.span, format!("{what} doesn't take {name}"), label);
            if let Some(declared) = declared {
                diagnostic = diagnostic.label(declared, "what it takes is written here");
            }
            found.push(did_you_mean(diagnostic, arg.name.span, near));
        }
    }
    if missing.is_empty() || explained {
        return;
    }
    let list = and_list(missing.iter().copied());
    let mut diagnostic = Diagnostic::new(
        code,
        at,
        format!("{what} also needs {list}"),
        format!("{list} is not given"),
    );
    if let Some(declared) = declared {
        diagnostic = diagnostic.label(declared, "what it needs is written here");
    }
    let example: Vec<String> = missing.iter().map(|name| format!("{name} = …")).collect();
    let word = if given.is_empty() { "with " } else { ", " };
    found.push(diagnostic.note(format!("Add  {word}{}", example.join(", "))));
}

fn gives(flow: &Flow, args: &[Arg], found: &mut Vec<Diagnostic>) {
    let declared: Vec<&str> = flow
        .gives
        .iter()
        .filter_map(|field| field.path.parts.first().map(String::as_str))
        .collect();
    for arg in args {
        let name = arg.name.text.as_str();
        if declared.contains(&name) {
            continue;
        }
        let near = nearest(name, declared.iter().copied());
        let label = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the caller would never see it".to_owned(),
        };
        let diagnostic = Diagnostic::new(
            Code::F109,
            arg.name.span,
            format!("flow {} doesn't give {name}", flow.name.words),
            label,
        );
        let diagnostic = match near {
            Some(_) => diagnostic,
            None => diagnostic.note(format!(
                "Declare it under the flow's heading, for example  gives {name}: text"
            )),
        };
        found.push(did_you_mean(diagnostic, arg.name.span, near));
    }
}
