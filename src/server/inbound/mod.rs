//! From a provider's bytes to mailboxes: connections, webhooks, who writes, and what lies in a mailbox then.

pub(super) mod http;
pub(super) mod identity;
pub(super) mod mailbox;
pub(super) mod people;
pub(super) mod shortcut;
pub(super) mod webhook;
