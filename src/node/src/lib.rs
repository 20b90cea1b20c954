//! The composition root: settings, clocks, telemetry, nodes and their roles, shutdown.
//!
//! Everything that the other rooms are passed is made here, and nothing else is. A [`Service`] is what one process runs: the
//! roles of its settings ([`Service::start`]), or a whole cluster with sockets between its nodes ([`Service::cluster`]).

mod ambient;
mod backend;
mod bundled;
#[cfg(feature = "ceph")]
mod ceph;
#[cfg(not(feature = "ceph"))]
#[path = "ceph_absent.rs"]
mod ceph;
mod cluster;
mod directory;
mod duration;
mod files;
mod follow;
mod frontend;
mod health;
mod listen;
mod local_peer;
mod network;
mod patience;
mod process;
mod roles;
mod serve;
mod service;
mod settings;
mod shutdown;
mod telemetry;

pub use ambient::HostAmbient;
pub use bundled::{BUNDLED, BundledFunction};
pub use cluster::Topology;
pub use frontend::Frontend;
pub use ganglion_registry::{FunctionLimits, Interruption, Manifest, ObjectFrom, with_manifest};
pub use health::HealthReport;
pub use listen::ListenAddress;
pub use network::{HttpSettings, LinkOptions, ServerSettings};
pub use process::{Process, build_runtime};
pub use roles::{CephSettings, ClusterSettings, NodeSettings, RedisSettings, Role};
pub use service::Service;
pub use settings::{
    GatewayOptions, Limits, ListenSettings, LogFormat, LogSettings, Settings, SiteSettings,
};
pub use shutdown::termination;
pub use telemetry::start_logging;
