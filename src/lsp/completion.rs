//! What can be written at the cursor: words of the place, and names that the business declares.
//!
//! The line under the cursor is half written, so only its beginning is looked at; what may stand there is told by
//! the lines above it, which are read by themselves.

use lsp_types::{CompletionItem, CompletionItemKind, CompletionTextEdit, TextEdit};

use super::documents::Reading;
use super::mentions::Symbol;
use super::places::Encoding;
use crate::flow::blocks::{self, Laid};
use crate::flow::parse::Rule;
use crate::flow::source::{FileId, Sources};
use crate::flow::template::FILTERS;
use crate::flow::tree::Tree;
use crate::flow::words::{self, Place};

/// The kinds of answers behind `as`.
const KINDS: [&str; 19] = [
    "text",
    "text like \"A-#####\"",
    "number",
    "whole number",
    "yes or no",
    "money",
    "date",
    "date in the future",
    "date in the past",
    "time",
    "email",
    "phone",
    "web address",
    "photo",
    "video",
    "voice",
    "document",
    "location",
    "rating 1 to 5",
];

/// Places every arrow may lead to.
const ARROWS: [&str; 8] = [
    "again",
    "back",
    "start",
    "resume",
    "done",
    "close",
    "handoff to",
    "flow",
];

/// What the beginning of a line asks for, and the byte from which it is replaced.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// The first word of a line.
    Line,
    Target,
    Flow,
    /// A flow that is called by others.
    Called,
    Team,
    /// `service.action`.
    Action,
    /// An argument of this action: `number = …`.
    Argument(String, String),
    Template,
    Topic,
    Field,
    Kind,
    Value,
    Filter,
    Nothing,
}

/// Everything that fits at a byte of a file.
pub(super) fn completion(
    reading: &Reading,
    encoding: Encoding,
    file: FileId,
    offset: usize,
) -> Vec<CompletionItem> {
    let text = reading.text(file);
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let (wanted, from) = wanted(&text[start..offset]);
    let mut offers = Offers {
        range: encoding.range(text, start + from..offset),
        items: Vec::new(),
    };
    let flow = reading.tree.flows.iter().position(|flow| flow.file == file);
    let business = || reading.tree.business.iter();
    let services = || business().flat_map(|business| &business.services);
    match wanted {
        Wanted::Line => {
            for words in line_words(&text[..start]) {
                offers.add(&words, CompletionItemKind::KEYWORD, "");
            }
        }
        Wanted::Target => {
            if let Some(flow) = flow {
                for step in &reading.tree.flows[flow].steps {
                    offers.add(&step.name.words, CompletionItemKind::FUNCTION, "step");
                }
            }
            for place in ARROWS {
                offers.add(place, CompletionItemKind::KEYWORD, "");
            }
        }
        Wanted::Flow | Wanted::Called => {
            for flow in reading
                .tree
                .flows
                .iter()
                .filter(|flow| flow.called || wanted == Wanted::Flow)
            {
                let title = flow.title.as_ref().map_or("flow", |title| &title.source);
                offers.add(&flow.name.words, CompletionItemKind::MODULE, title);
            }
        }
        Wanted::Team => offers.teams(&reading.tree),
        Wanted::Action => {
            for service in services() {
                for action in &service.actions {
                    let name = format!("{}.{}", service.name.text, action.name.text);
                    offers.add(&name, CompletionItemKind::METHOD, "action");
                }
            }
        }
        Wanted::Argument(service, action) => {
            let actions = services()
                .filter(|known| known.name.text == service)
                .flat_map(|service| &service.actions);
            for need in actions
                .filter(|known| known.name.text == action)
                .flat_map(|action| &action.needs)
            {
                offers.add(&format!("{} = ", need.text), CompletionItemKind::FIELD, "needed");
            }
        }
        Wanted::Template => {
            for template in business().flat_map(|business| &business.templates) {
                offers.add(
                    &template.name.text,
                    CompletionItemKind::CONSTANT,
                    &template.category.text,
                );
            }
        }
        Wanted::Topic => {
            for topic in business().flat_map(|business| &business.topics) {
                offers.add(
                    &topic.name.text,
                    CompletionItemKind::CONSTANT,
                    &topic.about.source,
                );
            }
        }
        Wanted::Field => offers.fields(&reading.tree),
        Wanted::Kind => {
            for kind in KINDS {
                offers.add(kind, CompletionItemKind::TYPE_PARAMETER, "");
            }
        }
        Wanted::Value => {
            for mention in reading.mentions().iter().filter(|mention| mention.declares) {
                if let Symbol::Value(of, name) = &mention.symbol
                    && Some(*of) == flow
                {
                    offers.add(name, CompletionItemKind::VARIABLE, "value");
                }
            }
            offers.fields(&reading.tree);
            offers.teams(&reading.tree);
            for known in [
                "contact.name",
                "contact.phone",
                "contact.language",
                "business.name",
                "message.text",
                "today",
                "now",
            ] {
                offers.add(known, CompletionItemKind::VARIABLE, "");
            }
        }
        Wanted::Filter => {
            for filter in FILTERS {
                offers.add(filter, CompletionItemKind::FUNCTION, "filter");
            }
        }
        Wanted::Nothing => {}
    }
    offers.items
}

struct Offers {
    range: lsp_types::Range,
    items: Vec<CompletionItem>,
}

impl Offers {
    fn add(&mut self, label: &str, kind: CompletionItemKind, detail: &str) {
        if self.items.iter().any(|item| item.label == label) {
            return;
        }
        let sort = format!("{:04}", self.items.len());
        self.items.push(CompletionItem {
            label: label.to_owned(),
            kind: Some(kind),
            detail: (!detail.is_empty()).then(|| detail.to_owned()),
            filter_text: Some(label.to_owned()),
            sort_text: Some(sort),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit {
                range: self.range,
                new_text: label.to_owned(),
            })),
            ..CompletionItem::default()
        });
    }

    fn teams(&mut self, tree: &Tree) {
        for team in tree.business.iter().flat_map(|business| &business.teams) {
            self.add(&team.name.text, CompletionItemKind::CLASS, &team.title.source);
        }
    }

    fn fields(&mut self, tree: &Tree) {
        for field in tree.business.iter().flat_map(|business| &business.memory) {
            self.add(&field.path.parts.join("."), CompletionItemKind::FIELD, "memory");
        }
    }
}

/// What is asked for behind this beginning of a line. The number is the byte from which the answer replaces it.
fn wanted(before: &str) -> (Wanted, usize) {
    if let Some((slot, inside)) = open_slot(before) {
        let bar = inside.rfind('|');
        return match bar {
            Some(bar) if !inside[bar..].contains('(') => {
                (Wanted::Filter, slot + bar + 1 + blanks(&inside[bar + 1..]))
            }
            _ => (Wanted::Value, slot + word_start(inside)),
        };
    }
    if open_text(before) {
        return (Wanted::Nothing, before.len());
    }
    // The rest of a line behind its arrow is where it leads.
    let arrow = ["->", "→", "–>", "—>"]
        .iter()
        .filter_map(|arrow| before.rfind(arrow).map(|at| at + arrow.len()))
        .max();
    if let Some(arrow) = arrow {
        let from = arrow + blanks(&before[arrow..]);
        let rest = &before[from..];
        return if let Some(at) = behind(rest, "handoff to") {
            (Wanted::Team, from + at)
        } else if rest.contains(" with ") {
            (Wanted::Value, from + word_start(rest))
        } else if let Some(at) = behind(rest, "flow") {
            (Wanted::Flow, from + at)
        } else {
            (Wanted::Target, from)
        };
    }
    let indent = blanks(before);
    let code = &before[indent..];
    if !code.contains(char::is_whitespace) && !code.contains('"') {
        return (Wanted::Line, indent);
    }
    let last = indent + word_start(code);
    let word = code.split_whitespace().next().unwrap_or_default();
    for (words, wanted) in [
        ("handoff to", Wanted::Team),
        ("notify", Wanted::Team),
        ("send template", Wanted::Template),
        ("menu template", Wanted::Template),
        ("starts with", Wanted::Flow),
    ] {
        if let Some(at) = behind(code, words) {
            return if code[at..].contains(char::is_whitespace) && wanted != Wanted::Flow {
                (Wanted::Nothing, before.len())
            } else {
                (wanted, indent + at)
            };
        }
    }
    match word {
        "do" if !code.contains(" with ") && !code.contains(" save ") => {
            (Wanted::Called, indent + behind(code, "do").unwrap_or(2))
        }
        "fetch" => match code.split_once(" from ") {
            Some((_, rest)) => match rest.split_once(" with ") {
                None => (Wanted::Action, before.len() - rest.trim_start().len()),
                Some((path, args)) => {
                    let argument = args.rsplit(',').next().unwrap_or_default();
                    match (argument.contains('='), path.trim().split_once('.')) {
                        (false, Some((service, action))) => {
                            (Wanted::Argument(service.to_owned(), action.to_owned()), last)
                        }
                        _ => (Wanted::Value, last),
                    }
                }
            },
            None => (Wanted::Nothing, before.len()),
        },
        "remember" if code.contains(" as ") => (Wanted::Field, last),
        "forget" => (Wanted::Field, last),
        "starts" | "on" if last_words(code, "topic") => (Wanted::Topic, last),
        "starts" | "on" if last_words(code, "to") => (Wanted::Template, last),
        "as" => (Wanted::Kind, indent + behind(code, "as").unwrap_or(2)),
        "if" | "else" | "check" | "set" | "remember" | "do" | "done" | "send" | "priority" => {
            (Wanted::Value, last)
        }
        _ if code.starts_with(['"', '“', '„']) && (last_words(code, "if") || last_words(code, "=")) => {
            (Wanted::Value, last)
        }
        _ if last_words(code, "if") => (Wanted::Value, last),
        _ => (Wanted::Nothing, before.len()),
    }
}

/// Whether the word before the last, half-written one is this.
fn last_words(code: &str, word: &str) -> bool {
    code[..word_start(code)]
        .trim_end()
        .rsplit(|c: char| c.is_whitespace() || c == ',')
        .next()
        == Some(word)
}

/// The byte behind these words and the blanks after them, if the code begins with them.
fn behind(code: &str, words: &str) -> Option<usize> {
    let rest = code.strip_prefix(words)?;
    let space = blanks(rest);
    (space > 0).then_some(words.len() + space)
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// Where the dotted name at the end of a text begins.
fn word_start(text: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text.trim_end_matches(word).len()
}

/// The `{{` or `{%` that is open at the end, and what stands in it.
fn open_slot(before: &str) -> Option<(usize, &str)> {
    let at = before.rfind("{{").max(before.rfind("{%"))? + 2;
    let inside = &before[at..];
    (!inside.contains("}}") && !inside.contains("%}")).then_some((at, inside))
}

/// Whether a text is open at the end of a line's beginning.
fn open_text(before: &str) -> bool {
    let mut open = false;
    let mut chars = before.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if open => {
                chars.next();
            }
            '"' => open = !open,
            '“' | '„' => open = true,
            '”' => open = false,
            '#' if !open => return true,
            _ => {}
        }
    }
    open
}

/// The words that may begin a line behind these lines.
fn line_words(above: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (places, can_end, can_else) = places_after(above);
    for place in places {
        for word in place.words() {
            // Some are descriptions: what is meant is offered, or nothing.
            let written = match *word {
                described if described.contains("in quotes") => "\"\"".to_owned(),
                described if described.contains("such as 50%") => "50% -> ".to_owned(),
                described if described.contains(" its text") || described.contains("NAME") => continue,
                word => word.to_owned(),
            };
            if !words.contains(&written) {
                words.push(written);
            }
        }
    }
    if can_else {
        words.push("else".to_owned());
    }
    if can_end {
        words.push("end".to_owned());
    }
    words
}

/// The blocks in which the next line may stand, innermost first; whether one can be closed; whether it is an `if`.
fn places_after(above: &str) -> (Vec<Place>, bool, bool) {
    let mut sources = Sources::default();
    let id = sources.add("above", above);
    let built = blocks::build(&sources, id, &mut Tree::default());
    let laid: Vec<Laid> = built.layout.into_iter().flatten().collect();
    // Lines that are open at the end: each with the depth of what stands in it.
    let mut open: Vec<Laid> = Vec::new();
    for line in &laid {
        open.retain(|outer| outer.depth < line.depth);
        if line.rule != Rule::end_line {
            open.push(*line);
        }
    }
    let business = laid.first().is_some_and(|line| line.rule == Rule::business_line);
    let top = if business {
        Place::Business
    } else {
        Place::FlowHead
    };
    let mut places = Vec::new();
    let (mut can_end, mut can_else) = (false, false);
    for (index, line) in open.iter().enumerate().rev() {
        let Some(inside) = words::opens(line.rule) else {
            continue;
        };
        places.push(inside);
        let heading = matches!(
            line.rule,
            Rule::step_line | Rule::on_line | Rule::flow_line | Rule::business_line
        );
        // What stands under a clause line ends with the block around it.
        can_end |= !heading && words::role(line.rule) != words::Role::Clause;
        can_else |= matches!(line.rule, Rule::if_line | Rule::else_line);
        // What has lines under it, or always has, must be closed before anything around it goes on.
        let holds = index + 1 < open.len() || matches!(line.rule, Rule::for_line | Rule::split_line);
        if heading || (holds && words::role(line.rule) != words::Role::Clause) {
            break;
        }
    }
    if laid.is_empty() {
        places.push(Place::File);
    } else if !places.contains(&top) {
        places.push(top);
    }
    (places, can_end, can_else)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn wants(before: &str, kind: Wanted, rest: &str) {
        let (wanted, from) = wanted(before);
        assert_eq!((wanted, &before[from..]), (kind, rest), "{before}");
    }

    #[test]
    fn the_beginning_of_a_line_tells_what_is_asked_for() {
        wants("  sa", Wanted::Line, "sa");
        wants("", Wanted::Line, "");
        wants("    \"Yes\" -> ask the", Wanted::Target, "ask the");
        wants("  -> flow ord", Wanted::Flow, "ord");
        wants("  \"x\" -> handoff to su", Wanted::Team, "su");
        wants("  handoff to ", Wanted::Team, "");
        wants("  fetch order from shop.", Wanted::Action, "shop.");
        let action = Wanted::Argument("shop".to_owned(), "get_order".to_owned());
        wants("  fetch order from shop.get_order with nu", action, "nu");
        wants(
            "  fetch order from shop.get_order with number = nu",
            Wanted::Value,
            "nu",
        );
        wants("  say \"Hi {{ contact.fi", Wanted::Value, "contact.fi");
        wants("  say \"Hi {{ a | def", Wanted::Filter, "def");
        wants("  say \"Hi {{ a }} and", Wanted::Nothing, "");
        wants("  if order.st", Wanted::Value, "order.st");
        wants("    as da", Wanted::Kind, "da");
        wants("starts on topic re", Wanted::Topic, "re");
        wants("starts on reply to re", Wanted::Template, "re");
        wants("  remember x as con", Wanted::Field, "con");
        wants("  do ident", Wanted::Called, "ident");
        wants("  done # -> x", Wanted::Nothing, "");
    }

    #[test]
    fn the_lines_above_tell_what_may_begin_the_next_one() {
        let has = |above: &str, wanted: &str| line_words(above).iter().any(|word| word == wanted);
        assert!(has("", "flow") && has("", "business"));
        assert!(has("flow a\n", "starts on") && has("flow a\n", "step"));
        let step = "flow a\nstartson \"x\"\nstep b\n";
        assert!(has(step, "say") && has(step, "menu") && !has(step, "otherwise") && !has(step, "end"));
        let menu = "flow a\nstep b\n  menu \"x\"\n    \"y\" -> c\n";
        assert!(has(menu, "otherwise") && has(menu, "end") && has(menu, "\"\""));
        let fetch = "flow a\nstep b\n  fetch x from s.a\n";
        assert!(has(fetch, "not found") && has(fetch, "end") && has(fetch, "say"));
        let closed = "flow a\nstep b\n  menu \"x\"\n    \"y\" -> c\n  end\n";
        assert!(has(closed, "say") && !has(closed, "otherwise") && !has(closed, "end"));
        let branch = "flow a\nstep b\n  if a is 1\n    say \"x\"\n";
        assert!(has(branch, "else") && has(branch, "end"));
        let each = "flow a\nstep b\n  for each x in y\n    say \"x\"\n";
        assert!(has(each, "end") && !has(each, "menu") && !has(each, "else"));
        assert!(has("business \"x\"\n", "team") && has("business \"x\"\ndefaults\n", "otherwise"));
        assert!(has("business \"x\"\nteam a \"A\"\n", "hours"));
    }
}
