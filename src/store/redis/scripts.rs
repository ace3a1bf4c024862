//! The steps as scripts: parts under `lua/` put together. Those that free or finish work run although Redis is full.

use super::Script;

macro_rules! script {
    ($($name:ident = $file:literal $head:literal [$($part:literal)*];)+) => {
        $(pub(super) static $name: Script = Script::new(
            $file,
            concat!($head, "\n", $(include_str!(concat!("lua/", $part, ".lua")), )* include_str!(concat!("lua/", $file, ".lua"))),
        );)+
        #[cfg(test)]
        pub(super) const ALL: &[&Script] = &[$(&$name),+];
    };
}

script! {
    INGEST = "ingest" "#!lua" ["clock" "contact" "event" "thread"];
    CLAIM = "claim" "#!lua flags=allow-oom" ["clock" "queues" "contact" "fields" "view" "park"];
    COMMIT = "commit" "#!lua flags=allow-oom" ["clock" "contact" "speak" "thread" "outbox"];
    FAIL = "fail" "#!lua flags=allow-oom" ["clock" "queues" "contact" "fields" "park"];
    PEEK = "peek" "#!lua flags=no-writes" ["clock" "contact" "fields" "outbox" "view"];
    SEND_CLAIM = "send_claim" "#!lua flags=allow-oom" ["clock" "contact" "outbox" "sending"];
    SENT = "sent" "#!lua flags=allow-oom" ["clock" "contact" "outbox"];
    SET_OWNER = "set_owner" "#!lua flags=allow-oom" ["clock" "queues" "contact" "fields" "speak" "outbox" "outbox_fields" "sending"];
    RECONCILE = "reconcile" "#!lua flags=allow-oom" ["clock" "queues" "contact" "fields" "fate" "outbox" "outbox_fields" "sending"];
    FIRE = "fire" "#!lua flags=allow-oom" ["clock" "queues" "contact" "fields" "event"];
    JOB_CLAIM = "job_claim" "#!lua flags=allow-oom" ["clock" "contact"];
    JOB_RENEW = "job_renew" "#!lua flags=allow-oom" ["clock" "contact"];
    JOB_DONE = "job_done" "#!lua flags=allow-oom" ["clock" "queues" "contact" "fields" "event"];
    JOIN = "join" "#!lua" ["clock" "queues" "contact" "fields"];
    ALIAS = "alias" "#!lua" ["clock"];
    HISTORY = "history" "#!lua flags=no-writes" ["clock" "contact" "fields" "fate" "outbox" "outbox_fields" "entry"];
    LOOK = "look" "#!lua flags=no-writes" ["clock"];
    REST = "rest" "#!lua flags=allow-oom" ["clock"];
    UNREAD = "unread" "#!lua flags=allow-oom" ["clock"];
    CONTACTS = "contacts" "#!lua flags=no-writes" ["clock"];
    PARKED = "parked" "#!lua flags=no-writes" ["clock"];
    QUARANTINE = "quarantine" "#!lua" ["clock"];
    SETTING = "setting" "#!lua" ["clock"];
    PLACE = "place" "#!lua flags=allow-oom" ["clock"];
    TOKENS = "tokens" "#!lua flags=allow-oom" ["clock"];
    WHOLE = "whole" "#!lua flags=no-writes" ["clock"];
    PUT = "put" "#!lua" ["clock" "queues"];
    UNPARK = "unpark" "#!lua flags=allow-oom" ["clock" "queues" "contact" "fields" "event"];
    FORGET = "forget" "#!lua flags=allow-oom" ["clock"];
    COUNT = "count" "#!lua flags=no-writes" ["clock"];
    WAITING = "waiting" "#!lua flags=no-writes" ["clock" "contact" "fields" "outbox" "outbox_fields"];
    ALL_OF = "all_of" "#!lua flags=no-writes" ["clock"];
    STUB = "stub" "#!lua" ["clock"];
    STONE = "stone" "#!lua" ["clock"];
    UPGRADE = "upgrade" "#!lua flags=allow-oom" ["clock" "contact" "outbox"];
    META = "meta" "#!lua flags=allow-oom" ["clock"];
}

macro_rules! parts {
    ($($name:literal)+) => {
        /// What a line `--< name` stands for: statements that several scripts share. They are put in the place of that line, for a
        /// function would cost each call its making, more than it does.
        pub(super) const PARTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("lua/", $name, ".lua")))),+];
    };
}

parts! {
    "aliases" "charge" "claimed" "earlier" "entry" "index" "next_head" "owner" "r" "r_packed" "s" "s_packed" "sending" "take" "thread_over" "thread_write"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the first line a server runs a script on keys of two slots, and one that is full lets it begin.
    #[test]
    fn every_script_says_what_it_is_and_decodes_no_payload() {
        for script in ALL {
            let (first, rest) = script.text().split_once('\n').unwrap();
            let known = ["#!lua", "#!lua flags=allow-oom", "#!lua flags=no-writes"];
            assert!(known.contains(&first), "{}: {first}", script.name);
            assert!(
                !rest.contains("--<"),
                "{} names a part that there is not",
                script.name
            );
            for decoder in ["cjson", "cmsgpack", "loadstring"] {
                assert!(!rest.contains(decoder), "{} uses {decoder}", script.name);
            }
        }
        assert!(
            INGEST.text().starts_with("#!lua\n"),
            "what comes in is refused while Redis is full"
        );
        for finishes in [
            &CLAIM,
            &COMMIT,
            &FAIL,
            &SEND_CLAIM,
            &SENT,
            &JOB_RENEW,
            &JOB_DONE,
            &FIRE,
        ] {
            assert!(finishes.text().contains("allow-oom"), "{}", finishes.name);
        }
    }
}
