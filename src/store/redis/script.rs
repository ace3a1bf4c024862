//! A step of the store as a script. Its SHA-1 is its version: two releases can run side by side, and a promoted replica
//! that has never seen it is given the text.

use std::sync::OnceLock;

use super::scripts::PARTS;

/// One `.lua` file: `static INGEST: Script = Script::new("ingest", include_str!("ingest.lua"));`
#[derive(Debug)]
pub struct Script {
    pub name: &'static str,
    built_in: &'static str,
    text: OnceLock<String>,
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

    /// What the server runs: each line `--< name` replaced by the part of that name. Where there are failpoints,
    /// `SWITCHBOARD_MUTANT` takes a check out of one script, so that the fault harness can show that it notices: `<name>`,
    /// what is there, and what takes its place, a tab between them.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let whole = put_together(self.built_in);
            #[cfg(any(debug_assertions, feature = "failpoints"))]
            if let Ok(mutant) = std::env::var("SWITCHBOARD_MUTANT")
                && let [name, out, instead] = mutant.split('\t').collect::<Vec<_>>()[..]
                && name == self.name
            {
                let found = whole.matches(out).count();
                assert!(
                    found == 1,
                    "{out:?} stands {found} times in the script {name}: a test asked for it"
                );
                return whole.replace(out, instead);
            }
            whole
        })
    }

    pub fn sha1(&self) -> &str {
        self.sha1
            .get_or_init(|| redis::Script::new(self.text()).get_hash().to_owned())
    }
}

/// Parts may have parts of their own. A name that no part has stays a comment, and a test finds it.
fn put_together(text: &str) -> String {
    let mut whole = String::with_capacity(2 * text.len());
    for line in text.split_inclusive('\n') {
        let part = line
            .strip_prefix("--< ")
            .and_then(|name| PARTS.iter().find(|(part, _)| *part == name.trim_end()));
        match part {
            Some((_, part)) => whole.push_str(&put_together(part)),
            None => whole.push_str(line),
        }
    }
    whole
}
