//! A cluster: brought up, taken up by another process, ended.

use crate::boot::random_uuid;
use crate::conf;
use crate::folder::{Folder, Owner, Record};
use crate::network::lab::{self, Lab};
use crate::network::{Addresses, Place, firewall};
use crate::options::{Network, Options};
use crate::process::{self, Process};
use crate::program::of_cluster;
use ganglion_types::{Error, Result};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a daemon may take to vanish after SIGKILL: it may hold gigabytes.
const KILL_LIMIT: Duration = Duration::from_secs(30);

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

/// What has crossed a link, in bytes, seen from the compute machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkBytes {
    /// To the compute machine.
    pub received: u64,
    /// From the compute machine.
    pub sent: u64,
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
        let _lock = folder.lock()?;
        clear_leftovers(&folder)?;
        clear_leftover_lab(&folder, options)?;
        folder.prepare()?;
        let options = Options {
            folder: folder.path().to_owned(),
            ..options.clone()
        };
        let record = Record {
            options,
            fsid: random_uuid()?,
            owner: Some(Owner::this_process()?),
        };
        folder.write_record(&record)?;
        // From here on a failure drops the cluster, and so ends what has been started.
        let cluster = Self::of(folder, record, true);
        if let Some(lab) = &cluster.lab {
            lab.up()?;
        }
        cluster.write_conf()?;
        if cluster.options().auth {
            cluster.write_first_keyrings()?;
        }
        cluster.boot()?;
        Ok(cluster)
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

    fn write_conf(&self) -> Result<()> {
        let text = conf::text(&self.folder, self.options(), self.fsid(), &self.addresses);
        self.folder.write(&self.conf(), &text)
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

    /// The address of a place: servers that stand for a machine of the lab listen on it.
    pub fn address_of(&self, place: Place) -> Ipv4Addr {
        self.addresses.of(place)
    }

    /// `program`, to run at a place, where it is a client of this cluster (`CEPH_CONF`). Without namespaces every place is
    /// here.
    pub fn command_in(&self, place: Place, program: &str) -> Command {
        let command = match &self.lab {
            Some(lab) => lab.command_in(place, program),
            None => Command::new(program),
        };
        of_cluster(command, &self.conf())
    }

    /// Limits the compute machine's link to so many bits per second each way, or no longer. What OSDs send each other, and
    /// what a program reads at the OSD's own place, never crosses it.
    ///
    /// # Errors
    /// `Invalid` without namespaces or for a rate of 0.
    pub fn limit_compute(&self, bits_per_second: Option<u64>) -> Result<()> {
        self.lab()?.limit_compute(bits_per_second)
    }

    /// What the compute machine has received and sent over its link since the cluster came up.
    ///
    /// # Errors
    /// `Invalid` without namespaces.
    pub fn link_bytes(&self) -> Result<LinkBytes> {
        let (received, sent) = self.lab()?.link_bytes()?;
        Ok(LinkBytes { received, sent })
    }

    /// What may be wrong where OSDs do not find each other.
    pub(crate) fn firewall_hint(&self) -> &'static str {
        if self.lab.is_some() && firewall::is_filtered() {
            "; a firewall may drop what crosses the lab's bridge (net.bridge.bridge-nf-call-iptables is not 0)"
        } else {
            ""
        }
    }

    fn lab(&self) -> Result<&Lab> {
        self.lab.as_ref().ok_or_else(|| {
            Error::invalid(format!(
                "the cluster in {} is on loopback: it has no link of a compute machine",
                self.folder().display()
            ))
        })
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

/// Makes way for a new cluster in a folder.
fn clear_leftovers(folder: &Folder) -> Result<()> {
    let record = match folder.record() {
        Ok(record) => record,
        Err(error) if error.kind() == ganglion_types::ErrorKind::NotFound => {
            return folder.check_unused();
        }
        Err(error) => return Err(error),
    };
    let held = match record.owner {
        Some(owner) => owner.is_alive(),
        None => !process::daemons(&folder.conf())?.is_empty(),
    };
    if held {
        return Err(Error::conflict(format!(
            "a Ceph cluster runs in {} already",
            folder.path().display()
        )));
    }
    end(folder, &record.options)
}

/// Makes way for a lab whose prefix a cluster in another folder had; for one that still has it, this fails.
fn clear_leftover_lab(folder: &Folder, options: &Options) -> Result<()> {
    let Network::Namespaces { prefix, .. } = &options.network else {
        return Ok(());
    };
    match lab::owner(prefix)? {
        lab::Owned::Nobody => return Ok(()),
        lab::Owned::By(other) if other != folder.path() => {
            let other = Folder::at(other);
            clear_leftovers(&other)
                .and_then(|()| end_daemons(&other))
                .map_err(|error| error.within(format!("the network lab `{prefix}`")))?;
        }
        lab::Owned::By(_) | lab::Owned::Unknown => {}
    }
    lab::remove(prefix)
}

fn lab_of(folder: &Folder, options: &Options) -> Option<Lab> {
    let Network::Namespaces { prefix, subnet } = &options.network else {
        return None;
    };
    let addresses = Addresses::new(*subnet);
    Some(Lab::new(prefix, addresses, options.osds, folder.path()))
}

/// Ends the cluster of a folder, however far it had come, and also where the folder is gone.
fn end(folder: &Folder, options: &Options) -> Result<()> {
    end_daemons(folder)?;
    if let Some(lab) = lab_of(folder, options) {
        lab.down()?;
    }
    folder.clear()
}

/// A process that was about to start another when it was killed may have managed to: so this looks again.
fn end_daemons(folder: &Folder) -> Result<()> {
    loop {
        let daemons = process::daemons(&folder.conf())?;
        if daemons.is_empty() {
            return Ok(());
        }
        for daemon in &daemons {
            daemon.signal(Signal::KILL)?;
        }
        for daemon in &daemons {
            daemon.wait_ended(KILL_LIMIT)?;
        }
    }
}
