//! Where Redis is and who we are to it, as `store = "redis://…"` and the secrets of the configuration say it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// One server's address on the network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What kind of installation it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Server(Endpoint),
    Socket(PathBuf),
    Sentinel {
        sentinels: Vec<Endpoint>,
        /// The name under which they know the primary.
        service: String,
    },
    /// Some of the nodes; they name the others.
    Cluster(Vec<Endpoint>),
}

/// Who we are to a server. `Debug` shows no password.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    pub user: Option<String>,
    pub password: Option<SecretString>,
}

/// Files for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Whom to trust instead of the certificates of this machine.
    pub ca: Option<PathBuf>,
    /// Who we are, where the server wants to know.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// `redis://[user[:password]@]host[:port][/db]`, the same with `rediss` for TLS, `redis+unix:///path[?db=n]`,
/// `redis+sentinel://host[:port],…/service[/db]` and `redis+cluster://host[:port],…` (`rediss+sentinel`,
/// `rediss+cluster` for TLS).
///
/// Query: `ca`, `cert` and `key` name PEM files, `sentinel_user` and `sentinel_password` are for the sentinels.
/// `Display` and `Debug` show no password.
#[derive(Clone)]
pub struct RedisAddress {
    pub place: Place,
    pub us: Credentials,
    /// For the sentinels themselves.
    pub sentinels: Credentials,
    pub tls: Option<Tls>,
    pub db: u16,
}

/// What is wrong with an address, and what to write instead. Neither says the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{says}: {next}")]
pub struct AddressError {
    pub says: String,
    pub next: String,
}

fn wrong(says: impl Into<String>, next: impl Into<String>) -> AddressError {
    AddressError {
        says: says.into(),
        next: next.into(),
    }
}

impl RedisAddress {
    /// The password from a secret of the configuration.
    pub fn with_password(mut self, password: SecretString) -> Result<RedisAddress, AddressError> {
        if self.us.password.is_some() {
            return Err(wrong(
                "the password of Redis is given twice",
                "take it out of the address and keep the secret",
            ));
        }
        self.us.password = Some(password);
        Ok(self)
    }

    /// The sentinels' own password from a secret of the configuration.
    pub fn with_sentinel_password(mut self, password: SecretString) -> Result<RedisAddress, AddressError> {
        if !matches!(self.place, Place::Sentinel { .. }) {
            return Err(wrong(
                "there is a password for sentinels, but the address names none",
                "write redis+sentinel://host:26379/service, or take the password away",
            ));
        }
        if self.sentinels.password.is_some() {
            return Err(wrong(
                "the password of the sentinels is given twice",
                "take it out of the address and keep the secret",
            ));
        }
        self.sentinels.password = Some(password);
        Ok(self)
    }

    /// A file with the certificates to trust, instead of those of this machine.
    pub fn with_ca(mut self, file: PathBuf) -> Result<RedisAddress, AddressError> {
        match &mut self.tls {
            Some(tls) => {
                tls.ca = Some(file);
                Ok(self)
            }
            None => Err(wrong(
                "there is a file of certificates, but the address is without TLS",
                "write rediss:// instead of redis://",
            )),
        }
    }
}

impl FromStr for RedisAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong(
                "this is not the address of a Redis",
                "write redis://host:6379, or rediss:// for TLS",
            ));
        };
        let (secure, kind) = match scheme.split_once('+') {
            Some((first, kind)) => (first == "rediss", kind),
            None => (scheme == "rediss", ""),
        };
        if !matches!(scheme.split('+').next(), Some("redis" | "rediss")) {
            return Err(wrong(
                format!("{scheme:?} is not a way to reach Redis"),
                "write redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster://",
            ));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.find('/') {
            Some(slash) => (&rest[..slash], &rest[slash..]),
            None => (rest, ""),
        };
        if path.contains('@') {
            return Err(wrong(
                "there is an @ behind the host of Redis",
                "a password with / in it needs %2F in its place",
            ));
        }
        let (us, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (credentials(userinfo)?, hosts),
            None => (Credentials::default(), authority),
        };
        let mut address = RedisAddress {
            place: Place::Cluster(Vec::new()),
            us,
            sentinels: Credentials::default(),
            tls: secure.then(Tls::default),
            db: 0,
        };
        let path = path.trim_end_matches('/');
        match kind {
            "" => {
                let mut hosts = endpoints(hosts, REDIS_PORT)?;
                if hosts.len() > 1 {
                    return Err(wrong(
                        "redis:// takes one server, and several are named",
                        "write redis+sentinel:// or redis+cluster:// in front of them, or keep one",
                    ));
                }
                address.place = Place::Server(hosts.remove(0));
                address.db = database(path)?;
            }
            "unix" if secure => {
                return Err(wrong(
                    "a socket of this machine has no TLS",
                    "write redis+unix:///path",
                ));
            }
            "unix" => {
                if !hosts.is_empty() || path.is_empty() {
                    return Err(wrong(
                        "a socket needs its whole path",
                        "write redis+unix:///run/redis/redis.sock",
                    ));
                }
                address.place = Place::Socket(PathBuf::from(decoded(path)?));
            }
            "sentinel" => {
                let sentinels = endpoints(hosts, SENTINEL_PORT)?;
                let (service, db) = match path.trim_start_matches('/').split_once('/') {
                    Some((service, db)) => (service, database(db)?),
                    None => (path.trim_start_matches('/'), 0),
                };
                if service.is_empty() {
                    return Err(wrong(
                        "the name under which the sentinels know the primary is missing",
                        "write it after the hosts, such as redis+sentinel://host:26379/mymaster",
                    ));
                }
                address.db = db;
                address.place = Place::Sentinel {
                    sentinels,
                    service: decoded(service)?,
                };
            }
            "cluster" => {
                if database(path)? != 0 {
                    return Err(wrong(
                        "a cluster has only database 0",
                        format!("take {path:?} away from the end of the address"),
                    ));
                }
                address.place = Place::Cluster(endpoints(hosts, REDIS_PORT)?);
            }
            _ => {
                return Err(wrong(
                    format!("{scheme:?} is not a way to reach Redis"),
                    "write redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster://",
                ));
            }
        }
        address.query(query)?;
        Ok(address)
    }
}

impl RedisAddress {
    fn query(&mut self, query: &str) -> Result<(), AddressError> {
        let (mut certificate, mut key) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match name {
                "ca" | "cert" | "key" => {
                    let Some(tls) = &mut self.tls else {
                        return Err(wrong(
                            format!("{name:?} is for TLS, and the address is without"),
                            "write rediss:// instead of redis://",
                        ));
                    };
                    let file = Some(PathBuf::from(value));
                    match name {
                        "ca" => tls.ca = file,
                        "cert" => certificate = file,
                        _ => key = file,
                    }
                }
                "sentinel_user" | "sentinel_password" => {
                    if !matches!(self.place, Place::Sentinel { .. }) {
                        return Err(wrong(
                            format!("{name:?} is for sentinels, and the address names none"),
                            "write redis+sentinel://, or take it away",
                        ));
                    }
                    if name == "sentinel_user" {
                        self.sentinels.user = Some(value);
                    } else {
                        self.sentinels.password = Some(value.into());
                    }
                }
                "db" if matches!(self.place, Place::Socket(_)) => self.db = database(&value)?,
                _ => {
                    return Err(wrong(
                        format!("{name:?} means nothing in the address of a Redis"),
                        "known are ca, cert, key, sentinel_user and sentinel_password; for a socket, db",
                    ));
                }
            }
        }
        match (certificate, key, &mut self.tls) {
            (None, None, _) => Ok(()),
            (Some(certificate), Some(key), Some(tls)) => {
                tls.certificate = Some((certificate, key));
                Ok(())
            }
            _ => Err(wrong(
                "a certificate and its key go together",
                "write both ?cert=FILE&key=FILE",
            )),
        }
    }
}

fn credentials(userinfo: &str) -> Result<Credentials, AddressError> {
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (userinfo, None),
    };
    let user = decoded(user)?;
    Ok(Credentials {
        user: (!user.is_empty()).then_some(user),
        password: password
            .filter(|password| !password.is_empty())
            .map(SecretString::from),
    })
}

fn endpoints(hosts: &str, port: u16) -> Result<Vec<Endpoint>, AddressError> {
    hosts.split(',').map(|host| endpoint(host.trim(), port)).collect()
}

fn endpoint(text: &str, default: u16) -> Result<Endpoint, AddressError> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() || host.contains([' ', '/']) || (bracketed.is_none() && host.contains(':')) {
        return Err(wrong(
            if host.is_empty() {
                "the host of Redis is missing".to_owned()
            } else {
                format!("{host:?} is not a host")
            },
            "write a name or an address, such as redis://10.0.0.5:6379 or redis://[::1]:6379",
        ));
    }
    let port = match port {
        None => default,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            wrong(
                // Not shown: it may be a part of a password.
                format!("what stands after {host} is not a port"),
                "write a number from 1 to 65535 after the host; a password with @, : or / in it needs %40, %3A or %2F",
            )
        })?,
    };
    Ok(Endpoint {
        host: host.to_owned(),
        port,
    })
}

fn database(path: &str) -> Result<u16, AddressError> {
    let number = path.trim_matches('/');
    if number.is_empty() {
        return Ok(0);
    }
    number.parse().map_err(|_| {
        wrong(
            format!("{number:?} is not a database of Redis"),
            "write a number after the host, such as /1, or nothing",
        )
    })
}

/// `%40` is `@`.
fn decoded(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let code = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(byte) = code else {
            return Err(wrong(
                "a % in the address is not followed by two hexadecimal digits",
                "write %25 for the character % itself",
            ));
        };
        bytes.push(byte);
        rest = &after[2..];
    }
    String::from_utf8(bytes)
        .map_err(|_| wrong("the address is not UTF-8", "write other characters after the %"))
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |list: &[Endpoint]| {
            let list: Vec<String> = list.iter().map(Endpoint::to_string).collect();
            list.join(",")
        };
        f.write_str(if self.tls.is_some() { "rediss" } else { "redis" })?;
        f.write_str(match self.place {
            Place::Server(_) => "://",
            Place::Socket(_) => "+unix://",
            Place::Sentinel { .. } => "+sentinel://",
            Place::Cluster(_) => "+cluster://",
        })?;
        if let Some(user) = &self.us.user {
            f.write_str(user)?;
        }
        if self.us.password.is_some() {
            f.write_str(":•••")?;
        }
        if self.us.user.is_some() || self.us.password.is_some() {
            f.write_str("@")?;
        }
        match &self.place {
            Place::Server(endpoint) => write!(f, "{endpoint}")?,
            Place::Socket(path) => write!(f, "{}", path.display())?,
            Place::Sentinel { sentinels, service } => write!(f, "{}/{service}", list(sentinels))?,
            Place::Cluster(nodes) => f.write_str(&list(nodes))?,
        }
        match (&self.place, self.db) {
            (_, 0) => Ok(()),
            (Place::Socket(_), db) => write!(f, "?db={db}"),
            (Place::Server(_) | Place::Sentinel { .. } | Place::Cluster(_), db) => write!(f, "/{db}"),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({self})")
    }
}

impl PartialEq for RedisAddress {
    fn eq(&self, other: &Self) -> bool {
        let same = |ours: &Credentials, theirs: &Credentials| {
            let word = |one: &Credentials| one.password.as_ref().map(|word| word.expose_secret().to_owned());
            ours.user == theirs.user && word(ours) == word(theirs)
        };
        self.place == other.place
            && same(&self.us, &other.us)
            && same(&self.sentinels, &other.sentinels)
            && self.tls == other.tls
            && self.db == other.db
    }
}

impl Eq for RedisAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> RedisAddress {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    fn refused(text: &str) -> String {
        let why: AddressError = text.parse::<RedisAddress>().expect_err(text);
        why.to_string()
    }

    fn password(address: &RedisAddress) -> Option<&str> {
        address.us.password.as_ref().map(ExposeSecret::expose_secret)
    }

    fn at(host: &str, port: u16) -> Endpoint {
        Endpoint {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn each_way_to_reach_redis_is_read() {
        let plain = read("redis://localhost");
        assert_eq!(plain.place, Place::Server(at("localhost", 6379)));
        assert!(plain.tls.is_none() && plain.us.user.is_none());
        let full = read("rediss://bot:s%40cret%2F@[::1]:7000/3?ca=/etc/ca.pem");
        assert_eq!(full.place, Place::Server(at("::1", 7000)));
        assert_eq!(
            (full.us.user.as_deref(), password(&full), full.db),
            (Some("bot"), Some("s@cret/"), 3)
        );
        assert_eq!(full.tls.unwrap().ca, Some("/etc/ca.pem".into()));
        let socket = read("redis+unix:///run/redis.sock?db=2");
        assert_eq!(
            (socket.place, socket.db),
            (Place::Socket("/run/redis.sock".into()), 2)
        );
        let sentinel =
            read("redis+sentinel://:data@a:1,b/shop/4?sentinel_user=watch&sentinel_password=guard");
        assert_eq!(
            sentinel.place,
            Place::Sentinel {
                sentinels: vec![at("a", 1), at("b", 26379)],
                service: "shop".into()
            }
        );
        assert_eq!((password(&sentinel), sentinel.db), (Some("data"), 4));
        assert_eq!(sentinel.sentinels.user.as_deref(), Some("watch"));
        assert_eq!(sentinel.sentinels.password.unwrap().expose_secret(), "guard");
        let cluster = read("rediss+cluster://a:1,b:2/");
        assert_eq!(cluster.place, Place::Cluster(vec![at("a", 1), at("b", 2)]));
        assert!(cluster.tls.is_some());
    }

    #[test]
    fn a_password_is_never_shown() {
        let address = read("redis+sentinel://bot:hush@a:1,b:2/shop?sentinel_password=hush");
        let shown = format!("{address} {address:?} {:?}", address.us);
        assert!(!shown.contains("hush"), "{shown}");
        assert_eq!(address.to_string(), "redis+sentinel://bot:•••@a:1,b:2/shop");
        assert_eq!(read("redis://:hush@h/1").to_string(), "redis://:•••@h:6379/1");
        for text in [
            "redis://u:hush@h:port",
            "redis://u:hush@",
            "redis://u:hush@h/db",
            "redis://u:hush%zz@h",
            "redis://u:hush/hush@h:1",
            "redis://u:hush?hush@h:1",
        ] {
            assert!(!refused(text).contains("hush"), "{text}");
        }
    }

    #[test]
    fn the_password_may_come_from_a_secret_but_not_twice() {
        let secret = || SecretString::from("hush");
        assert_eq!(
            password(&read("redis://h").with_password(secret()).unwrap()),
            Some("hush")
        );
        assert!(read("redis://:x@h").with_password(secret()).is_err());
        assert!(read("redis://h").with_sentinel_password(secret()).is_err());
        assert!(
            read("redis+sentinel://h/s")
                .with_sentinel_password(secret())
                .is_ok()
        );
        assert!(read("redis://h").with_ca("/ca.pem".into()).is_err());
        assert!(read("rediss://h").with_ca("/ca.pem".into()).is_ok());
    }

    #[test]
    fn a_mistake_is_one_sentence_that_says_what_to_write() {
        let mistakes = [
            "mysql://h",
            "h:6379",
            "redis+ring://h",
            "redis://",
            "redis://h:0",
            "redis://h:70000",
            "redis://h:6379/one",
            "redis://a:1,b:2",
            "redis+unix://",
            "rediss+unix:///s",
            "redis+sentinel://h:1",
            "redis+cluster://h:1/1",
            "redis://h?timeout=1",
            "redis://h?ca=/ca.pem",
            "rediss://h?cert=/c.pem",
            "redis://h?sentinel_user=x",
            "redis://u%4@h",
        ];
        let shown: Vec<String> = mistakes
            .iter()
            .map(|text| format!("{text}\n  {}", refused(text)))
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
