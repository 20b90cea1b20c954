//! The end of a cluster, by whomever: its maker, another process, or the next who needs the place.

use crate::folder::Folder;
use crate::network::Addresses;
use crate::network::lab::Lab;
use crate::network::remains::{self, Owned};
use crate::options::{Network, Options};
use crate::process;
use ganglion_types::{Error, ErrorKind, Result};
use rustix::process::Signal;
use std::time::Duration;

/// How long a daemon may take to vanish after SIGKILL: it may hold gigabytes.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(30);

/// Makes way for a new cluster in a folder.
pub(crate) fn clear_leftovers(folder: &Folder) -> Result<()> {
    let record = match folder.record() {
        Ok(record) => record,
        Err(error) if error.kind() == ErrorKind::NotFound => {
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
pub(crate) fn clear_leftover_lab(folder: &Folder, options: &Options) -> Result<()> {
    let Network::Namespaces { prefix, .. } = &options.network else {
        return Ok(());
    };
    match remains::owner(prefix)? {
        Owned::Nobody => return Ok(()),
        Owned::By(other) if other != folder.path() => {
            let other = Folder::at(other);
            clear_leftovers(&other)
                .and_then(|()| end_daemons(&other))
                .map_err(|error| error.within(format!("the network lab `{prefix}`")))?;
        }
        Owned::By(_) | Owned::Unknown => {}
    }
    remains::remove(prefix)
}

pub(crate) fn lab_of(folder: &Folder, options: &Options) -> Option<Lab> {
    let Network::Namespaces { prefix, subnet } = &options.network else {
        return None;
    };
    let addresses = Addresses::new(*subnet);
    Some(Lab::new(prefix, addresses, options.osds, folder.path()))
}

/// Ends the cluster of a folder, however far it had come, and also where the folder is gone.
pub(crate) fn end(folder: &Folder, options: &Options) -> Result<()> {
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
