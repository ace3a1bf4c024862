//! The business file: names with their meaning, and the code that all flows share.

use super::text::blanks_of;
use super::{Lowering, built_in, flow};
use crate::flow::fold::fold;
use crate::flow::program::{Action, Business, Field, Hours, Service, Team, Template};
use crate::flow::tree::{self, Defaults, OldButtons};

impl Lowering<'_> {
    pub(super) fn business(&mut self, business: Option<&tree::Business>) -> Business {
        let none = Defaults::default();
        let defaults = business.map_or(&none, |business| &business.defaults);
        self.inherit(defaults);
        let problem = self.problem(defaults);
        let closed = self.closed(defaults);
        let mut lowered = Business {
            name: String::new(),
            timezone: built_in::TIMEZONE.to_owned(),
            languages: Vec::new(),
            front_door: None,
            teams: Vec::new(),
            knowledge: Vec::new(),
            topics: Vec::new(),
            templates: Vec::new(),
            contact_fields: Default::default(),
            chat_fields: Default::default(),
            services: Vec::new(),
            problem,
            closed,
            old_buttons: defaults.old_buttons.map_or(OldButtons::Reopen, |(rule, _)| rule),
            takeover_pauses_seconds: defaults.takeover_pauses.map(|pause| pause.as_secs()),
            burst_quiet_ms: defaults
                .burst_quiet
                .map_or(built_in::BURST_QUIET_MS, milliseconds),
            opt_out: defaults.opt_out.iter().map(|word| fold(&word.source)).collect(),
        };
        if let Some(business) = business {
            self.declared(business, &mut lowered);
        }
        if lowered.languages.is_empty() {
            lowered.languages.push(built_in::LANGUAGE.to_owned());
        }
        lowered.front_door = lowered.front_door.or(self.names.first_open_flow());
        lowered
    }

    fn declared(&mut self, business: &tree::Business, lowered: &mut Business) {
        lowered.name = business.name.source.clone();
        if let Some(timezone) = &business.timezone {
            lowered.timezone = timezone.source.clone();
        }
        lowered.languages = business.languages.iter().map(|name| name.text.clone()).collect();
        lowered.front_door = business
            .front_door
            .as_ref()
            .and_then(|flow| self.names.flow(&flow.slug));
        lowered.teams = business.teams.iter().map(team).collect();
        lowered.knowledge = business
            .knowledge
            .iter()
            .map(|each| (each.name.text.clone(), each.path.source.clone()))
            .collect();
        lowered.topics = business
            .topics
            .iter()
            .map(|topic| (topic.name.text.clone(), topic.about.source.clone()))
            .collect();
        lowered.templates = business.templates.iter().map(template).collect();
        self.memory(business, lowered);
        lowered.services = business
            .services
            .iter()
            .map(|service| self.service(service))
            .collect();
        for on in &business.ons {
            self.on(on, "business", None);
        }
    }

    fn memory(&mut self, business: &tree::Business, lowered: &mut Business) {
        self.enter("business/memory".to_owned(), None, None);
        for field in &business.memory {
            let declared = Field {
                kind: field.kind.clone(),
                default: self.optional_expr(field.default.as_ref()),
                forget_after_seconds: field.forget_after.map(|after| after.as_secs()),
            };
            let (fields, name) = match field.path.parts.as_slice() {
                [scope, name @ ..] if scope == "chat" => (&mut lowered.chat_fields, name),
                [scope, name @ ..] if scope == "contact" => (&mut lowered.contact_fields, name),
                name => (&mut lowered.contact_fields, name),
            };
            fields.entry(name.join(".")).or_insert(declared);
        }
    }

    fn service(&mut self, service: &tree::Service) -> Service {
        Service {
            name: service.name.text.clone(),
            url: service.url.source.clone(),
            key: service.key.as_ref().map(|key| key.text.clone()),
            actions: service
                .actions
                .iter()
                .map(|action| self.action(&service.name.text, action))
                .collect(),
        }
    }

    fn action(&mut self, service: &str, action: &tree::Action) -> Action {
        self.enter(format!("business/{service}.{}", action.name.text), None, None);
        Action {
            name: action.name.text.clone(),
            needs: action.needs.iter().map(|name| name.text.clone()).collect(),
            method: action.method,
            path: self.text(&action.path),
            body: self.args(&action.body),
            gives: flow::fields(&action.gives),
            timeout_ms: action.timeout.map_or(built_in::ACTION_TIMEOUT_MS, milliseconds),
        }
    }
}

fn team(team: &tree::Team) -> Team {
    Team {
        name: team.name.text.clone(),
        title: team.title.source.clone(),
        hours: team
            .hours
            .iter()
            .map(|hours| Hours {
                first: hours.first.to_monday_one_offset(),
                last: hours.last.to_monday_one_offset(),
                from: hours.from,
                to: hours.to,
            })
            .collect(),
        closed_on: team.closed_on.iter().map(|(date, _)| *date).collect(),
    }
}

fn template(template: &tree::Template) -> Template {
    let labels = |buttons: &[tree::Text]| -> Vec<String> {
        buttons.iter().map(|button| button.source.clone()).collect()
    };
    Template {
        name: template.name.text.clone(),
        texts: template
            .texts
            .iter()
            .map(|(language, text)| (language.text.clone(), text.source.clone()))
            .collect(),
        blanks: template
            .texts
            .iter()
            .map(|(_, text)| blanks_of(&text.source))
            .collect(),
        buttons: labels(&template.buttons),
        further_buttons: template
            .further_buttons
            .iter()
            .map(|(language, buttons)| (language.text.clone(), labels(buttons)))
            .collect(),
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
