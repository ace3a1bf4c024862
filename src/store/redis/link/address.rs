//! Where Redis is, as `store = "redis://…"` says it.

use redis::{Client, RedisResult};

/// For now a plain `redis://` address.
#[derive(Clone)]
pub struct RedisAddress {
    url: String,
}

impl std::str::FromStr for RedisAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Client::open(text) {
            Ok(_) => Ok(RedisAddress { url: text.to_owned() }),
            Err(why) => Err(why.to_string()),
        }
    }
}

impl RedisAddress {
    pub(super) fn client(&self) -> RedisResult<Client> {
        Client::open(self.url.as_str())
    }
}

impl std::fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisAddress").finish_non_exhaustive()
    }
}
