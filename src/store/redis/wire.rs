//! What goes to a script and what comes back.

use std::time::Duration;

use jiff::Timestamp;
use redis::Value;

use super::Script;
use crate::store::{StoreError, millis};

/// Format and schema, before every value. Scripts have the same two bytes in `lua/contact.lua`.
pub(super) const BLOB: [u8; 2] = [1, 1];
/// Lua writes whole numbers of up to 14 digits exactly: the year 5138.
const FARTHEST: i64 = 99_999_999_999_999;
const LONGEST: i64 = 9_999_999_999_999;

/// Something that becomes one argument.
pub(super) trait Word {
    fn word(self) -> Vec<u8>;
}

macro_rules! number {
    ($($number:ty)+) => {
        $(impl Word for $number {
            fn word(self) -> Vec<u8> {
                self.to_string().into_bytes()
            }
        })+
    };
}

number! { i64 u64 u32 usize }

impl Word for &str {
    fn word(self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl Word for String {
    fn word(self) -> Vec<u8> {
        self.into_bytes()
    }
}

impl Word for &[u8] {
    fn word(self) -> Vec<u8> {
        self.to_vec()
    }
}

impl Word for Vec<u8> {
    fn word(self) -> Vec<u8> {
        self
    }
}

impl<const N: usize> Word for [u8; N] {
    fn word(self) -> Vec<u8> {
        self.to_vec()
    }
}

#[derive(Debug, Default)]
pub(super) struct Args(pub(super) Vec<Vec<u8>>);

impl Args {
    pub(super) fn push(&mut self, word: impl Word) {
        self.0.push(word.word());
    }

    pub(super) fn with(mut self, word: impl Word) -> Args {
        self.push(word);
        self
    }
}

/// Whole numbers side by side in one argument, big end first, as the scripts unpack them: an argument of its own costs Redis
/// more than reading all of these.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<u8>);

impl Numbers {
    /// `I6`: a time, a span or a count that goes on for ever.
    pub(super) fn six(mut self, number: impl TryInto<u64>) -> Numbers {
        const MOST: u64 = (1 << 48) - 1;
        let number = number.try_into().unwrap_or(MOST).min(MOST);
        self.0.extend(&number.to_be_bytes()[2..]);
        self
    }

    /// `I4`: a cap, or how many follow.
    pub(super) fn four(mut self, number: impl TryInto<u32>) -> Numbers {
        self.0.extend(number.try_into().unwrap_or(u32::MAX).to_be_bytes());
        self
    }

    /// `I3`
    pub(super) fn three(mut self, number: usize) -> Numbers {
        let number = u32::try_from(number).unwrap_or(u32::MAX).min((1 << 24) - 1);
        self.0.extend(&number.to_be_bytes()[1..]);
        self
    }

    /// `I2`
    pub(super) fn two(mut self, number: u32) -> Numbers {
        self.0
            .extend(u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
        self
    }

    pub(super) fn kept(&self) -> &[u8] {
        &self.0
    }

    /// `c` and how many.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Numbers {
        self.0.extend(bytes);
        self
    }

    /// `B`
    pub(super) fn one(mut self, number: u8) -> Numbers {
        self.0.push(number);
        self
    }
}

impl Word for Numbers {
    fn word(self) -> Vec<u8> {
        self.0
    }
}

/// A value as it is kept.
pub(super) fn blob(bytes: &[u8]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(bytes.len() + BLOB.len());
    blob.extend(BLOB);
    blob.extend(bytes);
    blob
}

/// A time to wait for.
pub(super) fn at(time: Timestamp) -> i64 {
    millis::ceil(time).clamp(0, FARTHEST)
}

pub(super) fn span(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(LONGEST).min(LONGEST)
}

/// The parts of an answer, in their order.
#[derive(Debug)]
pub(super) struct Answer {
    script: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Answer {
    /// # Errors
    /// `Corrupt` if the script says that it can't read something.
    pub(super) fn of(script: &'static Script, value: Value) -> Result<Answer, StoreError> {
        if wants_packing(&value) {
            return Err(strange(script.name, &value));
        }
        let mut answer = Answer::within(script.name, value)?;
        if answer.values.as_slice().first() == Some(&Value::Int(-1)) {
            answer.values.next();
            return Err(StoreError::Corrupt {
                key: answer.text()?,
                why: format!("{}. A newer version may read it", answer.text()?),
            });
        }
        Ok(answer)
    }

    fn within(script: &'static str, value: Value) -> Result<Answer, StoreError> {
        match value {
            Value::Array(values) => Ok(Answer {
                script,
                values: values.into_iter(),
            }),
            other => Err(strange(script, &other)),
        }
    }

    fn next(&mut self) -> Result<Value, StoreError> {
        self.values
            .next()
            .ok_or_else(|| strange(self.script, &Value::Nil))
    }

    pub(super) fn int(&mut self) -> Result<i64, StoreError> {
        self.time()?.ok_or_else(|| strange(self.script, &Value::Nil))
    }

    pub(super) fn count<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        let number = self.int()?;
        T::try_from(number).map_err(|_| strange(self.script, &Value::Int(number)))
    }

    /// A number, or `-` for none.
    pub(super) fn time(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next()? {
            Value::Int(number) => Ok(Some(number)),
            Value::BulkString(text) if text == b"-" => Ok(None),
            Value::BulkString(text) => match std::str::from_utf8(&text).ok().and_then(whole) {
                Some(number) => Ok(Some(number)),
                None => Err(strange(self.script, &Value::BulkString(text))),
            },
            Value::Double(number) => Ok(Some(number as i64)),
            other => Err(strange(self.script, &other)),
        }
    }

    pub(super) fn maybe_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next()? {
            Value::Nil => Ok(None),
            Value::Int(number) => Ok(Some(number)),
            other => Err(strange(self.script, &other)),
        }
    }

    pub(super) fn maybe_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next()? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            other => Err(strange(self.script, &other)),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        let bytes = self.maybe_bytes()?;
        bytes.ok_or_else(|| strange(self.script, &Value::Nil))
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// A value without its format and schema, which the script has looked at.
    pub(super) fn maybe_blob(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.maybe_bytes()?;
        Ok(bytes.map(|mut bytes| bytes.split_off(BLOB.len().min(bytes.len()))))
    }

    pub(super) fn list(&mut self) -> Result<Answer, StoreError> {
        let value = self.next()?;
        Answer::within(self.script, value)
    }

    pub(super) fn is_done(&self) -> bool {
        self.values.as_slice().is_empty()
    }
}

/// Whether a script met a contact whose numbers stand as text yet.
pub(super) fn wants_packing(value: &Value) -> bool {
    matches!(value, Value::Array(values) if values.as_slice() == [Value::Int(-2)])
}

/// Scores are doubles; those of times are whole.
fn whole(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<f64>().ok().map(|number| number as i64))
}

fn strange(script: &str, value: &Value) -> StoreError {
    StoreError::Corrupt {
        key: format!("the answer of the script {script}"),
        why: format!("it has {value:?} where something else belongs"),
    }
}
