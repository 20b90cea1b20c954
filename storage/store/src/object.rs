//! The trait and its nouns.

use crate::append;
use async_trait::async_trait;
use bytes::Bytes;
use ganglion_types::{Bucket, CallId, Key, NodeId, ObjectKey, Result};
use std::fmt;
use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;

/// Tells two contents of one key apart: every successful write of an object gives it a version never used for that key
/// before. Versions of a key grow. Printed in decimal; over HTTP it is the strong `ETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Which content this is.
    pub version: Version,
    /// When that content was written, in milliseconds since 1970-01-01 UTC.
    pub modified_ms: u64,
}

/// What must hold of the object for a write or a delete to take place; otherwise `Conflict` and nothing changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// There is no such object.
    Absent,
    /// Its version is this one.
    Version(Version),
}

/// Names one effect of one call, kept with the object it wrote: a repeat that finds its own name there is already done
/// (invariant 4 of the architecture). An object carries the names of its last [`NAMES_MAX`](crate::NAMES_MAX) writes, also over
/// writes that have a condition and no name, which may count among them. A write with neither, and a delete, leave no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommitId {
    /// The call that writes.
    pub call: CallId,
    /// Which of its writes this is, counted from 0.
    pub sequence: u32,
}

/// How to put an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// What must hold.
    pub condition: Condition,
    /// The effect's name. When the object already carries this very name the put succeeds, changes nothing, and
    /// returns the object as it is now, by whomever it was written last, whatever the condition says.
    pub commit: Option<CommitId>,
}

/// A range of bytes; what lies beyond the object's end is left out, as in `pread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes asked for.
    pub length: u64,
}

impl ByteRange {
    /// Everything.
    pub const ALL: Self = Self {
        offset: 0,
        length: u64::MAX,
    };

    /// The part that an object of `size_bytes` has: `(offset, length)`.
    #[must_use]
    pub fn within(self, size_bytes: u64) -> Self {
        let offset = self.offset.min(size_bytes);
        Self {
            offset,
            length: self.length.min(size_bytes - offset),
        }
    }
}

/// Bytes of one version of an object.
#[derive(Clone, Debug)]
pub struct ObjectRead {
    /// The object that they are of.
    pub meta: ObjectMeta,
    /// The bytes of the range that was asked for, as far as the object has them.
    pub bytes: Bytes,
}

/// An object in a form that a guest's memory can be mapped over.
#[derive(Clone, Debug)]
pub enum ObjectView {
    /// An open, immutable file on this host whose first byte is the object's first byte. A later write of the object
    /// makes a new file and leaves this one as it is.
    File {
        /// The object that it holds.
        meta: ObjectMeta,
        /// The file; may hold bytes behind the object's `size_bytes`, which are not part of it.
        file: Arc<File>,
    },
    /// The object is not on this host: read it by ranges, [`ObjectStore::get`] with `if_version` set to this meta's.
    Remote {
        /// The object as it is now.
        meta: ObjectMeta,
    },
}

impl ObjectView {
    /// The object that this is a view of.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::File { meta, .. } | Self::Remote { meta } => meta,
        }
    }
}

/// One page of a listing, in byte order of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Keys and what is known of them.
    pub objects: Vec<(Key, ObjectMeta)>,
    /// Whether there are more behind the last one: list again with `after` set to it.
    pub more: bool,
}

/// An object being written in pieces. Nothing is visible before [`ObjectUpload::commit`]; dropping it leaves no trace.
#[async_trait]
pub trait ObjectUpload: Send {
    /// Appends. Pieces of 2 MiB and more are best (the page cache then keeps them in large pages).
    ///
    /// # Errors
    /// `Invalid` beyond the store's largest object.
    async fn write(&mut self, piece: Bytes) -> Result<()>;

    /// Makes the whole object visible at once and durable, in place of what was there.
    ///
    /// # Errors
    /// `Conflict` when the condition does not hold.
    async fn commit(self: Box<Self>) -> Result<ObjectMeta>;
}

/// How a caller of [`ObjectStore::read_into`] waits: drives the future to its end, however it likes; or fails, and so has the
/// read stopped.
pub type Wait<'a> = dyn FnMut(Pin<&mut (dyn Future<Output = ()> + Send)>) -> Result<()> + 'a;

/// Objects by key. All of it is safe to call from many tasks at once.
///
/// Durability: when `put`, `commit` or `delete` has returned, the effect survives the death of the process and, for
/// stores on disk, of the machine. Atomicity: a reader sees the whole old object or the whole new one. Order: a read
/// that begins after a write has returned sees it.
///
/// Absent on purpose: rename, directories, and anything that would hold a lock between two calls.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// Writes a whole object, in place of what was there.
    ///
    /// # Errors
    /// `Conflict` when the condition does not hold; `Invalid` beyond the largest object.
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta>;

    /// Writes behind the end of an object, or makes it; all of the piece or nothing. Names and conditions are those of a put,
    /// and the names of earlier writes stay.
    ///
    /// A store that keeps whole files reads the object and writes it anew, which costs its size; RADOS is sent the piece alone.
    ///
    /// # Errors
    /// As [`ObjectStore::put`], of the size that the object would have; `Unavailable` when others change it at every try.
    async fn append(
        &self,
        key: &ObjectKey,
        piece: Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        append::by_rewriting(self, key, piece, options).await
    }

    /// Begins to write an object in pieces.
    ///
    /// # Errors
    /// As [`ObjectStore::put`]; the condition is checked at the commit.
    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>>;

    /// Reads a range. With `if_version`, only of that version.
    ///
    /// # Errors
    /// `NotFound` when there is no such object, `Conflict` when its version is another.
    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead>;

    /// Looks without reading.
    ///
    /// # Errors
    /// `NotFound`.
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta>;

    /// Removes it.
    ///
    /// # Errors
    /// `NotFound` when there was none, `Conflict` when the condition does not hold ([`Condition::Absent`] is `Invalid`).
    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()>;

    /// Lists keys of a bucket that begin with `prefix` and come behind `after`, at most `limit` (capped at 10,000).
    /// A bucket that was never written is an empty one.
    ///
    /// # Errors
    /// `Unavailable` when a node that may hold some of them cannot be asked: never a silently shorter list.
    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage>;

    /// The names of the buckets that hold an object, internal ones included, in byte order.
    ///
    /// # Errors
    /// As [`ObjectStore::list`].
    async fn buckets(&self) -> Result<Vec<Bucket>>;

    /// Opens an object so that a guest's memory can be mapped over it, where it is on this host.
    ///
    /// # Errors
    /// `NotFound`.
    async fn view(&self, key: &ObjectKey) -> Result<ObjectView>;

    /// Reads that version of an object, from `offset` on, straight into memory that the caller lends; returns how many bytes
    /// the object has there, which is less than asked for only at its end. `None` where the store does not offer it: read it
    /// with [`ObjectStore::get`].
    ///
    /// Blocks, so it is not for a task's thread: `wait` is called once and has to wait for the future it is given. Whatever it
    /// does, the memory is the caller's again when this returns; after an error its content is unspecified.
    ///
    /// # Errors
    /// As [`ObjectStore::get`]; where `wait` fails, with its error.
    fn read_into(
        &self,
        _key: &ObjectKey,
        _version: Version,
        _offset: u64,
        _into: &mut [u8],
        _wait: &mut Wait<'_>,
    ) -> Option<Result<usize>> {
        None
    }

    /// The node that holds this key, whether or not the object exists; `None` where the store has no places.
    /// Computed, not asked: microseconds.
    fn home(&self, key: &ObjectKey) -> Option<NodeId>;
}
