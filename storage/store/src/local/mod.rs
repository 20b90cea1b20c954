//! Objects as files of one folder, for Linux.
//!
//! ```text
//! FOLDER/lock                        held (flock) while a store has the folder open
//! FOLDER/versions                    a mark above every version ever given        (module `versions`)
//! FOLDER/objects/BUCKET/NAME         one object: its bytes, zeros, its trailer    (modules `name`, `trailer`)
//! FOLDER/pending/NUMBER              an object being written; removed at the start
//! ```

mod error;
mod folder;
mod former;
mod index;
mod name;
mod opened;
mod read;
mod scan;
mod staged;
mod trailer;
mod versions;
mod write;
mod writers;

use crate::record::SizeLimit;
use crate::{
    ByteRange, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload, ObjectView,
    PutOptions, Version,
};
use async_trait::async_trait;
use bytes::Bytes;
use folder::Folder;
use ganglion_types::{Ambient, Bucket, Key, NodeId, ObjectKey, Result};
use index::Index;
use opened::OpenFiles;
use parking_lot::RwLock;
use read::{read_cached_first, read_settled};
use std::path::Path;
use std::sync::Arc;
use versions::Versions;
use write::LocalUpload;
use writers::Writers;

/// How a [`LocalStore`] keeps objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// Largest object, in bytes. Setting `limits.object`. By default 64 KiB less than a guest's whole address space.
    pub object_bytes_max: u64,
    /// Whether an effect waits until it would survive a power loss. Without, it survives the death of the process only,
    /// and is tens of times faster: for tests, and for data that can be made again.
    pub durable: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            object_bytes_max: (4 << 30) - (64 << 10),
            durable: true,
        }
    }
}

/// Objects as files of one folder.
///
/// - **Whole or not at all.** An object is one file with a trailer that says what it is; it appears by one rename. After a
///   `kill -9` or a power loss each key has its last acknowledged content, or that of a write that was under way, whole.
/// - **Cheap to look at.** What is known of each object is in memory, ordered (about 200 bytes, the key's length, and 20 bytes
///   for each name of an effect, per object), read from the trailers at the start: `stat` and `list` ask no disk. A short read
///   that the page cache can answer stays on the caller's thread; all else that could wait for a disk is done on tokio's
///   blocking threads.
/// - **Checked.** A `get` of a whole object compares its CRC-32C; ranges and views are not compared, only their file's
///   trailer is, when it is opened; [`LocalStore::verify`] compares any object. A difference is `Corrupt`, names the object, and goes away by
///   deleting or rewriting it. A bucket with an object whose trailer cannot be read refuses to be listed.
///
/// Dropping a future: a read is given up; a write or delete either never began or runs to its end, and until then keeps
/// the folder open.
#[derive(Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

struct Shared {
    folder: Arc<Folder>,
    index: RwLock<Index>,
    open_files: OpenFiles,
    versions: Versions,
    writers: Writers,
    clock: Arc<dyn Ambient>,
    node: Option<NodeId>,
    limit: SizeLimit,
}

impl LocalStore {
    /// Opens a folder with the default options, making it where it is missing.
    ///
    /// Blocks until the trailer of every object is read: about 10 µs an object where the disk's pages are in memory.
    ///
    /// # Errors
    /// `Unavailable` when another store has the folder open, or it cannot be written; `Corrupt` when the mark of versions
    /// cannot be read.
    pub fn open(
        folder: impl AsRef<Path>,
        node: Option<NodeId>,
        clock: Arc<dyn Ambient>,
    ) -> Result<Self> {
        Self::open_with(folder, node, clock, LocalOptions::default())
    }

    /// As [`LocalStore::open`], with options.
    ///
    /// # Errors
    /// As [`LocalStore::open`].
    pub fn open_with(
        folder: impl AsRef<Path>,
        node: Option<NodeId>,
        clock: Arc<dyn Ambient>,
        options: LocalOptions,
    ) -> Result<Self> {
        let folder = Arc::new(Folder::open(folder.as_ref(), options.durable)?);
        let found = scan::scan(&folder)?;
        let versions = Versions::open(&folder, found.greatest_version)?;
        tracing::info!(
            folder = %folder.path().display(),
            objects = found.objects,
            unreadable = found.index.unreadable_count(),
            "object folder opened"
        );
        Ok(Self {
            shared: Arc::new(Shared {
                folder,
                index: RwLock::new(found.index),
                open_files: OpenFiles::new(),
                versions,
                writers: Writers::new(),
                clock,
                node,
                limit: SizeLimit::of_objects(options.object_bytes_max),
            }),
        })
    }

    /// Reads the whole object and compares it with the checksum it was written with.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt` when it is not what was written.
    pub async fn verify(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        read_settled(&self.shared, key, |shared, key| shared.verify(key)).await
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        self.write(key, body, options).await
    }

    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        let upload = LocalUpload::new(self.clone(), key.clone(), options);
        Ok(Box::new(upload))
    }

    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        read_cached_first(&self.shared, key, move |shared, key, access| {
            shared.read(key, range, if_version, access)
        })
        .await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        Ok(self.shared.index.read().get(key)?.meta.clone())
    }

    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        self.remove(key, condition).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        self.shared.index.read().page(bucket, prefix, after, limit)
    }

    async fn buckets(&self) -> Result<Vec<Bucket>> {
        Ok(self.shared.index.read().buckets())
    }

    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        let opened = read_cached_first(&self.shared, key, Shared::open_current).await?;
        Ok(ObjectView::File {
            meta: opened.meta.clone(),
            file: opened.file.clone(),
        })
    }

    fn home(&self, _key: &ObjectKey) -> Option<NodeId> {
        self.shared.node.clone()
    }
}
