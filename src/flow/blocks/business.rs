//! The sections of the business file: teams, templates, memory, services, defaults.

use super::clause::Once;
use super::cursor::{Ahead, Cursor, Next};
use super::mistake;
use crate::flow::parse::{Parsed, Rule};
use crate::flow::strings::same_language;
use crate::flow::tree::{Action, Business, Defaults, FormOf, Method, Name, Service, Team, Template, Text};
use crate::flow::words::{self, Place, Role};

/// Adds what one section says to what those before it said. What may be said once is in one section only.
pub(super) fn absorb(business: &mut Business, mut part: Business) {
    if part.name.span.start < part.name.span.end {
        business.name = part.name;
    }
    if part.defaults != Defaults::default() {
        business.defaults = part.defaults;
    }
    business.timezone = business.timezone.take().or(part.timezone);
    business.front_door = business.front_door.take().or(part.front_door);
    business.languages.append(&mut part.languages);
    business.teams.append(&mut part.teams);
    business.knowledge.append(&mut part.knowledge);
    business.forms.append(&mut part.forms);
    business.topics.append(&mut part.topics);
    business.templates.append(&mut part.templates);
    business.memory.append(&mut part.memory);
    business.services.append(&mut part.services);
    business.ons.append(&mut part.ons);
}

impl<'a> Cursor<'a> {
    /// Reads one section into the business. `once` knows what the file has said so far.
    pub fn business_section(&mut self, business: &mut Business, once: &mut Once) {
        let Ahead::Line(next) = self.ahead() else { return };
        let heading = next.rule.filter(|rule| words::role(*rule) == Role::Heading);
        let Some(rule) = heading else {
            self.rest_of_section();
            return;
        };
        if !words::accepts(Place::Business, rule) && rule != Rule::business_line {
            self.misplaced(next, rule);
            self.skip_section(next);
            return;
        }
        let parsed = self.read(next, rule);
        self.pass(next, rule);
        let span = self.span(next.line);
        let single = matches!(
            rule,
            Rule::business_line
                | Rule::timezone_line
                | Rule::languages_line
                | Rule::starts_line
                | Rule::defaults_line
        );
        let first = !single || self.first(once, &format!("{rule:?}"), next);
        match parsed {
            Some(Parsed::Business(name)) if first => business.name = name,
            Some(Parsed::Timezone(zone)) if first => business.timezone = Some(zone),
            Some(Parsed::Languages(languages)) if first => business.languages = languages,
            Some(Parsed::StartsWith(flow)) if first => business.front_door = Some(flow),
            Some(Parsed::Starts(_) | Parsed::StartsWhenCalled) => {
                self.mistakes
                    .push(mistake::starts_in_business(self.word(next.line)));
            }
            Some(Parsed::Knowledge(knowledge)) => business.knowledge.push(knowledge),
            Some(Parsed::Topic(topic)) => business.topics.push(topic),
            Some(Parsed::Team { name, title }) => {
                let team = Team {
                    name,
                    title,
                    hours: Vec::new(),
                    closed_on: Vec::new(),
                    span,
                };
                let team = self.team(next, team);
                business.teams.push(team);
            }
            Some(Parsed::Form { name, id }) => {
                let form = FormOf {
                    name,
                    id,
                    gives: Vec::new(),
                    span,
                };
                let form = self.form(next, form);
                business.forms.push(form);
            }
            Some(Parsed::Template { name, category }) => {
                let template = Template {
                    name,
                    category,
                    texts: Vec::new(),
                    buttons: Vec::new(),
                    further_buttons: Vec::new(),
                    span,
                };
                let template = self.template(next, template);
                business.templates.push(template);
            }
            Some(Parsed::Memory) => self.memory(next, business),
            Some(Parsed::Service { name, url }) => {
                let service = Service {
                    name,
                    url,
                    key: None,
                    actions: Vec::new(),
                    span,
                };
                let service = self.service(next, service);
                business.services.push(service);
            }
            Some(Parsed::Defaults) => {
                let mut again = Defaults::default();
                self.defaults(next, if first { &mut business.defaults } else { &mut again });
            }
            Some(parsed @ Parsed::On { .. }) => {
                let on = self.on(next, Some(parsed));
                business.ons.extend(on);
            }
            _ if rule == Rule::on_line => {
                self.on(next, None);
            }
            _ => {}
        }
        self.rest_of_section();
    }

    /// Lines after a section that is complete: they stand nowhere.
    fn rest_of_section(&mut self) {
        self.under = Place::Business;
        while let Ahead::Line(next) = self.ahead() {
            match next.rule {
                Some(Rule::end_line) => self.stray_end(next, Rule::end_line),
                Some(rule) => self.misplaced(next, rule),
                None => self.unknown(next),
            }
        }
    }

    fn team(&mut self, next: Next<'a>, mut team: Team) -> Team {
        // A team without hours is always open and needs no `end`.
        let has_lines = self.after(next.line).is_some_and(|after| {
            after
                .rule
                .is_some_and(|rule| words::accepts(Place::Team, rule) || rule == Rule::end_line)
                || self.indent(after.line) > self.indent(next.line)
        });
        if !has_lines {
            return team;
        }
        self.push(Place::Team, next.line, "`team`");
        while let Some((line, rule)) = self.next_clause() {
            let parsed = self.read(line, rule);
            self.pass(line, rule);
            match parsed {
                Some(Parsed::Hours(hours)) => team.hours.extend(hours),
                Some(Parsed::ClosedOn(days)) => team.closed_on.extend(days),
                _ => {}
            }
        }
        self.close();
        team
    }

    fn form(&mut self, next: Next<'a>, mut form: FormOf) -> FormOf {
        // A form that gives nothing needs no `end`.
        let has_lines = self.after(next.line).is_some_and(|after| {
            after
                .rule
                .is_some_and(|rule| words::accepts(Place::Form, rule) || rule == Rule::end_line)
                || self.indent(after.line) > self.indent(next.line)
        });
        if !has_lines {
            return form;
        }
        self.push(Place::Form, next.line, "`form`");
        while let Some((line, rule)) = self.next_clause() {
            let parsed = self.read(line, rule);
            self.pass(line, rule);
            if let Some(Parsed::Gives(fields)) = parsed {
                form.gives.extend(fields);
            }
        }
        self.close();
        form
    }

    fn template(&mut self, next: Next<'a>, mut template: Template) -> Template {
        self.push(Place::Template, next.line, "`template`");
        while let Some((line, rule)) = self.next_clause() {
            let parsed = self.read(line, rule);
            self.pass(line, rule);
            match parsed {
                Some(Parsed::Wording { language, text }) => template.texts.push((language, text)),
                Some(Parsed::Button(None, labels)) => template.buttons.extend(labels),
                Some(Parsed::Button(Some(language), labels)) => {
                    let mut own = template.further_buttons.iter_mut();
                    match own.find(|(name, _)| same_language(&name.text, &language.text)) {
                        Some((_, buttons)) => buttons.extend(labels),
                        None => template.further_buttons.push((language, labels)),
                    }
                }
                _ => {}
            }
        }
        self.close();
        template
    }

    fn memory(&mut self, next: Next<'a>, business: &mut Business) {
        self.push(Place::Memory, next.line, "`memory`");
        while let Some((line, rule)) = self.next_clause() {
            if let Some(Parsed::Field(field)) = self.read(line, rule) {
                business.memory.push(field);
            }
            self.pass(line, rule);
        }
        self.close();
    }

    fn service(&mut self, next: Next<'a>, mut service: Service) -> Service {
        self.push(Place::Service, next.line, "`service`");
        let mut once = Once::default();
        let mut of_action = Once::default();
        while let Some((line, rule)) = self.next_clause() {
            let parsed = self.read(line, rule);
            let of_service = matches!(rule, Rule::key_line | Rule::action_line);
            self.pass_at(line, rule, self.depth() + usize::from(!of_service));
            let action = service.actions.last_mut();
            match (parsed, action) {
                (Some(Parsed::Key(key)), _) => {
                    if self.first(&mut once, "key", line) {
                        service.key = Some(key);
                    }
                }
                (Some(Parsed::Action { name, needs }), _) => {
                    of_action = Once::default();
                    service.actions.push(self.action(line, name, needs));
                }
                (Some(Parsed::Call { method, path, body }), Some(action)) => {
                    if self.first(&mut of_action, "call", line) {
                        action.method = method;
                        action.path = path;
                        action.body = body;
                    }
                }
                (Some(Parsed::Gives(fields)), Some(action)) => action.gives.extend(fields),
                (Some(Parsed::Timeout(timeout)), Some(action)) => {
                    if self.first(&mut of_action, "timeout", line) {
                        action.timeout = Some(timeout);
                    }
                }
                (Some(_), None) => self.mistakes.push(mistake::before_action(self.word(line.line))),
                (Some(_) | None, _) => {}
            }
        }
        self.close();
        for action in &service.actions {
            if action.path.span == action.span {
                self.mistakes.push(mistake::action_without_call(&action.name));
            }
        }
        service
    }

    /// An action whose call is still to come: its path has the place of the action until then.
    fn action(&self, line: Next<'a>, name: Name, needs: Vec<Name>) -> Action {
        let span = self.span(line.line);
        Action {
            name,
            needs,
            method: Method::Get,
            path: Text {
                source: "/".to_owned(),
                span,
            },
            body: Vec::new(),
            gives: Vec::new(),
            timeout: None,
            span,
        }
    }

    fn defaults(&mut self, next: Next<'a>, defaults: &mut Defaults) {
        self.push(Place::Defaults, next.line, "`defaults`");
        let mut once = Once::default();
        while let Some((line, rule)) = self.next_clause() {
            let parsed = self.read(line, rule);
            self.pass(line, rule);
            let clause = format!("{rule:?}");
            let first = rule == Rule::no_reply_line || self.first(&mut once, &clause, line);
            match parsed {
                Some(Parsed::Otherwise(mut otherwise)) => {
                    self.lines_under(&mut otherwise.tail);
                    if first {
                        defaults.otherwise = Some(otherwise);
                    }
                }
                Some(Parsed::NoReply(mut no_reply)) => {
                    self.lines_under(&mut no_reply.tail);
                    defaults.no_reply.push(no_reply);
                }
                Some(Parsed::Outcome(mut outcome)) => {
                    self.lines_under(&mut outcome.tail);
                    if first {
                        defaults.problem = Some(outcome.tail);
                    }
                }
                Some(Parsed::Closed(text)) if first => defaults.closed = Some(text),
                Some(Parsed::OldButtons(answer, span)) if first => {
                    defaults.old_buttons = Some((answer, span))
                }
                Some(Parsed::TakeoverPauses(pause)) if first => defaults.takeover_pauses = Some(pause),
                Some(Parsed::BurstQuiet(quiet)) if first => defaults.burst_quiet = Some(quiet),
                Some(Parsed::OptOut(words)) if first => defaults.opt_out = words,
                _ => {}
            }
        }
        self.close();
    }
}
