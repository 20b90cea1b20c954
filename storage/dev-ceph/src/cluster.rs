//! A cluster: brought up, taken up by another process, ended.

use crate::boot::random_uuid;
use crate::conf;
use crate::end::{KILL_LIMIT, clear_leftover_lab, clear_leftovers, end, lab_of};
use crate::folder::{Folder, Owner, Record};
use crate::network::Addresses;
use crate::network::lab::Lab;
use crate::options::{Network, Options};
use crate::process::{self, Process};
use ganglion_types::{Error, Result};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// Loopback addresses to try; each is taken with a chance of one in tens of thousands for every cluster that runs.
const ADDRESS_TRIES: u32 = 16;

/// A running Ceph cluster of this machine.
///
/// One that was brought up by this process ends when it is dropped, unless it is told to stay
/// ([`MiniCeph::leave_running`]); one that was taken up ([`MiniCeph::attach`]) stays. All methods block; in async code
/// they belong into `spawn_blocking`.
#[derive(Debug)]
pub struct MiniCeph {
    folder: Folder,
    record: Record,
    addresses: Addresses,
    lab: Option<Lab>,
    ends_with_us: bool,
}

impl MiniCeph {
    /// Starts a cluster and waits until it takes writes: 2 to 4 s for OSDs in memory.
    ///
    /// What a dead process left behind in the same folder is taken away first.
    ///
    /// # Errors
    /// `Invalid` for options that cannot be had, `Conflict` when the folder holds a cluster that still has an owner or
    /// was told to stay, or holds something else, `Denied` when namespaces are asked for without root, `Unavailable` when
    /// a program is missing or a daemon does not start, with the end of its log. Nothing is left running then.
    pub fn up(options: &Options) -> Result<Self> {
        options.check()?;
        let folder = Folder::make(&options.folder)?;
        let lock = folder.lock()?;
        clear_leftovers(&folder)?;
        clear_leftover_lab(&folder, options)?;
        folder.prepare()?;
        let options = Options {
            folder: folder.path().to_owned(),
            ..options.clone()
        };
        let record = Record {
            fsid: unused_fsid(&options.network)?,
            options,
            owner: Some(Owner::this_process()?),
        };
        folder.write_record(&record)?;
        let cluster = Self::of(folder, record, true);
        let started = cluster.start();
        // A failure drops the cluster, which ends what has been started, and for that takes the lock again.
        drop(lock);
        started?;
        Ok(cluster)
    }

    fn start(&self) -> Result<()> {
        if let Some(lab) = &self.lab {
            lab.up()?;
        }
        let text = conf::text(&self.folder, self.options(), self.fsid(), &self.addresses);
        self.folder.write(&self.conf(), &text)?;
        if self.options().auth {
            self.write_first_keyrings()?;
        }
        self.boot()
    }

    /// Takes up the cluster of a folder, which then also outlives this process.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Corrupt` when its record cannot be read.
    pub fn attach(folder: &Path) -> Result<Self> {
        let folder = Folder::existing(folder)?;
        let record = folder.record()?;
        Ok(Self::of(folder, record, false))
    }

    fn of(folder: Folder, record: Record, ends_with_us: bool) -> Self {
        let addresses = match &record.options.network {
            Network::Loopback => Addresses::on_loopback(&record.fsid),
            Network::Namespaces { subnet, .. } => Addresses::new(*subnet),
        };
        Self {
            lab: lab_of(&folder, &record.options),
            folder,
            record,
            addresses,
            ends_with_us,
        }
    }

    /// Lets the cluster outlive this process; [`MiniCeph::attach`] finds it by its folder.
    ///
    /// # Errors
    /// `Internal` when the record cannot be written; the cluster has ended then.
    pub fn leave_running(mut self) -> Result<()> {
        self.record.owner = None;
        self.folder.write_record(&self.record)?;
        self.ends_with_us = false;
        Ok(())
    }

    /// Ends every daemon at once and takes away all that the cluster wrote except its logs.
    ///
    /// # Errors
    /// `Deadline` when a daemon survives being killed, `Internal` when something cannot be taken away.
    pub fn down(mut self) -> Result<()> {
        self.ends_with_us = false;
        self.end_in_place()
    }

    fn end_in_place(&self) -> Result<()> {
        let _lock = self.folder.lock()?;
        end(&self.folder, self.options())
    }

    /// The path of ceph.conf, for the variable `CEPH_CONF`.
    pub fn conf(&self) -> PathBuf {
        self.folder.conf()
    }

    /// The cluster's folder, absolute.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a user's keyring, `client.admin` being one; it exists where [`Options::auth`] is set.
    pub fn keyring(&self, user: &str) -> PathBuf {
        self.folder.keyring(user)
    }

    /// How the cluster was made.
    pub fn options(&self) -> &Options {
        &self.record.options
    }

    /// The name that the cluster has for Ceph.
    pub fn fsid(&self) -> &str {
        &self.record.fsid
    }

    /// The process of each daemon that runs, `mon.a` and `osd.0` being names.
    ///
    /// # Errors
    /// `Internal` when `/proc` cannot be read.
    pub fn pids(&self) -> Result<BTreeMap<String, u32>> {
        let daemons = process::daemons(&self.conf())?;
        Ok(daemons.into_iter().map(|d| (d.name, d.pid)).collect())
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The network of namespaces, where there is one.
    pub(crate) fn lab(&self) -> Option<&Lab> {
        self.lab.as_ref()
    }

    pub(crate) fn directory(&self) -> &Folder {
        &self.folder
    }

    /// # Errors
    /// `NotFound` when it does not run.
    pub(crate) fn daemon(&self, name: &str) -> Result<Process> {
        let mut daemons = process::daemons(&self.conf())?.into_iter();
        daemons
            .find(|daemon| daemon.name == name)
            .ok_or_else(|| Error::not_found(format!("{name} does not run")))
    }

    pub(crate) fn check_not_running(&self, name: &str) -> Result<()> {
        match self.daemon(name) {
            Ok(daemon) => Err(Error::conflict(format!(
                "{name} runs already, as process {}",
                daemon.pid
            ))),
            Err(_) => Ok(()),
        }
    }

    /// Kills a daemon with SIGKILL and waits until it is gone.
    pub(crate) fn kill(&self, name: &str) -> Result<()> {
        let daemon = self.daemon(name)?;
        daemon.signal(Signal::KILL)?;
        daemon.wait_ended(KILL_LIMIT)
    }
}

/// A name for a new cluster. On loopback its addresses follow from it, so it is one whose monitor finds its port free.
fn unused_fsid(network: &Network) -> Result<String> {
    for _ in 0..ADDRESS_TRIES {
        let fsid = random_uuid()?;
        let monitor = Addresses::on_loopback(&fsid).monitor();
        let free = || TcpListener::bind((monitor, Addresses::MONITOR_PORT)).is_ok();
        if *network != Network::Loopback || free() {
            return Ok(fsid);
        }
    }
    Err(Error::unavailable(format!(
        "port {} is taken on each of {ADDRESS_TRIES} addresses of 127.0.0.0/8",
        Addresses::MONITOR_PORT
    )))
}

impl Drop for MiniCeph {
    fn drop(&mut self) {
        if self.ends_with_us
            && let Err(error) = self.end_in_place()
        {
            // Nobody is left to return it to.
            eprintln!(
                "ending the Ceph cluster in {}: {error}",
                self.folder().display()
            );
        }
    }
}
