//! Kinds of answers and values (`text like "A-#####"`), media, and declared fields.

use rust_decimal::Decimal;

use super::Rule;
use super::reader::Reader;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Accept, Field, Kind, When};
use crate::message::MediaKind;

impl<'i> Reader<'i, '_, '_> {
    pub fn accept(&mut self) -> Accept {
        let mut kinds = vec![self.kind()];
        while self.has(Rule::comma) || self.has(Rule::k_or) {
            kinds.push(self.kind());
        }
        let span = kinds[0].1.to(kinds[kinds.len() - 1].1);
        let up_to = self.maybe(Rule::k_up).map(|word| {
            let from = self.span(&word);
            self.take(Rule::k_to);
            (self.integer(1, 20), from)
        });
        Accept { kinds, up_to, span }
    }

    pub fn kind(&mut self) -> (Kind, Span) {
        let pair = self.take(Rule::kind);
        let span = self.span(&pair);
        let mut inner = self.inside(pair);
        (inner.kind_inside(span), span)
    }

    fn kind_inside(&mut self, span: Span) -> Kind {
        if self.peek() == Some(Rule::media) {
            return Kind::Media(self.media());
        }
        let Some(word) = self.next() else {
            return Kind::Text;
        };
        match word.as_rule() {
            Rule::k_yes => Kind::YesNo,
            Rule::k_list => {
                let of = self.has(Rule::k_of).then(|| Box::new(self.kind().0));
                Kind::List(of)
            }
            Rule::k_rating => {
                let from = self.integer(0, 10);
                self.take(Rule::k_to);
                let to = self.integer(1, 10);
                if from >= to {
                    self.upside_down(span);
                }
                Kind::Rating { from, to }
            }
            Rule::k_whole => {
                self.take(Rule::k_number);
                let (from, to) = self.range(span);
                Kind::WholeNumber { from, to }
            }
            Rule::k_number => {
                let (from, to) = self.range(span);
                Kind::Number { from, to }
            }
            Rule::k_text => match self.next().map(|word| word.as_rule()) {
                Some(Rule::k_like) => Kind::TextLike(self.text().source),
                Some(Rule::k_matching) => Kind::TextMatching(self.pattern()),
                _ => Kind::Text,
            },
            Rule::k_date => {
                let when = if self.has(Rule::k_in) {
                    self.take(Rule::k_the);
                    if self.has(Rule::k_future) {
                        When::Future
                    } else {
                        When::Past
                    }
                } else {
                    When::Any
                };
                Kind::Date(when)
            }
            Rule::k_email => Kind::Email,
            Rule::k_phone => Kind::Phone,
            Rule::k_web => Kind::WebAddress,
            Rule::k_time => Kind::Time,
            Rule::k_money => Kind::Money,
            Rule::k_location => Kind::Location,
            other => unreachable!("flow.pest has no kind {other:?}"),
        }
    }

    fn range(&mut self, span: Span) -> (Option<Decimal>, Option<Decimal>) {
        if !self.has(Rule::k_from) {
            return (None, None);
        }
        let from = self.number();
        self.take(Rule::k_to);
        let to = self.number();
        if from > to {
            self.upside_down(span);
        }
        (Some(from), Some(to))
    }

    fn upside_down(&mut self, span: Span) {
        self.mistake(Diagnostic::new(
            Code::F008,
            span,
            "no number is in this range",
            "the first number must be the smaller one",
        ));
    }

    fn pattern(&mut self) -> String {
        let text = self.text();
        // The limit is the engine's own default, so what passes here can be used there.
        if let Err(error) = regex::Regex::new(&text.source) {
            let why = error.to_string();
            let why = why
                .lines()
                .last()
                .unwrap_or("it can't be read")
                .trim_start_matches("error: ");
            self.mistake(
                Diagnostic::new(
                    Code::F008,
                    text.span,
                    "this pattern makes no sense",
                    why.to_owned(),
                )
                .note("Most answers need no regular expression: `text like \"A-#####\"` takes # for a digit, @ for a letter."),
            );
        }
        text.source
    }

    pub fn media(&mut self) -> MediaKind {
        let pair = self.take(Rule::media);
        match self.inside(pair).next().map(|word| word.as_rule()) {
            Some(Rule::k_video) => MediaKind::Video,
            Some(Rule::k_voice) => MediaKind::Voice,
            Some(Rule::k_audio) => MediaKind::Audio,
            Some(Rule::k_document | Rule::k_file) => MediaKind::Document,
            Some(Rule::k_sticker) => MediaKind::Sticker,
            _ => MediaKind::Photo,
        }
    }

    pub fn fields(&mut self) -> Vec<Field> {
        let mut fields = vec![self.field()];
        while self.has(Rule::comma) {
            fields.push(self.field());
        }
        fields
    }

    pub fn field(&mut self) -> Field {
        let pair = self.take(Rule::field);
        let span = self.span(&pair);
        let mut inner = self.inside(pair);
        let path = inner.path();
        inner.take(Rule::colon);
        let (kind, _) = inner.kind();
        let default = inner.has(Rule::equals).then(|| inner.expr());
        Field {
            path,
            kind,
            default,
            forget_after: None,
            span,
        }
    }
}
