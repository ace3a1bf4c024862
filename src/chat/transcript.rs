//! How a message looks in a transcript, and whether it is the one that was expected.
//!
//! Messages pass the channel's own plan first, so a transcript shows what the customer's screen shows: buttons on one
//! line, rows one a line, `<See times>` for the list's button, `[Open -> https…]` for a link.

use super::story::Expected;
use crate::channel::{Caps, OPEN, Outbound, Show, Step, plan};
use crate::message::{Address, MediaKind, MediaSource, OutboundBody};

/// A message as lines of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub text: Vec<String>,
    pub extras: Vec<String>,
    /// What can be tapped, as labelled, with the id that the tap sends.
    pub options: Vec<(String, String)>,
}

/// The messages that one body becomes on WhatsApp.
pub fn show(body: &OutboundBody) -> Vec<Shown> {
    let authored_open = matches!(body, OutboundBody::Choices(choices) if choices.open.is_some());
    let outbound = Outbound {
        to: Address::WaId("0".to_owned()),
        reply_to: None,
        ours: None,
        body: body.clone(),
    };
    plan(&outbound, &Caps::META)
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Send { show, .. } => Some(shown(show, authored_open)),
            Step::Seen { .. } | Step::HandOff { .. } | Step::Resolve { .. } => None,
        })
        .collect()
}

/// A message that was sent, as a transcript writes it; `None` for what the customer does not see.
pub fn sent(step: &Step) -> Option<Shown> {
    match step {
        Step::Send { show, .. } => {
            let authored = matches!(show, Show::List { open, .. } if open != OPEN);
            Some(shown(show, authored))
        }
        Step::Seen { .. } | Step::HandOff { .. } | Step::Resolve { .. } => None,
    }
}

fn shown(show: &Show, authored_open: bool) -> Shown {
    match show {
        Show::Text { body, .. } | Show::AskLocation { body } => Shown::of(None, body, None),
        Show::Buttons {
            header,
            body,
            footer,
            buttons,
        } => {
            let mut shown = Shown::of(header.as_deref(), body, footer.as_deref());
            let labels: Vec<String> = buttons.iter().map(|button| button.title.clone()).collect();
            shown.extras.push(canonical_options(&labels));
            shown.options = buttons
                .iter()
                .map(|button| (button.title.clone(), button.id.clone()))
                .collect();
            shown
        }
        Show::List {
            header,
            body,
            footer,
            open,
            sections,
        } => {
            let mut shown = Shown::of(header.as_deref(), body, footer.as_deref());
            if authored_open {
                shown.extras.push(open_line(open));
            }
            for section in sections {
                shown.extras.extend(section.title.as_deref().map(section_line));
                for row in &section.rows {
                    let label = match &row.description {
                        Some(hint) => format!("{} | {hint}", row.title),
                        None => row.title.clone(),
                    };
                    shown.extras.push(canonical_options(&[label]));
                    shown.options.push((row.title.clone(), row.id.clone()));
                }
            }
            shown
        }
        Show::Link {
            header,
            body,
            footer,
            label,
            url,
        } => {
            let mut shown = Shown::of(header.as_deref(), body, footer.as_deref());
            shown
                .extras
                .push(canonical_options(&[format!("{label} -> {url}")]));
            shown
        }
        Show::Form {
            header,
            body,
            footer,
            label,
            ..
        } => {
            let mut shown = Shown::of(header.as_deref(), body, footer.as_deref());
            shown.extras.push(open_line(label));
            shown
        }
        Show::Media {
            media,
            source,
            caption,
            filename,
        } => {
            let name = match (filename, source) {
                (Some(name), _) => name.as_str(),
                (None, MediaSource::Id(name) | MediaSource::Url(name) | MediaSource::File(name)) => {
                    name.as_str()
                }
            };
            let caption = caption
                .as_deref()
                .map(|caption| format!(" {caption}"))
                .unwrap_or_default();
            Shown::of(None, &format!("({} {name}){caption}", word_for(*media)), None)
        }
        Show::React { emoji, .. } => Shown::of(None, &format!("(reacts {emoji})"), None),
        Show::Location(place) => {
            let name = place
                .name
                .as_deref()
                .map(|name| format!(" \"{name}\""))
                .unwrap_or_default();
            Shown::of(
                None,
                &format!("(location {}, {}{name})", place.lat, place.lng),
                None,
            )
        }
        Show::Template {
            name, text, parts, ..
        } => {
            let mut shown = Shown::of(None, &format!("{{template {name}}} {text}"), None);
            let labels: Vec<String> = parts.replies.iter().map(|reply| reply.title.clone()).collect();
            if !labels.is_empty() {
                shown.extras.push(canonical_options(&labels));
            }
            let replies = parts.replies.iter();
            shown.options = replies
                .map(|reply| (reply.title.clone(), reply.id.clone()))
                .collect();
            shown
        }
    }
}

impl Shown {
    fn of(header: Option<&str>, body: &str, footer: Option<&str>) -> Shown {
        let text = [header, Some(body), footer]
            .into_iter()
            .flatten()
            .flat_map(str::lines);
        let mut text: Vec<String> = text.map(|line| line.trim().to_owned()).collect();
        if text.is_empty() {
            text.push(String::new());
        }
        Shown {
            text,
            extras: Vec::new(),
            options: Vec::new(),
        }
    }

    /// As it is written in a `.chat` file.
    pub fn lines(&self) -> Vec<String> {
        let first = self.text.first().into_iter().map(|text| format!("Bot:   {text}"));
        let more = self.text.iter().skip(1).map(|text| format!("       | {text}"));
        let extras = self.extras.iter().map(|extra| format!("       {extra}"));
        first
            .chain(more)
            .chain(extras)
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// Whether this is what the transcript wants.
    pub fn fits(&self, expected: &Expected) -> bool {
        if expected.text.len() == 1 && expected.text[0] == "…" && expected.extras.is_empty() {
            return true;
        }
        let text = expected.text.join("\n");
        if !fits_text(text.trim(), self.text.join("\n").trim()) {
            return false;
        }
        expected.extras.len() == self.extras.len()
            && expected
                .extras
                .iter()
                .zip(&self.extras)
                .all(|(expected, shown)| fits_text(expected, shown))
    }
}

/// `…` stands for any text, also none, with the white space around it. A literal `…` fits itself.
fn fits_text(expected: &str, said: &str) -> bool {
    let Some((head, rest)) = expected.split_once('…') else {
        return expected == said;
    };
    let Some(mut said) = said.strip_prefix(head.trim_end()) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('…').unwrap_or(("", rest));
    for part in middle.split('…').map(str::trim).filter(|part| !part.is_empty()) {
        match said.find(part) {
            Some(at) => said = &said[at + part.len()..],
            None => return false,
        }
    }
    said.ends_with(tail.trim_start())
}

/// `[A] [B]`, with single spaces around `|`.
pub fn canonical_options(labels: &[String]) -> String {
    let one = |label: &String| {
        let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
        let label = match label.split_once('|') {
            Some((label, hint)) => format!("{} | {}", label.trim(), hint.trim()),
            None => label,
        };
        format!("[{label}]")
    };
    labels.iter().map(one).collect::<Vec<_>>().join(" ")
}

pub fn open_line(label: &str) -> String {
    format!("<{}>", label.trim())
}

pub fn section_line(label: &str) -> String {
    format!("-- {} --", label.trim())
}

pub fn word_for(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Photo => "photo",
        MediaKind::Video => "video",
        MediaKind::Voice => "voice",
        MediaKind::Audio => "audio",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Choice, Choices};

    fn choices(labels: &[&str]) -> OutboundBody {
        let option = |label: &&str| Choice {
            id: format!("id-{label}"),
            title: (*label).to_owned(),
            description: None,
            section: None,
        };
        OutboundBody::Choices(Choices {
            header: None,
            body: "Which one?".to_owned(),
            footer: None,
            open: None,
            as_list: false,
            options: labels.iter().map(option).collect(),
        })
    }

    #[test]
    fn three_short_options_are_buttons_and_four_are_rows() {
        assert_eq!(
            show(&choices(&["A", "B", "C"]))[0].lines(),
            ["Bot:   Which one?", "       [A] [B] [C]"]
        );
        let rows = show(&choices(&["A", "B", "C", "D"])).remove(0);
        assert_eq!(rows.extras, ["[A]", "[B]", "[C]", "[D]"]);
        assert_eq!(rows.options[3].0, "D");
    }

    #[test]
    fn dots_stand_for_any_text_and_alone_for_a_whole_message() {
        assert!(fits_text("Hi … there", "Hi you there"));
        assert!(fits_text("That's not it. …", "That's not it. Try again."));
        assert!(!fits_text("Hi … there", "Hi you where"));
        assert!(!fits_text("Hi", "Hi!"));
        assert!(fits_text("Booked! …", "Booked!\nYour code is K7."));
        assert!(fits_text("a … b … c", "a 1 b 2 c") && !fits_text("a … b … c", "a 1 c 2 b"));
        let shown = show(&choices(&["A"])).remove(0);
        let any = |text: &str| Expected {
            text: vec![text.to_owned()],
            extras: Vec::new(),
        };
        assert!(shown.fits(&any("…")));
        assert!(!shown.fits(&any("Which …")), "the buttons are missing");
    }
}
