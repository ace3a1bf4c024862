//! Tests of the command line as stories: files, a command, what it must say.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// A folder with files, in which commands are run.
pub struct Story {
    folder: Arc<TempDir>,
    input: String,
}

impl Story {
    pub fn new() -> Story {
        Story {
            folder: Arc::new(TempDir::new().expect("a temporary folder")),
            input: String::new(),
        }
    }

    pub fn file(self, path: &str, text: &str) -> Story {
        self.bytes(path, text.as_bytes())
    }

    pub fn bytes(self, path: &str, bytes: &[u8]) -> Story {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder for the file");
        std::fs::write(path, bytes).expect("the file");
        self
    }

    /// The same folder, with something on standard input.
    pub fn input(&self, input: &str) -> Story {
        Story {
            folder: Arc::clone(&self.folder),
            input: input.to_owned(),
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).expect("the file")
    }

    pub fn run<const N: usize>(&self, args: [&str; N]) -> Ran {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(args)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .write_stdin(self.input.as_str())
            .output()
            .expect("the command starts");
        Ran {
            command: args.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What a command said.
pub struct Ran {
    command: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn code(self, code: i32) -> Ran {
        assert_eq!(
            self.code,
            Some(code),
            "{}\n{}\n{}",
            self.command,
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn stdout(self, wanted: &str) -> Ran {
        assert_eq!(self.stdout, wanted, "{}\n{}", self.command, self.stderr);
        self
    }

    #[track_caller]
    pub fn stdout_has(self, wanted: &str) -> Ran {
        assert!(
            self.stdout.contains(wanted),
            "{}: no {wanted:?} in\n{}\n{}",
            self.command,
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn stderr_has(self, wanted: &str) -> Ran {
        assert!(
            self.stderr.contains(wanted),
            "{}: no {wanted:?} in\n{}",
            self.command,
            self.stderr
        );
        self
    }

    /// Whether it said this line, to whom it may be.
    #[track_caller]
    pub fn has(&self, line: &str) {
        let said = format!("{}\n{}", self.stdout, self.stderr);
        assert!(
            said.lines().any(|said| said == line),
            "{}: no line {line:?} in\n{said}",
            self.command
        );
    }

    pub fn stdout_text(&self) -> String {
        self.stdout.clone()
    }
}
