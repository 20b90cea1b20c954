//! Connections to the Redis, and what arrives on them unasked.

use crate::commands::Commands;
use crate::health::Health;
use crate::known::Roster;
use crate::options::MembershipOptions;
use ganglion_types::{Ambient, Error, Result};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    Value,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

/// Messages that wait for the watcher; beyond that they are lost, and the next look tells the same.
pub(crate) const MESSAGES_MAX: usize = 1024;

/// What announcers and the watcher share.
pub(crate) struct Shared {
    pub(crate) options: MembershipOptions,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) commands: Commands,
    pub(crate) health: Health,
    pub(crate) roster: watch::Sender<Roster>,
    /// The connection on which the last look succeeded; the watcher makes it and takes it away.
    pub(crate) connection: watch::Sender<Option<MultiplexedConnection>>,
    client: redis::Client,
    address: String,
    /// Where it is, unless on a Unix socket.
    host: Option<(String, u16)>,
}

/// What others publish, or the end of a connection.
pub(crate) enum Heard {
    Joined(Vec<u8>),
    Left(Vec<u8>),
    Closed,
}

impl Shared {
    /// # Errors
    /// `Invalid` with the name of the option.
    pub(crate) fn new(options: MembershipOptions, ambient: Arc<dyn Ambient>) -> Result<Self> {
        options.check()?;
        // The URL may hold a password: it is not repeated.
        let wrong = |why: redis::RedisError| {
            Error::invalid(format!(
                "redis.url is not redis://host:port/database: {why}"
            ))
        };
        let url = options.url.as_str().into_connection_info().map_err(wrong)?;
        let mut settings = url
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        if let Some(password) = &options.password {
            if settings.password().is_some() {
                return Err(Error::invalid(
                    "redis.url has a password, and so has redis.password_file: one of them is to be empty",
                ));
            }
            settings = settings.set_password(password);
        }
        let url = url.set_redis_settings(settings);
        let address = url.addr().to_string();
        let host = match url.addr() {
            ConnectionAddr::Tcp(host, port) => Some((host.clone(), *port)),
            _ => None,
        };
        Ok(Self {
            host,
            client: redis::Client::open(url).map_err(wrong)?,
            commands: Commands::of(&options.cluster),
            health: Health::unknown(ambient.clone(), address.clone()),
            roster: watch::Sender::new(Arc::new([])),
            connection: watch::Sender::new(None),
            options,
            ambient,
            address,
        })
    }

    /// The address of this host from which the Redis is reached. Nothing is sent to it.
    ///
    /// # Errors
    /// `Unavailable` when its name is not known, within `redis.command_time`, or no route leads there; `Invalid` for one on a
    /// Unix socket.
    pub(crate) async fn address_towards(&self) -> Result<IpAddr> {
        let Some((host, port)) = &self.host else {
            return Err(Error::invalid(
                "redis.url is a Unix socket, which is reached from no address",
            ));
        };
        let failed = |why: std::io::Error| {
            Error::unavailable(format!("no way to Redis at {}: {why}", self.address))
        };
        let looked_up = tokio::net::lookup_host((host.as_str(), *port));
        let looked_up = tokio::time::timeout(self.options.command_time, looked_up).await;
        let found = looked_up.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let found: Vec<SocketAddr> = found.map_err(failed)?.collect();
        let unspecified = match found.first() {
            Some(SocketAddr::V6(_)) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            _ => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        };
        let reached = async {
            let socket = UdpSocket::bind(unspecified).await?;
            socket.connect(found.as_slice()).await?;
            socket.local_addr()
        };
        Ok(reached.await.map_err(failed)?.ip())
    }

    /// A new connection that hears what nodes publish.
    pub(crate) async fn connect(&self) -> Result<(MultiplexedConnection, mpsc::Receiver<Heard>)> {
        let (sender, heard) = mpsc::channel(MESSAGES_MAX);
        let [joined, _] = self.commands.channels();
        let joined = joined.to_owned();
        let hear = move |push| match recognize(push, &joined) {
            Some(message) => sender.try_send(message),
            None => Ok(()),
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(hear);
        let connect = async {
            let client = &self.client;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            connection.subscribe(&self.commands.channels()).await?;
            Ok(connection)
        };
        Ok((self.in_time("connecting", connect).await?, heard))
    }

    /// Waits for a command, but not for ever.
    ///
    /// # Errors
    /// `Unavailable` when there was no answer, `Denied` when the answer was a refusal.
    pub(crate) async fn in_time<T>(
        &self,
        what: &str,
        command: impl Future<Output = redis::RedisResult<T>>,
    ) -> Result<T> {
        let time = self.options.command_time;
        match tokio::time::timeout(time, command).await {
            Ok(answer) => answer.map_err(|why| self.failed(what, &why)),
            Err(_) => Err(Error::unavailable(format!(
                "{what}: Redis at {} gave no answer within {time:?} (redis.command_time)",
                self.address
            ))),
        }
    }

    fn failed(&self, what: &str, why: &redis::RedisError) -> Error {
        let sentence = format!("{what}: Redis at {}: {why}", self.address);
        match why.kind() {
            redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => Error::denied(sentence),
            _ => Error::unavailable(sentence),
        }
    }

    /// There is no connection now.
    pub(crate) fn away(&self) -> Error {
        Error::unavailable(format!("Redis at {} is away", self.address))
    }

    /// The connection has ended.
    pub(crate) fn closed(&self) -> Error {
        Error::unavailable(format!("Redis at {} closed the connection", self.address))
    }
}

fn recognize(push: PushInfo, joined: &str) -> Option<Heard> {
    match (push.kind, &mut push.data.into_iter()) {
        (PushKind::Disconnection, _) => Some(Heard::Closed),
        (PushKind::Message, data) => match (data.next(), data.next()) {
            (Some(Value::BulkString(channel)), Some(Value::BulkString(record))) => {
                Some(match channel == joined.as_bytes() {
                    true => Heard::Joined(record),
                    false => Heard::Left(record),
                })
            }
            _ => None,
        },
        _ => None,
    }
}
