//! Who is worked on: contacts stand in line, so many at a time are at work, and each only once. First come, first
//! served, so that one busy contact can't hold back the others: called while it is at work, it stands at the end again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::server::parts::{Shared, lock};
use crate::store::ContactId;

/// Above this nobody is let in: the store knows them all, and is asked again once the line is gone.
const LONGEST_LINE: usize = 4096;

#[derive(Debug)]
pub(in crate::server) struct Desk {
    seats: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    line: VecDeque<ContactId>,
    /// Everybody in line or at work.
    known: HashMap<ContactId, Stand>,
    at_work: usize,
    /// Somebody was not let in.
    full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    InLine,
    /// What is called now will be seen.
    Seated,
    /// What is called now may have been overlooked.
    Claimed,
    CalledAgain,
}

impl Desk {
    pub fn new(seats: usize) -> Desk {
        Desk {
            seats: seats.max(1),
            state: Mutex::new(State::default()),
        }
    }

    /// There is work for this contact.
    pub fn call(&self, contact: ContactId) {
        let mut state = lock(&self.state);
        match state.known.get(&contact) {
            Some(Stand::Claimed) => {
                state.known.insert(contact, Stand::CalledAgain);
            }
            Some(Stand::InLine | Stand::Seated | Stand::CalledAgain) => {}
            None if state.line.len() >= LONGEST_LINE => state.full = true,
            None => {
                state.line.push_back(contact);
                state.known.insert(contact, Stand::InLine);
            }
        }
    }

    /// Seats the first in line, if a seat is free.
    pub fn next(&self) -> Option<ContactId> {
        let mut state = lock(&self.state);
        if state.at_work >= self.seats {
            return None;
        }
        let contact = state.line.pop_front()?;
        state.known.insert(contact, Stand::Seated);
        state.at_work += 1;
        Some(contact)
    }

    /// Seats a contact past the line, if nobody stands in it.
    pub fn sit(&self, contact: ContactId) -> bool {
        let mut state = lock(&self.state);
        let free = state.at_work < self.seats && state.line.is_empty() && !state.known.contains_key(&contact);
        if free {
            state.known.insert(contact, Stand::Claimed);
            state.at_work += 1;
        }
        free
    }

    /// What was there for a seated contact has been taken.
    fn claimed(&self, contact: ContactId) {
        if let Some(stand @ Stand::Seated) = lock(&self.state).known.get_mut(&contact) {
            *stand = Stand::Claimed;
        }
    }

    /// Frees a seat. `true`: look for those who were not let in.
    fn rise(&self, contact: ContactId) -> bool {
        let mut state = lock(&self.state);
        state.at_work = state.at_work.saturating_sub(1);
        if state.known.remove(&contact) == Some(Stand::CalledAgain) {
            state.line.push_back(contact);
            state.known.insert(contact, Stand::InLine);
        }
        state.line.is_empty() && std::mem::take(&mut state.full)
    }
}

/// Which desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Task {
    Turn,
    Send,
}

/// A contact's seat; free again when it is dropped, however its work ended.
#[derive(Debug)]
pub(in crate::server) struct Seat {
    shared: Arc<Shared>,
    task: Task,
    pub contact: ContactId,
}

impl Seat {
    /// The seat that [`Desk::next`] or [`Desk::sit`] gave.
    pub fn of(shared: &Arc<Shared>, task: Task, contact: ContactId) -> Seat {
        Seat {
            shared: shared.clone(),
            task,
            contact,
        }
    }

    pub fn claimed(&self) {
        self.shared.desk(self.task).claimed(self.contact);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let look = self.shared.desk(self.task).rise(self.contact);
        // Nobody takes over the line after a panic.
        if look || std::thread::panicking() {
            self.shared.bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(n: u8) -> ContactId {
        ContactId([n; 16])
    }

    #[test]
    fn a_busy_contact_stands_behind_those_who_came_meanwhile() {
        let desk = Desk::new(1);
        desk.call(contact(1));
        desk.call(contact(1));
        assert_eq!(desk.next(), Some(contact(1)));
        desk.claimed(contact(1));
        for n in [1, 2, 1] {
            desk.call(contact(n));
        }
        assert_eq!(desk.next(), None, "one seat");
        assert!(!desk.rise(contact(1)));
        assert_eq!(desk.next(), Some(contact(2)));
        desk.rise(contact(2));
        assert_eq!(desk.next(), Some(contact(1)), "it was called again");
        desk.rise(contact(1));
        assert_eq!(desk.next(), None);
    }

    #[test]
    fn what_is_called_before_the_claim_is_seen_by_it() {
        let desk = Desk::new(2);
        desk.call(contact(1));
        assert_eq!(desk.next(), Some(contact(1)));
        desk.call(contact(1));
        desk.claimed(contact(1));
        desk.rise(contact(1));
        assert_eq!(desk.next(), None);
    }

    #[test]
    fn nobody_sits_past_a_line_or_twice() {
        let desk = Desk::new(2);
        assert!(desk.sit(contact(1)));
        assert!(!desk.sit(contact(1)), "at work already");
        desk.call(contact(2));
        assert!(!desk.sit(contact(3)), "somebody stands in line");
        assert_eq!(desk.next(), Some(contact(2)));
        assert!(!desk.sit(contact(3)), "no seat is free");
    }

    #[test]
    fn whoever_is_not_let_in_is_looked_for_once_the_line_is_gone() {
        let desk = Desk::new(1);
        let all = LONGEST_LINE + 5;
        let id = |n: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_le_bytes());
            ContactId(id)
        };
        for n in 0..all {
            desk.call(id(n));
        }
        let (mut served, mut look) = (0, false);
        while let Some(contact) = desk.next() {
            assert!(!look, "somebody is still in line");
            look = desk.rise(contact);
            served += 1;
        }
        assert_eq!((served, look), (LONGEST_LINE, true));
    }
}
