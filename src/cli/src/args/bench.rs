//! `bench`: measurements that anybody can repeat.

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Measure this machine, and print figures with what they are compared to
///
/// Each measurement starts what it needs on this machine, runs for a while, and prints its figures beside something that
/// was measured in the same run. No running cluster is touched.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion bench call
  ganglion bench scan --json scan.json")]
pub(crate) enum BenchCommand {
    /// Time of a call: calls a second, and the latency of each
    ///
    /// A warm call, a cold call after a restart, upload to first result, and throughput at 1 and 64 connections, each
    /// beside a plain HTTP handler of the same process. About a minute and a half.
    #[command(after_help = "Examples:
  ganglion bench call
  ganglion bench call --quick
  ganglion bench call --json call.json")]
    Call(BenchArgs),
    /// Reading objects: a function over 64 MiB beside the same source compiled natively
    ///
    /// Runs wordcount and a byte scan on an object that is mapped into the guest, on one that is copied into it, and
    /// natively (which needs a C++ compiler: see `ganglion doctor`).
    #[command(after_help = "Examples:
  ganglion bench scan
  ganglion bench scan --quick
  ganglion bench scan --json scan.json")]
    Scan(BenchArgs),
    /// The engine: instances from images, objects as memory, short calls beside long ones
    ///
    /// Makes instances of 1 MiB and of 64 MiB ready, beside copying as much, and those of a C++ function with iostream and
    /// regex, beside starting it anew. Maps 64 MiB into a guest, beside copying them, and adds up their bytes, beside native
    /// code over a buffer (which needs a C++ compiler: see `ganglion doctor`). Calls a short function beside four that spin.
    /// Half a minute. Where other programs use the machine meanwhile it takes three times as long or more, and an aim may not
    /// be judged.
    #[command(after_help = "Examples:
  ganglion bench engine
  ganglion bench engine --quick
  ganglion bench engine --json engine.json")]
    Engine(BenchArgs),
    /// The suite: each function beside the same source compiled natively
    ///
    /// Runs the C++ functions of the suite over objects of some megabytes, on one core: as WebAssembly, and as programs of this
    /// machine, which need a C++ compiler and Debian's libeigen3-dev, libstb-dev and nlohmann-json3-dev. One or two minutes. Where other
    /// programs use the machine meanwhile it takes longer, and an aim may not be judged.
    #[command(after_help = "Examples:
  ganglion bench functions
  ganglion bench functions --quick
  ganglion bench functions --json functions.json")]
    Functions(BenchArgs),
    /// Going on with a call beside its object: a function of the guest's table, run at the object's node
    ///
    /// Starts two nodes in this process with a TCP connection between them. A guest with an image of 64 MiB dirties 2 to 1639
    /// pages and calls an empty function of its table beside an object of the other node: beside an empty message's round trip
    /// and beside its whole memory over the same connection, and in parts. Then whole calls over objects of 4 KiB to 64 MiB,
    /// with near-data processing forbidden and preferred. Half a minute. Where other programs use the machine meanwhile it takes
    /// three times as long or more, and an aim may not be judged.
    #[command(after_help = "Examples:
  ganglion bench offload
  ganglion bench offload --quick
  ganglion bench offload --json offload.json")]
    Offload(BenchArgs),
    /// Where calls run: the function carried to the data, or the data to the function, at four speeds of a link
    ///
    /// Starts a Ceph cluster whose OSDs have network namespaces of their own, a storage worker beside each, and a gateway with
    /// a compute worker behind a link of 100 Mbit/s, 1 Gbit/s, 10 Gbit/s and without limit. Gets, scans and counts the words
    /// of 64 objects with near-data processing on, off and left to the scheduler, beside `rados bench`, the functions over
    /// memory, a native program over librados and `cls_lua`. Needs root, the packages ceph-mon, ceph-osd, ceph-common,
    /// librados-dev, iproute2 and g++, and a build with the feature `ceph`. About nine minutes. Where other programs use the machine meanwhile, an
    /// aim is not judged.
    #[command(after_help = "Examples:
  ganglion bench placement --ceph
  ganglion bench placement --ceph --link 1gbit
  ganglion bench placement --ceph --json placement.json --plot placement.svg")]
    Placement(PlacementArgs),
}

/// What `bench placement` takes.
#[derive(Debug, Args)]
pub(crate) struct PlacementArgs {
    /// On a Ceph cluster, which it starts and ends
    #[arg(long, required = true)]
    pub(crate) ceph: bool,
    /// Measure at this speed of the link only: 100mbit, 10gbit, `unlimited`; may be given several times
    #[arg(long = "link", value_name = "SPEED")]
    pub(crate) links: Vec<ganglion_bench::LinkSpeed>,
    /// Also draw the throughputs to this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) bench: BenchArgs,
}

/// What a measurement takes.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Run every part briefly: shows that it works, no figure is worth quoting
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// A server for `bench call`, which starts it.
#[derive(Debug, Args)]
pub(crate) struct BenchServerArgs {
    /// `single` or `cluster`
    #[arg(long)]
    pub(crate) nodes: ganglion_bench::Nodes,
    /// Folder of its data
    #[arg(long)]
    pub(crate) data: PathBuf,
}

/// The load generator of `bench placement`, which starts it.
#[derive(Debug, Args)]
pub(crate) struct BenchLoadArgs {
    /// The gateway's address
    #[arg(long)]
    pub(crate) gateway: SocketAddr,
    /// Folder of the answers that are to come
    #[arg(long)]
    pub(crate) answers: PathBuf,
    /// How many objects there are
    #[arg(long)]
    pub(crate) objects: usize,
    /// Requests in flight
    #[arg(long)]
    pub(crate) in_flight: usize,
}
