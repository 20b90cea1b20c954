//! An object on its way: a pending file that becomes the object's file, or vanishes.

use super::error::failed;
use super::folder::{Folder, doing};
use super::trailer::Trailer;
use crate::record::Record;
use ganglion_types::{ObjectKey, Result};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// A pending file and what was written to it. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Staged {
    size_bytes: u64,
    crc32c: u32,
    /// `None` once it is an object.
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    folder: Arc<Folder>,
    name: String,
    file: File,
}

impl Staged {
    /// A pending file that holds `body`.
    pub(super) fn holding(folder: &Arc<Folder>, body: &[u8]) -> Result<Self> {
        let (name, file) = folder.create_pending()?;
        let folder = folder.clone();
        let mut staged = Self {
            size_bytes: 0,
            crc32c: 0,
            pending: Some(Pending { folder, name, file }),
        };
        staged.append(body)?;
        Ok(staged)
    }

    /// Bytes of the object so far.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Appends to the object.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending().write(bytes)?;
        self.size_bytes += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        Ok(())
    }

    /// Ends the file with its trailer, makes it durable and gives it the object's name, in this order: whatever dies when,
    /// a file under an object's name is whole. `record` says of which size the object is: this one's.
    pub(super) fn publish(mut self, key: &ObjectKey, record: Record) -> Result<()> {
        let trailer = Trailer {
            record,
            content_crc32c: self.crc32c,
        };
        let pending = self.pending();
        pending.write(&trailer.padded(key))?;
        let path = pending.folder.pending_path(&pending.name);
        pending.folder.sync_content(&pending.file, &path)?;
        pending.folder.settle_bucket(&key.bucket)?;
        pending.folder.publish(&pending.name, key)?;
        self.pending = None;
        Ok(())
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending
            .as_mut()
            .expect("only publishing, which consumes it, takes the file away")
    }
}

impl Pending {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|cause| {
            let path = self.folder.pending_path(&self.name);
            failed(doing("writing", &path), cause)
        })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        // The name goes at once, so that it cannot outlive the folder's lock. The room of a large file takes its time to
        // be given back, when the last descriptor is closed, and does so elsewhere.
        pending.folder.discard_pending(&pending.name);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let file = pending.file;
            runtime.spawn_blocking(move || drop(file));
        }
    }
}
