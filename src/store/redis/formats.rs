//! Which format records are read and written in. Versions that follow each other run side by side: a writer writes the
//! highest that every live worker reads, so a new format begins once the last worker that does not know it has gone.

use std::ops::RangeInclusive;

use super::workers::Worker;
use crate::store::StoreError;

/// What this version reads.
pub(super) const READS: RangeInclusive<u32> = 1..=2;
/// What this version can write: `BLOB` and `SCHEMA` of the scripts.
pub(super) const WRITES: RangeInclusive<u32> = 2..=2;

/// The format in which to write while these work.
///
/// # Errors
/// `Unfit` if one of them would not read any that this version can write: it must go first. `Version` if one of them is
/// so new that it reads none of them any more.
pub(super) fn to_write(live: &[Worker], writes: &RangeInclusive<u32>) -> Result<u32, StoreError> {
    let (lowest, highest) = (*writes.start(), *writes.end());
    if let Some(newer) = live.iter().find(|worker| worker.reads.0 > highest) {
        return Err(StoreError::Version {
            found: newer.reads.1,
            max: highest,
        });
    }
    let older = live.iter().min_by_key(|worker| worker.reads.1);
    match older {
        Some(older) if older.reads.1 < lowest => Err(StoreError::Unfit(format!(
            "the worker {} (switchboard {}) reads records up to format {}, and this version writes none below {lowest}; \
             stop that worker first, or go by way of the version between them",
            older.name(),
            older.version,
            older.reads.1
        ))),
        Some(older) => Ok(older.reads.1.min(highest)),
        None => Ok(highest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(reads: (u32, u32)) -> Worker {
        Worker {
            id: format!("{:016x}", reads.1),
            version: "9".into(),
            host: "h".into(),
            reads,
            started: 0,
        }
    }

    #[test]
    fn a_new_format_begins_once_the_last_worker_that_does_not_read_it_has_gone() {
        let (old, new) = (worker((1, 2)), worker((2, 3)));
        let writes = 2..=3;
        assert_eq!(to_write(&[], &writes), Ok(3));
        assert_eq!(to_write(std::slice::from_ref(&new), &writes), Ok(3));
        // The roll: the new ones write what the old ones read, until there is none.
        assert_eq!(to_write(&[new.clone(), old.clone()], &writes), Ok(2));
        assert_eq!(to_write(&[old, new.clone()], &(1..=2)), Ok(2));
        assert_eq!(to_write(&[new.clone(), new], &writes), Ok(3));
    }

    #[test]
    fn who_reads_nothing_that_could_be_written_is_named_and_nothing_is_written() {
        let why = to_write(&[worker((2, 3)), worker((0, 1))], &(2..=3)).unwrap_err();
        assert!(
            matches!(&why, StoreError::Unfit(why) if why.contains("h/00000000") && why.contains("up to format 1") && why.contains("stop")),
            "{why}"
        );
        let newer = to_write(&[worker((4, 5))], &(2..=3));
        assert_eq!(newer, Err(StoreError::Version { found: 5, max: 3 }));
    }

    #[test]
    fn what_this_version_writes_it_reads() {
        assert!(READS.contains(WRITES.start()) && READS.contains(WRITES.end()));
    }
}
