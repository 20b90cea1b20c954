//! From nothing to a cluster that takes writes.

use crate::admin;
use crate::cluster::MiniCeph;
use crate::commands;
use crate::network::{Addresses, Place};
use crate::options::check_name;
use crate::program::{run_well, tail};
use crate::wait;
use ganglion_types::{Error, Result};
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// Longest time for one step of a start; on an idle machine each takes well under a second.
const STEP: Duration = Duration::from_secs(60);

/// Pause between two looks at an admin socket.
const GLANCE: Duration = Duration::from_millis(10);

impl MiniCeph {
    /// Everything from the monitor's folder to placement groups that take writes.
    pub(crate) fn boot(&self) -> Result<()> {
        self.make_monitor()?;
        self.start_mon()?;
        let osds: Vec<(u32, String)> = (0..self.options().osds)
            .map(|index| Ok((index, random_uuid()?)))
            .collect::<Result<_>>()?;
        std::thread::scope(|scope| {
            // Neither needs the other: the OSDs' folders, and their places in the monitor's maps.
            let folders: Vec<_> = osds
                .iter()
                .map(|(index, uuid)| scope.spawn(|| self.make_osd(*index, uuid)))
                .collect();
            let maps = self.enter_osds(&osds);
            folders.into_iter().try_for_each(joined)?;
            maps
        })?;
        std::thread::scope(|scope| {
            let started: Vec<_> = osds
                .iter()
                .map(|(index, _)| scope.spawn(|| self.launch_osd(*index)))
                .collect();
            started.into_iter().try_for_each(joined)
        })?;
        self.wait_active()?;
        self.check_compute()
    }

    /// In a lab, lists the first pool from the compute machine, which asks every OSD: what is in their way shows here, and not
    /// in what the cluster is used for.
    fn check_compute(&self) -> Result<()> {
        let (Some(_), Some(pool)) = (self.lab(), self.options().pools.first()) else {
            return Ok(());
        };
        let mut list = self.command_in(Place::Compute, "rados");
        // Longer than an OSD that joined late has the placement groups wait for what it may have promised before: its read lease,
        // 0.8 of the heartbeat's grace of 20 s.
        list.args(["--rados_osd_op_timeout=18", "-p", pool, "ls"]);
        run_well(&mut list, "", STEP)
            .map(drop)
            .map_err(|error| error.within("the compute namespace does not reach every OSD"))
    }

    /// The monitor's folder, with a map in which it is the only one.
    fn make_monitor(&self) -> Result<()> {
        let map = self.folder().join("data/monmap");
        let monitor = format!(
            "v1:{}:{}",
            self.addresses().monitor(),
            Addresses::MONITOR_PORT
        );
        let mut tool = Command::new("monmaptool");
        tool.args(["--create", "--clobber", "--fsid", self.fsid()])
            .args(["--addv", "a", &format!("[{monitor}]")])
            .arg(&map);
        run_well(&mut tool, "", STEP)?;
        self.directory().make_dir(&self.directory().data("mon.a"))?;
        let mut mkfs = self.daemon_command(Place::Root, "ceph-mon");
        mkfs.args(["--id", "a", "--mkfs", "--monmap"]).arg(&map);
        if self.options().auth {
            mkfs.arg("--keyring").arg(self.keyring("mon."));
        }
        self.daemon_step("mon.a", &mut mkfs)
    }

    /// Starts the monitor, which was killed or never ran, and waits until it takes commands.
    ///
    /// # Errors
    /// `Conflict` when it runs already, `Unavailable`, with the end of its log, when it does not start.
    pub fn start_mon(&self) -> Result<()> {
        self.check_not_running("mon.a")?;
        let mut start = self.daemon_command(Place::Root, "ceph-mon");
        self.daemon_step("mon.a", start.args(["--id", "a"]))?;
        let socket = self.directory().socket("mon.a");
        wait::until("mon.a leads", STEP, GLANCE, || {
            let state = admin::ask(&socket, &json!({"prefix": "mon_status"}));
            Ok(state
                .is_ok_and(|status| status["state"] == "leader")
                .then_some(()))
        })
    }

    /// The folder of an OSD, empty.
    fn make_osd(&self, index: u32, uuid: &str) -> Result<()> {
        let name = format!("osd.{index}");
        self.directory().make_dir(&self.directory().data(&name))?;
        let mut mkfs = self.daemon_command(Place::Root, "ceph-osd");
        mkfs.args(["--id", &index.to_string(), "--mkfs", "--osd-uuid", uuid])
            .arg("--no-mon-config")
            .arg("--monmap")
            .arg(self.folder().join("data/monmap"));
        self.daemon_step(&name, &mut mkfs)
    }

    /// Starts an OSD whose folder is ready; the monitor hears of it a moment later.
    pub(crate) fn launch_osd(&self, index: u32) -> Result<()> {
        let mut start = self.daemon_command(Place::Storage(index), "ceph-osd");
        start.args(["--id", &index.to_string(), "--no-mon-config"]);
        self.daemon_step(&format!("osd.{index}"), &mut start)
    }

    /// OSDs, hosts and pools in the monitor's maps.
    fn enter_osds(&self, osds: &[(u32, String)]) -> Result<()> {
        let mut lines = Vec::new();
        for (index, uuid) in osds {
            lines.push(format!("osd new {uuid} {index}"));
            lines.push(format!(
                "osd crush add osd.{index} 1.0 root=default host=host{index}"
            ));
        }
        for pool in &self.options().pools {
            lines.extend(self.pool_lines(pool));
        }
        commands::batch(&self.conf(), &lines).map(drop)
    }

    fn pool_lines(&self, pool: &str) -> [String; 2] {
        let groups = self.options().placement_groups;
        [
            format!("osd pool create {pool} {groups} {groups} replicated"),
            format!("osd pool application enable {pool} ganglion"),
        ]
    }

    /// Makes another pool like the first ones, or finds it made, and waits until it takes writes.
    ///
    /// # Errors
    /// `Invalid` when the name is none, `Unavailable` when the monitor refuses, `Deadline` when no OSD takes it up.
    pub fn create_pool(&self, name: &str) -> Result<()> {
        check_name("pool", name)?;
        commands::batch(&self.conf(), &self.pool_lines(name))?;
        self.wait_active()
    }

    /// The option is what daemons are found by, see [`crate::process`].
    fn daemon_command(&self, place: Place, program: &str) -> Command {
        let mut command = self.command_in(place, program);
        command.arg("--conf").arg(self.conf());
        command
    }

    /// Runs a step of a daemon's life; a failure carries what it said and the end of its log.
    fn daemon_step(&self, name: &str, command: &mut Command) -> Result<()> {
        run_well(command, "", STEP).map(drop).map_err(|error| {
            let log = std::fs::read(self.directory().log(name)).unwrap_or_default();
            let log = tail(&String::from_utf8_lossy(&log));
            let message = format!("{name} does not start: {}{log}", error.message());
            Error::new(error.kind(), message)
        })
    }
}

fn joined(thread: std::thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread
        .join()
        .unwrap_or_else(|_| Err(Error::internal("a thread that starts an OSD panicked")))
}

/// A name that nothing else has, from the kernel.
pub(crate) fn random_uuid() -> Result<String> {
    let path = "/proc/sys/kernel/random/uuid";
    std::fs::read_to_string(path)
        .map(|uuid| uuid.trim().to_owned())
        .map_err(|error| Error::internal(format!("reading {path}: {error}")))
}
