//! What a test looks at of a conversation that a server in its process holds: its thread, waited for.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

use std::time::Duration;

use switchboard::server::{Handle, Line, NoteKind, ThreadEntry};
use switchboard::store::ContactId;

/// How long a test waits for something that must come. Only a failure takes that long.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many lines are looked at.
const LINES: usize = 300;

/// Waits until the thread of a contact is as wanted, and gives it.
#[track_caller]
pub fn until<'a>(
    handle: &'a Handle,
    contact: ContactId,
    what: &'a str,
    wanted: impl Fn(&[ThreadEntry]) -> bool + 'a,
) -> impl Future<Output = Vec<ThreadEntry>> + 'a {
    let mut changes = handle.subscribe();
    async move {
        let wait = async {
            loop {
                let thread = handle.thread(contact, LINES).await.unwrap();
                if wanted(&thread) {
                    return thread;
                }
                // Not every change rings a bell of ours: look again now and then.
                let _ = tokio::time::timeout(Duration::from_millis(200), changes.recv()).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(thread) => thread,
            Err(_) => panic!(
                "waited in vain for {what}: {:#?}",
                handle.thread(contact, LINES).await
            ),
        }
    }
}

/// The words of our messages, sent or not.
pub fn bodies(thread: &[ThreadEntry]) -> Vec<String> {
    thread.iter().filter_map(body).collect()
}

/// The words of a message of ours.
pub fn body(entry: &ThreadEntry) -> Option<String> {
    let Some(Line::Ours(ours)) = &entry.line else {
        return None;
    };
    let step = serde_json::to_value(&ours.step).unwrap();
    Some(step["show"]["body"].as_str().unwrap_or_default().to_owned())
}

/// Notes for the team, of one kind.
pub fn notes(thread: &[ThreadEntry], wanted: NoteKind) -> Vec<String> {
    let note = |entry: &ThreadEntry| match &entry.line {
        Some(Line::Note { kind, text, .. }) if *kind == wanted => Some(text.clone()),
        _ => None,
    };
    thread.iter().filter_map(note).collect()
}
