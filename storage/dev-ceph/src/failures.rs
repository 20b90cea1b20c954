//! Failures on purpose: daemons that die, hang and come back, and a cluster that is full.

use crate::admin;
use crate::cluster::MiniCeph;
use crate::options::Store;
use crate::wait;
use ganglion_types::{Error, Result};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for the monitor to see an OSD come or go: Ceph's own grace for a silent one is 20 s.
const NOTICE: Duration = Duration::from_secs(90);

/// Pause between two questions to the monitor, each of which costs a third of a second of a core.
const PAUSE: Duration = Duration::from_millis(100);

impl MiniCeph {
    /// Kills an OSD as a crash would (SIGKILL). Its connections are refused at once, by which the others notice.
    ///
    /// # Errors
    /// `NotFound` when it does not run.
    pub fn kill_osd(&self, index: u32) -> Result<()> {
        self.kill(&osd(index))
    }

    /// Makes an OSD hang (SIGSTOP): it keeps its connections and answers nothing, which others notice slowly, after some
    /// 25 s, or 5 s with [`Options::quick_failover`](crate::Options::quick_failover).
    ///
    /// # Errors
    /// `NotFound` when it does not run.
    pub fn stop_osd(&self, index: u32) -> Result<()> {
        self.daemon(&osd(index))?.signal(Signal::STOP)
    }

    /// Lets an OSD that hangs go on.
    ///
    /// # Errors
    /// `NotFound` when it does not run.
    pub fn resume_osd(&self, index: u32) -> Result<()> {
        self.daemon(&osd(index))?.signal(Signal::CONT)
    }

    /// Starts an OSD that was killed; [`MiniCeph::wait_osd_up`] tells when it is back.
    ///
    /// BlueStore has what it had. An OSD in memory begins empty, like a disk that was replaced, and is filled from the
    /// other copies ([`MiniCeph::wait_clean`]): objects whose copies were all in OSDs that died are lost, and calls for
    /// them wait. Where there is one copy, this is refused.
    ///
    /// # Errors
    /// `Conflict` when it runs, `Invalid` when there is no such OSD or nothing to fill it from, `Unavailable` when it does
    /// not start.
    pub fn start_osd(&self, index: u32) -> Result<()> {
        let name = osd(index);
        self.check_osd(index)?;
        self.check_not_running(&name)?;
        if self.options().store == Store::Memory && self.options().copies() == 1 {
            return Err(Error::invalid(format!(
                "{name} had the only copy of its objects in memory: `replicas` of 2 or BlueStore lets it come back"
            )));
        }
        self.launch_osd(index)
    }

    /// Kills the monitor (SIGKILL). Connected clients go on reading and writing; nobody new can connect.
    ///
    /// # Errors
    /// `NotFound` when it does not run.
    pub fn kill_mon(&self) -> Result<()> {
        self.kill("mon.a")
    }

    /// Waits until the monitor counts an OSD as down, from when on its objects are served by others.
    ///
    /// # Errors
    /// `Deadline` after 90 s, `Unavailable` when the monitor does not answer.
    pub fn wait_osd_down(&self, index: u32) -> Result<()> {
        self.wait_osd(index, false)
    }

    /// Waits until the monitor counts an OSD as up.
    ///
    /// # Errors
    /// As [`MiniCeph::wait_osd_down`].
    pub fn wait_osd_up(&self, index: u32) -> Result<()> {
        self.wait_osd(index, true)
    }

    fn wait_osd(&self, index: u32, up: bool) -> Result<()> {
        self.check_osd(index)?;
        let name = osd(index);
        let what = format!("{name} is {}", if up { "up" } else { "down" });
        wait::until(&what, NOTICE, PAUSE, || {
            let dump = self.command(&["osd", "dump"])?;
            let counted = osd_up(&dump, index);
            Ok((counted == Some(up)).then_some(()))
        })
    }

    /// Makes every OSD say that it is full, or no longer, as it would by its ratio, and waits until the monitor has told
    /// the pools: then writes wait, or fail with "no space" where the client asks for that, and reads go on. An OSD that
    /// starts afterwards does not say so.
    ///
    /// # Errors
    /// `Unavailable` when an OSD does not run, `Deadline` when the monitor does not take it up.
    pub fn set_full(&self, full: bool) -> Result<()> {
        let level = if full { "full" } else { "none" };
        for index in 0..self.options().osds {
            let request = json!({"prefix": "injectfull", "type": level, "count": -1});
            admin::ask(&self.directory().socket(&osd(index)), &request)?;
        }
        let what = format!("every pool is {}full", if full { "" } else { "not " });
        wait::until(&what, NOTICE, PAUSE, || {
            let dump = self.command(&["osd", "dump"])?;
            let pools = dump["pools"].as_array().cloned().unwrap_or_default();
            let says = |pool: &Value| {
                let flags = pool["flags_names"].as_str().unwrap_or_default();
                flags.split(',').any(|flag| flag == "full")
            };
            Ok(pools.iter().all(|pool| says(pool) == full).then_some(()))
        })
    }

    /// The counters of an OSD: `perf dump` of its admin socket.
    ///
    /// # Errors
    /// `Unavailable` when it does not run or hangs.
    pub fn perf(&self, index: u32) -> Result<Value> {
        let socket = self.directory().socket(&osd(index));
        admin::ask(&socket, &json!({"prefix": "perf dump"}))
    }

    /// Processor time that an OSD has used since it started, in seconds, to a hundredth.
    ///
    /// # Errors
    /// `NotFound` when it does not run.
    pub fn osd_cpu_seconds(&self, index: u32) -> Result<f64> {
        let name = osd(index);
        let used = self.daemon(&name)?.cpu_seconds();
        used.ok_or_else(|| Error::not_found(format!("{name} does not run")))
    }

    fn check_osd(&self, index: u32) -> Result<()> {
        let osds = self.options().osds;
        if index < osds {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "there is no osd.{index}: the cluster has {osds}, from osd.0 on"
        )))
    }
}

pub(crate) fn osd(index: u32) -> String {
    format!("osd.{index}")
}

/// Whether the monitor counts an OSD as up, by its `osd dump`.
pub(crate) fn osd_up(dump: &Value, index: u32) -> Option<bool> {
    let osds = dump["osds"].as_array()?;
    let found = osds.iter().find(|osd| osd["osd"] == index)?;
    Some(found["up"] == 1)
}
