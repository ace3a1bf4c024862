//! One turn after the other: what is due is found, handed out, answered by the machine and committed.

pub(super) mod acts;
pub(super) mod desk;
pub(super) mod dispatch;
pub(super) mod notes;
pub(super) mod session;
pub(super) mod shown;
pub(super) mod thread;
pub(super) mod turn;
pub(super) mod worker;
