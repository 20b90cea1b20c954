//! The servers that a cluster may be built on: Ceph's daemons and Redis.

use super::check::{Check, version};

const CEPH_PACKAGES: &str =
    "apt-get install -y --no-install-recommends ceph-mon ceph-osd ceph-common librados-dev";

/// All of them; a cluster that keeps its objects as files needs none.
pub(super) fn checks() -> Vec<Check> {
    let ceph = ["ceph-mon", "ceph-osd"]
        .map(version)
        .into_iter()
        .collect::<Option<Vec<_>>>();
    vec![
        Check::of(
            "ceph",
            ceph.and_then(|versions| versions.into_iter().next()),
            "`ganglion dev-ceph` and `demo --ceph`; a Ceph that runs elsewhere needs nothing here",
            CEPH_PACKAGES,
        ),
        Check::of(
            "redis-server",
            version("redis-server"),
            "nodes that find each other (setting redis.url), where no Redis runs yet",
            "apt-get install -y redis-server",
        ),
    ]
}
