//! What a test run tells people: a failure reads like the chat with one line marked; JUnit for machines.

use std::time::Duration;

use quick_junit::{NonSuccessKind, NonSuccessReruns, Report, TestCase, TestCaseStatus, TestSuite};

use super::run::{Different, Failure, Played};
use super::story::Story;

/// One file's stories and how they went.
#[derive(Debug)]
pub struct Ran {
    pub file: String,
    pub text: String,
    pub stories: Vec<(Story, Played)>,
    /// Why the file can't be read, if so: a sentence each.
    pub mistakes: Vec<String>,
}

/// A failed story as text.
pub fn failure(file: &str, text: &str, story: &Story, played: &Played, failure: &Failure) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = format!("FAIL  {file}:{}  {:?}\n\n", story.line, story.title);
    let (first, last) = failed_lines(story, failure);
    let from = story
        .beats
        .get(failure.beat.saturating_sub(3))
        .map_or(first, |beat| beat.first_line.min(first));
    for number in from..first {
        if let Some(line) = lines
            .get(number as usize - 1)
            .filter(|line| !line.trim().is_empty())
        {
            out += &format!("  {number:>4} | {line}\n");
        }
    }
    let mut original = |mark: &str| {
        for number in first..=last {
            if let Some(line) = lines.get(number as usize - 1) {
                out += &format!("  {number:>4} {mark} {line}\n");
            }
        }
    };
    match &failure.kind {
        Different::Said { said, .. } => {
            original("-");
            said.shown
                .lines()
                .iter()
                .for_each(|line| out += &format!("       + {line}\n"));
            if let Some(at) = &said.at {
                out += &format!("         said at {at}\n");
            }
        }
        Different::Unexpected { said } => {
            said.shown
                .lines()
                .iter()
                .for_each(|line| out += &format!("       + {line}\n"));
            let at = said
                .at
                .as_ref()
                .map(|at| format!(", said at {at}"))
                .unwrap_or_default();
            out += &format!("         This is not in the transcript{at}.\n");
        }
        Different::Missing { .. } => {
            original("-");
            out += "         Nothing was said here.\n";
        }
        Different::Untrue { why, .. } => {
            original("✗");
            out += &format!("         Not so: {why}.\n");
        }
        Different::Stuck(stuck) => {
            original("✗");
            stuck
                .to_string()
                .lines()
                .for_each(|line| out += &format!("         {line}\n"));
        }
    }
    out += &format!("  Stopped here, in {}.\n", played.stands);
    for (name, value) in played.values.iter().take(8) {
        out += &format!("  {name} is {value}\n");
    }
    if let Different::Said { .. } | Different::Unexpected { .. } | Different::Missing { .. } = failure.kind {
        out += &format!(
            "  Is the new text right?  switchboard test --bless {file}:{}\n",
            story.line
        );
    }
    out
}

/// The lines that the failure is about.
fn failed_lines(story: &Story, failure: &Failure) -> (u32, u32) {
    match story.beats.get(failure.beat) {
        Some(beat) => (beat.first_line, beat.last_line),
        None => {
            let end = story.beats.last().map_or(story.line, |beat| beat.last_line) + 1;
            (end, end)
        }
    }
}

/// The whole run as JUnit XML. Times are left out: the same run gives the same file.
pub fn junit(runs: &[Ran]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("switchboard test");
    for run in runs {
        let mut suite = TestSuite::new(run.file.as_str());
        for (story, played) in &run.stories {
            let status = match &played.failure {
                None => TestCaseStatus::success(),
                Some(failed) => TestCaseStatus::NonSuccess {
                    kind: NonSuccessKind::Failure,
                    message: Some(headline(failed).into()),
                    ty: Some("conversation".into()),
                    description: Some(failure(&run.file, &run.text, story, played, failed).into()),
                    reruns: NonSuccessReruns::default(),
                },
            };
            let mut case = TestCase::new(story.title.as_str(), status);
            case.set_classname(run.file.as_str());
            case.set_time(Duration::ZERO);
            suite.add_test_case(case);
        }
        if let Some(first) = run.mistakes.first() {
            let status = TestCaseStatus::NonSuccess {
                kind: NonSuccessKind::Error,
                message: Some(first.as_str().into()),
                ty: Some("unreadable".into()),
                description: Some(run.mistakes.join("\n").into()),
                reruns: NonSuccessReruns::default(),
            };
            let mut case = TestCase::new("the file can be read", status);
            case.set_classname(run.file.as_str());
            case.set_time(Duration::ZERO);
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}

/// The failure in one line.
pub fn headline(failure: &Failure) -> String {
    match &failure.kind {
        Different::Said { .. } => "the bot says something else".to_owned(),
        Different::Missing { .. } => "the bot says nothing here".to_owned(),
        Different::Unexpected { .. } => "the bot says something that is not in the transcript".to_owned(),
        Different::Untrue { line, why } => format!("line {line}: {why}"),
        Different::Stuck(stuck) => stuck.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}
