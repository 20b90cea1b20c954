//! Stands for `bench placement` in a build without the feature `ceph`: it cannot be run.

use ganglion_types::{Error, Result};
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// What `bench placement` is told.
#[derive(Clone, Debug, Default)]
pub struct PlacementOptions {
    /// Where the report is written as JSON.
    pub json: Option<PathBuf>,
    /// Where the plot is written as SVG.
    pub plot: Option<PathBuf>,
}

impl PlacementOptions {
    /// The same.
    pub fn quick() -> Self {
        Self::default()
    }
}

/// What `bench-load` is told.
#[derive(Clone, Debug)]
pub struct GeneratorOptions {
    /// The gateway.
    pub gateway: SocketAddr,
    /// Folder of the answers that are to come.
    pub answers: PathBuf,
    /// How many objects there are.
    pub objects: usize,
    /// Requests in flight.
    pub in_flight: usize,
}

/// There is none.
#[derive(Debug, Serialize)]
pub enum PlacementReport {}

impl PlacementReport {
    /// Calls that were forced to one site and ran at the other.
    pub fn elsewhere(&self) -> u64 {
        match *self {}
    }
}

impl fmt::Display for PlacementReport {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// # Errors
/// `Invalid`, always.
pub async fn placement(
    _options: PlacementOptions,
    _stop: CancellationToken,
) -> Result<PlacementReport> {
    Err(absent())
}

/// # Errors
/// `Invalid`, always.
pub async fn generator(_options: GeneratorOptions) -> Result<()> {
    Err(absent())
}

fn absent() -> Error {
    Error::invalid(
        "placement is measured on Ceph, which this build is without: build with `cargo build --release --features ceph`",
    )
}
