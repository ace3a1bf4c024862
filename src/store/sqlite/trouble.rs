//! What SQLite's errors mean to those who called the store.

use rusqlite::{Error, ErrorCode, ffi};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> StoreError {
        let text = error.to_string();
        let Some(code) = error.sqlite_error().copied() else {
            // Not from the database: a value did not have the type it must have.
            return StoreError::Corrupt {
                key: "a row of the database".into(),
                why: text,
            };
        };
        match code.code {
            ErrorCode::DiskFull => StoreError::Full("no room on the disk for the database".into()),
            // The shared index of the log could not grow: the disk is as full.
            ErrorCode::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
                StoreError::Full("no room on the disk for the database's index".into())
            }
            ErrorCode::SystemIoFailure if sync_failed(&error) => {
                StoreError::Unknown(format!("the disk did not confirm a write ({text})"))
            }
            ErrorCode::ReadOnly => StoreError::ReadOnly(text),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                StoreError::Unavailable(format!("another program holds the database ({text})"))
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt {
                key: "the database file".into(),
                why: text,
            },
            _ => StoreError::Unavailable(text),
        }
    }
}

/// After a failed sync the system may have thrown the pages away and will report success the next time, so nothing
/// this process still believes about the file can be trusted: the writer stops, and a fresh start reads what is there.
pub(super) fn sync_failed(error: &Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: i32) -> StoreError {
        Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn no_room_on_the_disk_is_full_and_says_what_to_do() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
            assert!(matches!(told(code), StoreError::Full(_)), "{code}");
        }
        assert!(
            told(ffi::SQLITE_FULL)
                .to_string()
                .ends_with("Make room; work goes on by itself")
        );
    }

    #[test]
    fn a_failed_sync_leaves_in_doubt_what_was_written() {
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert!(matches!(told(code), StoreError::Unknown(_)), "{code}");
            assert!(sync_failed(&Error::SqliteFailure(ffi::Error::new(code), None)));
        }
        assert!(!sync_failed(&Error::SqliteFailure(
            ffi::Error::new(ffi::SQLITE_FULL),
            None
        )));
    }

    #[test]
    fn other_troubles_are_told_apart() {
        assert!(matches!(told(ffi::SQLITE_BUSY), StoreError::Unavailable(_)));
        assert!(matches!(told(ffi::SQLITE_IOERR_READ), StoreError::Unavailable(_)));
        assert!(matches!(told(ffi::SQLITE_CANTOPEN), StoreError::Unavailable(_)));
        assert!(matches!(told(ffi::SQLITE_READONLY), StoreError::ReadOnly(_)));
        assert!(matches!(told(ffi::SQLITE_CORRUPT), StoreError::Corrupt { .. }));
        assert!(matches!(told(ffi::SQLITE_NOTADB), StoreError::Corrupt { .. }));
        let wrong_type = Error::InvalidColumnType(0, "at".into(), rusqlite::types::Type::Text);
        assert!(matches!(StoreError::from(wrong_type), StoreError::Corrupt { .. }));
    }
}
