//! Opens connections: TLS, name and password, and what to do when a door stays shut.

use std::path::Path;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo,
    ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError, TlsCertificates,
};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::address::{Credentials, Endpoint, RedisAddress};
use super::gather::Gathering;
use crate::store::StoreError;

/// Requests that may wait for the socket of one connection.
const WAITING: usize = 1024;

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Network(Endpoint),
    Socket(std::path::PathBuf),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Network(endpoint) => write!(f, "{endpoint}"),
            Target::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A connection that many share. It ends with this value, whatever is still on its way.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) connection: MultiplexedConnection,
    _driver: Option<AbortOnDropHandle<()>>,
}

/// Everything but the target.
#[derive(Clone)]
pub(super) struct Door {
    tls: Option<TlsCertificates>,
    us: RedisConnectionInfo,
    connect: Duration,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    /// To the servers that hold the data.
    pub(super) fn to_data(address: &RedisAddress, connect: Duration) -> Result<Door, StoreError> {
        Door::of(address, &address.us, address.db, connect)
    }

    /// To the sentinels.
    pub(super) fn to_sentinels(address: &RedisAddress, connect: Duration) -> Result<Door, StoreError> {
        Door::of(address, &address.sentinels, 0, connect)
    }

    fn of(address: &RedisAddress, who: &Credentials, db: u16, connect: Duration) -> Result<Door, StoreError> {
        // RESP3, because with it a connection says that it was closed, also while nobody waits for an answer.
        let mut us = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name()
            .set_db(i64::from(db));
        if let Some(user) = &who.user {
            us = us.set_username(user);
        }
        if let Some(password) = &who.password {
            us = us.set_password(password.expose_secret());
        }
        let tls = match &address.tls {
            None => None,
            Some(files) => Some(TlsCertificates {
                root_cert: files.ca.as_deref().map(read).transpose()?,
                client_tls: match &files.certificate {
                    None => None,
                    Some((certificate, key)) => Some(ClientTlsConfig {
                        client_cert: read(certificate)?,
                        client_key: read(key)?,
                    }),
                },
            }),
        };
        Ok(Door { tls, us, connect })
    }

    /// `heard` is told what the server says of itself, and that the connection is gone.
    pub(super) async fn open(
        &self,
        target: &Target,
        heard: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, StoreError> {
        let client = self.client(target).map_err(|why| shut(target, &why))?;
        let config = config(heard);
        let opening = async {
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            greeted(connection.await?).await
        };
        self.in_time(target, opening).await
    }

    /// The same for a connection that many share: what they ask in the same moment leaves in one write (without TLS, whose
    /// stream is the library's own).
    pub(super) async fn open_shared(
        &self,
        target: &Target,
        heard: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<Shared, StoreError> {
        if self.tls.is_some() {
            let connection = self.open(target, heard).await?;
            return Ok(Shared {
                connection,
                _driver: None,
            });
        }
        let opening = async {
            match target {
                Target::Network(Endpoint { host, port }) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    self.gathered(stream, heard).await
                }
                Target::Socket(path) => self.gathered(UnixStream::connect(path).await?, heard).await,
            }
        };
        self.in_time(target, opening).await
    }

    async fn gathered(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        heard: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<Shared, RedisError> {
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&self.us, Gathering::new(stream), config(heard)).await?;
        let driver = AbortOnDropHandle::new(tokio::spawn(driver));
        Ok(Shared {
            connection: greeted(connection).await?,
            _driver: Some(driver),
        })
    }

    async fn in_time<T>(
        &self,
        target: &Target,
        opening: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, StoreError> {
        match timeout(self.connect, opening).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(why)) => Err(shut(target, &why)),
            Err(_) => Err(StoreError::Unavailable(format!(
                "{target} did not open a connection within {} ms; see that Redis runs there{} and that no firewall is in between",
                self.connect.as_millis(),
                if self.tls.is_some() { " and speaks TLS" } else { "" }
            ))),
        }
    }

    fn client(&self, target: &Target) -> Result<Client, RedisError> {
        let address = match target {
            Target::Socket(path) => ConnectionAddr::Unix(path.clone()),
            Target::Network(Endpoint { host, port }) if self.tls.is_some() => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            Target::Network(Endpoint { host, port }) => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let info = address
            .into_connection_info()?
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
            .set_redis_settings(self.us.clone());
        match &self.tls {
            Some(files) => Client::build_with_tls(info, files.clone()),
            None => Client::open(info),
        }
    }
}

fn config(heard: impl Fn(PushInfo) + Send + Sync + 'static) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        // Those who ask have a time of their own.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(WAITING)
        .set_push_sender(move |push| {
            heard(push);
            Ok::<(), redis::aio::SendError>(())
        })
}

/// A server that is loading, or refuses us, says so only to a command.
async fn greeted(mut connection: MultiplexedConnection) -> Result<MultiplexedConnection, RedisError> {
    let pong = connection.req_packed_command(&redis::cmd("PING")).await?;
    match pong.extract_error() {
        Ok(_) => Ok(connection),
        // A user of few commands is still one that was let in.
        Err(why) if why.code() == Some("NOPERM") => Ok(connection),
        Err(why) => Err(why),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, StoreError> {
    std::fs::read(file).map_err(|why| {
        StoreError::Unavailable(format!(
            "the file {} for TLS can't be read: {why}; name one that can, or mend its rights",
            file.display()
        ))
    })
}

/// Nothing was asked for yet, so nothing was written.
fn shut(target: &Target, why: &RedisError) -> StoreError {
    let words = why.to_string();
    let says = match (why.kind(), why.code()) {
        _ if why.is_connection_refusal() => {
            format!("nothing listens at {target}; start Redis there, or mend `store` in the configuration")
        }
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => format!(
            "{target} refuses the user or the password ({}); mend them in the configuration",
            why.detail().unwrap_or(&words)
        ),
        _ if why.kind() == ErrorKind::RESP3NotSupported || words.contains("'HELLO'") => {
            format!("{target} is older than Redis 6; Switchboard needs Redis 7.0 or Valkey")
        }
        (_, Some("LOADING")) => format!("{target} is still reading its data from disk; wait"),
        _ if words.contains("certificate") || words.contains("UnknownIssuer") => format!(
            "the certificate of {target} is not trusted ({words}); name the file of its authority with ?ca=FILE, and the host as the certificate names it"
        ),
        _ if words.contains("corrupt message") || words.contains("InvalidContentType") => {
            format!("{target} does not speak TLS ({words}); write redis:// instead of rediss://")
        }
        _ if why.is_connection_dropped() => format!(
            "{target} closes the connection; if it speaks TLS write rediss:// instead of redis://, else see its log"
        ),
        _ => format!("{target} can't be reached: {words}"),
    };
    StoreError::Unavailable(says)
}
