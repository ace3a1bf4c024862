//! A step of the store as a script. Its SHA-1 is its version: two releases can run side by side, and a promoted replica
//! that has never seen it is given the text.

use std::borrow::Cow;
use std::sync::OnceLock;

/// One `.lua` file: `static INGEST: Script = Script::new("ingest", include_str!("ingest.lua"));`
#[derive(Debug)]
pub struct Script {
    pub name: &'static str,
    built_in: &'static str,
    text: OnceLock<Cow<'static, str>>,
    sha1: OnceLock<String>,
}

impl Script {
    pub const fn new(name: &'static str, built_in: &'static str) -> Script {
        Script {
            name,
            built_in,
            text: OnceLock::new(),
            sha1: OnceLock::new(),
        }
    }

    /// What the server runs. Where there are failpoints, `SWITCHBOARD_SCRIPTS` names a folder whose `<name>.lua` is run
    /// instead: the fault harness takes a check out in this way, and has to notice.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| {
            #[cfg(any(debug_assertions, feature = "failpoints"))]
            if let Some(folder) = std::env::var_os("SWITCHBOARD_SCRIPTS") {
                let path = std::path::Path::new(&folder).join(format!("{}.lua", self.name));
                if let Ok(text) = std::fs::read_to_string(path) {
                    return Cow::Owned(text);
                }
            }
            Cow::Borrowed(self.built_in)
        })
    }

    pub fn sha1(&self) -> &str {
        self.sha1
            .get_or_init(|| redis::Script::new(self.text()).get_hash().to_owned())
    }
}
