//! Whether everything is well: the store with a watch in hand, metrics, traces, health, and the doctor.

pub mod doctor;
pub(super) mod health;
pub(super) mod measured;
pub(super) mod metrics;
pub(super) mod pulse;
pub mod traces;
