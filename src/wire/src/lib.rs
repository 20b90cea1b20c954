//! All that crosses a socket between nodes, and the envelope of small records that are kept. No sockets and no files here:
//! bytes in, messages out, and back.
//!
//! # A frame
//!
//! Integers are little endian. Everything on a connection is a frame:
//!
//! ```text
//!  byte 0      2        3      4          8                 16          20
//!  ├─────────┼────────┼──────┼──────────┼─────────────────┼───────────┼─────────────────┬───────────────┐
//!  │ 67 4e   │ layout │ kind │ message  │ stream          │ payload   │ message         │ payload       │
//!  │ "gN"    │ 1      │ 1..5 │ length   │ 64 bits         │ length    │ protobuf        │ raw bytes     │
//!  └─────────┴────────┴──────┴──────────┴─────────────────┴───────────┴─────────────────┴───────────────┘
//!   ◄─────────────────── header: 20 bytes, for ever ─────────────────► ◄ `link.message` ► ◄ `link.payload` ►
//! ```
//!
//! The message says *what*; the payload is *the bytes* (a call's input, a guest's output, a piece of an object) and is never
//! copied into the message: the encoder writes header and message into one small buffer and leaves the payload to a vectored
//! write, the [`Decoder`] hands a small payload out as a slice of the read buffer and reads a large one straight into a buffer
//! of exactly its length. Both lengths are checked against [`FrameLimits`] before a byte is allocated for them.
//!
//! # One request
//!
//! The two ends first exchange [`Hello`](message::Hello) (protocol, name, limits). Then the client sends
//! [`Kind::Request`] under a stream number of its choice, and the server answers with [`Kind::Answer`] under the same number,
//! in whatever order the answers come to be. [`Kind::Cancel`] takes a request back; [`Kind::Goodbye`] announces that the server
//! takes no more. Stream 0 is nobody's: what is sent under it is not answered. A request carries the time that is *left*, not
//! a moment; an answer carries the node's load, so that nobody has to poll for it.
//!
//! # Kept records
//!
//! [`seal`] and [`open`] put a small record into an envelope with magic, format version, length and CRC-32C. What is inside is
//! the caller's business. Two such records are wire's own: a node's announcement, since nodes of other releases read it in Redis
//! ([`seal_announcement`], [`open_announcement`]), and a delta or an image ([`seal_delta`], [`open_delta`]).
//!
//! # Absent on purpose
//!
//! Encryption and authentication: links between nodes belong on a trusted network, and whoever can reach a node's port can run
//! functions and write objects there. Checksums on the wire: TCP has one, and object content has its own at rest. Compression:
//! payloads are passed on untouched, but for a delta's where its sender says so. Conversions of the object store's nouns: they belong to `transport`, which knows the store.

mod announcement;
mod batch;
mod call;
mod delta;
mod frame;
mod node;
mod offload;
mod record;

/// The messages, as `proto/*.proto` define them.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated; the documentation is in the .proto files"
)]
pub mod message {
    include!(concat!(env!("OUT_DIR"), "/ganglion.wire.rs"));
}

/// What all of [`message`] can do: `encode`, `decode`, `encoded_len`.
pub use prost::Message;

pub use announcement::{ANNOUNCEMENT_BYTES_MAX, open_announcement, seal_announcement};
pub use batch::{BatchedParts, batch_message, batched_parts};
pub use call::{ExecutedParts, call_id_from_halves, call_id_halves, executed_parts};
pub use delta::{DeltaParts, Packing, delta_parts, open_delta, packing_for, seal_delta};
pub use frame::{
    Decoder, Frame, FrameError, FrameLimits, HEADER_BYTES, Kind, LARGE_PAYLOAD_BYTES, Payload,
    put_frame,
};
pub use node::{PROTOCOL, check_hello};
pub use offload::{DELTA_BYTES_MAX, OffloadParts, OffloadedParts, offload_parts, offloaded_parts};
pub use record::{RECORD_HEADER_BYTES, open, seal};
