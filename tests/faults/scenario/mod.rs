//! The scenarios, by what is broken.

mod kills;
mod provider;
mod stops;
mod webhooks;
