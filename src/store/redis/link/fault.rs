//! What it means when a command fails: whether anything was written, and what to do about it.

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

use crate::store::StoreError;

/// The answer to one command, with a refusal of the server as an error.
pub(super) fn answered(answer: Result<Value, RedisError>) -> Result<Value, StoreError> {
    match answer.and_then(Value::extract_error) {
        Ok(value) => Ok(value),
        Err(why) => Err(of(&why)),
    }
}

pub(super) fn no_script(answer: &Result<Value, RedisError>) -> bool {
    match answer {
        Ok(Value::ServerError(why)) => why.kind() == Some(ServerErrorKind::NoScript),
        Err(why) => why.kind() == ErrorKind::Server(ServerErrorKind::NoScript),
        Ok(_) => false,
    }
}

/// For an error that a command met, not the opening of a connection.
pub(super) fn of(why: &RedisError) -> StoreError {
    let detail = why.detail().unwrap_or_default();
    if let Some(code) = why.code() {
        return refusal(code, detail);
    }
    // Io, parse faults and all else that breaks a connection: the server may have done it.
    StoreError::Unknown(why.to_string())
}

/// For an error that the server answered: its first word, and the rest.
pub(super) fn refusal(code: &str, detail: &str) -> StoreError {
    let says = format!("{code} {detail}").trim_end().to_owned();
    match code {
        // Refused before anything was written.
        "OOM" => StoreError::Full(format!("Redis has reached its `maxmemory` ({says})")),
        "LOADING" => StoreError::Unavailable("Redis is still reading its data from disk; wait".into()),
        "CLUSTERDOWN" | "MASTERDOWN" | "TRYAGAIN" | "READONLY" | "MOVED" | "ASK" => StoreError::Unavailable(
            format!("the data is being moved to another server ({says}); wait"),
        ),
        "NOREPLICAS" => StoreError::Unavailable(format!(
            "Redis has too few replicas in step (`min-replicas-to-write`); bring one back ({says})"
        )),
        "MISCONF" => {
            StoreError::Unavailable(format!("Redis can't write to its disk; mend the disk ({says})"))
        }
        "BUSY" => StoreError::Unavailable(format!("a script has kept Redis busy for seconds ({says})")),
        "NOAUTH" | "WRONGPASS" => StoreError::Unavailable(format!(
            "Redis refuses the user or the password; mend them in the configuration ({says})"
        )),
        "NOPERM" => StoreError::Unavailable(format!(
            "Redis does not let this user do that; give it the commands and keys of the documented ACL ({says})"
        )),
        // A script that fails half way is not rolled back.
        _ => StoreError::Unknown(format!(
            "Redis answers {says}; this is a fault of Switchboard, please report it"
        )),
    }
}
