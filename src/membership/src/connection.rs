//! Connections to the Redis, and what arrives on them unasked.

use crate::commands::Commands;
use crate::health::Health;
use crate::known::Roster;
use crate::options::MembershipOptions;
use ganglion_types::{Ambient, Error, Result};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, Value,
};
use std::sync::Arc;
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
        let protocol = url.redis_settings().clone();
        let url = url.set_redis_settings(protocol.set_protocol(ProtocolVersion::RESP3));
        let address = url.addr().to_string();
        Ok(Self {
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
