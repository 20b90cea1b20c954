//! The transport's limit: Ceph's own `rados bench`.

use super::{IN_FLIGHT, OBJECT_BYTES, TRANSPORT_POOL};
use crate::report::failed;
use ganglion_dev_ceph::{MiniCeph, Place};
use ganglion_types::{Error, Result};
use std::time::Duration;
use tokio::process::Command;

/// Reads of whole objects as large as the corpus's, as many in flight.
pub(super) struct Transport<'a>(&'a MiniCeph);

impl<'a> Transport<'a> {
    /// Writes so many objects for the reads to come.
    pub(super) async fn prepare(ceph: &'a MiniCeph, objects: usize) -> Result<Self> {
        let this = Self(ceph);
        let (size, objects) = (OBJECT_BYTES.to_string(), objects.to_string());
        let words = [
            "60",
            "write",
            "--no-cleanup",
            "-b",
            &size,
            "--max-objects",
            &objects,
        ];
        this.bench(Place::Root, &words).await?;
        Ok(this)
    }

    /// Reads for `duration`, in whole seconds, at that place; in 10^6 bytes per second. Contents are compared.
    pub(super) async fn mb_per_s(&self, place: Place, duration: Duration) -> Result<f64> {
        let seconds = duration.as_secs().max(1).to_string();
        let report = self.bench(place, &[&seconds, "rand"]).await?;
        let found = report["bandwidth"]
            .as_str()
            .and_then(|mib| mib.parse().ok());
        let mib: f64 = found.or(report["bandwidth"].as_f64()).ok_or_else(|| {
            Error::internal(format!("`rados bench` told of no bandwidth: {report}"))
        })?;
        Ok(mib * f64::from(1 << 20) / 1e6)
    }

    async fn bench(&self, place: Place, words: &[&str]) -> Result<serde_json::Value> {
        let mut command = self.0.command_in(place, "rados");
        command
            .args(["--pool", TRANSPORT_POOL, "--format", "json"])
            .args(["--concurrent-ios", &IN_FLIGHT.to_string(), "bench"])
            .args(words);
        let mut command = Command::from(command);
        let ended = command.kill_on_drop(true).output().await;
        let ended = ended.map_err(failed("rados"))?;
        let (said, told) = (
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
        // Its progress goes before the document in some versions.
        let document = said.find('{').map(|at| &said[at..]).unwrap_or_default();
        serde_json::from_str(document)
            .map_err(|_| Error::internal(format!("`rados bench`, {}: {said}{told}", ended.status)))
    }
}
