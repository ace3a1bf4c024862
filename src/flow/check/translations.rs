//! Translations: what is missing in a language (F701), what lost a blank (F702), options that read the same in it (F703),
//! words that changed since (F704), translations of nothing (F705). What holds for every text holds for them too:
//! blanks that can be read and filled in, WhatsApp's limits.

use std::collections::{HashMap, HashSet};

use super::blanks::{self, Blanks};
use super::limits;
use super::texts::{self, Samples};
use super::values::{Meaning, Values, has_blanks};
use super::walk::Role;
use super::{Shop, and_list};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::fold;
use crate::flow::locale::name_of;
use crate::flow::names::nearest;
use crate::flow::source::Span;
use crate::flow::strings::pair::{Fit, Paired};
use crate::flow::strings::units::{Unit, UnitKind};
use crate::flow::strings::{Pairs, same_language};
use crate::flow::template::UsedPath;
use crate::flow::tree::{Question, Strings, Text, Translation};

/// So many missing texts of a file are told one by one; more are one summary.
const FEW: usize = 3;

pub(super) fn check<'t>(
    shop: &Shop<'t>,
    pairs: &[Pairs<'t>],
    values: &Values<'t>,
    blanks: &mut Blanks<'t>,
    found: &mut Vec<Diagnostic>,
) {
    let tree = shop.tree;
    let languages: Vec<&str> = tree
        .business
        .iter()
        .flat_map(|business| &business.languages)
        .map(|name| name.text.as_str())
        .collect();
    for strings in &tree.strings {
        if let Some(why) = says_nothing(shop, strings, &languages) {
            found.push(why);
        }
    }
    let further = languages.get(1..).unwrap_or_default();
    for pairs in pairs {
        untranslated_files(shop, pairs, further, found);
    }
    for language in further {
        let samples = Samples::in_language(values, language);
        for pairs in pairs {
            let paired = pairs
                .languages
                .iter()
                .find(|paired| same_language(&paired.strings.language, language));
            if let Some(paired) = paired {
                let file = File {
                    shop,
                    values,
                    language: name_of(language),
                    pairs,
                    paired,
                    said: pairs.said(paired).collect(),
                };
                file.check(blanks, &samples, found);
            }
        }
    }
}

/// A whole file that nobody is spoken to with.
fn says_nothing(shop: &Shop, strings: &Strings, languages: &[&str]) -> Option<Diagnostic> {
    let first = strings.entries.first()?;
    let (code, name) = (strings.language.as_str(), name_of(&strings.language));
    let spoken = languages.iter().position(|own| same_language(own, code));
    let message = match (strings.of, spoken) {
        (None, _) => "there is no flow beside these translations".to_owned(),
        // Without a business file nothing is known.
        (Some(_), None) if languages.is_empty() => return None,
        (Some(_), None) => format!("the business doesn't speak {name}"),
        (Some(_), Some(0)) => format!("the flows themselves are in {name}"),
        (Some(_), Some(_)) => return None,
    };
    let note = match (strings.of, spoken) {
        (None, _) => {
            let path = &shop.sources.file(strings.file).path;
            let (flow, _) = crate::flow::strings::source_path(path)?;
            format!("They belong to {flow}, which is not there. Was it renamed? Then rename this file too.")
        }
        (Some(_), None) => format!(
            "Customers will not hear these words. Write  languages {}, {code}  in the business file.",
            languages.join(", ")
        ),
        (Some(_), Some(_)) => {
            "The first of the business's languages is the one of the flows. Translations are of the others."
                .to_owned()
        }
    };
    Some(Diagnostic::new(Code::F705, first.span, message, "nothing here is ever said").note(note))
}

/// A flow that nobody has begun to translate: one warning for all its languages.
fn untranslated_files(shop: &Shop, pairs: &Pairs, further: &[&str], found: &mut Vec<Diagnostic>) {
    let texts = pairs.units.iter().filter(|unit| !unit.is_optional()).count();
    let without: Vec<&&str> = further
        .iter()
        .filter(|language| {
            let mut there = pairs.languages.iter();
            !there.any(|paired| same_language(&paired.strings.language, language))
        })
        .collect();
    if without.is_empty() || texts == 0 {
        return;
    }
    let names: Vec<String> = without.iter().map(|code| name_of(code)).collect();
    let names = and_list(names.iter().map(String::as_str));
    let at = heading(shop, pairs);
    let codes: Vec<String> = without
        .iter()
        .map(|code| format!("switchboard strings {code}"))
        .collect();
    found.push(
        Diagnostic::new(
            Code::F701,
            at,
            format!("nothing of this file is translated into {names}"),
            match texts {
                1 => "it has one text".to_owned(),
                texts => format!("it has {texts} texts"),
            },
        )
        .note(format!(
            "Customers who speak {names} get the words of the flow.\n{}  writes the file to put the translations in.",
            codes.join("  and  ")
        )),
    );
}

/// Where a file is complained about as a whole.
fn heading(shop: &Shop, pairs: &Pairs) -> Span {
    let flow = shop.tree.flows.iter().find(|flow| flow.file == pairs.file);
    let business = shop.tree.business.as_ref().map(|business| business.name.span);
    flow.map(|flow| flow.name.span)
        .or(business)
        .unwrap_or_else(|| Span::new(pairs.file, 0, 0))
}

/// The translations of one file into one language.
struct File<'a, 't> {
    shop: &'a Shop<'t>,
    values: &'a Values<'t>,
    /// Its English name.
    language: String,
    pairs: &'a Pairs<'t>,
    paired: &'a Paired<'t>,
    said: HashMap<Span, &'t Translation>,
}

impl<'t> File<'_, 't> {
    fn check(&self, blanks: &mut Blanks<'t>, samples: &Samples<'t, '_>, found: &mut Vec<Diagnostic>) {
        self.missing(found);
        self.left(found);
        let mut questions: HashSet<Span> = HashSet::new();
        for (unit, one) in self.pairs.units.iter().zip(&self.paired.found) {
            let Some((entry, fit)) = one.filter(|(entry, _)| entry.is_filled()) else {
                continue;
            };
            if fit == Fit::Place || entry.stale {
                found.push(self.stale(unit, entry, fit));
            }
            match unit.kind {
                UnitKind::Words => only_words(entry, "words that start something", found),
                UnitKind::Title => only_words(entry, "titles", found),
                UnitKind::Text(role, source, question) => {
                    let Some(text) = entry.texts.first() else { continue };
                    if let Some(extra) = entry.texts.get(1) {
                        found.push(
                            Diagnostic::new(
                                Code::F001,
                                extra.span,
                                "one text too many",
                                "only the first is said",
                            )
                            .note("Further words for an option follow behind `also`."),
                        );
                    }
                    if let Some(also) = entry.also.first().filter(|_| role != Role::Label) {
                        found.push(of_no_option(
                            also,
                            "A message is said as it is. Leave `also` out.",
                        ));
                    }
                    self.blanks(unit, source, text, blanks, samples, found);
                    self.length(unit, role, question, text, source, samples, found);
                    if let Some(question) = question.filter(|_| role == Role::Label)
                        && questions.insert(question.block)
                    {
                        self.options(question, found);
                        self.by_template(question, found);
                    }
                }
            }
        }
    }

    // ───────── F701 ─────────

    fn missing(&self, found: &mut Vec<Diagnostic>) {
        let units = self.pairs.units.iter().zip(&self.paired.found);
        let missing: Vec<(&Unit, Span)> = units
            .filter(|(unit, one)| !unit.is_optional() && !one.is_some_and(|(entry, _)| entry.is_filled()))
            .map(|(unit, one)| (unit, one.map_or(unit.span, |(entry, _)| whole(entry))))
            .collect();
        let Some((_, first)) = missing.first().copied() else {
            return;
        };
        let language = &self.language;
        let code = &self.paired.strings.language;
        if missing.len() <= FEW {
            for (unit, at) in missing {
                let source = if at == unit.span {
                    format!("`switchboard strings {code}` makes a place for it.")
                } else {
                    format!(
                        "It is the {language} for {}.",
                        excerpt(unit.words.first().copied().unwrap_or_default())
                    )
                };
                found.push(
                    Diagnostic::new(
                        Code::F701,
                        at,
                        format!("this text is missing in {language}"),
                        "nobody has translated it",
                    )
                    .note(format!(
                        "{source}\nCustomers who speak {language} get the words of the flow until then."
                    )),
                );
            }
            return;
        }
        let texts = self.pairs.units.iter().filter(|unit| !unit.is_optional()).count();
        found.push(
            Diagnostic::new(
                Code::F701,
                first,
                format!("{} of {texts} texts are missing in {language}", missing.len()),
                "this is the first",
            )
            .note(format!(
                "Customers who speak {language} get the words of the flow there.\n`switchboard strings {code}` lists them with their sources."
            )),
        );
    }

    // ───────── F704 and F705 ─────────

    fn stale(&self, unit: &Unit, entry: &Translation, fit: Fit) -> Diagnostic {
        let place = self.shop.sources.place(unit.span);
        let advice = match fit {
            Fit::Place => format!(
                "It is still said. `switchboard strings {}` writes the new words above it; then mend it, and delete `stale`.",
                self.paired.strings.language
            ),
            Fit::Words => {
                "It is still said. Mend it if it needs mending, and delete the word `stale`.".to_owned()
            }
        };
        Diagnostic::new(
            Code::F704,
            entry.span,
            "this is a translation of words that have changed",
            "nobody has looked at it since",
        )
        .note(format!(
            "{place} now says {}.\n{advice}",
            excerpt(unit.words.first().copied().unwrap_or_default())
        ))
    }

    fn left(&self, found: &mut Vec<Diagnostic>) {
        let mut left = self
            .paired
            .left
            .iter()
            .filter(|entry| !entry.unused && entry.is_filled());
        let Some(first) = left.next() else { return };
        let more = left.count();
        let code = &self.paired.strings.language;
        let (message, label) = match more {
            0 => (
                "the flow doesn't say this any more",
                "a translation of nothing".to_owned(),
            ),
            more => (
                "the flow doesn't say some of this any more",
                format!("a translation of nothing, and {more} more are"),
            ),
        };
        found.push(
            Diagnostic::new(Code::F705, first.span, message, label).note(format!(
                "`switchboard strings {code}` puts what is not used under a line of its own and keeps it there."
            )),
        );
    }

    // ───────── blanks ─────────

    fn blanks(
        &self,
        unit: &Unit,
        source: &'t Text,
        text: &'t Text,
        read: &mut Blanks<'t>,
        samples: &Samples<'t, '_>,
        found: &mut Vec<Diagnostic>,
    ) {
        if !text.source.contains('{') && !has_blanks(source) {
            return;
        }
        let before = found.len();
        if text.source.contains('{') {
            texts::filled(self.shop, self.values, samples, unit.flow, text, read, found);
        }
        if found.len() > before {
            return;
        }
        if has_blanks(source) {
            read.read(source);
        }
        let (ours, theirs) = (read.uses(source), read.uses(text));
        for used in theirs {
            if let Some(why) = self.may_fail(unit, ours, used, text) {
                found.push(why);
            }
        }
        let mut lost: Vec<String> = ours
            .iter()
            .filter(|used| !theirs.iter().any(|other| other.path == used.path))
            .map(|used| format!("{{{{ {} }}}}", used.dotted()))
            .collect();
        lost.dedup();
        if !lost.is_empty() {
            let names = and_list(lost.iter().map(String::as_str));
            found.push(
                Diagnostic::new(
                    Code::F702,
                    text.span,
                    "this translation lost a blank",
                    format!("{names} is not in it"),
                )
                .note(format!(
                    "{} says  {}\nCustomers who speak {} would not be told.",
                    self.shop.sources.place(source.span),
                    excerpt(&source.source),
                    self.language
                )),
            );
        }
    }

    /// A blank that the source doesn't have, or not without a way out, may not be known here.
    fn may_fail(
        &self,
        unit: &Unit,
        ours: &[UsedPath],
        used: &UsedPath,
        text: &'t Text,
    ) -> Option<Diagnostic> {
        let at = blanks::place(self.shop.sources, text, &used.range);
        let name = used.dotted();
        let same: Vec<&UsedPath> = ours.iter().filter(|own| own.path == used.path).collect();
        let surely = same.iter().any(|own| !own.guarded);
        if used.guarded || surely {
            return None;
        }
        match self.values.look_up(unit.flow, &used.path) {
            Meaning::Value(_) => {}
            Meaning::NoName | Meaning::NoMemory | Meaning::NoField(..) => {
                let known: Vec<String> = ours.iter().map(UsedPath::dotted).collect();
                let near = nearest(&name, known.iter().map(String::as_str));
                let label = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "nothing is called so".to_owned(),
                };
                let diagnostic =
                    Diagnostic::new(Code::F401, at, format!("there is no value called {name}"), label)
                        .note("Names of values are the same in every language.");
                return Some(super::did_you_mean(diagnostic, at, near));
            }
        }
        let root = used.path.first().map_or("", String::as_str);
        let always = matches!(root, "business" | "today" | "now") || self.shop.names.team(root).is_some();
        if always && same.is_empty() {
            return None;
        }
        let diagnostic = Diagnostic::new(Code::F402, at, format!("{name} may not be known here"), "");
        let mut diagnostic = match same.first() {
            Some(_) => diagnostic
                .note("The words of the flow say what to write instead; the translation has to say it too."),
            None => diagnostic
                .note("The words of the flow don't use it, so nobody has looked whether it is known."),
        };
        diagnostic.labels[0].text = "this text would fail for some customers".to_owned();
        Some(diagnostic.fix(
            format!("{{{{ {name} | default('…') }}}}"),
            at,
            format!("{name} | default('…')"),
        ))
    }

    // ───────── F302 ─────────

    #[allow(clippy::too_many_arguments)]
    fn length(
        &self,
        unit: &Unit,
        role: Role,
        question: Option<&'t Question>,
        text: &'t Text,
        source: &'t Text,
        samples: &Samples<'t, '_>,
        found: &mut Vec<Diagnostic>,
    ) {
        let labels = |text: &Text| -> Option<&'t Text> { self.said.get(&text.span)?.texts.first() };
        let too_long = limits::too_long(self.shop, samples, unit.flow, role, question, text, &labels);
        let Some(too_long) = too_long else { return };
        let place = self.shop.sources.place(source.span);
        let original = excerpt(&source.source);
        let diagnostic = too_long.told(text.span, Some(&self.language), excerpt);
        let fits = match limits::too_long(self.shop, samples, unit.flow, role, question, source, &|_| None) {
            None => ", which fits",
            Some(_) => "",
        };
        let mut note = format!("It is the {} for {original} ({place}){fits}.\n", self.language);
        note.push_str(&limits::advice_for(
            self.shop,
            role,
            question,
            &labels,
            too_long.severity,
        ));
        found.push(diagnostic.note(note));
    }

    // ───────── F703 ─────────

    /// Two options of one question that a customer of this language can't tell apart by typing.
    fn options(&self, question: &Question, found: &mut Vec<Diagnostic>) {
        let mut first: HashMap<String, (usize, Span)> = HashMap::new();
        for (index, option) in question.options.iter().enumerate() {
            let entry = self.said.get(&option.label.span);
            // What nobody translated is said and understood as it is.
            let translated: Vec<&Text> = match entry {
                Some(entry) => entry.texts.iter().take(1).chain(&entry.also).collect(),
                None => std::iter::once(&option.label).chain(&option.also).collect(),
            };
            for text in translated {
                if has_blanks(text) || text.source.trim().is_empty() {
                    continue;
                }
                let folded = fold::fold(&text.source);
                let number = folded
                    .parse::<usize>()
                    .ok()
                    .filter(|number| (1..=question.options.len()).contains(number) && number - 1 != index);
                if let (Some(number), Some(_)) = (number, entry) {
                    found.push(self.same(text.span, question.options[number - 1].label.span, &text.source));
                }
                match first.get(&folded) {
                    Some((other, at)) if *other != index => {
                        // Clashes of the flow's own words are F303.
                        let (later, earlier) = if entry.is_some() {
                            (text.span, *at)
                        } else {
                            (*at, text.span)
                        };
                        let ours = later.file == self.paired.strings.file;
                        if ours {
                            found.push(self.same(later, earlier, &text.source));
                        }
                    }
                    Some(_) => {}
                    None => {
                        first.insert(folded, (index, text.span));
                    }
                }
            }
        }
    }

    // ───────── F305 ─────────

    fn by_template(&self, question: &Question, found: &mut Vec<Diagnostic>) {
        let declared = question
            .by_template()
            .and_then(|asks| self.shop.names.template(&asks.template.text));
        if let Some(declared) = declared {
            let translated = |label: &Text| self.said.get(&label.span)?.texts.first();
            let code = &self.paired.strings.language;
            super::by_template::in_language(question, declared, code, translated, found);
        }
    }

    fn same(&self, at: Span, other: Span, words: &str) -> Diagnostic {
        Diagnostic::new(
            Code::F703,
            at,
            format!("two options read the same in {}", self.language),
            format!("a customer who types {} means this one …", excerpt(words)),
        )
        .label(other, "… or this one")
        .note("Capitals, accents and punctuation at the edges don't count when an answer is matched. Reword one of them.")
    }
}

/// What is taken as it stands.
fn only_words(entry: &Translation, what: &str, found: &mut Vec<Diagnostic>) {
    for text in entry.texts.iter().filter(|text| has_blanks(text)) {
        found.push(
            Diagnostic::new(
                Code::F501,
                text.span,
                format!("{what} have no blanks"),
                "nothing is filled in here",
            )
            .note("Write the words themselves."),
        );
    }
    if let Some(also) = entry.also.first() {
        let instead = "Of words that start something, put it behind the others, with a comma.";
        found.push(of_no_option(also, instead));
    }
}

/// `also` behind what is no option.
fn of_no_option(also: &Text, instead: &str) -> Diagnostic {
    Diagnostic::new(
        Code::F001,
        also.span,
        "only options have further words",
        "this is no option's translation",
    )
    .note(instead)
}

/// Key and texts of an entry.
fn whole(entry: &Translation) -> Span {
    entry
        .texts
        .last()
        .map_or(entry.span, |last| entry.span.to(last.span))
}

fn excerpt(text: &str) -> String {
    format!("\"{}\"", crate::message::clip(text, 80).replace('\n', " "))
}
