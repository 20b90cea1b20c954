//! How a cluster is.

use crate::cluster::MiniCeph;
use crate::commands;
use crate::failures::{osd, osd_up};
use crate::process::{self, Process};
use ganglion_types::Result;
use serde::Serialize;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// How a cluster is. What only the monitor knows is `None` or empty where the monitor is dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The cluster's folder.
    pub folder: PathBuf,
    /// The file that clients read.
    pub conf: PathBuf,
    /// The monitor, and then the OSDs.
    pub daemons: Vec<DaemonStatus>,
    /// The names of the pools.
    pub pools: Vec<String>,
    /// Version of the OSD map: it grows with every OSD that comes or goes.
    pub epoch: Option<u64>,
    /// Ceph's own word: `HEALTH_OK`, `HEALTH_WARN` or `HEALTH_ERR`.
    pub health: Option<String>,
    /// What is wrong, in Ceph's words.
    pub complaints: Vec<String>,
}

/// How a daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DaemonStatus {
    /// `mon.a` or `osd.0`.
    pub name: String,
    /// Its process; `None` when it does not run.
    pub pid: Option<u32>,
    /// Whether the process hangs on purpose.
    pub stopped: bool,
    /// Whether the monitor counts it as up, which lags behind its process; `None` when the monitor is dead.
    pub up: Option<bool>,
    /// Where it listens.
    pub address: Ipv4Addr,
    /// Resident memory in bytes; an OSD in memory has its objects there.
    pub memory_bytes: u64,
}

impl MiniCeph {
    /// Looks at every daemon and asks the monitor, which takes a third of a second.
    ///
    /// # Errors
    /// `Unavailable` when the monitor runs and does not answer.
    pub fn status(&self) -> Result<Status> {
        let running = process::daemons(&self.conf())?;
        let monitor = running.iter().any(|daemon| daemon.name == "mon.a");
        let lines = ["osd dump", "health"].map(str::to_owned);
        let answers = if monitor {
            commands::batch(&self.conf(), &lines)?
        } else {
            Vec::new()
        };
        let (dump, health) = (answers.first(), answers.get(1));
        let mut daemons = vec![self.daemon_status("mon.a", &running, monitor.then_some(true))];
        for index in 0..self.options().osds {
            let up = dump.and_then(|dump| osd_up(dump, index));
            daemons.push(self.daemon_status(&osd(index), &running, up));
        }
        Ok(Status {
            folder: self.folder().to_owned(),
            conf: self.conf(),
            daemons,
            pools: dump.map(pool_names).unwrap_or_default(),
            epoch: dump.and_then(|dump| dump["epoch"].as_u64()),
            health: health.and_then(|health| Some(health["status"].as_str()?.to_owned())),
            complaints: health.map(complaints).unwrap_or_default(),
        })
    }

    fn daemon_status(&self, name: &str, running: &[Process], up: Option<bool>) -> DaemonStatus {
        let daemon = running.iter().find(|daemon| daemon.name == name);
        let index = name.strip_prefix("osd.").and_then(|i| i.parse().ok());
        DaemonStatus {
            name: name.to_owned(),
            pid: daemon.map(|daemon| daemon.pid),
            stopped: daemon.is_some_and(Process::is_stopped),
            up,
            address: index.map_or(self.addresses().monitor(), |i| self.addresses().osd(i)),
            memory_bytes: daemon.map_or(0, Process::memory_bytes),
        }
    }
}

fn pool_names(dump: &Value) -> Vec<String> {
    let pools = dump["pools"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |pool: &Value| Some(pool["pool_name"].as_str()?.to_owned());
    pools.iter().filter_map(name).collect()
}

fn complaints(health: &Value) -> Vec<String> {
    let checks = health["checks"].as_object().into_iter().flatten();
    checks
        .filter_map(|(_, check)| Some(check["summary"]["message"].as_str()?.to_owned()))
        .collect()
}
