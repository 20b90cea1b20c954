//! `dev-ceph`: a small Ceph cluster of this machine.

use bytesize::ByteSize;
use clap::{Args, Subcommand, ValueEnum};
use ganglion_dev_ceph::{Options, Place};
use ganglion_types::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

/// Run a small Ceph cluster on this machine, for development
///
/// A real cluster, up in seconds: a monitor and some OSDs without systemd, all in one folder. Several can run at once, each
/// in a folder of its own. Needs the packages ceph-mon, ceph-osd and ceph-common.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion dev-ceph up
  ganglion dev-ceph status
  ganglion dev-ceph down")]
pub(crate) enum DevCephCommand {
    Up(DevCephUpArgs),
    /// End a cluster and take away all that it wrote, except its logs
    ///
    /// Kills the daemons at once: objects are gone. Finds them also when the program that started them was killed, and
    /// takes away the cluster's network namespaces with all that runs in them.
    #[command(after_help = "Examples:
  ganglion dev-ceph down
  ganglion dev-ceph down --folder /dev/shm/ceph")]
    Down(FolderOption),
    /// Show a cluster's daemons, pools and health
    ///
    /// A daemon that runs is `up` once the monitor counts it, `joining` until then, and `stopped` when SIGSTOP holds it.
    #[command(after_help = "Examples:
  ganglion dev-ceph status
  ganglion dev-ceph status -o json | jq '.daemons[] | select(.up != true).name'")]
    Status(FolderOption),
    Exec(DevCephExecArgs),
}

/// Where the cluster is.
#[derive(Debug, Args)]
pub(crate) struct FolderOption {
    /// Folder of the cluster; its path is at most 90 bytes long
    #[arg(long, value_name = "DIR", default_value = "./.ganglion/ceph")]
    pub(crate) folder: PathBuf,
}

/// Start a Ceph cluster and leave it running
///
/// Ends when writes are acknowledged, after some 2 s for OSDs in memory and 5 s for BlueStore, and prints what to type next.
/// Each OSD is on a host of its own in the CRUSH map. A cluster that has died in the same folder, also with the
/// machine, is taken away first, with its objects.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion dev-ceph up
  ganglion dev-ceph up --folder /dev/shm/ceph --store bluestore --osds 4 --replicas 3
  ganglion dev-ceph up --netns --auth --pool books --pool pictures")]
pub(crate) struct DevCephUpArgs {
    /// OSDs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(Options::OSDS_MAX)))]
    pub(crate) osds: u32,
    /// Copies of each object, each on another OSD [default: 2, or 1 with one OSD]
    #[arg(long, value_name = "N")]
    pub(crate) replicas: Option<u32>,
    /// What OSDs keep objects in: `memory` (quick, gone with the daemon) or `bluestore` (a file in the folder)
    #[arg(
        long,
        value_enum,
        default_value = "memory",
        value_name = "KIND",
        hide_possible_values = true
    )]
    pub(crate) store: StoreKind,
    /// Size of each OSD's file, with `--store bluestore`; it is sparse
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    pub(crate) size: ByteSize,
    /// Ask clients and daemons for keys (cephx)
    #[arg(long)]
    pub(crate) auth: bool,
    /// Give each OSD, and compute, a network namespace of its own, joined by a bridge; needs root
    #[arg(long)]
    pub(crate) netns: bool,
    /// Pool to make; may be repeated [default: ganglion]
    #[arg(long, value_name = "NAME")]
    pub(crate) pool: Vec<String>,
    #[command(flatten)]
    pub(crate) place: FolderOption,
}

/// What OSDs keep objects in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    Memory,
    Bluestore,
}

/// Run a program as a client of the cluster, at a place of its network
///
/// Sets CEPH_CONF for it. With a cluster in namespaces the program runs in the namespace of the place; without, every place
/// is here. Ends as the program does.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion dev-ceph exec -- ceph osd tree
  ganglion dev-ceph exec --at compute -- rados -p ganglion bench 5 write
  ganglion dev-ceph exec --at storage:0 -- ip -brief address")]
pub(crate) struct DevCephExecArgs {
    /// `root` (where the monitor is), `compute` or `storage:N` (where osd.N is)
    #[arg(long, value_name = "PLACE", default_value = "root")]
    pub(crate) at: PlaceArg,
    #[command(flatten)]
    pub(crate) place: FolderOption,
    /// Program, and its arguments
    #[arg(
        value_name = "PROGRAM",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) program: Vec<OsString>,
}

/// A place as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceArg(pub(crate) Place);

impl FromStr for PlaceArg {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let osd = |number: &str| number.parse().ok().map(Place::Storage);
        let place = match text {
            "root" => Some(Place::Root),
            "compute" => Some(Place::Compute),
            _ => text.strip_prefix("storage:").and_then(osd),
        };
        place.map(Self).ok_or_else(|| {
            Error::invalid(format!(
                "`{text}` is no place: root, compute, or storage:N, as in storage:0"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_root_compute_or_an_osds() {
        let place = |text: &str| text.parse::<PlaceArg>().map(|place| place.0);
        assert_eq!(place("root"), Ok(Place::Root));
        assert_eq!(place("compute"), Ok(Place::Compute));
        assert_eq!(place("storage:12"), Ok(Place::Storage(12)));
        for bad in ["", "storage", "storage:", "storage:x", "osd.0"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
