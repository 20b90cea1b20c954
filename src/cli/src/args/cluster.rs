//! Commands that start nodes on this machine, and those that look at them.

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where nodes of this machine listen, and where they keep their objects.
#[derive(Debug, Args)]
pub(crate) struct NodeOptions {
    /// Folder of the objects; made if absent [default: ./.ganglion]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address of the HTTP API; may be repeated [default: 127.0.0.1:8080 and 127.0.0.1:8002]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Vec<SocketAddr>,
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

/// Run one node with every role, for a service manager or a container
///
/// One process that keeps objects, runs functions and serves the API, with settings from flags, `GANGLION_*`,
/// ganglion.toml and defaults, in this order. Drains on SIGTERM.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion serve
  ganglion serve --config /etc/ganglion.toml
  ganglion serve --data /srv/ganglion --http 10.0.0.5:8080")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) node: NodeOptions,
}

/// See it work: a cluster, objects, and the same functions beside the data and away from it
///
/// Starts a cluster in a temporary folder on free ports, fills it with objects, runs functions on them at both sites,
/// and prints what each cost and why it was placed where it was. Nothing is left behind unless --keep is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion demo
  ganglion demo --objects 50 --size 16MiB
  ganglion demo --keep")]
pub(crate) struct DemoArgs {
    /// Objects to make
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) objects: u32,
    /// Size of each
    #[arg(long, value_name = "SIZE", default_value = "4MiB")]
    pub(crate) size: ByteSize,
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
