//! Objects kept as files of the data folder.

use crate::process::Process;
use ganglion_store::{LocalOptions, LocalStore, ObjectStore};
use ganglion_types::{Error, NodeId, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// A node's own objects.
///
/// # Errors
/// `Unavailable` when the folder cannot be had or is in use.
pub(crate) async fn open(process: &Arc<Process>, node: &NodeId) -> Result<Arc<dyn ObjectStore>> {
    let (process, node) = (process.clone(), node.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let folder = process.settings.data.join("objects").join(node.as_str());
        let options = LocalOptions {
            object_bytes_max: process.settings.limits.object.as_u64(),
            ..LocalOptions::default()
        };
        LocalStore::open_with(folder, Some(node), process.ambient(), options)
    });
    let store = opened
        .await
        .map_err(|error| Error::internal(format!("opening a store: {error}")))??;
    Ok(Arc::new(store))
}

/// Objects are placed by the names of the storage nodes: a folder keeps their number, and another one is refused.
///
/// # Errors
/// `Invalid` for another number, `Unavailable` when the folder cannot be had.
pub(crate) fn remember_storage_nodes(process: &Process, storage: usize) -> Result<()> {
    let data: &PathBuf = &process.settings.data;
    let path = data.join("storage-nodes");
    let failed = |error: std::io::Error| Error::unavailable(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(data).map_err(failed)?;
    match std::fs::read_to_string(&path) {
        Ok(kept) if kept.trim() == storage.to_string() => Ok(()),
        Ok(kept) => Err(Error::invalid(format!(
            "{} was made with {} storage nodes, not {storage}: use --storage {}, or another --data folder",
            data.display(),
            kept.trim(),
            kept.trim()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::write(&path, format!("{storage}\n")).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}
