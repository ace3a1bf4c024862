//! Saying and asking: messages as a channel gets them, options with their ids.

use super::choice_id;
use super::faults::Failed;
use super::position::SentOption;
use super::run::{Next, Run};
use super::turn::{Exit, Log, Outgoing};
use crate::flow::program::{ExprIx, Form, Message, Place, Question, StateIx, StateKind, Template, TextIx};
use crate::flow::source::SourceLine;
use crate::flow::strings::same_language;
use crate::flow::template::shown;
use crate::flow::value::Value;
use crate::message::{Choice, Choices, MediaSource, OutboundBody, QuickReply, TemplateParts};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

impl<'m> Run<'m> {
    pub(super) fn send(&mut self, body: OutboundBody, said_at: Option<SourceLine>) {
        self.outbox.push(Outgoing {
            body,
            said_at,
            after_ms: std::mem::take(&mut self.pause_ms),
        });
    }

    /// The line that says it. Only our own sentences have none.
    pub(super) fn said_at(&self, place: Place) -> Option<SourceLine> {
        Some(self.m.program.place(place))
    }

    /// Sends a text. One that comes out empty (all of it inside an `{% if %}`) is not a message.
    pub(super) fn say_text(&mut self, text: TextIx) -> Result<(), Failed> {
        let body = self.text(text)?;
        if !body.trim().is_empty() {
            let said_at = self.said_at(self.m.program.texts[text as usize].place);
            self.send(plain(body), said_at);
        }
        Ok(())
    }

    pub(super) fn say(&mut self, message: &Message) -> Result<(), Failed> {
        match message {
            Message::Say {
                body,
                or,
                header: None,
                footer: None,
                link: None,
            } => {
                let body = self.one_of(*body, or);
                self.say_text(body)
            }
            Message::Say {
                body,
                or,
                header,
                footer,
                link,
            } => {
                let body = &self.one_of(*body, or);
                let place = self.m.program.texts[*body as usize].place;
                let (header, footer) = (self.optional_text(*header)?, self.optional_text(*footer)?);
                let body = self.text(*body)?;
                let outgoing = match link {
                    Some(link) => self.linked(header, body, footer, *link)?,
                    None => plain(joined(header, body, footer)),
                };
                let said_at = self.said_at(place);
                self.send(outgoing, said_at);
                Ok(())
            }
            Message::Template { template, args } => {
                let declared = self.m.program.business.templates.get(*template as usize);
                let replies = declared.into_iter().flat_map(|template| {
                    let id = choice_id::of_template(&template.name);
                    let reply = move |title: &String| QuickReply {
                        title: title.clone(),
                        id: id.clone().unwrap_or_else(|| title.clone()),
                    };
                    let language = template.texts.get(self.text_of(template));
                    let own = template
                        .further_buttons
                        .iter()
                        .find(|(own, _)| language.is_some_and(|(language, _)| same_language(own, language)));
                    own.map_or(&template.buttons, |(_, buttons)| buttons)
                        .iter()
                        .map(reply)
                });
                let body = self.template(*template, args, replies.collect())?;
                let said_at = self.said_at(self.place);
                self.send(body, said_at);
                Ok(())
            }
            Message::File {
                kind,
                source,
                caption,
                named,
            } => {
                let said_at = self.said_at(self.place);
                let source = match self.eval(*source)? {
                    Some(Value::Text(source)) if !source.trim().is_empty() => source.trim().to_owned(),
                    Some(_) | None => return Err(self.failed("a file to send is not known")),
                };
                let known = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
                let body = OutboundBody::Media {
                    media: *kind,
                    source: if source.starts_with("https://") || source.starts_with("http://") {
                        MediaSource::Url(source)
                    } else {
                        MediaSource::File(source)
                    },
                    caption: known(self.optional_text(*caption)?),
                    filename: known(self.optional_text(*named)?),
                };
                self.send(body, said_at);
                Ok(())
            }
            Message::React { emoji } => {
                let said_at = self.said_at(self.place);
                let emoji = self.text(*emoji)?;
                self.send(OutboundBody::React { emoji, target: None }, said_at);
                Ok(())
            }
            Message::Place {
                lat,
                lng,
                name,
                address,
            } => {
                let said_at = self.said_at(self.place);
                let degrees = |value: &Decimal| value.to_f64().unwrap_or_default();
                let place = crate::message::Place {
                    lat: degrees(lat),
                    lng: degrees(lng),
                    name: self.optional_text(*name)?,
                    address: self.optional_text(*address)?,
                };
                self.send(OutboundBody::Location(place), said_at);
                Ok(())
            }
        }
    }

    fn template(
        &self,
        template: u32,
        args: &[(String, ExprIx)],
        replies: Vec<QuickReply>,
    ) -> Result<OutboundBody, Failed> {
        let Some(template) = self.m.program.business.templates.get(template as usize) else {
            return Err(self.failed("a template that the business file doesn't have"));
        };
        let at = self.text_of(template);
        let Some((language, source)) = template.texts.get(at) else {
            return Err(self.failed(format!("the template {} has no text", template.name)));
        };
        let mut values = Vec::new();
        for blank in template.blanks.get(at).map_or(&[][..], Vec::as_slice) {
            let value = match args.iter().find(|(name, _)| name == blank) {
                Some((_, value)) => self.eval(*value)?,
                None => None,
            };
            let value = value
                .map(|value| shown(&value, self.language))
                .filter(|value| !value.trim().is_empty())
                .ok_or_else(|| {
                    self.failed(format!("the template {} needs a known {blank}", template.name))
                })?;
            values.push((blank.as_str(), value));
        }
        let text = fill(source, &values);
        let params = values.into_iter().map(|(_, value)| value).collect();
        Ok(OutboundBody::Template {
            name: template.name.clone(),
            language: language.clone(),
            params,
            text,
            parts: Box::new(TemplateParts {
                replies,
                ..TemplateParts::default()
            }),
        })
    }

    /// Which of a template's texts the customer gets: that of their language, else of the one that the bot speaks, else
    /// the first.
    fn text_of(&self, template: &Template) -> usize {
        let wanted = self.code.as_deref().unwrap_or_default();
        let in_language = |code: &&str| {
            let mut texts = template.texts.iter();
            texts.position(|(own, _)| same_language(own, code))
        };
        [wanted, self.language.code]
            .iter()
            .find_map(in_language)
            .unwrap_or(0)
    }

    pub(super) fn question(&self, state: StateIx) -> Option<&'m Question> {
        match &self.m.program.states[state as usize].kind {
            StateKind::Question(question) => Some(question),
            StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Human(_) | StateKind::Answer(_) => None,
        }
    }

    /// Asks a question and rests there. `again`: after an interruption, with the wording for that.
    pub(super) fn ask(&mut self, state: StateIx, again: bool) -> Result<Next, Failed> {
        self.ask_from(state, again, 0)
    }

    /// As [`Run::ask`], with the rows from data from this one on.
    pub(super) fn ask_from(&mut self, state: StateIx, again: bool, page: usize) -> Result<Next, Failed> {
        let m = self.m;
        let Some(question) = self.question(state) else {
            return Err(self.failed("something that can't be asked"));
        };
        let name = &m.program.states[state as usize].name;
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.frames.last().is_some_and(|top| top.at == *name))
        {
            self.pending = None;
        }
        self.commit_pending();
        if self.left.as_deref() == Some(name) {
            self.left = None;
        }
        self.note_left();
        if self.m.replies.contains(&state) {
            self.ask_for_more(state);
            return Ok(Next::Rest);
        }
        let offered = self.options(question, page)?;
        if offered.no_rows
            && let Some(run) = question.none
        {
            self.log_left(state, Exit::Empty);
            return Ok(Next::At(run));
        }
        let options = offered.options;
        if options.is_empty() && question.accept.is_empty() && offered.no_rows {
            return Err(self.failed("a question without anything to choose"));
        }
        // What a `gather` has collected stays when it is asked again.
        let top = self.p.frames.last().filter(|frame| frame.at == *name);
        let gathered = top.map_or(0, |frame| frame.gathered);
        let again = std::mem::take(&mut self.restarted) || again;
        let visit = self.rest_at(state);
        self.top().page = offered.page;
        self.top().gathered = gathered;
        let (body, said_at) = match (&question.prompt, question.again.filter(|_| again)) {
            (_, Some(text)) => {
                let place = m.program.texts[text as usize].place;
                (
                    self.with_options(question, name, visit, None, self.text(text)?, None, &options)?,
                    place,
                )
            }
            (
                Message::Say {
                    body,
                    or: _,
                    header,
                    footer,
                    link,
                },
                None,
            ) => {
                let place = m.program.texts[*body as usize].place;
                let body = self.text(*body)?;
                let (header, footer) = (self.optional_text(*header)?, self.optional_text(*footer)?);
                let outgoing = match link {
                    Some(link) if options.is_empty() => self.linked(header, body, footer, *link)?,
                    Some(_) | None => {
                        self.with_options(question, name, visit, header, body, footer, &options)?
                    }
                };
                (outgoing, place)
            }
            (Message::Template { template, args }, None) => {
                // The compiler has seen to it that the options are the template's buttons, in their order.
                let reply = |(_, sent): &(usize, SentOption)| QuickReply {
                    title: sent.label.clone(),
                    id: choice_id::payload(self.p.session, visit, name, &sent.id),
                };
                let replies = options.iter().map(reply).collect();
                (
                    self.template(*template, args, replies)?,
                    m.program.states[state as usize].place,
                )
            }
            (Message::File { .. } | Message::Place { .. } | Message::React { .. }, None) => {
                return Err(self.failed("a question without words"));
            }
        };
        if matches!(&body, OutboundBody::Text { body, .. } | OutboundBody::Choices(Choices { body, .. }) if body.trim().is_empty())
        {
            return Err(self.failed("the text of the question comes out empty"));
        }
        let said_at = self.said_at(said_at);
        self.send(body, said_at);
        self.top().options = options.into_iter().map(|(_, sent)| sent).collect();
        self.log.push(Log::Asked { state: name.clone() });
        Ok(Next::Rest)
    }

    /// Asks a question once more, as the live version asks it if it has it.
    pub(super) fn ask_anew(&mut self, state: StateIx) -> Result<Next, Failed> {
        let state = self.cross_to_question(state);
        self.ask(state, true)
    }

    /// Asks the question where the running flow rests once more.
    pub(super) fn ask_top_again(&mut self) -> Result<Next, Failed> {
        let state = self
            .p
            .frames
            .last()
            .and_then(|frame| self.question_named(&frame.at));
        match state {
            Some(state) => self.ask_anew(state),
            None => Err(self.failed("there is no question to ask again")),
        }
    }

    /// A message with a link button.
    fn linked(
        &self,
        header: Option<String>,
        body: String,
        footer: Option<String>,
        (label, url): (TextIx, TextIx),
    ) -> Result<OutboundBody, Failed> {
        Ok(OutboundBody::Link {
            header,
            body,
            footer,
            label: self.text(label)?,
            url: self.text(url)?.trim().to_owned(),
        })
    }

    /// A sentence with the question's options attached.
    // Who says what, and what stands around it: nothing of it belongs together elsewhere.
    #[allow(clippy::too_many_arguments)]
    fn with_options(
        &self,
        question: &Question,
        state: &str,
        visit: u64,
        header: Option<String>,
        body: String,
        footer: Option<String>,
        options: &[(usize, SentOption)],
    ) -> Result<OutboundBody, Failed> {
        if let Some(form) = &question.form_of {
            return Ok(OutboundBody::Form {
                header,
                body,
                footer,
                label: self.optional_text(question.open)?.unwrap_or_default(),
                form: form.id.clone(),
                token: choice_id::encode(self.p.session, visit, state, "form"),
            });
        }
        if options.is_empty() {
            return Ok(plain(joined(header, body, footer)));
        }
        let mut choices = Vec::with_capacity(options.len());
        for (at, sent) in options {
            let choice = question.options.get(*at);
            let hint = match &sent.row {
                Some(row) => row.hint.clone(),
                None if sent.id == super::rows::MORE => None,
                None => self.optional_text(choice.and_then(|choice| choice.hint))?,
            };
            choices.push(Choice {
                id: choice_id::encode(self.p.session, visit, state, &sent.id),
                title: sent.label.clone(),
                description: hint,
                section: self.optional_text(choice.and_then(|choice| choice.section))?,
            });
        }
        Ok(OutboundBody::Choices(Choices {
            header,
            body,
            footer,
            open: self.optional_text(question.open)?,
            as_list: question.form == Form::List,
            options: choices,
        }))
    }

    /// Says something at the open question, with the options as they were sent: same visit, same ids.
    pub(super) fn say_at_question(
        &mut self,
        state: StateIx,
        body: String,
        said_at: Option<SourceLine>,
    ) -> Result<(), Failed> {
        let m = self.m;
        let Some((question, frame)) = self.question(state).zip(self.p.frames.last()) else {
            return Err(self.failed("there is no question open"));
        };
        let options: Vec<(usize, SentOption)> = frame
            .options
            .iter()
            .filter_map(|sent| {
                // The row that leads on stands with the rows before it.
                let of = |id: &str| question.options.iter().position(|choice| choice.id == id);
                let at = match sent.id.as_str() {
                    super::rows::MORE => question.options.iter().position(|choice| choice.each.is_some()),
                    _ => of(sent.choice()),
                };
                Some((at?, sent.clone()))
            })
            .collect();
        let name = &m.program.states[state as usize].name;
        let outgoing = self.with_options(question, name, frame.visit, None, body, None, &options)?;
        self.send(outgoing, said_at);
        Ok(())
    }
}

fn plain(body: String) -> OutboundBody {
    let preview = body.contains("https://") || body.contains("http://");
    OutboundBody::Text { body, preview }
}

/// A plain message has no header or footer of its own.
fn joined(header: Option<String>, body: String, footer: Option<String>) -> String {
    [header, Some(body), footer]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Fills the named blanks of an approved template in one go: a value is never read as a template.
fn fill(text: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("{{") {
        let Some((name, after)) = tail.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        if let Some((_, value)) = values.iter().find(|(blank, _)| *blank == name.trim()) {
            filled.push_str(value);
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}
