//! Faults on request, and the recipients that fail by their number.

use super::error::title_of;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faulty {
    /// Refused with this code.
    Refuse(i64),
    /// Not accepted, this HTTP status without an error object.
    Status(u16),
    /// Accepted, but the answer never comes.
    Hang,
    /// Accepted, but the connection is dropped before the answer.
    Reset,
    /// Accepted, but the answer is no JSON.
    Garbage,
    /// Not accepted, HTTP 429 with `Retry-After` of so many seconds.
    TooMany(u64),
    /// Accepted and answered; a `failed` status with this code follows.
    FailLater(i64),
    /// Accepted and answered; no status ever follows.
    Silent,
    /// A media file is served with other bytes than announced.
    WrongHash,
    /// A media address is already old when it is given out.
    Expired,
}

impl Faulty {
    pub fn is_of_media(self) -> bool {
        matches!(self, Faulty::WrongHash | Faulty::Expired)
    }
}

/// A fault for the next `times` requests that concern `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Digits of a phone number or a user id; `None` for any.
    pub to: Option<String>,
    /// `None` for ever.
    pub times: Option<u32>,
    pub fault: Faulty,
}

impl Fault {
    /// The next request, whomever it concerns.
    pub fn once(fault: Faulty) -> Self {
        Fault {
            to: None,
            times: Some(1),
            fault,
        }
    }
}

/// Takes the first fault that applies, and one of its times.
pub fn take(faults: &mut Vec<Fault>, to: &str, of_media: bool) -> Option<Faulty> {
    let at = faults.iter().position(|fault| {
        fault.fault.is_of_media() == of_media && fault.to.as_deref().is_none_or(|wanted| wanted == to)
    })?;
    let fault = faults[at].fault;
    if let Some(times) = &mut faults[at].times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            faults.remove(at);
        }
    }
    Some(fault)
}

/// `1555` and seven digits, see the module's documentation.
pub fn by_number(digits: &str) -> Option<Faulty> {
    let number: i64 = digits
        .strip_prefix("1555")
        .filter(|rest| rest.len() == 7)?
        .parse()
        .ok()?;
    match number {
        500 => Some(Faulty::Status(500)),
        901 => Some(Faulty::Hang),
        902 => Some(Faulty::Reset),
        903 => Some(Faulty::FailLater(131026)),
        code if title_of(code).0 != "Unknown error" => Some(Faulty::Refuse(code)),
        _ => None,
    }
}
