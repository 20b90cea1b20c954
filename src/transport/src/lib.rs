//! Sockets between nodes: calls and objects of one node, for another.
//!
//! A [`Server`] offers a node's [`Executor`](ganglion_types::Executor) and the objects that it holds. A [`Link`] is one TCP
//! connection to a server, made again when it breaks; over it a [`RemotePeer`] runs calls and a [`RemoteStore`] reads and writes
//! objects, any number at once. The bytes are those of `ganglion-wire`, whose page has the drawing of a frame.
//!
//! # One request
//!
//! ```text
//!   caller's task        link's task                    session's task       request's task
//!   ─────────────        ───────────                    ──────────────       ──────────────
//!   permit, slot
//!   encode ─► outbox ─┐
//!   wait              ├► one vectored ── socket ──► read, all whole frames
//!      ▲              │  write for all              spawn ─────────────────► execute
//!      │                                                                     encode ─► outbox
//!      └── slot ◄── read, all whole frames ◄── socket ── one vectored ◄─────────────────┘
//!                                                        write for all
//! ```
//!
//! 1. The caller takes one of `link.in_flight` permits, and a slot whose number is the stream's.
//! 2. It encodes its frame straight into the connection's outbox. If it is alone it writes it too; else the link's task
//!    writes whatever has come together (see `outbox.rs`).
//! 3. The session's task decodes the request and spawns it: one task, and no other, for each. The deadline arrives as the time
//!    that is left.
//! 4. The request's task encodes the answer into the session's outbox, with the node's load and the time it was busy.
//! 5. The link's task wakes the caller, notes the load, and what the exchange says of the link.
//!
//! A caller that goes away (its future is dropped) sends a cancel, and the request's task is dropped over there.
//!
//! # What is promised when there is no answer
//!
//! | what happened | an effect (call, put, delete, commit) | a read, or a piece of an upload |
//! |---|---|---|
//! | not connected; refused; not all of the request was handed to the kernel | `Unavailable` | `Unavailable` |
//! | no permit or no room until the deadline | `Busy` | `Busy` |
//! | connection lost afterwards | `Indeterminate` | once more on a new connection, then `Unavailable` |
//! | deadline (and `link.answer_grace`) passed | `Indeterminate` | `Deadline` |
//!
//! A put with a commit id is repeated like a read: a repeat finds its own name. A cut request cannot have run, since a server
//! starts nothing before it has the whole frame; so how far the kernel has taken the stream decides, to the byte.
//!
//! # Absent on purpose
//!
//! Encryption and authentication: the links belong on a trusted network, and whoever reaches the port is obeyed. Discovery:
//! addresses come from membership. Fairness between requests on one link: bulk and calls that must not wait for each other take
//! two links. Clocks: they are passed in.

mod answering;
mod connection;
mod dispatch;
mod estimate;
mod failure;
mod hosted;
mod link;
mod objects;
mod outbox;
mod parts;
mod peer;
mod reader;
mod server;
mod session;
mod settings;
mod slots;
mod store;
mod upload;

pub use link::{Link, LinkParts};
pub use peer::RemotePeer;
pub use server::{Server, ServerParts};
pub use settings::{Identity, LinkSettings, ServerLimits};
pub use store::RemoteStore;
