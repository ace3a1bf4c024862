//! What kind of store it is, and who may use it.

use super::formats::{READS, WRITES};
use super::scripts::META;
use super::{PARTITIONS, RedisStore};
use crate::store::{ContactId, StoreError};

impl RedisStore {
    /// Marks an empty store as ours; refuses one of a version that is too new or too old, or of another number of
    /// partitions, before anything else is written to it.
    pub(super) async fn check_in(&self) -> Result<(), StoreError> {
        let now = |was: &str| {
            self.args(ContactId([0; 16]))
                .with(was)
                .with("format")
                .with(*WRITES.end())
                .with("min_reader")
                .with(*WRITES.end())
                .with("written_by")
                .with(concat!("switchboard ", env!("CARGO_PKG_VERSION")))
        };
        let new = now("").with("partitions").with(PARTITIONS);
        let mut answer = self.run_plain(&META, "meta", new).await?;
        answer.int()?;
        answer.int()?;
        let mut fields = answer.list()?;
        let (mut format, mut min_reader, mut partitions) = (None, None, None);
        while !fields.is_done() {
            let (name, value) = (fields.text()?, fields.text()?);
            match name.as_str() {
                "format" => format = value.parse().ok(),
                "min_reader" => min_reader = value.parse().ok(),
                "partitions" => partitions = value.parse::<usize>().ok(),
                _ => {}
            }
        }
        let key = || String::from_utf8_lossy(&self.names.plain("meta")).into_owned();
        let (Some(format), Some(partitions)) = (format, partitions) else {
            return Err(StoreError::Corrupt {
                key: key(),
                why: "it is not one of Switchboard's. Name another database or prefix".into(),
            });
        };
        if min_reader.unwrap_or(format) > *READS.end() {
            return Err(StoreError::Version {
                found: format,
                max: *READS.end(),
            });
        }
        if format < *READS.start() {
            return Err(StoreError::Unfit(format!(
                "it was written in format {format} and this version reads {} and later; start the version between them first",
                READS.start()
            )));
        }
        if partitions != PARTITIONS {
            return Err(StoreError::Corrupt {
                key: key(),
                why: format!(
                    "it was made with {partitions} partitions and this Switchboard has {PARTITIONS}. Export it with the version that made it, and import that into an empty store"
                ),
            });
        }
        // Nobody who works on it is older: what is written from here on, older versions must not read.
        if format < *WRITES.start() {
            self.run_plain(&META, "meta", now(&format.to_string())).await?;
        }
        Ok(())
    }
}
