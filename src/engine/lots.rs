//! What chance decides, without chance: the contact's lot makes a choice that is the same each time it is replayed.

use super::run::Run;
use super::turn::{Log, Noted};
use crate::flow::program::{Pc, TextIx};
use crate::flow::value::Value;

/// A number from what is given, evenly spread.
fn draw(lot: u64, name: &str, count: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&lot.to_le_bytes());
    hasher.update(&count.to_le_bytes());
    hasher.update(name.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

impl Run<'_> {
    /// One of several wordings: another one each time for each contact.
    pub(super) fn one_of(&self, text: TextIx, or: &[TextIx]) -> TextIx {
        if or.is_empty() {
            return text;
        }
        let name = &self.m.program.texts[text as usize].name;
        let all = or.len() as u64 + 1;
        let drawn = draw(self.memory.lot, name, self.p.visits.wrapping_add(self.p.session)) % all;
        match usize::try_from(drawn).ok().and_then(|drawn| drawn.checked_sub(1)) {
            Some(other) => or.get(other).copied().unwrap_or(text),
            None => text,
        }
    }

    /// The contact's way of a split; it depends on nothing but the contact, the name and the shares.
    pub(super) fn split(&mut self, name: &str, ways: &[(u32, Pc)]) -> Option<Pc> {
        let drawn = draw(self.memory.lot, name, 0) % 100;
        let mut upto = 0;
        let taken = ways.iter().position(|(percent, _)| {
            upto += u64::from(*percent);
            drawn < upto
        });
        let at = taken.or(ways.len().checked_sub(1))?;
        let way = at as u32 + 1;
        self.log.push(Log::Split {
            name: name.to_owned(),
            way,
        });
        self.noted(Noted::Record {
            name: name.to_owned(),
            value: Some(Value::Number(way.into())),
        });
        Some(ways[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_are_spread_over_all_ways_and_stay() {
        let mut ways = [0; 4];
        for lot in 0..4_000 {
            let way = draw(lot, "wording", 0) % 4;
            assert_eq!(way, draw(lot, "wording", 0) % 4);
            ways[way as usize] += 1;
        }
        assert!(ways.iter().all(|count| (900..1_100).contains(count)), "{ways:?}");
    }
}
