//! Who is in the cluster, through a Redis that all nodes reach.
//!
//! A node that has joined keeps one entry there: its announcement, which expires by itself unless it is written again. Every
//! node looks at all entries; what it sees is its [`Roster`]. Nobody is asked for permission and nobody leads.
//!
//! ```text
//!    node a                              Redis                                 node b
//!    ──────                              ─────                                 ──────
//!    announce ── claim, each heartbeat ─► <cluster>:node:a   expires
//!                                         <cluster>:node:b   expires ◄─ claim ── announce
//!                                         <cluster>:nodes    {a, b}
//!    watch ◄──── look, twice a heartbeat ── all of them ── look ──────────────► watch
//!      └──────── joined, left ◄─────────── publish ─────── joined, left ────────┘
//! ```
//!
//! 1. A claim writes the entry if it is absent or is what this node wrote last; otherwise it brings back what is there. So a
//!    name has one owner, and an owner finds its entry again when an answer was lost (`announcer.rs`).
//! 2. Who makes an entry, or takes its own back, also publishes it; whoever listens knows at once. Messages may be lost: the
//!    next look tells the same.
//! 3. A look is one script: it reads every entry and forgets names whose entry has expired (`commands.rs`).
//! 4. A look that fails ends the connection, and a new one is tried with growing pauses, for ever (`watcher.rs`). Meanwhile
//!    the roster stays as it was. Once Redis answers again, perhaps empty, nobody is dropped for one expiry, in which every
//!    living node has claimed its entry anew (`known.rs`).
//!
//! # What is promised
//!
//! | what happened | what the others' rosters say |
//! |---|---|
//! | a node joined, or left | at once, or with their next look |
//! | a node died | it is gone within the expiry and one look |
//! | Redis is away, paused, or restarted empty | what they said before |
//! | a node died meanwhile | it is gone one expiry and one look after Redis is back |
//!
//! No command is waited for longer than `redis.command_time`.
//!
//! # Absent on purpose
//!
//! Consensus: two nodes may see different rosters for a moment, and a call that meets a dead node is refused and placed anew.
//! TLS, Redis Cluster and Sentinel: one Redis, 6 or later, on the network of the nodes. Clocks: they are passed in.

mod announcer;
mod commands;
mod connection;
mod entry;
mod health;
mod known;
mod membership;
mod options;
#[cfg(feature = "servers")]
pub mod server;
mod watcher;

pub use ganglion_types::Announcement;
pub use health::MembershipHealth;
pub use known::Roster;
pub use membership::{Membership, Source};
pub use options::MembershipOptions;
