//! A real Ceph cluster of this machine, made in seconds for development, tests and measurements: one monitor, some OSDs, no
//! systemd, nothing outside of its folder.
//!
//! ```no_run
//! use ganglion_dev_ceph::{MiniCeph, Options};
//!
//! # fn main() -> ganglion_types::Result<()> {
//! let ceph = MiniCeph::up(&Options::new("/tmp/ceph"))?;
//! println!("export CEPH_CONF={}", ceph.conf().display());
//! ceph.down()
//! # }
//! ```
//!
//! It needs Debian's packages `ceph-mon ceph-osd ceph-common`, and `iproute2` and root for [`Network::Namespaces`].
//!
//! Absent on purpose: a manager, which costs 300 MB and seconds and without which objects do well (but `ceph -s` shows no
//! pools and `ceph df` fails); several monitors; erasure coded pools; use of librados.

mod admin;
mod boot;
mod cluster;
mod commands;
mod conf;
mod end;
mod failures;
mod folder;
mod network;
mod options;
mod placement;
mod places;
mod process;
mod program;
mod status;
mod users;
mod wait;

pub use cluster::MiniCeph;
pub use network::Place;
pub use options::{Network, Options, Store};
pub use places::LinkBytes;
pub use status::{DaemonStatus, Status};
