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

    /// What the server runs. Where there are failpoints, `SWITCHBOARD_MUTANT` takes a check out of one script, so that the
    /// fault harness can show that it notices: `<name>`, what is there, and what takes its place, a tab between them.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| {
            #[cfg(any(debug_assertions, feature = "failpoints"))]
            if let Ok(mutant) = std::env::var("SWITCHBOARD_MUTANT")
                && let [name, out, instead] = mutant.split('\t').collect::<Vec<_>>()[..]
                && name == self.name
            {
                let found = self.built_in.matches(out).count();
                assert!(
                    found == 1,
                    "{out:?} stands {found} times in the script {name}: a test asked for it"
                );
                return Cow::Owned(self.built_in.replace(out, instead));
            }
            Cow::Borrowed(self.built_in)
        })
    }

    pub fn sha1(&self) -> &str {
        self.sha1
            .get_or_init(|| redis::Script::new(self.text()).get_hash().to_owned())
    }
}
