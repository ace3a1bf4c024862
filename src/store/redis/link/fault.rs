//! What it means when a command fails: whether anything was written, and what to do about it.
//!
//! Refused before it began is `Unavailable` or `Full`. No answer, a broken connection, and a script that stopped half
//! way (Redis does not roll back) are `Unknown`: it may have happened.

use redis::{RedisError, ServerError, Value};

use super::address::Endpoint;
use super::door::Target;
use crate::store::StoreError;

/// An answer with a refusal as the error it means.
pub(super) fn answered(value: Value) -> Result<Value, StoreError> {
    match value {
        Value::ServerError(why) => Err(refusal(why.code(), why.details().unwrap_or_default())),
        value => Ok(value),
    }
}

/// The refusal of the server within an error, or the error, if it is one of the connection.
pub(super) fn said(why: RedisError) -> Result<Value, RedisError> {
    ServerError::try_from(why).map(Value::ServerError)
}

/// The connection broke after the command may have left.
pub(super) fn broken(target: &Target, why: &RedisError) -> StoreError {
    StoreError::Unknown(format!("the connection to {target} broke ({why})"))
}

/// What else a server's answer can ask of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hint {
    /// It does not know the script yet.
    Text,
    /// The slot lives there.
    Moved(Endpoint),
    /// The slot is moving there; this once, ask there.
    Ask(Endpoint),
    /// This is not the server to write to; look again for the one that is.
    Look,
    None,
}

/// `from` names the host where a redirection names none.
pub(super) fn hint(value: &Value, from: Option<&Target>) -> Hint {
    let Value::ServerError(why) = value else {
        return Hint::None;
    };
    let to = || redirected(why.details().unwrap_or_default(), from);
    match why.code() {
        "NOSCRIPT" => Hint::Text,
        "MOVED" => to().map_or(Hint::Look, Hint::Moved),
        "ASK" => to().map_or(Hint::Look, Hint::Ask),
        "READONLY" | "CLUSTERDOWN" | "MASTERDOWN" => Hint::Look,
        _ => Hint::None,
    }
}

/// `3999 127.0.0.1:6381`; an address without brackets may be one of IPv6.
fn redirected(detail: &str, from: Option<&Target>) -> Option<Endpoint> {
    let (host, port) = detail.split_whitespace().nth(1)?.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match (host, from) {
        ("", Some(Target::Network(from))) => from.host.clone(),
        ("" | "?", _) => return None,
        (host, _) => host.to_owned(),
    };
    Some(Endpoint { host, port })
}

/// For an error that the server answered: its first word, and the rest.
fn refusal(code: &str, detail: &str) -> StoreError {
    let says = format!("{code} {detail}").trim_end().to_owned();
    match code {
        "OOM" => StoreError::Full(format!("Redis has reached its `maxmemory` ({says})")),
        "LOADING" => StoreError::Unavailable("Redis is still reading its data from disk; wait".into()),
        "CLUSTERDOWN" => StoreError::Unavailable(format!(
            "the cluster has no master for these data; bring one back ({says})"
        )),
        "MOVED" => StoreError::Unavailable(format!(
            "this is a node of a cluster, or the cluster is being changed; write redis+cluster:// for a cluster ({says})"
        )),
        "MASTERDOWN" | "TRYAGAIN" | "ASK" => {
            StoreError::Unavailable(format!("the data are being moved between servers; wait ({says})"))
        }
        "READONLY" => StoreError::Unavailable(format!(
            "this Redis is a replica; wait for the failover, or name the primary ({says})"
        )),
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
        "ERR" if detail.contains("max number of clients") => StoreError::Unavailable(format!(
            "Redis has no connection left; raise its `maxclients` ({says})"
        )),
        _ => StoreError::Unknown(format!(
            "Redis answers {says}; this is a fault of Switchboard, please report it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()
    }

    fn meant(line: &str) -> StoreError {
        answered(value(line)).expect_err(line)
    }

    #[test]
    fn what_is_refused_before_it_begins_was_not_written() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "CLUSTERDOWN Hash slot not served",
            "NOREPLICAS Not enough good replicas to write.",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MISCONF Errors writing to the AOF file: No space left on device",
            "BUSY Redis is busy running a script.",
            "NOAUTH Authentication required.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "ERR max number of clients reached",
        ] {
            assert!(matches!(meant(line), StoreError::Unavailable(_)), "{line}");
        }
        let full = meant("OOM command not allowed when used memory > 'maxmemory'.");
        assert!(matches!(full, StoreError::Full(_)));
    }

    #[test]
    fn a_script_that_stops_half_way_may_have_written() {
        for line in [
            "WRONGTYPE Operation against a key holding the wrong kind of value script: b43be07, on @user_script:2.",
            "ERR user_script:2: Script attempted to access nonexistent global variable 'foo'",
        ] {
            assert!(matches!(meant(line), StoreError::Unknown(_)), "{line}");
        }
        let io = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        let io = said(io).expect_err("no refusal");
        assert!(matches!(
            broken(&Target::Socket("/s".into()), &io),
            StoreError::Unknown(_)
        ));
    }

    #[test]
    fn a_redirection_names_its_server_or_means_the_one_that_spoke() {
        let endpoint = |host: &str| Endpoint {
            host: host.into(),
            port: 6381,
        };
        let from = Target::Network(endpoint("10.0.0.7"));
        let hinted = |line: &str| hint(&value(line), Some(&from));
        assert_eq!(
            hinted("MOVED 3999 127.0.0.1:6381"),
            Hint::Moved(endpoint("127.0.0.1"))
        );
        assert_eq!(hinted("ASK 3999 ::1:6381"), Hint::Ask(endpoint("::1")));
        assert_eq!(hinted("MOVED 3999 :6381"), Hint::Moved(endpoint("10.0.0.7")));
        assert_eq!(hinted("MOVED 3999 ?:6381"), Hint::Look);
        assert_eq!(hinted("READONLY You can't write"), Hint::Look);
        assert_eq!(hinted("NOSCRIPT No matching script."), Hint::Text);
        assert_eq!(hinted("OOM command not allowed"), Hint::None);
    }
}
