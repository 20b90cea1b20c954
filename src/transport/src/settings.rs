//! The limits and times of links and servers; the names beside them are the operator's settings, and stand in the errors.

use ganglion_types::{NodeId, Site};
use ganglion_wire::{FrameLimits, PROTOCOL, message};
use std::time::Duration;

/// What a node says of itself when a connection begins.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name.
    pub node: NodeId,
    /// Its kind.
    pub site: Site,
}

impl Identity {
    pub(crate) fn hello(&self, frames: FrameLimits, in_flight_max: u32) -> message::Hello {
        message::Hello {
            protocol: PROTOCOL,
            node: self.node.as_str().to_owned(),
            site: message::Site::from(self.site).into(),
            roles: Vec::new(),
            message_bytes_max: frames.message_bytes_max,
            payload_bytes_max: frames.payload_bytes_max,
            in_flight_max,
            load: None,
        }
    }
}

/// Limits and times of a [`crate::Link`].
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Longest parts of a frame. Settings `link.message` and `link.payload`.
    pub frames: FrameLimits,
    /// Requests in flight on the connection; more wait. The other end's own limit holds too. Setting `link.in_flight`.
    pub in_flight_max: u32,
    /// Bytes waiting to be written before requests wait, in bytes; one frame may go beyond it. Setting `link.queue`.
    pub queue_bytes_max: usize,
    /// Time to connect and exchange hellos. Setting `link.connect_time`.
    pub connect_time: Duration,
    /// Time of one object operation, or of one piece of it. Setting `link.request_time`.
    pub request_time: Duration,
    /// How much longer than its deadline a call's answer is waited for: the other end ends the guest at the deadline, and its
    /// own word is better than our guess. Setting `link.answer_grace`.
    pub answer_grace: Duration,
    /// After how much silence the other end is pinged. Setting `link.heartbeat`.
    pub heartbeat: Duration,
    /// After how many heartbeats of silence the connection is given up and the load forgotten. Setting
    /// `link.heartbeats_missed`.
    pub heartbeats_missed_max: u32,
    /// First pause before connecting again; doubled each time. Setting `link.backoff_min`.
    pub backoff_min: Duration,
    /// Longest pause. Setting `link.backoff_max`.
    pub backoff_max: Duration,
    /// Objects longer than this move in pieces of this many bytes. Setting `link.piece`.
    pub piece_bytes: u32,
    /// Pieces of one object in flight. Setting `link.pieces`.
    pub pieces_in_flight: usize,
    /// The rate that is assumed of a link before the first transfer, in bytes per second. Setting `link.assumed_rate`.
    pub assumed_bytes_per_s: u64,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            frames: FrameLimits::default(),
            in_flight_max: 1024,
            queue_bytes_max: 8 << 20,
            connect_time: Duration::from_secs(1),
            request_time: Duration::from_secs(30),
            answer_grace: Duration::from_millis(200),
            heartbeat: Duration::from_secs(1),
            heartbeats_missed_max: 3,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(5),
            piece_bytes: 2 << 20,
            pieces_in_flight: 4,
            assumed_bytes_per_s: 1_250_000_000,
        }
    }
}

/// Limits and times of a [`crate::Server`].
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Longest parts of a frame. Settings `link.message` and `link.payload`.
    pub frames: FrameLimits,
    /// Connections at once; more are closed at once. Setting `server.connections`.
    pub connections_max: usize,
    /// Requests in flight on one connection. Setting `server.in_flight`.
    pub in_flight_max: u32,
    /// Uploads open on one connection. Setting `server.uploads`.
    pub uploads_max: usize,
    /// Bytes of answers waiting to be written on one connection, in bytes; one frame may go beyond it. Setting
    /// `server.queue`.
    pub queue_bytes_max: usize,
    /// Time for a new connection's hello. Setting `server.hello_time`.
    pub hello_time: Duration,
    /// Silence after which a connection without requests is closed. Setting `server.idle_time`.
    pub idle_time: Duration,
    /// How long a drain waits for requests in flight. Setting `drain.grace`.
    pub drain_time: Duration,
    /// How long a drained connection waits for the other end to close it, so that a request that has crossed the goodbye is
    /// refused and not lost. Setting `server.linger_time`.
    pub linger_time: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            frames: FrameLimits::default(),
            connections_max: 1024,
            in_flight_max: 1024,
            uploads_max: 64,
            queue_bytes_max: 8 << 20,
            hello_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(60),
            drain_time: Duration::from_secs(30),
            linger_time: Duration::from_secs(1),
        }
    }
}
