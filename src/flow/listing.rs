//! A program as text for people: what the machine will do, line by line.
//!
//! Tests compare listings, and `switchboard graph --format listing` prints one. Instructions are numbered as jumps
//! name them.

use std::fmt::{self, Display, Write};

use super::owner::{Owner, Owners};
use super::program::{
    Answer, Call, Due, Emit, ExprIx, Fetch, Human, Jump, Message, Op, Otherwise, Pc, Program, Question,
    Silence, State, StateIx, StateKind, TextIx,
};
use super::spell;

/// The whole program.
pub fn listing(program: &Program) -> String {
    let mut out = String::new();
    let listing = Listing { program };
    listing
        .write(&mut out)
        .expect("a String takes everything that is written to it");
    out
}

struct Listing<'p> {
    program: &'p Program,
}

impl Listing<'_> {
    fn write(&self, out: &mut String) -> fmt::Result {
        self.business(out)?;
        let owners = Owners::of(self.program);
        let mut before = None;
        for (pc, instruction) in (0..).zip(&self.program.code) {
            let owner = owners.at(pc);
            if before.replace(owner) != Some(owner) {
                self.heading(out, owner)?;
            }
            writeln!(out, "  {pc:>4}  {}", self.op(&instruction.op))?;
            if let Op::Ask(state)
            | Op::Effect(state)
            | Op::Call(state)
            | Op::Handoff(state)
            | Op::Answer(state) = instruction.op
            {
                self.state(out, &self.program.states[state as usize])?;
            }
        }
        Ok(())
    }

    fn business(&self, out: &mut String) -> fmt::Result {
        let business = &self.program.business;
        let door = business.front_door.map_or("-", |flow| self.flow_name(flow));
        writeln!(
            out,
            "business {}  zone {}  languages {}  front door {door}",
            spell::quoted(&business.name),
            business.timezone,
            business.languages.join(", "),
        )?;
        for (flow, index) in self.program.flows.iter().zip(0..) {
            let step = &self.program.steps[flow.entry as usize].name;
            write!(out, "flow {}  entry {step}", flow.name)?;
            if flow.called {
                write!(out, "  when called")?;
            }
            for start in self.program.starts.iter().filter(|start| start.flow == index) {
                write!(out, "  on {}", spell::trigger(&start.trigger))?;
                self.condition(out, start.condition)?;
            }
            writeln!(out)?;
        }
        if let Some(closed) = business.closed {
            writeln!(out, "closed {}", spell::text(self.program, closed))?;
        }
        if let Some(problem) = business.problem {
            writeln!(out, "problem @{problem}")?;
        }
        Ok(())
    }

    fn heading(&self, out: &mut String, owner: Owner) -> fmt::Result {
        match owner {
            Owner::Business => writeln!(out, "\nbusiness"),
            Owner::Step(step) => {
                let step = &self.program.steps[step as usize];
                write!(out, "\nstep {}/{}", self.flow_name(step.flow), step.name)?;
                if let Some(was) = &step.was {
                    write!(out, "  was {was}")?;
                }
                writeln!(out)
            }
            Owner::On(on) => {
                let on = &self.program.ons[on as usize];
                let words: Vec<String> = on.triggers.iter().map(spell::trigger).collect();
                let whose = on.flow.map_or("business", |flow| self.flow_name(flow));
                write!(out, "\non {whose}: {}", words.join(", "))?;
                self.condition(out, on.condition)?;
                writeln!(out)
            }
        }
    }

    fn state(&self, out: &mut String, state: &State) -> fmt::Result {
        match &state.kind {
            StateKind::Question(question) => self.question(out, question),
            StateKind::Fetch(fetch) => self.fetch(out, fetch),
            StateKind::Call(call) => self.call(out, call),
            StateKind::Human(human) => self.human(out, human),
            StateKind::Answer(answer) => self.answer(out, answer),
        }
    }

    fn question(&self, out: &mut String, question: &Question) -> fmt::Result {
        let Question {
            prompt,
            again,
            form,
            open,
            options,
            value,
            accept,
            checks,
            otherwise,
            silence,
            private,
            none,
            more,
            gather,
            form_of,
            next,
        } = question;
        line(out, "prompt", self.message(prompt))?;
        if let Some(text) = again {
            line(out, "again", self.text(*text))?;
        }
        if *form != super::program::Form::Fitting {
            line(out, "form", format!("{form:?}").to_lowercase())?;
        }
        if let Some(text) = open {
            line(out, "open", self.text(*text))?;
        }
        for option in options {
            let mut words = match &option.each {
                Some((name, list)) => {
                    let list = self.expr(*list);
                    format!("{} each {name} in {list} {}", option.id, self.text(option.label))
                }
                None => format!("{} {}", option.id, self.text(option.label)),
            };
            if let Some(hint) = option.hint {
                write!(words, " hint {}", self.text(hint))?;
            }
            if !option.also.is_empty() {
                write!(words, " also {}", option.also.join(", "))?;
            }
            if let Some(value) = option.value {
                write!(words, " = {}", self.expr(value))?;
            }
            self.condition(&mut words, option.condition)?;
            if let Some(section) = option.section {
                write!(words, " section {}", self.text(section))?;
            }
            write!(words, " -> {}", at(option.run))?;
            if option.single_use {
                words.push_str(" once");
            }
            line(out, "option", words)?;
        }
        if let Some(run) = none {
            line(out, "none", format!("@{run}"))?;
        }
        if let Some(text) = more {
            line(out, "more", self.text(*text))?;
        }
        if let Some(gather) = gather {
            let quiet = gather
                .quiet_seconds
                .map(|seconds| format!(" or {} of quiet", spell::duration(seconds)));
            line(
                out,
                "gather",
                format!("up to {}{}", gather.most, quiet.unwrap_or_default()),
            )?;
        }
        if let Some(form) = form_of {
            let gives: Vec<&str> = form.gives.iter().map(|(name, _)| name.as_str()).collect();
            line(
                out,
                "filled in",
                format!("{} gives {}", form.id, gives.join(", ")),
            )?;
        }
        let kinds: Vec<String> = accept.iter().map(spell::kind).collect();
        if !kinds.is_empty() {
            line(out, "accept", kinds.join(" or "))?;
        }
        if let Some(value) = value {
            line(out, "value", value)?;
        }
        for (condition, text) in checks {
            line(
                out,
                "check",
                format!("{} else {}", self.expr(*condition), self.text(*text)),
            )?;
        }
        if let Some(otherwise) = otherwise {
            self.otherwise(out, otherwise)?;
        }
        for waited in silence {
            line(out, "silence", self.silent(waited))?;
        }
        if *private {
            line(out, "private", "")?;
        }
        line(out, "next", format!("@{next}"))
    }

    fn silent(&self, silence: &Silence) -> String {
        let after = spell::duration(silence.after_seconds);
        let say = silence.say.map(|say| format!(" {}", self.text(say)));
        let run = silence.run.map_or("stays".to_owned(), |pc| format!("-> @{pc}"));
        format!("{after}{} {run}", say.unwrap_or_default())
    }

    fn otherwise(&self, out: &mut String, otherwise: &Otherwise) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        words.extend(otherwise.say.map(|say| self.text(say)));
        words.extend(otherwise.up_to.map(|times| format!("×{times}")));
        words.extend(otherwise.run.map(|run| format!("-> @{run}")));
        line(out, "otherwise", words.join(" "))
    }

    fn fetch(&self, out: &mut String, fetch: &Fetch) -> fmt::Result {
        line(out, "value", &fetch.value)?;
        line(out, "ok", format!("@{}", fetch.next))?;
        for (name, run) in [("not found", fetch.not_found), ("refused", fetch.refused)] {
            if let Some(run) = run {
                line(out, name, format!("@{run}"))?;
            }
        }
        for (status, run) in &fetch.statuses {
            line(out, &format!("status {status}"), format!("@{run}"))?;
        }
        match fetch.problem {
            Some(run) => line(out, "problem", format!("@{run}")),
            None => line(out, "problem", "business"),
        }
    }

    fn call(&self, out: &mut String, call: &Call) -> fmt::Result {
        if let Some(save) = &call.save {
            line(out, "save", save)?;
        }
        line(out, "next", format!("@{}", call.next))
    }

    fn human(&self, out: &mut String, human: &Human) -> fmt::Result {
        if let Some(note) = human.note {
            line(out, "note", self.text(note))?;
        }
        if let Some((level, condition)) = &human.priority {
            let mut words = level.clone();
            self.condition(&mut words, *condition)?;
            line(out, "priority", words)?;
        }
        if human.assist {
            line(out, "assist", "on")?;
        }
        if let Some(run) = human.when_closed {
            line(out, "closed", format!("@{run}"))?;
        }
        if let Some(text) = human.when_taken {
            line(out, "taken", self.text(text))?;
        }
        for waited in &human.no_agent {
            line(out, "no agent", self.silent(waited))?;
        }
        if let Some(run) = human.when_returned {
            line(out, "returned", format!("@{run}"))?;
        }
        Ok(())
    }

    fn answer(&self, out: &mut String, answer: &Answer) -> fmt::Result {
        let all = |words: &[String]| words.join(", ");
        let quoted: Vec<String> = answer.never.iter().map(|text| spell::quoted(text)).collect();
        let fields: Vec<String> = answer.remembers.iter().map(|path| path.join(".")).collect();
        let action = |(service, action): &(u32, u32)| {
            let service = &self.program.business.services[*service as usize];
            format!("{}.{}", service.name, service.actions[*action as usize].name)
        };
        let uses: Vec<String> = answer.uses.iter().map(action).collect();
        for (name, words) in [
            ("about", all(&answer.about)),
            ("never", all(&quoted)),
            (
                "style",
                answer.style.as_deref().map(spell::quoted).unwrap_or_default(),
            ),
            ("remembers", all(&fields)),
            ("uses", all(&uses)),
        ] {
            if !words.is_empty() {
                line(out, name, words)?;
            }
        }
        if let Some(most) = answer.at_most {
            line(out, "at most", most)?;
        }
        if let Some((times, run)) = answer.up_to {
            line(out, "up to", format!("×{times} -> @{run}"))?;
        }
        for (topic, run) in &answer.topics {
            line(out, "topic", format!("{topic} -> @{run}"))?;
        }
        line(
            out,
            "not sure",
            answer
                .not_sure
                .map_or("people".to_owned(), |run| format!("@{run}")),
        )?;
        if let Some(off_topic) = &answer.off_topic {
            self.otherwise(out, off_topic)?;
        }
        line(out, "finished", format!("@{}", answer.finished))?;
        line(
            out,
            "problem",
            answer
                .problem
                .map_or("business".to_owned(), |run| format!("@{run}")),
        )?;
        line(out, "reply", &self.program.states[answer.reply as usize].name)
    }

    fn op(&self, op: &Op) -> String {
        match op {
            Op::Send(message) => format!("SEND {}", self.message(message)),
            Op::Set { path, value } => format!("SET {} = {}", path.join("."), self.expr(*value)),
            Op::Mem {
                field,
                value,
                keep_seconds,
            } => {
                let value = value.map_or("forgotten".to_owned(), |value| self.expr(value));
                let keep = keep_seconds
                    .map(|seconds| format!(" for {}", spell::duration(seconds)))
                    .unwrap_or_default();
                format!("MEM contact.{field} = {value}{keep}")
            }
            Op::Jump(jump) => format!("JUMP {}", self.jump(jump)),
            Op::JumpIf { condition, to } => format!("JUMPIF {} -> @{to}", self.expr(*condition)),
            Op::Ask(at) | Op::Effect(at) | Op::Call(at) | Op::Handoff(at) | Op::Answer(at) => self.rest(*at),
            Op::Return { gives } => format!("RETURN{}", self.args(gives)),
            Op::Close { say } => match say {
                Some(say) => format!("CLOSE {}", self.text(*say)),
                None => "CLOSE".to_owned(),
            },
            Op::Emit(Emit::Notify { team, text }) => {
                format!("NOTIFY {} {}", self.team(*team), self.text(*text))
            }
            Op::Emit(Emit::Record { name, value }) => {
                let value = value.map(|value| format!(" = {}", self.expr(value)));
                format!("RECORD {name}{}", value.unwrap_or_default())
            }
            Op::Emit(Emit::Tag { tag, on }) => {
                format!("{} {}", if *on { "TAG" } else { "UNTAG" }, self.text(*tag))
            }
            Op::Emit(Emit::Subscribe { list, on }) => format!(
                "{} {}",
                if *on { "SUBSCRIBE" } else { "UNSUBSCRIBE" },
                list.as_deref().unwrap_or("all")
            ),
            Op::ForEach { list, value, end } => {
                format!("FOREACH {value} in {} end @{end}", self.expr(*list))
            }
            Op::Plan(plan) => {
                let due = match plan.due {
                    Due::In(seconds) => format!("in {}", spell::duration(seconds)),
                    Due::At(when) => format!("at {}", self.expr(when)),
                    Due::From(seconds, when) => format!(
                        "{} {} {}",
                        spell::duration(seconds.unsigned_abs()),
                        if seconds < 0 { "before" } else { "after" },
                        self.expr(when)
                    ),
                };
                format!("PLAN {} {due} -> {}", plan.name, self.jump(&plan.to))
            }
            Op::Cancel { name } => format!("CANCEL {name}"),
            Op::Split { name, ways } => {
                let ways: Vec<String> = ways
                    .iter()
                    .map(|(percent, run)| format!("{percent}% -> @{run}"))
                    .collect();
                format!("SPLIT {name} {}", ways.join(", "))
            }
            Op::Pause { ms } => format!("PAUSE {ms} ms"),
            Op::Resume => "RESUME".to_owned(),
            Op::Wait => "WAIT".to_owned(),
        }
    }

    /// The instruction that comes to rest in a state.
    fn rest(&self, state: StateIx) -> String {
        let State { name, kind, .. } = &self.program.states[state as usize];
        match kind {
            StateKind::Question(_) => format!("ASK {name}"),
            StateKind::Fetch(fetch) => {
                let service = &self.program.business.services[fetch.service as usize];
                let action = &service.actions[fetch.action as usize].name;
                format!(
                    "EFFECT {name} {}.{action}{}",
                    service.name,
                    self.args(&fetch.args)
                )
            }
            StateKind::Call(call) => {
                format!(
                    "CALL {name} {}{}",
                    self.flow_name(call.flow),
                    self.args(&call.args)
                )
            }
            StateKind::Answer(answer) => format!("ANSWER {name} from {}", answer.knowledge.join(", ")),
            StateKind::Human(human) => {
                let team = human.team.map_or("anybody", |team| self.team(team));
                format!("HANDOFF {name} {team}")
            }
        }
    }

    fn jump(&self, jump: &Jump) -> String {
        match jump {
            Jump::To(to) => format!("@{to}"),
            Jump::Step(step) => self.program.steps[*step as usize].name.clone(),
            Jump::Flow { flow, args } => format!("flow {}{}", self.flow_name(*flow), self.args(args)),
            Jump::Again => "again".to_owned(),
            Jump::Back => "back".to_owned(),
            Jump::Start => "start".to_owned(),
        }
    }

    fn message(&self, message: &Message) -> String {
        match message {
            Message::Say {
                body,
                or,
                header,
                footer,
                link,
            } => {
                let mut words = self.text(*body);
                for text in or {
                    words += &format!(" or {}", self.text(*text));
                }
                if let Some(header) = header {
                    words += &format!(" header {}", self.text(*header));
                }
                if let Some(footer) = footer {
                    words += &format!(" footer {}", self.text(*footer));
                }
                if let Some((label, url)) = link {
                    words += &format!(" link {} to {}", self.text(*label), self.text(*url));
                }
                words
            }
            Message::Template { template, args } => {
                let name = &self.program.business.templates[*template as usize].name;
                format!("template {name}{}", self.args(args))
            }
            Message::File {
                kind,
                source,
                caption,
                named,
            } => {
                let mut words = format!("{} {}", spell::media_kind(*kind), self.expr(*source));
                for (word, text) in [("caption", caption), ("named", named)] {
                    if let Some(text) = text {
                        words += &format!(" {word} {}", self.text(*text));
                    }
                }
                words
            }
            Message::React { emoji } => format!("react {}", self.text(*emoji)),
            Message::Place {
                lat,
                lng,
                name,
                address,
            } => {
                let mut words = format!("location {lat}, {lng}");
                for (word, text) in [("named", name), ("at", address)] {
                    if let Some(text) = text {
                        words += &format!(" {word} {}", self.text(*text));
                    }
                }
                words
            }
        }
    }

    fn condition(&self, out: &mut String, condition: Option<ExprIx>) -> fmt::Result {
        match condition {
            Some(condition) => write!(out, " if {}", self.expr(condition)),
            None => Ok(()),
        }
    }

    fn args(&self, args: &[(String, ExprIx)]) -> String {
        let args: Vec<String> = args
            .iter()
            .map(|(name, value)| format!("{name} = {}", self.expr(*value)))
            .collect();
        if args.is_empty() {
            String::new()
        } else {
            format!(" {{{}}}", args.join(", "))
        }
    }

    fn expr(&self, expr: ExprIx) -> String {
        spell::expr(self.program, &self.program.exprs[expr as usize])
    }

    fn text(&self, text: TextIx) -> String {
        spell::text(self.program, text)
    }

    fn flow_name(&self, flow: u32) -> &str {
        &self.program.flows[flow as usize].name
    }

    fn team(&self, team: u32) -> &str {
        &self.program.business.teams[team as usize].name
    }
}

fn line(out: &mut String, name: &str, words: impl Display) -> fmt::Result {
    let line = format!("          {name:<9} {words}");
    writeln!(out, "{}", line.trim_end())
}

fn at(pc: Option<Pc>) -> String {
    pc.map_or("next".to_owned(), |pc| format!("@{pc}"))
}
