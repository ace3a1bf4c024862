//! A step of the store as a script. Its SHA-1 is its version: two releases can run side by side, and a promoted replica
//! that has never seen it is given the text.

use std::sync::OnceLock;

/// One `.lua` file: `static INGEST: Script = Script::new("ingest", include_str!("ingest.lua"));`
#[derive(Debug)]
pub struct Script {
    pub name: &'static str,
    pub text: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    pub const fn new(name: &'static str, text: &'static str) -> Script {
        Script {
            name,
            text,
            sha1: OnceLock::new(),
        }
    }

    pub fn sha1(&self) -> &str {
        self.sha1
            .get_or_init(|| redis::Script::new(self.text).get_hash().to_owned())
    }
}
