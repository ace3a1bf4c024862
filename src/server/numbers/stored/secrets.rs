//! Secrets in the store: put there, opened for those who use them, sealed again under a new key.

use secrecy::SecretString;

use super::held::Held;
use super::{HELD, StoredError, Written};
use crate::server::config::Config;
use crate::server::numbers::door::Door;
use crate::server::numbers::sealed::{SealError, Sealed, SealingKeys};

const PLACE: &str = "secret/";

fn keys(config: &Config) -> Result<&SealingKeys, StoredError> {
    Ok(config.store_key.as_ref().ok_or(SealError::NoKey)?)
}

fn place_of(name: &str) -> String {
    format!("{PLACE}{name}")
}

fn read(name: &str, bytes: &[u8]) -> Result<Sealed, StoredError> {
    let damaged = |_| SealError::Damaged {
        secret: name.to_owned(),
    };
    Ok(serde_json::from_slice(bytes).map_err(damaged)?)
}

fn written(sealed: &Sealed) -> Vec<u8> {
    // Numbers and strings: nothing in it can fail to be written.
    serde_json::to_vec(sealed).unwrap_or_default()
}

/// `None`: the store has no secret of this name.
pub(super) async fn open(
    config: &Config,
    door: &Door,
    name: &str,
) -> Result<Option<SecretString>, StoredError> {
    let Some(bytes) = door.get(&place_of(name)).await? else {
        return Ok(None);
    };
    Ok(Some(keys(config)?.open(name, &read(name, &bytes)?)?))
}

/// Seals a secret and puts it into the store. `true`: some number uses it.
///
/// # Errors
/// If the configuration has no key, the name can't be one, or the store can't be written.
pub async fn put_secret(
    written: &Written,
    door: &Door,
    name: &str,
    value: &SecretString,
) -> Result<bool, StoredError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
        let why = format!("{name:?} can't name a secret; use up to 100 letters a-z, digits, -, _ and .");
        return Err(StoredError::Asked(why));
    }
    put(&written.config, door, name, value).await?;
    let now = door.now();
    door.change(HELD, |seen| {
        let mut held = Held::read(seen)?;
        if !held.secrets(now).iter().any(|used| used == name) {
            return Ok((seen.map(<[u8]>::to_vec), false));
        }
        held.turn += 1;
        Ok((Some(held.written()?), true))
    })
    .await
}

pub(super) async fn put(
    config: &Config,
    door: &Door,
    name: &str,
    value: &SecretString,
) -> Result<(), StoredError> {
    let sealed = written(&keys(config)?.seal(name, value)?);
    door.change(&place_of(name), |_| Ok((Some(sealed.clone()), ())))
        .await
}

pub(super) async fn forget(door: &Door, name: &str) -> Result<(), StoredError> {
    door.change(&place_of(name), |_| Ok((None, ()))).await
}

/// The names of all secrets.
pub(super) async fn names(door: &Door) -> Result<Vec<String>, StoredError> {
    let listed = door.list(PLACE).await?;
    let name = |(key, _): (String, Vec<u8>)| key.strip_prefix(PLACE).map(str::to_owned);
    Ok(listed.into_iter().filter_map(name).collect())
}

/// Seals what was sealed with a former key with the first one, so that the former one can go. Gives how many there were,
/// and how many there are.
///
/// # Errors
/// If one can't be opened; those before it are done.
pub async fn reseal(config: &Config, door: &Door) -> Result<(usize, usize), StoredError> {
    let keys = keys(config)?;
    let listed = door.list(PLACE).await?;
    let (mut done, all) = (0, listed.len());
    for (key, bytes) in listed {
        let name = key.strip_prefix(PLACE).unwrap_or(&key);
        let sealed = read(name, &bytes)?;
        if keys.is_current(&sealed) {
            continue;
        }
        let again = written(&keys.seal(name, &keys.open(name, &sealed)?)?);
        // Who sets it anew meanwhile seals it with the first key, too.
        door.swap(&key, Some(&bytes), Some(&again)).await?;
        done += 1;
    }
    Ok((done, all))
}
