//! Records that earlier versions wrote are still read, whole: what a conversation is made of lies in
//! `fixtures/records`, one export of a store for each version of the format. A file is written once and never again.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::engine::Memory;
use crate::server::inbound::mailbox::Item;
use crate::server::jobs::work::Work;
use crate::server::turns::session::Session;
use crate::server::turns::thread::Line;
use crate::store::{Bytes, Record, WholeContact};

/// One customer waits for a service and has written again meanwhile, another is in the middle of a menu.
const EXPORTS: [&str; 1] = [include_str!("../../fixtures/records/export-1.jsonl")];

fn contacts(export: &str) -> Vec<WholeContact> {
    let lines: Vec<&str> = export.lines().collect();
    let records = &lines[1..lines.len() - 1];
    let read = |line: &&str| match serde_json::from_str(line).expect("a record") {
        Record::Contact(contact) => Some(*contact),
        Record::Setting { .. } | Record::Tombstone(_) | Record::Quarantined(_) => None,
    };
    records.iter().filter_map(read).collect()
}

/// What earlier versions wrote out, and this one leaves out because it is read so.
fn goes_without_saying(name: &str, value: &Value) -> bool {
    match name {
        "mode" => value == "autopilot",
        "after_delivery" | "preview" | "template" => value == false,
        _ => false,
    }
}

/// Reads it as a `T`, of which nothing may get lost.
fn whole<T: DeserializeOwned + Serialize>(bytes: &Bytes) -> T {
    let mut written: Value = serde_json::from_slice(&bytes.0).expect("JSON");
    let read: T = serde_json::from_slice(&bytes.0).unwrap_or_else(|why| panic!("{why}: {written}"));
    let mut again = serde_json::to_value(&read).expect("JSON");
    leave_unsaid(&mut written);
    keep_only_known(&mut again, &written);
    assert_eq!(again, written);
    read
}

fn leave_unsaid(written: &mut Value) {
    match written {
        Value::Object(fields) => {
            fields.retain(|name, value| !goes_without_saying(name, value));
            fields.values_mut().for_each(leave_unsaid);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_unsaid),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Fields that this version adds are not in what an earlier one wrote.
fn keep_only_known(again: &mut Value, written: &Value) {
    match (again, written) {
        (Value::Object(again), Value::Object(written)) => {
            again.retain(|name, _| written.contains_key(name));
            for (name, value) in again {
                keep_only_known(value, &written[name]);
            }
        }
        (Value::Array(again), Value::Array(written)) => {
            for (value, written) in again.iter_mut().zip(written) {
                keep_only_known(value, written);
            }
        }
        _ => {}
    }
}

#[test]
fn every_record_of_an_earlier_version_is_read_whole() {
    for export in EXPORTS {
        let (mut sessions, mut memories, mut items, mut lines, mut jobs) = (0, 0, 0, 0, 0);
        for contact in contacts(export) {
            if let Some(session) = &contact.session {
                whole::<Session>(session);
                sessions += 1;
            }
            if let Some(memory) = &contact.memory {
                whole::<Memory>(memory);
                memories += 1;
            }
            let timers = contact.timers.iter().map(|timer| &timer.payload);
            for payload in contact.mailbox.iter().map(|event| &event.payload).chain(timers) {
                whole::<Item>(payload);
                items += 1;
            }
            for line in &contact.thread {
                let line = whole::<Line>(&line.payload);
                lines += usize::from(matches!(line, Line::Ours(_)));
            }
            for job in &contact.jobs {
                whole::<Work>(&job.payload);
                jobs += 1;
            }
        }
        assert_eq!((sessions, memories, jobs), (2, 2, 1));
        assert!(items >= 2 && lines >= 3, "{items} {lines}");
    }
}
