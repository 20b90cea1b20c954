//! Settings of what crosses sockets: HTTP connections, links to other nodes, and the servers that they reach.

use crate::duration;
use bytesize::ByteSize;
use ganglion_gateway::ServeSettings;
use ganglion_transport::{LinkSettings, ServerLimits};
use ganglion_types::{Error, Result};
use ganglion_wire::FrameLimits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// HTTP connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a connection may take to send a request's head, and stay idle between two requests.
    #[serde(with = "duration")]
    pub idle: Duration,
}

/// Links to other nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkOptions {
    /// Longest message of a frame.
    pub message: ByteSize,
    /// Longest payload of a frame.
    pub payload: ByteSize,
    /// Requests in flight on a link; more wait.
    pub in_flight: u32,
    /// Bytes waiting to be written before requests wait.
    pub queue: ByteSize,
    /// Time to connect and exchange hellos.
    #[serde(with = "duration")]
    pub connect_time: Duration,
    /// Time of one object operation, or of one piece of it.
    #[serde(with = "duration")]
    pub request_time: Duration,
    /// How much longer than its deadline a call's answer is waited for.
    #[serde(with = "duration")]
    pub answer_grace: Duration,
    /// After how much silence the other end is pinged.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// After how many heartbeats of silence a connection is given up.
    pub heartbeats_missed: u32,
    /// First pause before connecting again; doubled each time.
    #[serde(with = "duration")]
    pub backoff_min: Duration,
    /// Longest pause.
    #[serde(with = "duration")]
    pub backoff_max: Duration,
    /// Objects longer than this move in pieces of this size.
    pub piece: ByteSize,
    /// Pieces of one object in flight.
    pub pieces: usize,
    /// The rate that is assumed of a link before the first transfer, in bytes per second.
    pub assumed_rate: u64,
}

/// Servers that links reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Connections at once.
    pub connections: usize,
    /// Requests in flight on one connection.
    pub in_flight: u32,
    /// Uploads open on one connection.
    pub uploads: usize,
    /// Bytes of answers waiting to be written on one connection.
    pub queue: ByteSize,
    /// Time for a new connection's hello.
    #[serde(with = "duration")]
    pub hello_time: Duration,
    /// Silence after which a connection without requests is closed.
    #[serde(with = "duration")]
    pub idle_time: Duration,
    /// How long a drained connection waits for the other end to close it.
    #[serde(with = "duration")]
    pub linger_time: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        let ServeSettings {
            connections_max,
            idle,
            ..
        } = ServeSettings::default();
        Self {
            connections: connections_max,
            idle,
        }
    }
}

impl Default for LinkOptions {
    fn default() -> Self {
        let link = LinkSettings::default();
        Self {
            message: ByteSize(link.frames.message_bytes_max.into()),
            payload: ByteSize(link.frames.payload_bytes_max.into()),
            in_flight: link.in_flight_max,
            queue: ByteSize(link.queue_bytes_max as u64),
            connect_time: link.connect_time,
            request_time: link.request_time,
            answer_grace: link.answer_grace,
            heartbeat: link.heartbeat,
            heartbeats_missed: link.heartbeats_missed_max,
            backoff_min: link.backoff_min,
            backoff_max: link.backoff_max,
            piece: ByteSize(link.piece_bytes.into()),
            pieces: link.pieces_in_flight,
            assumed_rate: link.assumed_bytes_per_s,
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        let server = ServerLimits::default();
        Self {
            connections: server.connections_max,
            in_flight: server.in_flight_max,
            uploads: server.uploads_max,
            queue: ByteSize(server.queue_bytes_max as u64),
            hello_time: server.hello_time,
            idle_time: server.idle_time,
            linger_time: server.linger_time,
        }
    }
}

impl HttpSettings {
    pub(crate) fn serve(&self, grace: Duration) -> ServeSettings {
        ServeSettings {
            connections_max: self.connections,
            idle: self.idle,
            grace,
        }
    }
}

impl LinkOptions {
    /// # Errors
    /// `Invalid` for a size that is too large.
    pub(crate) fn link(&self) -> Result<LinkSettings> {
        Ok(LinkSettings {
            frames: self.frames()?,
            in_flight_max: self.in_flight,
            queue_bytes_max: whole("link.queue", self.queue)?,
            connect_time: self.connect_time,
            request_time: self.request_time,
            answer_grace: self.answer_grace,
            heartbeat: self.heartbeat,
            heartbeats_missed_max: self.heartbeats_missed,
            backoff_min: self.backoff_min,
            backoff_max: self.backoff_max,
            piece_bytes: whole("link.piece", self.piece)?,
            pieces_in_flight: self.pieces,
            assumed_bytes_per_s: self.assumed_rate,
        })
    }

    fn frames(&self) -> Result<FrameLimits> {
        Ok(FrameLimits {
            message_bytes_max: whole("link.message", self.message)?,
            payload_bytes_max: whole("link.payload", self.payload)?,
        })
    }
}

impl ServerSettings {
    /// # Errors
    /// `Invalid` for a size that is too large.
    pub(crate) fn server(&self, link: &LinkOptions, drain_time: Duration) -> Result<ServerLimits> {
        Ok(ServerLimits {
            frames: link.frames()?,
            connections_max: self.connections,
            in_flight_max: self.in_flight,
            uploads_max: self.uploads,
            queue_bytes_max: whole("server.queue", self.queue)?,
            hello_time: self.hello_time,
            idle_time: self.idle_time,
            drain_time,
            linger_time: self.linger_time,
        })
    }
}

fn whole<T: TryFrom<u64>>(setting: &str, size: ByteSize) -> Result<T> {
    T::try_from(size.as_u64())
        .map_err(|_| Error::invalid(format!("{setting} = {size} is too large")))
}
