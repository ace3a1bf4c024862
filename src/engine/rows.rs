//! The options that a question offers now: those written out, and rows from data, page by page.
//!
//! Rows are kept as sent, with their item, so that a tap on one still means it when the data has changed.

use super::faults::Failed;
use super::position::{SentOption, SentRow};
use super::run::{Next, Run};
use crate::flow::program::{Choice, ExprIx, Question, StateIx, TextIx};
use crate::flow::value::Value;
use crate::message::Limits;

/// Id of the row that leads to further rows.
pub const MORE: &str = "(more)";
/// Items that are looked at; further ones are not offered.
const ITEMS: usize = 200;
/// Without pages all rows go out at once, so that there is room for fewer of them.
const AT_ONCE: usize = 24;

/// What is offered: each with the index of its option in the question.
#[derive(Debug)]
pub(super) struct Offered {
    pub options: Vec<(usize, SentOption)>,
    /// The question has rows from data, and there are none now.
    pub no_rows: bool,
    /// First row that is shown.
    pub page: u32,
}

impl Run<'_> {
    pub(super) fn options(&mut self, question: &Question, page: usize) -> Result<Offered, Failed> {
        let mut all = Vec::with_capacity(question.options.len());
        for (at, choice) in question.options.iter().enumerate() {
            match &choice.each {
                None => {
                    if self.allows(choice.condition) {
                        let mut sent = self.option(choice)?;
                        sent.value = sent.value.or_else(|| self.own_word(question, choice));
                        all.push((at, sent));
                    }
                }
                Some((name, list)) => self.rows(question, at, name, *list, &mut all)?,
            }
        }
        let from_data = question.options.iter().any(|choice| choice.each.is_some());
        let rows = all.iter().filter(|(_, sent)| sent.row.is_some()).count();
        let mut offered = Offered {
            no_rows: from_data && rows == 0,
            options: all,
            page: 0,
        };
        if let Some(more) = question.more {
            self.cut(&mut offered, rows, page, more)?;
        } else {
            let mut row = 0;
            offered.options.retain(|(_, sent)| {
                row += usize::from(sent.row.is_some());
                sent.row.is_none() || row <= AT_ONCE
            });
        }
        Ok(offered)
    }

    fn option(&self, choice: &Choice) -> Result<SentOption, Failed> {
        let value: Option<Value> = match choice.value {
            Some(value) => self.eval(value)?,
            None => None,
        };
        let mut label = self.text(choice.label)?;
        if label.trim().is_empty() {
            // WhatsApp refuses a button without a label; the id is made of the option's own words.
            label.clone_from(&choice.id);
        }
        Ok(SentOption {
            id: choice.id.clone(),
            label,
            value,
            row: None,
        })
    }

    /// The value that a translated option without one keeps: the flow's own word, because its conditions know no
    /// other language.
    fn own_word(&self, question: &Question, choice: &Choice) -> Option<Value> {
        let kept = question.value.is_some() && self.worded(choice.label).is_some();
        kept.then(|| self.source_text(choice.label).ok().map(Value::Text))?
    }

    fn rows(
        &mut self,
        question: &Question,
        at: usize,
        name: &str,
        list: ExprIx,
        all: &mut Vec<(usize, SentOption)>,
    ) -> Result<(), Failed> {
        let items = self.items(list, "rows need")?;
        for (index, item) in items.into_iter().take(ITEMS).enumerate() {
            self.extra.insert(name.to_owned(), item.clone());
            let choice = &question.options[at];
            let made = self.row(choice, index, item, all).map(|row| {
                row.map(|mut row| {
                    row.value = row.value.or_else(|| self.own_word(question, choice));
                    row
                })
            });
            self.extra.remove(name);
            if let Some(row) = made? {
                all.push((at, row));
            }
        }
        Ok(())
    }

    fn row(
        &self,
        choice: &Choice,
        index: usize,
        item: Value,
        all: &[(usize, SentOption)],
    ) -> Result<Option<SentOption>, Failed> {
        if !self.allows(choice.condition) {
            return Ok(None);
        }
        let mut sent = self.option(choice)?;
        let key = match &sent.value {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Number(number)) => number.normalize().to_string(),
            Some(Value::YesNo(_) | Value::Date(_) | Value::Time(_) | Value::List(_) | Value::Record(_))
            | None => index.to_string(),
        };
        sent.id = format!("{}~{key}", choice.id);
        if all.iter().any(|(_, other)| other.id == sent.id) {
            sent.id = format!("{}~{index}~{key}", choice.id);
        }
        sent.row = Some(SentRow {
            of: choice.id.clone(),
            item: choice.run.map(|_| item),
            hint: self.optional_text(choice.hint)?,
        });
        Ok(Some(sent))
    }

    /// Cuts the rows to what a list holds, from row `page` on, and adds the row that leads to the next ones.
    fn cut(&self, offered: &mut Offered, rows: usize, page: usize, more: TextIx) -> Result<(), Failed> {
        let most = Limits::META.rows;
        if offered.options.len() <= most {
            return Ok(());
        }
        let room = most.saturating_sub(offered.options.len() - rows + 1).max(1);
        let first = if page < rows { page } else { 0 };
        let last = (first + room).min(rows);
        let mut row = 0;
        offered.options.retain(|(_, sent)| {
            let shown = sent.row.is_none() || (first..last).contains(&row);
            row += usize::from(sent.row.is_some());
            shown
        });
        offered.page = u32::try_from(first).unwrap_or(0);
        let behind = offered.options.iter().rposition(|(_, sent)| sent.row.is_some());
        if let Some(behind) = behind.filter(|_| last < rows) {
            let of = offered.options[behind].0;
            let sent = SentOption {
                id: MORE.to_owned(),
                label: self.text(more)?,
                value: None,
                row: None,
            };
            offered.options.insert(behind + 1, (of, sent));
        }
        Ok(())
    }

    /// The same question with the rows behind those that are shown.
    pub(super) fn next_page(&mut self, state: StateIx) -> Result<Next, Failed> {
        let frame = self.top();
        let shown = frame.options.iter().filter(|sent| sent.row.is_some()).count();
        let next = usize::try_from(frame.page).unwrap_or(0).saturating_add(shown);
        self.ask_from(state, false, next)
    }
}
