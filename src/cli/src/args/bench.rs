//! `bench`: measurements that anybody can repeat.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Measure this machine, and print figures with what they are compared to
///
/// Each measurement starts what it needs in this process and on this machine, runs for a while, and prints its figures
/// beside something that was measured in the same run. No running cluster is touched.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion bench call
  ganglion bench scan --seconds 20 --json scan.json")]
pub(crate) enum BenchCommand {
    /// Time of a call: calls a second, and the latency of each
    ///
    /// Calls a small function over HTTP, alone and from many connections at once, and compares it with a server that
    /// answers the same requests and runs nothing.
    #[command(after_help = "Examples:
  ganglion bench call
  ganglion bench call --seconds 30 --json call.json")]
    Call(BenchArgs),
    /// Reading objects: a function beside the data against carrying the data to it
    ///
    /// Scans objects at the storage node and from a compute node, and compares both with the same scan as native code
    /// (which needs a C++ compiler: see `ganglion doctor`).
    #[command(after_help = "Examples:
  ganglion bench scan
  ganglion bench scan --seconds 30 --json scan.json")]
    Scan(BenchArgs),
}

/// What a measurement takes.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// How long each part is measured
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) seconds: u32,
    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
