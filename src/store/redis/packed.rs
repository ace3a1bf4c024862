//! The numbers of a contact, as they stand packed in its hash. The scripts read the same in `lua/r.lua` and `lua/s.lua`; what
//! each is, `lua/contact.lua` says. What format 1 had as text is read, too.

use super::wire::Numbers;

/// Field `r`: mailbox and lease.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) leased: bool,
    pub(super) erased: bool,
    pub(super) last: u64,
    pub(super) taken: u64,
    pub(super) burst: i64,
    pub(super) run: Option<i64>,
    pub(super) lines: u64,
    pub(super) seen: usize,
    pub(super) fence: u64,
    pub(super) nonce: u64,
    /// Takeovers at the claim.
    pub(super) after: u64,
    pub(super) crashes: u32,
    pub(super) failures: u32,
    pub(super) rest: Option<i64>,
    pub(super) said: Option<i64>,
}

/// Field `s`: outbox, pace and owner.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sends {
    pub(super) at: Option<i64>,
    pub(super) sending: bool,
    pub(super) fence: u64,
    pub(super) sent: u64,
    pub(super) count: usize,
    pub(super) attempts: u32,
    pub(super) doubts: u32,
    pub(super) uncertain: bool,
    pub(super) ready: Option<i64>,
    pub(super) empty_at: i64,
    pub(super) paced_until: i64,
    /// As [`super::turn::owner_word`] has it.
    pub(super) owner: Vec<u8>,
    pub(super) takeovers: u64,
}

/// Field `e`: the lease that ended last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) fence: u64,
    pub(super) nonce: u64,
    /// `c`, `r` or `p`.
    pub(super) how: u8,
    pub(super) number: i64,
}

impl Turn {
    /// `None`: a number is larger than its place.
    pub(super) fn write(&self) -> Option<Numbers> {
        let is = u8::from(self.leased)
            + 2 * u8::from(self.run.is_some())
            + 4 * u8::from(self.rest.is_some())
            + 8 * u8::from(self.said.is_some())
            + 16 * u8::from(self.erased);
        let numbers = Numbers::default()
            .one(is)
            .six(self.last)
            .six(self.taken)
            .six(self.burst)
            .six(self.run.unwrap_or(0))
            .four(self.lines)
            .three(self.seen)
            .six(self.fence)
            .bytes(&self.nonce.to_be_bytes())
            .four(self.after)
            .one(u8::try_from(self.crashes).unwrap_or(u8::MAX))
            .one(u8::try_from(self.failures).unwrap_or(u8::MAX))
            .six(self.rest.unwrap_or(0))
            .six(self.said.unwrap_or(0));
        fits(self, numbers, Turn::read)
    }

    pub(super) fn read(kept: &[u8]) -> Option<Turn> {
        let mut parts = Parts(kept);
        let is = parts.number(1)?;
        let turn = Turn {
            leased: is & 1 != 0,
            erased: is & 16 != 0,
            last: parts.number(6)?,
            taken: parts.number(6)?,
            burst: parts.time()?,
            run: parts.time().map(|at| (is & 2 != 0).then_some(at))?,
            lines: parts.number(4)?,
            seen: usize::try_from(parts.number(3)?).ok()?,
            fence: parts.number(6)?,
            nonce: parts.number(8)?,
            after: parts.number(4)?,
            crashes: parts.small(1)?,
            failures: parts.small(1)?,
            rest: parts.time().map(|at| (is & 4 != 0).then_some(at))?,
            said: parts.time().map(|at| (is & 8 != 0).then_some(at))?,
        };
        parts.0.is_empty().then_some(turn)
    }

    /// Fields `m`, `l`, `i` and `z` of format 1.
    pub(super) fn of_text(m: &str, l: Option<&str>, said: Option<&str>, erased: bool) -> Option<Turn> {
        let mut words = Words(m.split(' '));
        let mut turn = Turn {
            erased,
            last: words.number()?,
            taken: words.number()?,
            burst: words.number()?,
            run: words.maybe()?,
            lines: words.number()?,
            seen: words.number()?,
            ..Turn::default()
        };
        if let Some(l) = l {
            let mut words = Words(l.split(' '));
            turn.fence = words.number()?;
            turn.nonce = words.number()?;
            turn.leased = words.number::<u8>()? == 1;
            turn.after = words.number()?;
            turn.crashes = words.number()?;
            turn.failures = words.number()?;
            turn.rest = words.maybe()?;
        }
        if let Some(said) = said {
            turn.said = Some(said.parse().ok()?);
        }
        Some(turn)
    }
}

impl Sends {
    /// `None`: a number is larger than its place.
    pub(super) fn write(&self) -> Option<Numbers> {
        let is = u8::from(self.at.is_some())
            + 2 * u8::from(self.sending)
            + 4 * u8::from(self.uncertain)
            + 8 * u8::from(self.ready.is_some());
        let numbers = Numbers::default()
            .one(is)
            .six(self.at.unwrap_or(0))
            .six(self.fence)
            .six(self.sent)
            .four(self.count)
            .four(self.attempts)
            .two(self.doubts)
            .six(self.ready.unwrap_or(0))
            .six(self.empty_at)
            .six(self.paced_until)
            .bytes(&self.owner)
            .four(self.takeovers);
        fits(self, numbers, Sends::read)
    }

    pub(super) fn read(kept: &[u8]) -> Option<Sends> {
        let mut parts = Parts(kept);
        let is = parts.number(1)?;
        let sends = Sends {
            sending: is & 2 != 0,
            uncertain: is & 4 != 0,
            at: parts.time().map(|at| (is & 1 != 0).then_some(at))?,
            fence: parts.number(6)?,
            sent: parts.number(6)?,
            count: usize::try_from(parts.number(4)?).ok()?,
            attempts: parts.small(4)?,
            doubts: parts.small(2)?,
            ready: parts.time().map(|at| (is & 8 != 0).then_some(at))?,
            empty_at: parts.time()?,
            paced_until: parts.time()?,
            owner: parts.take(7)?.to_vec(),
            takeovers: parts.number(4)?,
        };
        parts.0.is_empty().then_some(sends)
    }

    /// Fields `s`, `p` and `o` of format 1.
    pub(super) fn of_text(s: Option<&str>, p: Option<&str>, o: Option<&str>) -> Option<Sends> {
        let mut sends = Sends {
            owner: b"b\0\0\0\0\0\0".to_vec(),
            ..Sends::default()
        };
        if let Some(s) = s {
            let mut words = Words(s.split(' '));
            sends.at = words.maybe()?;
            sends.sending = words.number::<u8>()? == 1;
            sends.fence = words.number()?;
            sends.sent = words.number()?;
            sends.count = words.number()?;
            sends.attempts = words.number()?;
            let doubtful: u32 = words.number()?;
            (sends.doubts, sends.uncertain) = (doubtful / 2, doubtful % 2 == 1);
            sends.ready = words.maybe()?;
        }
        if let Some(p) = p {
            let mut words = Words(p.split(' '));
            (sends.empty_at, sends.paced_until) = (words.number()?, words.number()?);
        }
        if let Some(o) = o {
            let (owner, takeovers) = o.split_once(' ')?;
            let (letter, until) = owner.split_at_checked(1)?;
            sends.owner = letter.as_bytes().to_vec();
            let until: u64 = if until.is_empty() { 0 } else { until.parse().ok()? };
            sends.owner.extend(&until.to_be_bytes()[2..]);
            sends.takeovers = takeovers.parse().ok()?;
        }
        Some(sends)
    }
}

impl Ended {
    /// `None`: a number is larger than its place.
    pub(super) fn write(&self) -> Option<Numbers> {
        let numbers = Numbers::default()
            .six(self.fence)
            .bytes(&self.nonce.to_be_bytes())
            .one(self.how)
            .six(self.number);
        fits(self, numbers, Ended::read)
    }

    pub(super) fn read(kept: &[u8]) -> Option<Ended> {
        let mut parts = Parts(kept);
        let ended = Ended {
            fence: parts.number(6)?,
            nonce: parts.number(8)?,
            how: parts.take(1)?[0],
            number: parts.time()?,
        };
        parts.0.is_empty().then_some(ended)
    }

    /// Field `e` of format 1.
    pub(super) fn of_text(e: &str) -> Option<Ended> {
        let mut words = Words(e.split(' '));
        let (fence, nonce) = (words.number()?, words.number()?);
        let (how, number) = words.0.next()?.split_at_checked(1)?;
        let number = if number.is_empty() {
            0
        } else {
            number.parse().ok()?
        };
        Some(Ended {
            fence,
            nonce,
            how: how.as_bytes()[0],
            number,
        })
    }
}

/// What is written, if it says the same when it is read.
fn fits<T: PartialEq>(what: &T, written: Numbers, read: fn(&[u8]) -> Option<T>) -> Option<Numbers> {
    (read(written.kept()).as_ref() == Some(what)).then_some(written)
}

/// A whole number, big end first.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    fn number(&mut self, length: usize) -> Option<u64> {
        self.take(length).map(number)
    }

    fn small(&mut self, length: usize) -> Option<u32> {
        u32::try_from(self.number(length)?).ok()
    }

    fn time(&mut self) -> Option<i64> {
        i64::try_from(self.number(6)?).ok()
    }
}

/// Numbers as text, `-` for none.
struct Words<'a>(std::str::Split<'a, char>);

impl Words<'_> {
    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    fn maybe(&mut self) -> Option<Option<i64>> {
        match self.0.next()? {
            "-" => Some(None),
            word => word.parse().ok().map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(numbers: Numbers) -> Vec<u8> {
        super::super::wire::Word::word(numbers)
    }

    #[test]
    fn what_is_written_is_read_and_fits_into_a_listpack() {
        let turn = Turn {
            leased: true,
            erased: true,
            last: 70_000,
            taken: 69_999,
            burst: 1_795_699_669_291,
            run: Some(1_795_699_689_291),
            lines: 10,
            seen: 576,
            fence: 5,
            nonce: u64::MAX,
            after: 1,
            crashes: 2,
            failures: 1,
            rest: None,
            said: Some(0),
        };
        let kept = packed(turn.write().unwrap());
        assert_eq!((kept.len(), Turn::read(&kept)), (64, Some(turn)));
        assert_eq!(Turn::read(&kept[1..]), None);
        let sends = Sends {
            at: Some(3),
            sending: true,
            fence: 4,
            sent: 3,
            count: 200,
            attempts: 2,
            doubts: 1,
            uncertain: true,
            ready: None,
            empty_at: 9,
            paced_until: 8,
            owner: b"p\0\0\0\0\0\x07".to_vec(),
            takeovers: 6,
        };
        let kept = packed(sends.write().unwrap());
        assert_eq!((kept.len(), Sends::read(&kept)), (58, Some(sends)));
        let ended = Ended {
            fence: 1,
            nonce: 2,
            how: b'r',
            number: 3,
        };
        let kept = packed(ended.write().unwrap());
        assert_eq!((kept.len(), Ended::read(&kept)), (21, Some(ended)));
    }

    #[test]
    fn a_number_that_is_larger_than_its_place_is_not_written() {
        let turn = |fence, crashes| Turn {
            fence,
            crashes,
            ..Turn::default()
        };
        assert!(turn((1 << 48) - 1, 255).write().is_some());
        assert!(turn(1 << 48, 0).write().is_none());
        assert!(turn(0, 256).write().is_none());
        let sends = |doubts| Sends {
            doubts,
            owner: b"b\0\0\0\0\0\0".to_vec(),
            ..Sends::default()
        };
        assert!(sends(65_535).write().is_some());
        assert!(sends(65_536).write().is_none());
    }

    #[test]
    fn the_text_of_format_1_says_the_same() {
        let turn = Turn::of_text(
            "5 4 17 - 10 5",
            Some("5 18140974028144592824 1 0 2 1 99"),
            Some("16"),
            false,
        );
        let turn = turn.unwrap();
        assert_eq!((turn.last, turn.taken, turn.burst, turn.run), (5, 4, 17, None));
        assert_eq!(
            (turn.nonce, turn.leased, turn.rest),
            (18_140_974_028_144_592_824, true, Some(99))
        );
        let sends = Sends::of_text(Some("- 0 5 4 1 1 3 -"), Some("7 6"), Some("p1800000000000 2")).unwrap();
        assert_eq!(
            (sends.fence, sends.sent, sends.doubts, sends.uncertain),
            (5, 4, 1, true)
        );
        assert_eq!((sends.empty_at, sends.paced_until, sends.takeovers), (7, 6, 2));
        assert_eq!(sends.owner[0], b'p');
        let ended = Ended::of_text("5 7 r12").unwrap();
        assert_eq!(
            (ended.fence, ended.nonce, ended.how, ended.number),
            (5, 7, b'r', 12)
        );
        assert_eq!(Turn::of_text("5 4 17", None, None, false), None);
    }
}
