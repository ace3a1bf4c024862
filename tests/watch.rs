//! `--watch`: the real binary beside an editor that saves files.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use tempfile::TempDir;

const FLOW: &str = "\
flow front
starts on \"hi\"

step hello
  say \"Hello!\"
  done
";

const CHAT: &str = "\
chat \"Hello\"
  customer Maria

Maria: hi
Bot:   Hello!
";

/// A command that watches, and what it says.
struct Watching {
    child: Child,
    said: Receiver<String>,
    /// Lines that nobody waited for yet.
    heard: RefCell<Vec<String>>,
    folder: TempDir,
}

impl Watching {
    fn start(args: &[&str]) -> Watching {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("flows")).unwrap();
        write(folder.path(), "flows/front.flow", FLOW);
        write(folder.path(), "flows/front.chat", CHAT);
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, said) = mpsc::channel();
        listen(child.stdout.take().unwrap(), send.clone());
        listen(child.stderr.take().unwrap(), send);
        Watching {
            child,
            said,
            heard: RefCell::default(),
            folder,
        }
    }

    /// Waits for a line that holds these words. Each line counts once. Standard output and standard error are two
    /// pipes, so lines of one may be read before earlier ones of the other.
    #[track_caller]
    fn says(&self, words: &str) {
        let mut heard = self.heard.borrow_mut();
        loop {
            if let Some(place) = heard.iter().position(|line| line.contains(words)) {
                heard.remove(place);
                return;
            }
            match self.said.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => heard.push(line),
                Err(_) => panic!("no {words:?} in\n{}", heard.join("\n")),
            }
        }
    }

    fn write(&self, path: &str, text: &str) {
        write(self.folder.path(), path, text);
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(folder: &Path, path: &str, text: &str) {
    std::fs::write(folder.join(path), text).unwrap();
}

fn listen(from: impl Read + Send + 'static, send: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
}

#[test]
fn check_says_after_every_save_what_is_wrong_now() {
    let watching = Watching::start(&["check", "--watch", "--allow", "F209"]);
    watching.says("1 file, nothing to mend");
    watching.says("watching flows");
    watching.write("flows/front.flow", &FLOW.replace("done", "-> nowhere"));
    watching.says("flows/front.flow changed");
    watching.says("F101");
    watching.says("watching flows");
    watching.write("flows/front.flow", FLOW);
    watching.says("nothing to mend");
    // A file, and a folder, that were not there before.
    watching.says("watching flows");
    watching.write(
        "flows/other.flow",
        &FLOW.replace("front", "other").replace("hi", "bye"),
    );
    watching.says("2 files");
    watching.says("watching flows");
    std::fs::create_dir(watching.folder.path().join("flows/more")).unwrap();
    watching.says("watching flows");
    watching.write("flows/more/third.flow", "flow third\n");
    watching.says("flows/more/third.flow changed");
}

#[test]
fn test_plays_the_conversations_again_after_every_save() {
    let watching = Watching::start(&["test", "--watch"]);
    watching.says("1 passed, 0 failed");
    watching.says("watching flows");
    watching.write("flows/front.flow", &FLOW.replace("Hello!", "Good day!"));
    watching.says("0 passed, 1 failed");
    watching.says("watching flows");
    watching.write("flows/front.chat", &CHAT.replace("Hello!", "Good day!"));
    watching.says("1 passed, 0 failed");
}

#[test]
fn a_file_that_can_not_be_read_is_told_and_the_next_save_tries_again() {
    let watching = Watching::start(&["check", "--watch", "--allow", "F209"]);
    watching.says("watching flows");
    std::fs::write(watching.folder.path().join("flows/front.flow"), b"flow \xff\n").unwrap();
    watching.says("not UTF-8");
    watching.says("watching flows");
    watching.write("flows/front.flow", FLOW);
    watching.says("nothing to mend");
}
