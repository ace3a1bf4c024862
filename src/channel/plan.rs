//! The degradation plan: how a message is shown by a provider that may lack buttons, lists or links, and that has
//! limits on all of them. Pure. Whatever goes in, every step respects the limits and no option is lost: when a form
//! is too narrow the next wider one is taken (buttons, list, numbered text).
//!
//! Texts leave in NFC, so that what was counted is what is sent. Ids are never touched.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::split::split_text;
use super::step::{Button, Caps, Loss, Outbound, Plan, Row, Section, Show, Step};
use crate::message::{
    Address, Choice, Choices, MediaKind, MediaSource, OutboundBody, Place, QuickReply, clip, measure,
};

/// Most messages one text is split into. An answer that long is a fault; nobody wants forty messages.
const MOST_PARTS: usize = 10;

/// Label of the button that opens a list, where the flow gives none. A word most languages share.
pub const OPEN: &str = "Menu";

/// What stands for a text the provider insists on and the flow left empty.
const NOTHING: &str = "…";

/// Plans `outbound` for a provider with these capabilities.
pub fn plan(outbound: &Outbound, caps: &Caps) -> Plan {
    let mut draft = Draft {
        caps,
        shows: Vec::new(),
        losses: Vec::new(),
    };
    if let Some(step) = of_the_room(outbound, caps) {
        return Plan {
            steps: step.into_iter().collect(),
            losses: Vec::new(),
        };
    }
    if let Some(loss) = unreachable(outbound, caps) {
        return Plan {
            steps: Vec::new(),
            losses: vec![loss],
        };
    }
    match &outbound.body {
        OutboundBody::Text { body, preview } => draft.text(&nfc(body), *preview),
        OutboundBody::Media {
            media,
            source,
            caption,
            filename,
        } => draft.media(*media, source, caption.as_deref(), filename.as_deref()),
        OutboundBody::Choices(choices) => draft.choices(choices),
        OutboundBody::Link {
            header,
            body,
            footer,
            label,
            url,
        } => {
            let frame = Frame::new(header.as_deref(), body, footer.as_deref());
            draft.link(frame, &one_line(label), url)
        }
        OutboundBody::Form {
            header,
            body,
            footer,
            label,
            form,
            token,
        } => {
            let frame = Frame::new(header.as_deref(), body, footer.as_deref());
            draft.form(frame, &one_line(label), form, token)
        }
        OutboundBody::Location(place) => draft.location(place),
        OutboundBody::React { emoji, target } => draft.react(emoji, target.as_deref()),
        OutboundBody::AskLocation { body } => draft.ask_location(&nfc(body)),
        OutboundBody::Template {
            name,
            language,
            params,
            text,
            parts,
        } if caps.templates => draft.shows.push(Show::Template {
            name: name.clone(),
            language: language.clone(),
            params: params.iter().map(|param| one_line(param)).collect(),
            text: text.clone(),
            parts: parts.clone(),
        }),
        OutboundBody::Template { text, parts, .. } => draft.like_a_template(text, &parts.replies),
        // Done above.
        OutboundBody::HandOff { .. } | OutboundBody::Resolve => {}
    }
    draft.addressed_to(outbound)
}

/// Why nothing at all can be sent there.
fn unreachable(outbound: &Outbound, caps: &Caps) -> Option<Loss> {
    let template = caps.templates && matches!(outbound.body, OutboundBody::Template { .. });
    match &outbound.to {
        Address::Bsuid(_) if !caps.bsuid => Some(Loss::Unsendable),
        Address::Phone(_) | Address::WaId(_) if caps.rooms && !template => Some(Loss::NoRoom),
        Address::Room { .. } if !caps.rooms => Some(Loss::ForeignRoom),
        Address::Phone(_) | Address::WaId(_) | Address::Bsuid(_) | Address::Room { .. } => None,
    }
}

/// What is about the room and not for the customer. `Some(None)`: the provider has no rooms, and nothing is lost.
fn of_the_room(outbound: &Outbound, caps: &Caps) -> Option<Option<Step>> {
    let room = match &outbound.to {
        Address::Room { id, phone: _ } if caps.rooms => Some(id.clone()),
        Address::Room { .. } | Address::Phone(_) | Address::WaId(_) | Address::Bsuid(_) => None,
    };
    match &outbound.body {
        OutboundBody::HandOff { team } => Some(room.map(|room| Step::HandOff {
            room,
            team: team.clone(),
        })),
        OutboundBody::Resolve => Some(room.map(|room| Step::Resolve { room })),
        OutboundBody::Text { .. }
        | OutboundBody::Media { .. }
        | OutboundBody::Choices(_)
        | OutboundBody::Link { .. }
        | OutboundBody::Form { .. }
        | OutboundBody::Location(_)
        | OutboundBody::Template { .. }
        | OutboundBody::React { .. }
        | OutboundBody::AskLocation { .. } => None,
    }
}

struct Draft<'a> {
    caps: &'a Caps,
    shows: Vec<Show>,
    losses: Vec<Loss>,
}

/// Header, body and footer of a message with buttons, a list or a link.
struct Frame {
    header: Option<String>,
    body: String,
    footer: Option<String>,
}

impl Frame {
    fn new(header: Option<&str>, body: &str, footer: Option<&str>) -> Self {
        let line = |text: Option<&str>| text.map(one_line).filter(|text| !text.is_empty());
        Frame {
            header: line(header),
            body: nfc(body),
            footer: line(footer),
        }
    }

    /// The whole frame as one text, with `middle` between body and footer.
    fn as_text(&self, middle: &str) -> String {
        [
            self.header.as_deref().unwrap_or(""),
            self.body.trim(),
            middle,
            self.footer.as_deref().unwrap_or(""),
        ]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("\n\n")
    }
}

impl Draft<'_> {
    /// A text, in as many messages as it takes.
    fn text(&mut self, body: &str, preview: bool) {
        if body.trim().is_empty() {
            return;
        }
        let mut parts = split_text(body, self.caps.limits.text);
        if parts.len() > MOST_PARTS {
            self.losses.push(Loss::TextCut {
                parts: parts.len(),
                kept: MOST_PARTS,
            });
            parts.truncate(MOST_PARTS);
        }
        self.shows
            .extend(parts.into_iter().map(|body| Show::Text { body, preview }));
    }

    /// What a template says, with its quick replies as options, where there are no templates.
    fn like_a_template(&mut self, text: &str, replies: &[QuickReply]) {
        self.losses.push(Loss::TemplateAsText);
        let option = |reply: &QuickReply| Choice {
            id: reply.id.clone(),
            title: reply.title.clone(),
            description: None,
            section: None,
        };
        self.choices(&Choices {
            header: None,
            body: text.to_owned(),
            footer: None,
            open: None,
            as_list: false,
            options: replies.iter().map(option).collect(),
        });
    }

    fn media(
        &mut self,
        media: MediaKind,
        source: &MediaSource,
        caption: Option<&str>,
        filename: Option<&str>,
    ) {
        let caption = caption.map(nfc).filter(|caption| !caption.trim().is_empty());
        let url = match source {
            MediaSource::Url(url) => url.as_str(),
            MediaSource::File(_) | MediaSource::Id(_) => "",
        };
        let uploads = self.caps.uploads || !matches!(source, MediaSource::File(_));
        let as_link = !self.caps.media_links && !url.is_empty();
        if !self.caps.media || !uploads || as_link {
            self.losses.push(if as_link {
                Loss::MediaAsLink
            } else {
                Loss::MediaDropped
            });
            let text = [caption.as_deref().unwrap_or(""), url].join("\n");
            return self.text(text.trim(), true);
        }
        let takes_caption = match media {
            MediaKind::Photo | MediaKind::Video | MediaKind::Document => true,
            MediaKind::Voice | MediaKind::Audio | MediaKind::Sticker => false,
        };
        let fits = takes_caption
            && caption
                .as_deref()
                .is_none_or(|text| scalars(text) <= self.caps.limits.caption);
        let (inside, apart) = if fits { (caption, None) } else { (None, caption) };
        self.shows.push(Show::Media {
            media,
            source: source.clone(),
            caption: inside,
            filename: filename
                .filter(|_| media == MediaKind::Document)
                .map(str::to_owned),
        });
        if let Some(text) = apart {
            self.losses.push(Loss::CaptionApart);
            self.text(&text, false);
        }
    }

    fn link(&mut self, frame: Frame, label: &str, url: &str) {
        if !self.caps.links || label.is_empty() || !is_web_address(url) {
            self.losses.push(Loss::LinkAsText);
            let line = if label.is_empty() {
                url.to_owned()
            } else {
                format!("{label}: {url}")
            };
            return self.text(&frame.as_text(&line), true);
        }
        let shown = self.shortened(label, self.caps.limits.link_label);
        let (header, body, footer) = self.fitted(frame);
        self.shows.push(Show::Link {
            header,
            body,
            footer,
            label: shown,
            url: url.to_owned(),
        });
    }

    fn form(&mut self, frame: Frame, label: &str, form: &str, token: &str) {
        if !self.caps.forms || form.is_empty() {
            self.losses.push(Loss::FormAsText);
            return self.text(&frame.as_text(""), false);
        }
        let label = if label.is_empty() { OPEN } else { label };
        let label = self.shortened(label, self.caps.limits.link_label);
        let (header, body, footer) = self.fitted(frame);
        self.shows.push(Show::Form {
            header,
            body,
            footer,
            label,
            form: form.to_owned(),
            token: token.to_owned(),
        });
    }

    fn location(&mut self, place: &Place) {
        let on_earth = (-90.0..=90.0).contains(&place.lat) && (-180.0..=180.0).contains(&place.lng);
        if self.caps.locations && on_earth {
            return self.shows.push(Show::Location(place.clone()));
        }
        self.losses.push(Loss::LocationAsText);
        let map = if on_earth {
            format!("https://maps.google.com/?q={},{}", place.lat, place.lng)
        } else {
            String::new()
        };
        let lines = [
            place.name.as_deref().unwrap_or(""),
            place.address.as_deref().unwrap_or(""),
            &map,
        ];
        let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        self.text(&nfc(&lines.join("\n")), true);
    }

    fn react(&mut self, emoji: &str, target: Option<&str>) {
        match target.filter(|_| self.caps.reactions) {
            Some(target) => self.shows.push(Show::React {
                emoji: emoji.to_owned(),
                target: target.to_owned(),
            }),
            None => self.losses.push(Loss::Reaction),
        }
    }

    fn ask_location(&mut self, body: &str) {
        if !self.caps.ask_location {
            return self.text(body, false);
        }
        let body = self.last_part(body);
        self.shows.push(Show::AskLocation { body });
    }

    fn choices(&mut self, choices: &Choices) {
        let frame = Frame::new(
            choices.header.as_deref(),
            &choices.body,
            choices.footer.as_deref(),
        );
        if choices.options.is_empty() {
            return self.text(&frame.as_text(""), false);
        }
        let options = self.distinct(&choices.options);
        let short = options.iter().all(|option| {
            option.description.is_none()
                && option.section.is_none()
                && scalars(&option.title) <= self.caps.limits.button_label
        });
        let lists = self.caps.lists && !options.is_empty();
        let buttons = self.caps.buttons && short && options.len() <= self.caps.limits.buttons;
        if let Err(why) = self.ids_can_be_told_apart(&options) {
            self.numbered(&frame, &options, why);
        } else if buttons && !(choices.as_list && lists) {
            let (header, body, footer) = self.fitted(frame);
            let buttons = options
                .into_iter()
                .map(|option| Button {
                    id: option.id,
                    title: option.title,
                })
                .collect();
            self.shows.push(Show::Buttons {
                header,
                body,
                footer,
                buttons,
            });
        } else if !lists {
            self.numbered(&frame, &options, "the provider has no lists".to_owned());
        } else {
            match self.sections(&options) {
                Ok((sections, losses)) => {
                    self.losses.extend(losses);
                    let open = choices
                        .open
                        .as_deref()
                        .map(one_line)
                        .filter(|open| !open.is_empty());
                    let open = self.shortened(open.as_deref().unwrap_or(OPEN), self.caps.limits.list_button);
                    let (header, body, footer) = self.fitted(frame);
                    self.shows.push(Show::List {
                        header,
                        body,
                        footer,
                        open,
                        sections,
                    });
                }
                Err(why) => self.numbered(&frame, &options, why),
            }
        }
    }

    /// The options with clean titles. Titles that stand twice would look the same on the screen, and the provider
    /// refuses them on buttons, so then all are numbered, by the numbers a customer can type.
    fn distinct(&mut self, options: &[Choice]) -> Vec<Choice> {
        let mut seen = HashSet::new();
        let mut options: Vec<Choice> = (1..)
            .zip(options)
            .map(|(number, option)| {
                let title = one_line(&option.title);
                Choice {
                    id: option.id.clone(),
                    title: if title.is_empty() {
                        number.to_string()
                    } else {
                        title
                    },
                    description: option
                        .description
                        .as_deref()
                        .map(one_line)
                        .filter(|text| !text.is_empty()),
                    section: option
                        .section
                        .as_deref()
                        .map(one_line)
                        .filter(|text| !text.is_empty()),
                }
            })
            .collect();
        if let Some(twice) = options
            .iter()
            .find(|option| !seen.insert(option.title.to_lowercase()))
        {
            self.losses.push(Loss::EqualTitles {
                title: twice.title.clone(),
            });
            for (number, option) in (1..).zip(&mut options) {
                option.title = format!("{number}. {}", option.title);
            }
        }
        options
    }

    fn ids_can_be_told_apart(&self, options: &[Choice]) -> Result<(), String> {
        let mut seen = HashSet::new();
        for option in options {
            // Bytes, not characters: the provider does not say which it counts, and ids are ours.
            if option.id.trim().is_empty() || option.id.len() > self.caps.option_id {
                return Err(format!("the id of \"{}\" is empty or too long", option.title));
            }
            if !seen.insert(&option.id) {
                return Err(format!("two options have the id \"{}\"", option.id));
            }
        }
        Ok(())
    }

    /// The options as rows of a list, or why they don't fit one.
    fn sections(&self, options: &[Choice]) -> Result<(Vec<Section>, Vec<Loss>), String> {
        let limits = &self.caps.limits;
        if options.len() > limits.rows {
            return Err(format!("{} options, a list holds {}", options.len(), limits.rows));
        }
        let mut losses = Vec::new();
        let mut grouped: Vec<(Option<&str>, Vec<Row>)> = Vec::new();
        let mut shown = HashSet::new();
        for option in options {
            let row = row_of(option, limits.row_label, limits.row_hint, &mut losses)?;
            if !shown.insert(row.title.to_lowercase()) {
                return Err(format!("shortened titles would both read \"{}\"", row.title));
            }
            match grouped
                .iter_mut()
                .find(|(section, _)| *section == option.section.as_deref())
            {
                Some((_, rows)) => rows.push(row),
                None => grouped.push((option.section.as_deref(), vec![row])),
            }
        }
        if grouped.len() > limits.sections {
            return Err(format!(
                "{} sections, a list holds {}",
                grouped.len(),
                limits.sections
            ));
        }
        // One section may go without a title; of several, each must have one.
        let several = grouped.len() > 1;
        let mut sections = Vec::new();
        for (title, rows) in grouped {
            let title = match title {
                Some(title) => Some(shorten(title, limits.section_label, &mut losses)),
                None => several.then(|| NOTHING.to_owned()),
            };
            sections.push(Section { title, rows });
        }
        Ok((sections, losses))
    }

    /// The widest form: everything as text, to be answered by number or by title.
    fn numbered(&mut self, frame: &Frame, options: &[Choice], why: String) {
        self.losses.push(Loss::NumberedText { why });
        let mut lines = Vec::new();
        let mut section = None;
        for (number, option) in (1..).zip(options) {
            if option.section.as_deref() != section {
                section = option.section.as_deref();
                lines.push(format!(
                    "{}{}",
                    if lines.is_empty() { "" } else { "\n" },
                    section.unwrap_or(NOTHING)
                ));
            }
            // Equal titles already carry their number.
            let numeral = format!("{number}. ");
            let title = option.title.strip_prefix(&numeral).unwrap_or(&option.title);
            lines.push(format!("{numeral}{title}"));
            lines.extend(
                option
                    .description
                    .as_ref()
                    .map(|description| format!("   {description}")),
            );
        }
        let list = lines.join("\n");
        let whole = frame.as_text(&list);
        if scalars(&whole) <= self.caps.limits.text {
            return self.shows.push(Show::Text {
                body: whole,
                preview: false,
            });
        }
        // The text may be cut when it is absurdly long, the options never.
        self.text(&frame.as_text(""), false);
        let parts = split_text(&list, self.caps.limits.text);
        self.shows
            .extend(parts.into_iter().map(|body| Show::Text { body, preview: false }));
    }

    /// Header, body and footer within the limits. What is too long joins the body, and what the body cannot hold goes
    /// ahead as text.
    fn fitted(&mut self, frame: Frame) -> (Option<String>, String, Option<String>) {
        let Frame {
            mut header,
            mut body,
            mut footer,
        } = frame;
        if let Some(long) = header.take_if(|header| scalars(header) > self.caps.limits.header) {
            body = format!("{long}\n\n{body}");
        }
        if let Some(long) = footer.take_if(|footer| scalars(footer) > self.caps.limits.footer) {
            body = format!("{body}\n\n{long}");
        }
        (header, self.last_part(&body), footer)
    }

    /// What of `body` fits beside options; all before it is sent ahead as text.
    fn last_part(&mut self, body: &str) -> String {
        let mut parts = split_text(body.trim(), self.caps.limits.question);
        let last = parts
            .pop()
            .filter(|part| !part.is_empty())
            .unwrap_or_else(|| NOTHING.to_owned());
        if let Some(at) = body.rfind(&last).filter(|_| !parts.is_empty()) {
            self.text(body[..at].trim(), false);
        }
        last
    }

    fn shortened(&mut self, text: &str, limit: usize) -> String {
        shorten(text, limit, &mut self.losses)
    }

    fn addressed_to(mut self, outbound: &Outbound) -> Plan {
        let mut reply_to = outbound.reply_to.clone();
        if reply_to.take_if(|_| !self.caps.quotes).is_some() {
            self.losses.push(Loss::QuoteDropped);
        }
        let several = self.shows.len() > 1;
        let steps = self
            .shows
            .into_iter()
            .map(|show| Step::Send {
                to: outbound.to.clone(),
                reply_to: reply_to.take(),
                ours: outbound.ours.clone(),
                after_delivery: several && asks(&show),
                show,
            })
            .collect();
        Plan {
            steps,
            losses: self.losses,
        }
    }
}

/// Whether the customer is to answer by tapping.
fn asks(show: &Show) -> bool {
    match show {
        Show::Buttons { .. }
        | Show::List { .. }
        | Show::Link { .. }
        | Show::Form { .. }
        | Show::AskLocation { .. } => true,
        Show::Text { .. }
        | Show::Media { .. }
        | Show::Location(_)
        | Show::Template { .. }
        | Show::React { .. } => false,
    }
}

/// A row, its title shortened if the whole of it can stand in the description.
fn row_of(option: &Choice, label: usize, hint: usize, losses: &mut Vec<Loss>) -> Result<Row, String> {
    let Choice {
        id,
        title,
        description,
        section: _,
    } = option;
    if scalars(title) <= label {
        let description = description.as_deref().map(|text| shorten(text, hint, losses));
        return Ok(Row {
            id: id.clone(),
            title: title.clone(),
            description,
        });
    }
    let whole = match description {
        Some(description) => format!("{title}: {description}"),
        None => title.clone(),
    };
    if scalars(&whole) > hint {
        return Err(format!("\"{title}\" is too long for a row"));
    }
    Ok(Row {
        id: id.clone(),
        title: shorten(title, label, losses),
        description: Some(whole),
    })
}

fn shorten(text: &str, limit: usize, losses: &mut Vec<Loss>) -> String {
    let shown = clip(text, limit).into_owned();
    if shown != text {
        losses.push(Loss::Shortened {
            full: text.to_owned(),
            shown: shown.clone(),
        });
    }
    shown
}

fn is_web_address(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control()))
}

fn scalars(text: &str) -> usize {
    measure(text).scalars
}

/// NFC, without NUL, which no provider takes.
fn nfc(text: &str) -> String {
    text.nfc().filter(|c| *c != '\0').collect()
}

/// A label: one line, single spaces, no ends of white space.
fn one_line(text: &str) -> String {
    let spaced: String = nfc(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
