//! HTTP in and out: two dialects, one call.
//!
//! ```text
//!   POST /f/  {"user":..}          POST /v1/functions/T/F/invoke
//!        │ faasm::call                  │ v1::invoke
//!        └──────────┬───────────────────┘
//!                 body        collected once, refused by its announced length
//!                 call        names checked, function resolved to its content, object found in the input
//!               dispatch      facts ─> scheduler::decide ─> Peer::execute ─> learn   (refused: the next node)
//!                explain      ganglion-* headers: where, why, predicted beside measured
//!                   │
//!          text, Faasm's codes          raw output, or problem JSON by ErrorKind
//! ```
//!
//! A job is one function over many objects ([`job`](crate::job)): its parts are placed as calls are, and travel in batches.
//!
//! A call costs no task, no lock that is held for long, and no request to the store: an object's size is looked up at
//! most once in `gateway.object_size_age`. Objects and modules stream past in pieces of 2 MiB.
//!
//! Absent on purpose: running guests (a [`ganglion_types::Peer`] does), decisions (`scheduler` makes them), TLS and
//! tokens (the API listens on loopback or behind a proxy), and any knowledge of frames.

mod app;
mod body;
mod call;
mod dispatch;
mod drain;
mod explain;
mod extract;
mod faasm;
mod health;
mod job;
mod kept;
mod metrics;
mod openapi;
mod peers;
mod problem;
mod serve;
mod settings;
mod v1;

pub use app::{Gateway, GatewayParts};
pub use drain::Drain;
pub use openapi::openapi_json;
pub use peers::Peers;
pub use serve::{ServeSettings, serve};
pub use settings::{GatewaySettings, JobSettings};
