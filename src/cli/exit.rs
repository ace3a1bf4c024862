//! Exit codes, as documented in `switchboard --help`.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Good = 0,
    /// Mistakes found, a test failed, a file is not formatted, coverage is under the bar.
    Findings = 1,
    Usage = 2,
    /// This machine or its configuration must be fixed.
    Environment = 3,
    /// The other side refused or could not be reached.
    Remote = 4,
    /// Of a link: nobody scanned the code in time.
    NotScanned = 10,
    /// Another number was linked than the one that is planned.
    OtherNumber = 11,
    /// It is linked, and nobody knows whether the test message arrived.
    NotTested = 12,
    Replaced = 13,
    LoggedOut = 14,
    Banned = 15,
    Outdated = 16,
    LinkFailed = 17,
    /// A fault of ours.
    OurFault = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Gives an error its exit code: `error.context(Exit::Usage)`-like, through [`CodedError`].
#[derive(Debug)]
pub struct CodedError {
    pub exit: Exit,
    pub message: String,
}

impl std::fmt::Display for CodedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CodedError {}

impl Exit {
    /// An error that ends the command with this code.
    pub fn because(self, message: impl Into<String>) -> anyhow::Error {
        CodedError {
            exit: self,
            message: message.into(),
        }
        .into()
    }

    /// The code of an error; what has none is of the environment (files that can't be read and the like).
    pub fn of(error: &anyhow::Error) -> Exit {
        error
            .downcast_ref::<CodedError>()
            .map_or(Exit::Environment, |coded| coded.exit)
    }
}
