//! What people and the business's own systems ask of a running server: conversations, chats taken and given back,
//! notifications, and one look at everything.

pub(super) mod handle;
pub(super) mod masked;
pub(super) mod notify;
pub(super) mod operators;
pub mod overview;
pub(super) mod readable;
