//! The composition root: settings, clocks, telemetry, nodes and their roles, shutdown.
//!
//! Everything that the other rooms are passed is made here, and nothing else is: a [`Cluster`] is a gateway, compute
//! nodes and storage nodes, each with a store, a worker and sockets of its own, in one process or (later) in many.

mod ambient;
mod bundled;
mod cluster;
mod directory;
mod duration;
mod local_peer;
mod network;
mod process;
mod settings;
mod shutdown;
mod telemetry;

pub use ambient::HostAmbient;
pub use bundled::{BUNDLED, BundledFunction};
pub use cluster::{Cluster, Topology};
pub use network::{HttpSettings, LinkOptions, ServerSettings};
pub use process::{Process, build_runtime};
pub use settings::{
    GatewayOptions, Limits, ListenSettings, LogFormat, LogSettings, Settings, SiteSettings,
};
pub use shutdown::termination;
pub use telemetry::start_logging;
