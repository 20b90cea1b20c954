//! Commands that start nodes on this machine, and those that look at them.

use super::duration;
use bytesize::ByteSize;
use clap::{Args, Subcommand};
use ganglion_node::{ListenAddress, Role};
use std::path::PathBuf;
use std::time::Duration;

/// Where nodes of this machine listen, and where they keep their objects.
#[derive(Debug, Args)]
pub(crate) struct NodeOptions {
    /// Folder of the objects; made if absent [default: ./.ganglion]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address of the HTTP API, or cluster:PORT as for --listen of `serve`; may be repeated [default: 127.0.0.1:8080 and 127.0.0.1:8002]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Vec<ListenAddress>,
    /// Keep the objects in Ceph: its ceph.conf [default: files in the data folder]
    #[arg(long, value_name = "CONF")]
    pub(crate) ceph: Option<PathBuf>,
    /// Settings file [default: ./ganglion.toml if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Start a cluster on this machine: compute and storage nodes, and the HTTP API
///
/// Starts every node of a small cluster, spreads the objects of the data folder over its storage nodes, deploys the
/// bundled functions, and serves the API until it is stopped (Ctrl-C drains: running calls finish). Listens on loopback
/// unless told otherwise: the API has no passwords.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion up
  ganglion up --compute 1 --storage 4 --data /srv/ganglion
  ganglion up --http 127.0.0.1:9090 --no-functions")]
pub(crate) struct UpArgs {
    /// Compute nodes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) compute: u16,
    /// Storage nodes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) storage: u16,
    /// Do not deploy the bundled functions
    #[arg(long)]
    pub(crate) no_functions: bool,
    #[command(flatten)]
    pub(crate) node: NodeOptions,
}

/// Run the roles of one process: gateway, compute, storage, or several of them
///
/// Without --role the process has them all: it keeps objects, runs functions and serves the API. In a cluster each process
/// has its part: gateways take calls over HTTP and place them, compute workers run them, and a storage worker beside every
/// OSD runs those that are to be near their object. Nodes find each other through Redis (--redis), or each is told of
/// the others (--peer). Settings come from flags, `GANGLION_*`, ganglion.toml and defaults, in this order. Drains on
/// SIGTERM: running calls finish, and the others send no new ones.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion serve --data /srv/ganglion --http 10.0.0.5:8080
  ganglion serve --role gateway,compute --ceph ceph.conf --peer storage-a=10.0.0.2:7461/0,1 --peer storage-b=10.0.0.3:7461/2
  ganglion serve --role storage --redis redis://10.0.0.1:6379 --ceph ceph.conf --listen cluster:7461 --osd 3 --wait-for 60s")]
pub(crate) struct ServeArgs {
    /// Role of this process; may be repeated, or a list [default: gateway,compute,storage]
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    pub(crate) role: Vec<Role>,
    /// Name of its nodes among their kind: compute-NAME, storage-NAME [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where its worker listens for other nodes: ADDRESS:PORT or ADDRESS:FIRST-LAST, of which the first free port is taken;
    /// `cluster` stands for the address of this host from which Redis is reached [default: 127.0.0.1:7461 for storage,
    /// 127.0.0.1:7462 for compute]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<ListenAddress>,
    /// Redis through which nodes find each other; its password is better in a file (setting redis.password_file)
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// Another node, as compute-NAME=HOST:PORT or storage-NAME=HOST:PORT[/OSD,OSD]; may be repeated
    #[arg(long, value_name = "NODE")]
    pub(crate) peer: Vec<String>,
    /// OSD that the storage worker is beside; may be repeated [default: those of this host]
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) osd: Vec<u32>,
    /// How long to wait at the start for what is not there yet: Redis's host, Ceph's monitor, the pool, this host's OSDs
    /// [default: it fails at once]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) wait_for: Option<Duration>,
    /// Deploy the bundled functions
    #[arg(long)]
    pub(crate) functions: bool,
    #[command(flatten)]
    pub(crate) node: NodeOptions,
}

/// Ask a process of this machine how it is
///
/// Asks at the socket of the setting listen.health, which the process has to have as well. Ends with 0 when its roles run; with
/// 4, and says why, while it waits for something at its start, or when nobody answers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  GANGLION_LISTEN_HEALTH=/run/ganglion/health ganglion health
  ganglion health --socket /run/ganglion/health --ready
  docker exec CONTAINER ganglion health")]
pub(crate) struct HealthArgs {
    /// Its socket [default: the setting listen.health]
    #[arg(long, value_name = "FILE")]
    pub(crate) socket: Option<PathBuf>,
    /// It also has to take calls: a gateway that reaches compute nodes and the objects, a worker that does not end
    #[arg(long)]
    pub(crate) ready: bool,
}

/// See it work: a cluster, objects, and the same functions beside the data and away from it
///
/// Starts a cluster in a temporary folder on free ports, fills it with objects, runs functions on them at both sites,
/// and prints what each cost and why it was placed where it was. Nothing is left behind unless --keep is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion demo
  ganglion demo --ceph
  ganglion demo --objects 50 --size 16MiB --keep")]
pub(crate) struct DemoArgs {
    /// Objects to make
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) objects: u32,
    /// Size of each
    #[arg(long, value_name = "SIZE", default_value = "4MiB")]
    pub(crate) size: ByteSize,
    /// Keep the objects in a real Ceph cluster, started for it (needs ceph-mon, ceph-osd, ceph-common, and a build with
    /// `--features ceph`)
    #[arg(long)]
    pub(crate) ceph: bool,
    /// Leave the cluster running, and its folder in place, until Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Look at the nodes that calls can be placed on
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion node list
  ganglion node list -o json | jq '.nodes[].id'")]
pub(crate) enum NodeCommand {
    /// List the nodes, their loads and links
    ///
    /// The load is what a node last said of itself: guests running of those that may run at once, calls waiting, and the
    /// smoothed run time of a call. The link is what past transfers between the gateway's node and that node say.
    #[command(after_help = "Examples:
  ganglion node list
  ganglion node list -o json | jq '.nodes[] | select(.load == null).id'")]
    List,
}

/// Show the settings: those in effect here, or all of them with their meaning
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion config show
  ganglion config default > ganglion.toml")]
pub(crate) enum ConfigCommand {
    /// Show every setting in effect, and where its value came from
    ///
    /// Sources in this order: flags, `GANGLION_*`, ganglion.toml, defaults. Reads them as `serve` would, here and now; a
    /// gateway that already runs may have been started with others.
    #[command(after_help = "Examples:
  ganglion config show
  ganglion config show --config /etc/ganglion.toml
  ganglion config show -o json | jq '.settings[] | select(.source != \"default\")'")]
    Show {
        /// Settings file [default: ./ganglion.toml if there is one]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print a ganglion.toml with every setting, its default and its meaning
    ///
    /// Everything in it is commented out: remove the `#` of what you want to change.
    #[command(after_help = "Examples:
  ganglion config default
  ganglion config default > ganglion.toml")]
    Default,
}
