//! The scenarios, by what is broken.

mod clocks;
mod crowd;
mod kills;
mod losses;
mod mutants;
mod pace;
mod provider;
mod stops;
mod store;
mod webhooks;
mod wire;
