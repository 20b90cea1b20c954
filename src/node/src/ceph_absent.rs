//! Stands for Ceph in a build without the feature `ceph`: it cannot be connected to, and so nothing of it can be called.

use crate::process::Process;
use crate::roles::Entry;
use ganglion_store::ObjectStore;
use ganglion_types::{Error, NodeId, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// There is none.
#[derive(Clone)]
pub(crate) enum Ceph {}

impl Ceph {
    /// # Errors
    /// `Invalid`, always.
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub(crate) async fn connect(process: &Process, _crush_location: Option<&str>) -> Result<Self> {
        Err(Error::invalid(format!(
            "ceph.conf = {} asks for Ceph, which this build is without: build with `cargo build --release --features ceph`",
            process.settings.ceph.conf.display()
        )))
    }

    /// # Errors
    /// As [`Ceph::connect`].
    pub(crate) async fn beside(process: &Process, _osds: &[u32]) -> Result<Self> {
        Self::connect(process, None).await
    }

    /// # Errors
    /// As [`Ceph::connect`].
    pub(crate) async fn beside_neighbours(process: &Process) -> Result<(Self, Vec<u32>)> {
        Ok((Self::connect(process, None).await?, Vec::new()))
    }

    pub(crate) fn objects(&self) -> Arc<dyn ObjectStore> {
        match *self {}
    }

    /// # Errors
    /// None.
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub(crate) async fn osds(&self) -> Result<Vec<u32>> {
        match *self {}
    }

    /// # Errors
    /// None.
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub(crate) async fn find_osds(&self, _entries: &mut [Entry]) -> Result<()> {
        match *self {}
    }

    pub(crate) fn set_homes(&self, _homes: HashMap<u32, NodeId>) {
        match *self {}
    }
}
