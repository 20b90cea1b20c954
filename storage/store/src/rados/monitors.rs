//! What the monitors are asked, and their answers. All of it needs no more than mon `allow r`.

use super::error::{Doing, failed};
use super::ffi::Cluster;
use super::options::RadosOptions;
use ganglion_types::{Ambient, Deadline, Error, Result};
use rustix::io::Errno;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

/// How long after connecting a monitor may refuse what it will not refuse later: in 16.2, a client that does not know the
/// cluster's number yet is told `EPERM`.
const EARLY_TIME: Duration = Duration::from_secs(1);
const EARLY_PAUSE: Duration = Duration::from_millis(20);

/// The monitors of a cluster. Every question blocks for up to `ceph.mon_time`.
pub(super) struct Monitors {
    cluster: Arc<Cluster>,
    options: Arc<RadosOptions>,
    ambient: Arc<dyn Ambient>,
    early_until: Deadline,
}

impl Monitors {
    /// Of a cluster that was connected just now.
    pub(super) fn new(
        cluster: Arc<Cluster>,
        options: Arc<RadosOptions>,
        ambient: Arc<dyn Ambient>,
    ) -> Self {
        let early_until = Deadline::after(ambient.monotonic_ns(), EARLY_TIME);
        Self {
            cluster,
            options,
            ambient,
            early_until,
        }
    }

    /// The number of the newest map of OSDs.
    pub(super) fn epoch(&self) -> Result<u64> {
        let stat: OsdStat = self.ask("osd stat", &json!({}))?;
        Ok(stat.epoch)
    }

    /// What placement depends on.
    pub(super) fn map(&self) -> Result<OsdMap> {
        self.ask("osd dump", &json!({}))
    }

    /// Where an object of the pool, in no namespace, is.
    pub(super) fn locate(&self, name: &str) -> Result<Located> {
        let object = json!({ "pool": self.options.pool, "object": name });
        self.ask("osd map", &object)
    }

    /// What each OSD told of itself when it started.
    pub(super) fn metadata(&self) -> Result<Vec<OsdMetadata>> {
        self.ask("osd metadata", &json!({}))
    }

    /// The CRUSH tree.
    pub(super) fn tree(&self) -> Result<CrushTree> {
        self.ask("osd tree", &json!({}))
    }

    fn ask<T: DeserializeOwned>(&self, what: &str, arguments: &Value) -> Result<T> {
        let mut command = json!({ "prefix": what, "format": "json" });
        if let (Some(command), Some(arguments)) = (command.as_object_mut(), arguments.as_object()) {
            command.extend(arguments.clone());
        }
        let command = CString::new(command.to_string()).expect("JSON text holds no NUL");
        let answer = loop {
            match self.cluster.mon_command(&command) {
                Ok(answer) => break answer,
                Err(refused) if refused.errno == Errno::PERM && self.is_early() => {
                    std::thread::sleep(EARLY_PAUSE);
                }
                Err(refused) => {
                    let error = failed(Doing::Asking(what), refused.errno, &self.options);
                    return Err(match refused.words.as_str() {
                        "" => error,
                        words => Error::new(error.kind(), format!("{error} ({words})")),
                    });
                }
            }
        };
        serde_json::from_slice(&answer).map_err(|cause| {
            Error::internal(format!(
                "the monitors' answer to `{what}` is not understood: {cause}"
            ))
        })
    }

    fn is_early(&self) -> bool {
        let now_ns = self.ambient.monotonic_ns();
        !self.early_until.remaining(now_ns).is_zero()
    }
}

#[derive(Deserialize)]
struct OsdStat {
    epoch: u64,
}

/// `osd dump`, as far as it decides where placement groups are.
#[derive(Debug, Deserialize)]
pub(super) struct OsdMap {
    pub(super) epoch: u64,
    #[serde(flatten)]
    pub(super) placement: Placement,
}

/// Two maps with the same of it place alike.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Placement {
    pub(super) pools: Vec<PoolMap>,
    pub(super) osds: Vec<OsdState>,
    crush_version: u64,
    pg_upmap: Value,
    pg_upmap_items: Value,
    pg_temp: Value,
    primary_temp: Value,
}

/// A pool in `osd dump`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct PoolMap {
    pub(super) pool: i64,
    /// Number of placement groups.
    pub(super) pg_num: u32,
    /// How names are hashed.
    pub(super) object_hash: u64,
    pg_placement_num: u32,
    size: u32,
    crush_rule: i64,
}

/// An OSD in `osd dump`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct OsdState {
    pub(super) osd: i32,
    pub(super) up: u8,
    /// `IP:PORT/NONCE`.
    pub(super) public_addr: String,
    #[serde(rename = "in")]
    is_in: u8,
    weight: f64,
    primary_affinity: f64,
}

/// `osd map`.
#[derive(Debug, Deserialize)]
pub(super) struct Located {
    /// `POOL.HASH`, the hash in hexadecimal.
    pub(super) raw_pgid: String,
    /// The OSD that serves it; negative when none does.
    pub(super) acting_primary: i32,
}

/// `osd metadata`, of one OSD. One that never ran has told nothing.
#[derive(Debug, Deserialize)]
pub(super) struct OsdMetadata {
    pub(super) id: i32,
    pub(super) hostname: Option<String>,
}

/// `osd tree`.
#[derive(Debug, Deserialize)]
pub(super) struct CrushTree {
    pub(super) nodes: Vec<CrushNode>,
}

/// A bucket of the CRUSH tree, or an OSD in it.
#[derive(Debug, Deserialize)]
pub(super) struct CrushNode {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) children: Vec<i32>,
}
