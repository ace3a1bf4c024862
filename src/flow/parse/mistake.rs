//! What is said about a line that can't be read.
//!
//! The grammar's own list of what it expected never reaches people: it only tells where reading stopped, and which
//! words would have been right there, for "did you mean".

use pest::error::{Error, ErrorVariant, InputLocation};

use super::{Code, Rule, slip};
use crate::flow::diagnostic::{Code as Check, Diagnostic};
use crate::flow::lines::{begins_with_quote, is_space};
use crate::flow::words::{self, Place};

/// The word that was probably meant by one that means nothing.
pub fn meant_word(word: &str, candidates: &[&'static str]) -> Option<&'static str> {
    slip::other_word(word, candidates).or_else(|| words::nearest(word, candidates.iter().copied()))
}

/// A line whose first word means nothing.
pub fn unknown_word(code: Code<'_>, candidates: &[&'static str]) -> Diagnostic {
    let word = words::first_word(code.text);
    if code.text.starts_with("//") {
        let span = code.span(0, 2);
        return Diagnostic::new(
            Check::F001,
            span,
            "this line can't be read",
            "comments begin with `#`",
        )
        .fix("#", span, "#");
    }
    if word.is_empty() {
        let mark: String = code.text.chars().take(1).collect();
        return Diagnostic::new(
            Check::F001,
            code.whole(),
            "this line can't be read",
            format!("no line begins with `{mark}`"),
        )
        .note(allowed_list(code.place));
    }
    let meant = meant_word(word, candidates);
    let span = code.span(0, word.len());
    let mut diagnostic = Diagnostic::new(
        Check::F004,
        span,
        format!("\"{word}\" means nothing here"),
        meant.map_or("no line begins with this word".to_owned(), |meant| {
            format!("did you mean `{meant}`?")
        }),
    )
    .note(allowed_list(code.place));
    if let Some(meant) = meant {
        diagnostic = diagnostic.fix(meant, span, meant);
    }
    diagnostic
}

/// "Under `fetch` you can write: not found, refused, status, problem."
pub fn allowed_list(place: Place) -> String {
    format!("{} you can write: {}.", place.said(), place.words().join(", "))
}

/// A line that begins with a known word and then goes wrong.
pub(super) fn unreadable(code: Code<'_>, rule: Rule, error: &Error<Rule>) -> Diagnostic {
    let stopped = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at.min(code.text.len()),
    };
    let expected: &[Rule] = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    let rest = code.text[stopped..].trim_start_matches(is_space);
    let at = code.text.len() - rest.len();
    let word = words::first_word(rest);
    let shape = format!("It is written like this:  {}", shape(rule));

    if rest.is_empty() {
        let last = code
            .text
            .rfind(is_space)
            .map_or(0, |at| code.text[at..].trim_start_matches(is_space).len());
        let end = code.span(
            if last == 0 { 0 } else { code.text.len() - last },
            code.text.len(),
        );
        let missing = if expected.contains(&Rule::text) && expected.len() <= 3 {
            "a text in quotes is missing after this"
        } else {
            "something is missing after this"
        };
        return Diagnostic::new(Check::F001, end, "this line stops too early", missing).note(shape);
    }
    if let Some(number) = decimal_comma(code.text, at) {
        let span = code.span(number.start, number.end);
        let meant = code.text[number].replace(',', ".");
        return Diagnostic::new(
            Check::F008,
            span,
            "numbers are written with a point",
            format!("did you mean `{meant}`?"),
        )
        .note("A comma parts one thing from the next. Customers may answer with a comma all the same.")
        .fix(meant.clone(), span, meant);
    }
    if let Some(slip) = slip::at(code, rule, expected, at) {
        return slip.note(shape);
    }
    let keywords: Vec<String> = expected.iter().flat_map(|rule| words_of(*rule)).collect();
    if let Some(meant) = words::nearest(word, keywords.iter().map(String::as_str)) {
        let span = code.span(at, at + word.len());
        return Diagnostic::new(
            Check::F004,
            span,
            format!("\"{word}\" means nothing here"),
            format!("did you mean `{meant}`?"),
        )
        .note(shape)
        .fix(meant, span, meant);
    }
    if rule == Rule::otherwise_line && rest.starts_with(['-', '→']) && expected.contains(&Rule::k_then) {
        let (span, before) = (code.span(at, at + words::first_len(rest)), code.span(at, at));
        return Diagnostic::new(
            Check::F001,
            span,
            "`then` is missing",
            "it belongs before the arrow",
        )
        .note(shape)
        .fix("then ->", before, "then ");
    }
    if word.eq_ignore_ascii_case("then") {
        let span = code.span(at, at + word.len());
        return Diagnostic::new(Check::F001, span, "`then` isn't needed here", "leave it out")
            .note(shape)
            .fix("take `then` out", span, "");
    }
    if expected.contains(&Rule::equals) && matches!(rule, Rule::set_line) {
        let (span, before) = (code.span(at, at + words::first_len(rest)), code.span(at, at));
        return Diagnostic::new(
            Check::F001,
            span,
            "an `=` is missing",
            "it belongs before the new value",
        )
        .note(shape)
        .fix("=", before, "= ");
    }
    let wants_text = expected.contains(&Rule::text) && !expected.contains(&Rule::primary);
    if wants_text && !begins_with_quote(rest) && at > 0 && !rest.contains(['"', '“', '”']) {
        let end = rest
            .find("->")
            .map_or(rest, |arrow| &rest[..arrow])
            .trim_end_matches(is_space)
            .len();
        if rest[..end].contains(char::is_alphanumeric) {
            let span = code.span(at, at + end);
            return Diagnostic::new(
                Check::F001,
                span,
                "this text has no quotes",
                "put quotes around it",
            )
            .note("What customers read stands in quotes; everything else is for the bot.")
            .note(shape)
            .fix(
                format!("\"{}\"", &rest[..end]),
                span,
                format!("\"{}\"", &rest[..end]),
            );
        }
    }
    let end = at + words::first_len(rest);
    Diagnostic::new(
        Check::F001,
        code.span(at, end),
        "this line can't be read",
        match rule {
            Rule::flow_line | Rule::step_line => "names are made of letters, digits and spaces",
            _ => "up to here it makes sense; this doesn't fit",
        },
    )
    .note(shape)
}

/// The `1,5` around a comma where reading stopped.
fn decimal_comma(code: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let (before, after) = (&code[..at], code[at..].strip_prefix(',')?);
    let whole = before.len() - before.trim_end_matches(|char: char| char.is_ascii_digit()).len();
    let part = after.len() - after.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    (whole > 0 && part > 0).then_some(at - whole..at + 1 + part)
}

/// The words that a rule can begin with. pest names the rule around them if it tried several.
fn words_of(rule: Rule) -> Vec<String> {
    let words: &[&str] = match rule {
        Rule::option_part => &["hint", "also", "if"],
        Rule::kind => &[
            "yes", "list", "rating", "whole", "number", "text", "date", "email", "phone", "web", "time",
            "money", "location", "photo", "image", "video", "voice", "audio", "document", "file", "sticker",
        ],
        Rule::media => &[
            "photo", "image", "video", "voice", "audio", "document", "file", "sticker",
        ],
        Rule::trigger => &[
            "containing",
            "topic",
            "first",
            "any",
            "photo",
            "voice",
            "location",
        ],
        Rule::operator => &["or", "and", "is", "contains", "starts", "ends", "matches"],
        Rule::extra => &["link", "header", "footer"],
        Rule::args => &["with"],
        Rule::due => &["in", "at"],
        _ => return keyword(rule).into_iter().collect(),
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The word that a keyword rule reads.
pub(super) fn keyword(rule: Rule) -> Option<String> {
    format!("{rule:?}").strip_prefix("k_").map(str::to_owned)
}

/// How such a line is written, as an example.
fn shape(rule: Rule) -> &'static str {
    match rule {
        Rule::flow_line => "flow order tracking \"Where is my order?\"",
        Rule::starts_line => "starts on \"hi\", \"hello\"",
        Rule::needs_line => "needs order: text",
        Rule::gives_line => "gives status: text, eta: date",
        Rule::step_line => "step ask for the number",
        Rule::on_line => "on \"agent\", \"human\" -> handoff to support",
        Rule::say_line => "say \"Hello!\"    or    say \"Your parcel\" link \"Follow\" to \"https://…\"",
        Rule::question_line => "menu \"How can we help?\"    or    ask number \"What's your order number?\"",
        Rule::form_line => "form details delivery \"Where shall we bring it?\"",
        Rule::form_declared_line => "form delivery \"1234567890\"",
        Rule::set_line => "set total = price * 2",
        Rule::remember_line => "remember number as contact.last_order for 30 days",
        Rule::forget_line => "forget contact.last_order",
        Rule::if_line => "if order.status is \"shipped\"    or    if support is closed -> leave a note",
        Rule::else_line => {
            "else    or    else if order.status is \"shipped\"  (what to do stands on the lines underneath)"
        }
        Rule::end_line => "end  (alone on its line)",
        Rule::fetch_line => "fetch order from shop.get_order with number = number",
        Rule::do_line => "do identify with order = order save who",
        Rule::go_line => "-> some step    or    -> flow some flow    or    -> handoff to support",
        Rule::done_line => "done    or    done with verified = yes",
        Rule::close_line => "close    or    close \"Bye for now!\"",
        Rule::resume_line => "resume  (alone on its line)",
        Rule::send_line => {
            "send photo \"assets/menu.jpg\" caption \"Today\"    or    send template visit_reminder with name = contact.first_name"
        }
        Rule::for_line => "for each line in order.lines  (what to send stands on the lines underneath)",
        Rule::later_line => {
            "later reminder 1 day before visit.day -> remind    or    later reminder in 2 days -> remind"
        }
        Rule::cancel_line => "cancel reminder",
        Rule::record_line => "record csat = score",
        Rule::tag_line => "tag \"wholesale\"",
        Rule::split_line => "split wording  (the shares stand on the lines underneath)",
        Rule::share_line => "50% -> short review",
        Rule::transcribe_line => "transcribe story",
        Rule::answer_line => "answer from faq, returns_policy  (the limits stand on the lines underneath)",
        Rule::about_line => "about sizing, returns",
        Rule::never_line => "never \"medical advice\", \"competitor prices\"",
        Rule::style_line => "style \"Warm and short. Never promise a date.\"",
        Rule::length_line => "at most 400 characters",
        Rule::replies_line => "up to 5 replies, then -> anything else",
        Rule::may_line => "may remember contact.shoe_size    or    may use shop.get_order",
        Rule::topic_exit_line => "topic returns -> flow claim",
        Rule::not_sure_line => "not sure -> bring in a person",
        Rule::off_topic_line => {
            "off topic \"I only know about shoes, sorry!\" up to 2 times, then -> bring in a person"
        }
        Rule::finished_line => "finished -> anything else",
        Rule::knowledge_line => "knowledge faq \"knowledge/faq.md\"",
        Rule::pause_line => "pause 2 seconds",
        Rule::react_line => "react \"👍\"",
        Rule::subscribe_line => "subscribe to offers",
        Rule::unsubscribe_line => "unsubscribe    or    unsubscribe from offers",
        Rule::handoff_line => "handoff to support",
        Rule::notify_line => "notify support \"Call back: {{ subject }}\"",
        Rule::option_line => "\"Track my order\" also \"parcel\" -> track",
        Rule::each_line => {
            "each slot in free.slots as \"{{ slot.time }}\" hint \"with {{ slot.name }}\" = slot.id"
        }
        Rule::none_line => "none \"Nothing is free then.\" -> another day",
        Rule::more_line => "more \"Later times\"",
        Rule::finish_line => "finish on \"Done\" or after 20 seconds of quiet",
        Rule::as_line => "as text like \"A-#####\"    or    as whole number from 1 to 10",
        Rule::check_line => "check day - today <= 30 days else \"We only plan 30 days ahead.\"",
        Rule::otherwise_line => {
            "otherwise \"Please tap one of these.\" up to 2 times, then -> handoff to support"
        }
        Rule::no_reply_line => "no reply in 10 minutes -> still there",
        Rule::again_line => "again \"So – what's the order number?\"",
        Rule::private_line => "private  (alone on its line)",
        Rule::header_line => "header \"Kinini Shoes\"",
        Rule::footer_line => "footer \"We answer within an hour\"",
        Rule::open_line => "open \"See times\"",
        Rule::section_line => "section \"Morning\"",
        Rule::not_found_line => "not found \"I can't find that one.\" -> ask again",
        Rule::refused_line => "refused -> not verified",
        Rule::status_line => "status 409 \"That slot has just gone.\" -> pick a time",
        Rule::problem_line => "problem \"Something went wrong.\" -> handoff to support",
        Rule::note_line => "note \"Needs help with {{ number }}\"",
        Rule::priority_line => "priority high if contact.vip",
        Rule::when_closed_line => "when closed \"We're back {{ support.opens }}.\" -> leave a note",
        Rule::assist_line => "assist on",
        Rule::when_taken_line => "when taken \"You're now chatting with {{ agent.name }}.\"",
        Rule::no_agent_line => "no agent in 15 minutes \"Still looking for someone free.\"",
        Rule::when_returned_line => "when returned -> how did we do",
        Rule::business_line => "business \"Kinini Shoes\"",
        Rule::timezone_line => "timezone \"Europe/Lisbon\"",
        Rule::languages_line => "languages en, pt",
        Rule::team_line => "team support \"Customer care\"",
        Rule::hours_line => "hours mon to fri 09:00 to 18:00, sat 10:00 to 14:00",
        Rule::closed_on_line => "closed on 2026-12-25, 2027-01-01",
        Rule::topic_line => "topic returns \"Sending something back, exchanges, refunds\"",
        Rule::template_line => "template visit_reminder utility",
        Rule::wording_line => "en \"Hi {{ name }}, your visit is tomorrow at {{ time }}.\"",
        Rule::button_line => "button \"I'll be there\", \"Change it\"",
        Rule::memory_line => "memory  (what is remembered stands on the lines underneath)",
        Rule::field_line => "contact.vip: yes or no = no, forget after 90 days",
        Rule::service_line => "service shop \"https://api.example.com\"",
        Rule::key_line => "key SHOP_TOKEN",
        Rule::action_line => "action get_order needs number",
        Rule::call_line => "get \"/orders/{{ number }}\"    or    post \"/claims\" with story = story",
        Rule::timeout_line => "timeout 8 seconds",
        Rule::defaults_line => "defaults  (the lines underneath hold for all questions)",
        Rule::closed_line => "closed \"We're back {{ opens }}.\"",
        Rule::old_buttons_line => "old buttons reopen",
        Rule::takeover_line => "takeover pauses for 12 hours",
        Rule::burst_line => "burst quiet 2 seconds",
        Rule::opt_out_line => "opt out also \"unfollow\", \"no more news\"",
        _ => "one statement a line",
    }
}
