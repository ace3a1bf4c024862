//! What a business has declared, by name: flows, steps, teams, topics, templates, actions and memory.
//!
//! The table is made once from the tree; checks and lowering look names up in it instead of searching. Of two things
//! with the same name the first counts (the second is F107).

use std::collections::HashMap;

use super::tree::{
    Action, Field, Flow, FormOf, Knowledge, Phrase, Service, Step, Target, TargetKind, Team, Template, Topic,
    Tree,
};

/// Words that no value may be called: they mean something in expressions.
pub const RESERVED: [&str; 12] = [
    "yes", "no", "nothing", "and", "or", "not", "is", "in", "if", "else", "end", "now",
];

/// Where values that nobody declares come from; no value of a flow may be called so.
pub const ROOTS: [&str; 7] = [
    "message", "contact", "chat", "business", "agent", "topic", "today",
];

/// Places that every flow has; a step of that name could not be reached by an arrow.
pub const PLACES: [&str; 6] = ["again", "resume", "back", "done", "close", "handoff"];

#[derive(Debug)]
pub struct Names<'t> {
    /// By slug.
    flows: HashMap<&'t str, usize>,
    /// By flow, then by slug.
    steps: Vec<HashMap<&'t str, usize>>,
    teams: HashMap<&'t str, &'t Team>,
    knowledge: HashMap<&'t str, &'t Knowledge>,
    forms: HashMap<&'t str, &'t FormOf>,
    topics: HashMap<&'t str, &'t Topic>,
    templates: HashMap<&'t str, &'t Template>,
    services: HashMap<&'t str, &'t Service>,
    /// `contact.first_name`, `chat.mood`.
    fields: HashMap<String, &'t Field>,
    tree: &'t Tree,
}

impl<'t> Names<'t> {
    pub fn of(tree: &'t Tree) -> Names<'t> {
        let mut names = Names {
            flows: HashMap::with_capacity(tree.flows.len()),
            steps: Vec::with_capacity(tree.flows.len()),
            teams: HashMap::new(),
            knowledge: HashMap::new(),
            forms: HashMap::new(),
            topics: HashMap::new(),
            templates: HashMap::new(),
            services: HashMap::new(),
            fields: HashMap::new(),
            tree,
        };
        for (index, flow) in tree.flows.iter().enumerate() {
            names.flows.entry(&flow.name.slug).or_insert(index);
            let mut steps = HashMap::with_capacity(flow.steps.len());
            for (index, step) in flow.steps.iter().enumerate() {
                steps.entry(step.name.slug.as_str()).or_insert(index);
            }
            names.steps.push(steps);
        }
        if let Some(business) = &tree.business {
            for team in &business.teams {
                names.teams.entry(&team.name.text).or_insert(team);
            }
            for knowledge in &business.knowledge {
                names.knowledge.entry(&knowledge.name.text).or_insert(knowledge);
            }
            for form in &business.forms {
                names.forms.entry(&form.name.text).or_insert(form);
            }
            for topic in &business.topics {
                names.topics.entry(&topic.name.text).or_insert(topic);
            }
            for template in &business.templates {
                names.templates.entry(&template.name.text).or_insert(template);
            }
            for service in &business.services {
                names.services.entry(&service.name.text).or_insert(service);
            }
            for field in &business.memory {
                names.fields.entry(field.path.parts.join(".")).or_insert(field);
            }
        }
        names
    }

    pub fn flow_index(&self, name: &Phrase) -> Option<usize> {
        self.flows.get(name.slug.as_str()).copied()
    }

    pub fn flow(&self, name: &Phrase) -> Option<&'t Flow> {
        self.flow_index(name).map(|index| &self.tree.flows[index])
    }

    pub fn step_index(&self, flow: usize, name: &Phrase) -> Option<usize> {
        self.steps[flow].get(name.slug.as_str()).copied()
    }

    pub fn step(&self, flow: usize, name: &Phrase) -> Option<&'t Step> {
        self.step_index(flow, name)
            .map(|index| &self.tree.flows[flow].steps[index])
    }

    /// The step that an arrow leads to, as its flow and its number there. `home`: the flow in which the arrow stands.
    /// `None` if it leads to no step, or if there is none of that name.
    pub fn aim(&self, home: Option<usize>, target: &Target) -> Option<(usize, usize)> {
        match &target.kind {
            TargetKind::Step(name) => home.and_then(|flow| Some((flow, self.step_index(flow, name)?))),
            TargetKind::Start => Some((home?, 0)),
            TargetKind::Flow(name, _) => Some((self.flow_index(name)?, 0)),
            TargetKind::Again
            | TargetKind::Resume
            | TargetKind::Back
            | TargetKind::Done(_)
            | TargetKind::Close
            | TargetKind::Handoff(_) => None,
        }
    }

    pub fn team(&self, name: &str) -> Option<&'t Team> {
        self.teams.get(name).copied()
    }

    pub fn knowledge(&self, name: &str) -> Option<&'t Knowledge> {
        self.knowledge.get(name).copied()
    }

    pub fn form(&self, name: &str) -> Option<&'t FormOf> {
        self.forms.get(name).copied()
    }

    pub fn topic(&self, name: &str) -> Option<&'t Topic> {
        self.topics.get(name).copied()
    }

    pub fn template(&self, name: &str) -> Option<&'t Template> {
        self.templates.get(name).copied()
    }

    pub fn service(&self, name: &str) -> Option<&'t Service> {
        self.services.get(name).copied()
    }

    /// The action of `service.action`.
    pub fn action(&self, path: &[String]) -> Option<&'t Action> {
        let [service, action] = path else { return None };
        self.service(service)?
            .actions
            .iter()
            .find(|candidate| candidate.name.text == *action)
    }

    /// A declared field of memory, by its whole name (`contact.first_name`).
    pub fn field(&self, name: &str) -> Option<&'t Field> {
        self.fields.get(name).copied()
    }

    pub fn tree(&self) -> &'t Tree {
        self.tree
    }
}

/// The name a person probably meant: within two edits, or one is the beginning of the other, or all words of one are
/// words of the other. The nearest wins; of equals, the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        if lower == word && candidate == word {
            continue;
        }
        let far = far_apart(&word, length, &lower);
        if let Some(far) = far
            && best.is_none_or(|(nearest, _)| far < nearest)
        {
            best = Some((far, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How far two words are from each other, if near enough to be the same.
fn far_apart(word: &str, length: usize, candidate: &str) -> Option<usize> {
    let other = candidate.chars().count();
    if length.abs_diff(other) <= 2 {
        let edits = strsim::osa_distance(word, candidate);
        // Two edits in a word of three letters make any other word.
        if edits <= 2 && edits * 2 < length.max(other) {
            return Some(edits);
        }
    }
    if length.min(other) >= 3 && (candidate.starts_with(word) || word.starts_with(candidate)) {
        return Some(3);
    }
    let is_sep = |c: char| c == ' ' || c == '_';
    let (short, long) = if length < other {
        (word, candidate)
    } else {
        (candidate, word)
    };
    let all_within = short.contains(is_sep)
        && short
            .split(is_sep)
            .all(|part| long.split(is_sep).any(|whole| whole == part));
    all_within.then_some(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_within_two_edits_or_shares_its_beginning_or_its_words() {
        let names = ["priority", "note", "ask for the number", "order"];
        assert_eq!(nearest("prioritty", names), Some("priority"));
        assert_eq!(nearest("ordr", names), Some("order"));
        assert_eq!(nearest("prio", names), Some("priority"));
        assert_eq!(nearest("ask number", names), Some("ask for the number"));
        assert_eq!(nearest("banana", names), None);
        assert_eq!(nearest("nit", names), None);
    }
}
