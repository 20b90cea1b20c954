//! How a [`RadosStore`](super::RadosStore) reaches its pool.

use super::stamp;
use crate::record::SizeLimit;
use std::path::PathBuf;
use std::time::Duration;

/// Where the cluster is, who asks, how long an answer may take, and how large an object may be.
///
/// librados counts the three limits of time in whole seconds: they are rounded up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RadosOptions {
    /// The cluster's configuration file. Setting `ceph.conf`.
    pub conf: PathBuf,
    /// The file with the user's key; without it, where the configuration file says. Setting `ceph.keyring`.
    pub keyring: Option<PathBuf>,
    /// The user's name without `client.`. It needs mon `allow r` and osd `allow rw pool=POOL`. Setting `ceph.user`.
    pub user: String,
    /// The pool that holds the objects. It has to be there. Setting `ceph.pool`.
    pub pool: String,
    /// Longest time to connect. Setting `ceph.connect_time`.
    pub connect_time: Duration,
    /// Longest time that the monitors may take for an answer. Setting `ceph.mon_time`.
    pub mon_time: Duration,
    /// Longest time that an OSD may take for an answer. A write without an answer is looked for and perhaps sent again, and so
    /// may take up to four times as long. Setting `ceph.op_time`.
    pub op_time: Duration,
    /// How often to look whether placement groups have moved. Setting `ceph.map_age`.
    pub map_age: Duration,
    /// Largest object, in bytes. Setting `limits.object`.
    pub object_bytes_max: u64,
    /// Largest object that the cluster takes in one write, in bytes. Setting `ceph.object`.
    pub ceph_object_bytes_max: u64,
    /// Where in the CRUSH map this process runs, such as `host=storage-1`: reads then go to the nearest replica instead of the
    /// primary. A replica passes them on to the primary in the first seconds of its placement group, and for what was written
    /// there last. Setting `ceph.crush_location`.
    pub crush_location: Option<String>,
}

impl RadosOptions {
    /// Largest object that fits one write beside its stamp, in bytes, by Ceph's default of 90 MiB (`osd_max_write_size`).
    pub const CEPH_OBJECT_BYTES_MAX: u64 = (90 << 20) - stamp::BYTES_MAX;
}

impl Default for RadosOptions {
    fn default() -> Self {
        Self {
            conf: PathBuf::from("/etc/ceph/ceph.conf"),
            keyring: None,
            user: "admin".to_owned(),
            pool: "ganglion".to_owned(),
            connect_time: Duration::from_secs(5),
            mon_time: Duration::from_secs(5),
            op_time: Duration::from_secs(10),
            map_age: Duration::from_secs(1),
            object_bytes_max: Self::CEPH_OBJECT_BYTES_MAX,
            ceph_object_bytes_max: Self::CEPH_OBJECT_BYTES_MAX,
            crush_location: None,
        }
    }
}

impl RadosOptions {
    /// The limit that holds.
    pub(super) fn size_limit(&self) -> SizeLimit {
        if self.ceph_object_bytes_max < self.object_bytes_max {
            SizeLimit {
                bytes: self.ceph_object_bytes_max,
                setting: "ceph.object",
            }
        } else {
            SizeLimit::of_objects(self.object_bytes_max)
        }
    }
}
