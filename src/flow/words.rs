//! The words that can begin a line, and where each may stand.
//!
//! No word begins both a statement and a clause, so what a line is is known from its first word and the block
//! around it. This table chooses the grammar rule for a line, says what can be written at a place, and finds the
//! word somebody meant.

use super::lines::begins_with_quote;
use super::parse::Rule;

/// What kind of lines may stand somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The beginning of a file.
    File,
    /// Between `flow` and the first `step`.
    FlowHead,
    /// The lines of a step, of an `on`, of a branch: statements.
    Body,
    /// Statements under a clause line: none that waits.
    ClauseBody,
    Question,
    Fetch,
    Handoff,
    Split,
    Transcribe,
    Answer,
    /// The top level of the business file.
    Business,
    Team,
    Form,
    Template,
    Memory,
    Service,
    Defaults,
}

/// What part a line plays, whatever block it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `flow`, `step`, `on`, and the items of a business file: they end whatever was open.
    Heading,
    Statement,
    /// A line that belongs to the block around it.
    Clause,
    Else,
    End,
}

/// The rule for a line by its first word; `None` if the word means nothing at that place or anywhere.
pub fn rule_of(code: &str, place: Place) -> Option<Rule> {
    if begins_with_quote(code) {
        return Some(Rule::option_line);
    }
    if code.starts_with("->") || code.starts_with('→') || code.starts_with("–>") || code.starts_with("—>")
    {
        return Some(Rule::go_line);
    }
    let word = first_word(code);
    if code[word.len()..].starts_with('%') && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Rule::share_line);
    }
    let second = || first_word(code[word.len()..].trim_start()).to_ascii_lowercase();
    let rule = known(&word.to_ascii_lowercase(), second);
    if rule == Some(Rule::topic_line) && leads_away(code) {
        // Under `answer`; the business file's has a text.
        return Some(Rule::topic_exit_line);
    }
    if rule == Some(Rule::form_line) && names_an_id(code) {
        // The business file's; the question has the name of its answer before it.
        return Some(Rule::form_declared_line);
    }
    match place {
        Place::Memory if rule.is_none_or(|rule| role(rule) != Role::Heading && rule != Rule::end_line) => {
            let ends = nearest(word, ["end"]).is_some() && !looks_like_a_field(code);
            if ends || word.is_empty() {
                rule
            } else {
                Some(Rule::field_line)
            }
        }
        Place::Template if rule.is_none_or(|rule| !matches!(rule, Rule::button_line | Rule::end_line)) => {
            let rest = code[word.len()..].trim_start();
            let wording = !word.is_empty() && begins_with_quote(rest);
            if wording { Some(Rule::wording_line) } else { rule }
        }
        _ => rule,
    }
}

fn looks_like_a_field(code: &str) -> bool {
    let end = code
        .find(|char: char| !(is_wordchar(char) || char == '.'))
        .unwrap_or(code.len());
    end > 0 && code[end..].trim_start().starts_with(':')
}

/// `topic NAME -> place`: the third word is an arrow.
fn leads_away(code: &str) -> bool {
    let mut words = code.split_whitespace().skip(2);
    words.next().is_some_and(|word| {
        ["->", "→", "–>", "—>"]
            .iter()
            .any(|arrow| word.starts_with(arrow))
    })
}

/// `form NAME "id"`: behind the name comes a text.
fn names_an_id(code: &str) -> bool {
    let behind = |text: &str| text[first_word(text).len()..].trim_start().to_owned();
    let name = behind(code);
    !first_word(&name).is_empty() && begins_with_quote(&behind(&name))
}

fn known(word: &str, second: impl Fn() -> String) -> Option<Rule> {
    Some(match word {
        "flow" => Rule::flow_line,
        "starts" => Rule::starts_line,
        "needs" => Rule::needs_line,
        "gives" => Rule::gives_line,
        "step" => Rule::step_line,
        "on" => Rule::on_line,
        "say" => Rule::say_line,
        "menu" | "buttons" | "list" | "ask" | "gather" => Rule::question_line,
        "each" => Rule::each_line,
        "none" => Rule::none_line,
        "more" => Rule::more_line,
        "finish" => Rule::finish_line,
        "form" => Rule::form_line,
        "set" => Rule::set_line,
        "remember" => Rule::remember_line,
        "forget" => Rule::forget_line,
        "if" => Rule::if_line,
        "else" => Rule::else_line,
        "end" => Rule::end_line,
        "fetch" => Rule::fetch_line,
        "do" => Rule::do_line,
        "done" => Rule::done_line,
        "close" => Rule::close_line,
        "resume" => Rule::resume_line,
        "send" => Rule::send_line,
        "for" => Rule::for_line,
        "later" => Rule::later_line,
        "cancel" => Rule::cancel_line,
        "record" => Rule::record_line,
        "tag" | "untag" => Rule::tag_line,
        "split" => Rule::split_line,
        "pause" => Rule::pause_line,
        "transcribe" => Rule::transcribe_line,
        "answer" => Rule::answer_line,
        "about" => Rule::about_line,
        "never" => Rule::never_line,
        "style" => Rule::style_line,
        "at" => Rule::length_line,
        "up" => Rule::replies_line,
        "may" => Rule::may_line,
        "off" => Rule::off_topic_line,
        "finished" => Rule::finished_line,
        "react" => Rule::react_line,
        "subscribe" => Rule::subscribe_line,
        "unsubscribe" => Rule::unsubscribe_line,
        "handoff" => Rule::handoff_line,
        "notify" => Rule::notify_line,
        "as" => Rule::as_line,
        "check" => Rule::check_line,
        "otherwise" => Rule::otherwise_line,
        "no" if second() == "agent" => Rule::no_agent_line,
        "no" => Rule::no_reply_line,
        "again" => Rule::again_line,
        "private" => Rule::private_line,
        "header" => Rule::header_line,
        "footer" => Rule::footer_line,
        "open" => Rule::open_line,
        "section" => Rule::section_line,
        "not" if second() == "sure" => Rule::not_sure_line,
        "not" => Rule::not_found_line,
        "refused" => Rule::refused_line,
        "status" => Rule::status_line,
        "problem" => Rule::problem_line,
        "note" => Rule::note_line,
        "priority" => Rule::priority_line,
        "assist" => Rule::assist_line,
        "when" => match second().as_str() {
            "taken" => Rule::when_taken_line,
            "returned" => Rule::when_returned_line,
            _ => Rule::when_closed_line,
        },
        "business" => Rule::business_line,
        "timezone" => Rule::timezone_line,
        "languages" => Rule::languages_line,
        "team" => Rule::team_line,
        "hours" => Rule::hours_line,
        "closed" if second() == "on" => Rule::closed_on_line,
        "closed" => Rule::closed_line,
        "knowledge" => Rule::knowledge_line,
        "topic" => Rule::topic_line,
        "template" => Rule::template_line,
        "button" => Rule::button_line,
        "memory" => Rule::memory_line,
        "service" => Rule::service_line,
        "key" => Rule::key_line,
        "action" => Rule::action_line,
        "get" | "post" | "put" | "delete" => Rule::call_line,
        "timeout" => Rule::timeout_line,
        "defaults" => Rule::defaults_line,
        "old" => Rule::old_buttons_line,
        "takeover" => Rule::takeover_line,
        "burst" => Rule::burst_line,
        "opt" => Rule::opt_out_line,
        _ => return None,
    })
}

pub fn role(rule: Rule) -> Role {
    match rule {
        Rule::flow_line
        | Rule::step_line
        | Rule::on_line
        | Rule::starts_line
        | Rule::needs_line
        | Rule::business_line
        | Rule::timezone_line
        | Rule::languages_line
        | Rule::team_line
        | Rule::knowledge_line
        | Rule::topic_line
        | Rule::form_declared_line
        | Rule::template_line
        | Rule::memory_line
        | Rule::service_line
        | Rule::defaults_line => Role::Heading,
        Rule::say_line
        | Rule::question_line
        | Rule::form_line
        | Rule::set_line
        | Rule::remember_line
        | Rule::forget_line
        | Rule::if_line
        | Rule::fetch_line
        | Rule::do_line
        | Rule::go_line
        | Rule::done_line
        | Rule::close_line
        | Rule::resume_line
        | Rule::send_line
        | Rule::handoff_line
        | Rule::notify_line
        | Rule::for_line
        | Rule::later_line
        | Rule::cancel_line
        | Rule::record_line
        | Rule::tag_line
        | Rule::split_line
        | Rule::answer_line
        | Rule::pause_line
        | Rule::transcribe_line
        | Rule::react_line
        | Rule::subscribe_line
        | Rule::unsubscribe_line => Role::Statement,
        Rule::else_line => Role::Else,
        Rule::end_line => Role::End,
        _ => Role::Clause,
    }
}

/// The block that a line of this kind may open: where the lines under it stand.
pub fn opens(rule: Rule) -> Option<Place> {
    Some(match rule {
        Rule::flow_line => Place::FlowHead,
        Rule::step_line | Rule::on_line | Rule::if_line | Rule::else_line => Place::Body,
        Rule::question_line | Rule::form_line => Place::Question,
        Rule::form_declared_line => Place::Form,
        Rule::fetch_line => Place::Fetch,
        Rule::handoff_line => Place::Handoff,
        Rule::split_line => Place::Split,
        Rule::transcribe_line => Place::Transcribe,
        Rule::answer_line => Place::Answer,
        Rule::business_line => Place::Business,
        Rule::team_line => Place::Team,
        Rule::template_line => Place::Template,
        Rule::memory_line => Place::Memory,
        Rule::service_line => Place::Service,
        Rule::defaults_line => Place::Defaults,
        Rule::for_line
        | Rule::option_line
        | Rule::each_line
        | Rule::none_line
        | Rule::share_line
        | Rule::otherwise_line
        | Rule::no_reply_line
        | Rule::not_found_line
        | Rule::refused_line
        | Rule::status_line
        | Rule::problem_line
        | Rule::when_closed_line
        | Rule::not_sure_line
        | Rule::off_topic_line
        | Rule::finished_line => Place::ClauseBody,
        _ => return None,
    })
}

/// Whether a block of this kind has lines of this rule directly in it.
pub fn accepts(place: Place, rule: Rule) -> bool {
    match place {
        Place::File => matches!(rule, Rule::flow_line | Rule::business_line),
        Place::FlowHead => matches!(
            rule,
            Rule::starts_line | Rule::needs_line | Rule::gives_line | Rule::step_line | Rule::on_line
        ),
        Place::Body | Place::ClauseBody => role(rule) == Role::Statement,
        Place::Question => matches!(
            rule,
            Rule::option_line
                | Rule::each_line
                | Rule::none_line
                | Rule::more_line
                | Rule::finish_line
                | Rule::as_line
                | Rule::check_line
                | Rule::otherwise_line
                | Rule::no_reply_line
                | Rule::again_line
                | Rule::private_line
                | Rule::header_line
                | Rule::footer_line
                | Rule::open_line
                | Rule::section_line
        ),
        Place::Fetch => matches!(
            rule,
            Rule::not_found_line | Rule::refused_line | Rule::status_line | Rule::problem_line
        ),
        Place::Handoff => matches!(
            rule,
            Rule::note_line
                | Rule::priority_line
                | Rule::assist_line
                | Rule::when_closed_line
                | Rule::when_taken_line
                | Rule::no_agent_line
                | Rule::when_returned_line
        ),
        Place::Split => rule == Rule::share_line,
        Place::Transcribe => rule == Rule::problem_line,
        Place::Answer => matches!(
            rule,
            Rule::about_line
                | Rule::never_line
                | Rule::style_line
                | Rule::length_line
                | Rule::replies_line
                | Rule::may_line
                | Rule::topic_exit_line
                | Rule::not_sure_line
                | Rule::off_topic_line
                | Rule::finished_line
                | Rule::problem_line
                | Rule::no_reply_line
        ),
        Place::Business => matches!(
            rule,
            Rule::timezone_line
                | Rule::languages_line
                | Rule::starts_line
                | Rule::team_line
                | Rule::knowledge_line
                | Rule::topic_line
                | Rule::form_declared_line
                | Rule::template_line
                | Rule::memory_line
                | Rule::service_line
                | Rule::defaults_line
                | Rule::on_line
        ),
        Place::Form => rule == Rule::gives_line,
        Place::Team => matches!(rule, Rule::hours_line | Rule::closed_on_line),
        Place::Template => matches!(rule, Rule::wording_line | Rule::button_line),
        Place::Memory => rule == Rule::field_line,
        Place::Service => matches!(
            rule,
            Rule::key_line | Rule::action_line | Rule::call_line | Rule::gives_line | Rule::timeout_line
        ),
        Place::Defaults => matches!(
            rule,
            Rule::otherwise_line
                | Rule::no_reply_line
                | Rule::problem_line
                | Rule::closed_line
                | Rule::old_buttons_line
                | Rule::takeover_line
                | Rule::burst_line
                | Rule::opt_out_line
        ),
    }
}

impl Place {
    /// What can be written here, as it is shown to people. The first word of each is a candidate for "did you mean".
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Place::File => &["flow", "business"],
            Place::FlowHead => &["starts on", "starts when called", "needs", "gives", "step", "on"],
            Place::Body => &[
                "say",
                "menu",
                "buttons",
                "list",
                "ask",
                "gather",
                "form",
                "set",
                "remember",
                "forget",
                "if",
                "fetch",
                "answer from",
                "do",
                "->",
                "done",
                "close",
                "resume",
                "handoff",
                "notify",
                "send",
                "for each",
                "split",
                "later",
                "cancel",
                "record",
                "tag",
                "untag",
                "subscribe to",
                "unsubscribe",
                "pause",
                "transcribe",
                "react",
            ],
            Place::ClauseBody => &[
                "say",
                "set",
                "remember",
                "forget",
                "if",
                "->",
                "done",
                "close",
                "resume",
                "notify",
                "send",
                "for each",
                "split",
                "later",
                "cancel",
                "record",
                "tag",
                "untag",
                "subscribe to",
                "unsubscribe",
                "pause",
                "react",
            ],
            Place::Question => &[
                "an option in quotes",
                "each",
                "none",
                "more",
                "section",
                "as",
                "check",
                "finish on",
                "otherwise",
                "no reply in",
                "again",
                "private",
                "open",
                "header",
                "footer",
            ],
            Place::Fetch => &["not found", "refused", "status", "problem"],
            Place::Handoff => &[
                "note",
                "priority",
                "assist on",
                "when closed",
                "when taken",
                "when returned",
                "no agent in",
            ],
            Place::Split => &["a share such as 50%"],
            Place::Transcribe => &["problem"],
            Place::Answer => &[
                "about",
                "never",
                "style",
                "at most",
                "up to",
                "may remember",
                "may use",
                "topic",
                "not sure",
                "off topic",
                "finished",
                "no reply in",
                "problem",
            ],
            Place::Business => &[
                "timezone",
                "languages",
                "starts with",
                "team",
                "knowledge",
                "topic",
                "form",
                "template",
                "memory",
                "service",
                "defaults",
                "on",
            ],
            Place::Team => &["hours", "closed on"],
            Place::Form => &["gives"],
            Place::Template => &["a language and its text", "button"],
            Place::Memory => &["contact.NAME: KIND"],
            Place::Service => &[
                "key", "action", "get", "post", "put", "delete", "gives", "timeout",
            ],
            Place::Defaults => &[
                "otherwise",
                "no reply in",
                "problem",
                "closed",
                "old buttons",
                "takeover pauses for",
                "burst quiet",
                "opt out also",
            ],
        }
    }

    /// "Under `menu`", "In a step".
    pub fn said(self) -> &'static str {
        match self {
            Place::File => "At the top of a file",
            Place::FlowHead => "Between `flow` and the first `step`",
            Place::Body => "In a step",
            Place::ClauseBody => "Under such a line",
            Place::Question => "Under a question",
            Place::Fetch => "Under `fetch`",
            Place::Handoff => "Under `handoff`",
            Place::Split => "Under `split`",
            Place::Transcribe => "Under `transcribe`",
            Place::Answer => "Under `answer`",
            Place::Business => "In the business file",
            Place::Team => "Under `team`",
            Place::Form => "Under `form`",
            Place::Template => "Under `template`",
            Place::Memory => "Under `memory`",
            Place::Service => "Under `service`",
            Place::Defaults => "Under `defaults`",
        }
    }
}

impl Place {
    /// The words that begin lines here.
    pub fn first_words(self) -> impl Iterator<Item = &'static str> {
        let words = self
            .words()
            .iter()
            .filter(|words| !words.contains(' ') || known_first(words));
        words
            .map(|words| first_word(words))
            .filter(|word| !word.is_empty())
    }
}

/// Not a description such as "an option in quotes".
fn known_first(words: &str) -> bool {
    known(first_word(words), || {
        first_word(words[first_word(words).len()..].trim_start()).to_owned()
    })
    .is_some()
}

/// The words that begin lines anywhere.
pub fn all_first_words() -> impl Iterator<Item = &'static str> {
    let places = [
        Place::File,
        Place::FlowHead,
        Place::Body,
        Place::Question,
        Place::Fetch,
        Place::Handoff,
        Place::Answer,
        Place::Business,
        Place::Team,
        Place::Service,
        Place::Defaults,
    ];
    places
        .into_iter()
        .flat_map(Place::first_words)
        .chain(["else", "end"])
}

pub fn is_wordchar(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// The word a line begins with; empty if it begins with something else.
pub fn first_word(code: &str) -> &str {
    let end = code.find(|char| !is_wordchar(char)).unwrap_or(code.len());
    &code[..end]
}

/// Bytes of the first word or, if none begins here, of the arrow or the first character.
pub fn first_len(code: &str) -> usize {
    match first_word(code).len() {
        0 if code.starts_with("->") => 2,
        0 => code.chars().next().map_or(0, char::len_utf8),
        len => len,
    }
}

/// Whether this text looks like the beginning of a statement or clause rather than prose.
pub fn begins_a_line(code: &str) -> bool {
    let word = first_word(code);
    code.starts_with("->")
        || code.starts_with('→')
        || (!word.is_empty() && known(word, String::new).is_some())
}

/// The candidate nearest to `word`: at most two edits away, and fewer than the word is long.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = match word.chars().count() {
        0..=2 => return None,
        3 => 1,
        _ => 2,
    };
    // In a word of three letters one edit may be another word: `may` is no slip for `say`.
    let same_start = |candidate: &str| word.len() > 3 || candidate.chars().next() == word.chars().next();
    candidates
        .into_iter()
        .filter(|candidate| same_start(candidate))
        .map(|candidate| (strsim::osa_distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_may_stand_in_a_block_is_in_one_that_some_line_opens() {
        let opened: Vec<Place> = Rule::all_rules().iter().copied().filter_map(opens).collect();
        let lines = Rule::all_rules().iter().copied().filter(|rule| {
            let name = format!("{rule:?}");
            name.ends_with("_line") && !matches!(rule, Rule::else_line | Rule::end_line)
        });
        for line in lines.filter(|line| !accepts(Place::File, *line)) {
            assert!(
                opened.iter().any(|place| accepts(*place, line)),
                "{line:?} stands in no block: does `opens` know the line above it?"
            );
        }
    }
}
