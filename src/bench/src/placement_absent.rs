//! Stands for `bench placement` in a build without the feature `ceph`: it cannot be run.

use crate::placement_options::{GeneratorOptions, PlacementOptions};
use ganglion_types::{Error, Result};
use serde::Serialize;
use std::fmt;
use tokio_util::sync::CancellationToken;

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
