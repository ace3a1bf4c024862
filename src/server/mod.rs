//! The server: everything between HTTP and the parts that know nothing of each other.

pub mod config;
