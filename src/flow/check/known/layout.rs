//! Which bit stands for which value.

use std::collections::HashMap;

use crate::flow::check::Shop;
use crate::flow::check::values::Values;
use crate::flow::check::walk;
use crate::flow::tree::StmtKind;

/// Which values are known for certain: one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn none(bits: usize) -> Bits {
        Bits(vec![0; bits.div_ceil(64)])
    }

    pub(super) fn get(&self, bit: usize) -> bool {
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    pub(super) fn set(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    pub(super) fn clear(&mut self, bit: usize) {
        self.0[bit / 64] &= !(1 << (bit % 64));
    }

    /// Keeps what both know; `true` if that is less than before.
    pub(super) fn meet(&mut self, other: &Bits) -> bool {
        let mut changed = false;
        for (one, other) in self.0.iter_mut().zip(&other.0) {
            changed |= *one & !other != 0;
            *one &= other;
        }
        changed
    }

    pub(super) fn union(&mut self, other: &Bits) {
        for (one, other) in self.0.iter_mut().zip(&other.0) {
            *one |= other;
        }
    }
}

/// `None`: no way leads here (so far).
pub(super) type State = Option<Bits>;

pub(super) fn join(one: State, other: State) -> State {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.meet(&other);
            Some(one)
        }
        (one, other) => one.or(other),
    }
}

/// Which bit is which value. Memory comes first, in every flow the same; then the flow's own values.
pub(super) struct Layout {
    pub(super) memory: HashMap<String, usize>,
    /// Memory with a default value is always known.
    pub(super) always: Vec<usize>,
    /// Facts of the customer's message.
    pub(super) turn: Vec<usize>,
    pub(super) in_every_message: Vec<usize>,
    /// By flow: names of its values and of unsure fields (`who.verified`).
    pub(super) own: Vec<HashMap<String, usize>>,
    pub(super) width: Vec<usize>,
    /// By flow: answers to private questions.
    pub(super) private: Vec<Vec<usize>>,
    /// Memory that some `on` forgets: after a wait it may be gone.
    pub(super) forgotten_meanwhile: Vec<usize>,
    /// By flow: memory that it forgets, also through flows that it calls.
    pub(super) forgets: Vec<Vec<usize>>,
}

/// Facts of the channel that may be missing.
const UNSURE: [&str; 4] = ["contact.phone", "contact.name", "contact.language", "agent.name"];

/// What belongs to the customer's message: gone as soon as something else (a service's answer, silence) wakes the chat.
const TURN: [&str; 5] = [
    "message.text",
    "message.kind",
    "message.file",
    "message.place",
    "topic",
];
/// Of these, what every message has.
const IN_EVERY_MESSAGE: [&str; 2] = ["message.text", "message.kind"];

impl Layout {
    pub(super) fn of(shop: &Shop, values: &Values) -> Layout {
        let mut memory = HashMap::new();
        let mut always = Vec::new();
        for field in shop.tree.business.iter().flat_map(|business| &business.memory) {
            let next = memory.len();
            let bit = *memory.entry(field.path.parts.join(".")).or_insert(next);
            if field.default.is_some() {
                always.push(bit);
            }
        }
        let mut bit_of = |name: &str| {
            let next = memory.len();
            *memory.entry(name.to_owned()).or_insert(next)
        };
        UNSURE.iter().for_each(|name| {
            bit_of(name);
        });
        let turn = TURN.map(&mut bit_of).into();
        let in_every_message = IN_EVERY_MESSAGE.map(&mut bit_of).into();
        let mut own = Vec::new();
        let mut width = Vec::new();
        for scope in &values.flows {
            let mut bits = HashMap::new();
            let mut next = memory.len();
            for var in &scope.vars {
                bits.insert(var.name.to_owned(), next);
                next += 1;
                for field in &var.unsure_fields {
                    bits.insert(format!("{}.{field}", var.name), next);
                    next += 1;
                }
            }
            own.push(bits);
            width.push(next);
        }
        let mut layout = Layout {
            memory,
            always,
            turn,
            in_every_message,
            own,
            width,
            forgotten_meanwhile: Vec::new(),
            forgets: vec![Vec::new(); shop.tree.flows.len()],
            private: vec![Vec::new(); shop.tree.flows.len()],
        };
        layout.note_private(shop);
        layout.note_forgotten(shop);
        layout
    }

    fn note_private(&mut self, shop: &Shop) {
        walk::statements(shop.tree, |home, stmt| {
            if let (Some(flow), StmtKind::Question(question)) = (home.flow, &stmt.kind)
                && question.private
                && let Some(name) = &question.name
                && let Some(bit) = self.own[flow].get(&name.text)
            {
                self.private[flow].push(*bit);
            }
        });
    }

    fn note_forgotten(&mut self, shop: &Shop) {
        let mut calls: Vec<Vec<usize>> = vec![Vec::new(); self.forgets.len()];
        walk::statements(shop.tree, |home, stmt| match &stmt.kind {
            StmtKind::Forget { fields } => {
                for field in fields {
                    let Some(bit) = self.memory.get(&field.parts.join(".")).copied() else {
                        continue;
                    };
                    if self.always.contains(&bit) {
                        continue;
                    }
                    match home.flow {
                        Some(flow) if home.step.is_some() => self.forgets[flow].push(bit),
                        _ => self.forgotten_meanwhile.push(bit),
                    }
                }
            }
            StmtKind::Do(call) => {
                if let (Some(flow), Some(called)) = (home.flow, shop.names.flow_index(&call.flow)) {
                    calls[flow].push(called);
                }
            }
            _ => {}
        });
        loop {
            let mut changed = false;
            for (flow, called) in calls.iter().enumerate() {
                for called in called {
                    for bit in self.forgets[*called].clone() {
                        if !self.forgets[flow].contains(&bit) {
                            self.forgets[flow].push(bit);
                            changed = true;
                        }
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// The bit that decides whether a path is known; `None` if it always is (or is no value at all: F401).
    pub(super) fn bit(&self, flow: Option<usize>, path: &[String]) -> Option<usize> {
        let root = path.first()?;
        let own = flow.map(|flow| &self.own[flow]);
        if let Some(field) = path.get(1) {
            let name = format!("{root}.{field}");
            if let Some(bit) = self
                .memory
                .get(&name)
                .or_else(|| own.and_then(|own| own.get(&name)))
            {
                return Some(*bit);
            }
        }
        own.and_then(|own| own.get(root))
            .or_else(|| self.memory.get(root))
            .copied()
    }

    pub(super) fn is_memory(&self, bit: usize) -> bool {
        bit < self.memory.len()
    }
}
