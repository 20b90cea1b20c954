//! Writing and deleting, in this order, each step under the key's lock:
//!
//! ```text
//! write    admit (index) -> allot a version -> trailer, fdatasync -> rename -> index -> fsync of the bucket's folder -> return
//! delete   admit (index) -> unlink -> index -> fsync of the bucket's folder -> return
//! ```
//!
//! The bytes of a large object are written before the lock is taken. A write is seen by readers from its note in the index
//! on, which is before it would survive a power loss; whoever asked for it hears of it only after.

use super::staged::Staged;
use super::{LocalStore, Shared};
use crate::blocking::blocking;
use crate::names::Names;
use crate::record::{Admission, Record, admit_delete, admit_write};
use crate::{Condition, ObjectMeta, ObjectUpload, PutOptions};
use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use ganglion_types::{Error, ErrorKind, ObjectKey, Result};

/// Objects are written in multiples of this, where they are that large: the page cache then keeps them in pages of 2 MiB,
/// and a guest's mapping of them costs as few faults.
const PIECE_BYTES: usize = 2 << 20;

impl LocalStore {
    /// Writes `body` in place of what was there.
    pub(super) async fn write(
        &self,
        key: &ObjectKey,
        body: Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        self.shared.limit.check(key, body.len() as u64)?;
        let folder = self.shared.folder.clone();
        if body.len() <= PIECE_BYTES {
            let stage = move || Staged::holding(&folder, &body);
            return self.commit(key, options, stage).await;
        }
        // Ask before writing so much for nothing; it is asked again under the lock.
        if let Admission::Done(meta) = self.shared.admit(key, &options)? {
            return Ok(meta);
        }
        let staged = blocking(move || Staged::holding(&folder, &body)).await?;
        self.commit(key, options, move || Ok(staged)).await
    }

    /// Makes what `stage` gives the object. Once begun it runs to its end, also when the caller has gone.
    async fn commit(
        &self,
        key: &ObjectKey,
        options: PutOptions,
        stage: impl FnOnce() -> Result<Staged> + Send + 'static,
    ) -> Result<ObjectMeta> {
        let alone = self.shared.writers.lock(key).await;
        let (shared, key) = (self.shared.clone(), key.clone());
        blocking(move || {
            let _alone = alone;
            match shared.admit(&key, &options)? {
                Admission::Done(meta) => Ok(meta),
                Admission::Write(names) => shared.replace(&key, names, stage()?),
            }
        })
        .await
    }

    /// Removes the object.
    pub(super) async fn remove(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        let alone = self.shared.writers.lock(key).await;
        let (shared, key) = (self.shared.clone(), key.clone());
        blocking(move || {
            let _alone = alone;
            shared.remove(&key, condition)
        })
        .await
    }
}

impl Shared {
    /// A file that cannot be read may be replaced by whoever does not ask what it is.
    fn admit(&self, key: &ObjectKey, options: &PutOptions) -> Result<Admission> {
        match self.index.read().find(key) {
            Ok(current) => admit_write(key, current, options),
            Err(_) if options.condition == Condition::None => admit_write(key, None, options),
            Err(corrupt) => Err(corrupt),
        }
    }

    fn replace(&self, key: &ObjectKey, names: Names, staged: Staged) -> Result<ObjectMeta> {
        let meta = ObjectMeta {
            size_bytes: staged.size_bytes(),
            version: self.versions.allot(&self.folder)?,
            modified_ms: self.clock.unix_ns() / 1_000_000,
        };
        let record = Record {
            meta: meta.clone(),
            names,
        };
        staged.publish(key, record.clone())?;
        self.index.write().insert(key, record);
        self.open_files.forget(key);
        self.sync_effect(key)?;
        Ok(meta)
    }

    fn remove(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        match self.index.read().find(key) {
            Ok(current) => admit_delete(key, current, condition)?,
            Err(_) if condition == Condition::None => {}
            Err(corrupt) => return Err(corrupt),
        }
        self.folder.remove(key)?;
        self.index.write().remove(key);
        self.open_files.forget(key);
        self.sync_effect(key)
    }

    /// The effect has taken place; when it cannot be made to last, nobody knows whether it will.
    fn sync_effect(&self, key: &ObjectKey) -> Result<()> {
        self.folder.sync_bucket(&key.bucket).map_err(|error| {
            let message = format!("{key} was changed, perhaps not for good: {error}");
            Error::new(ErrorKind::Indeterminate, message)
        })
    }
}

/// An object written in pieces: gathered to whole multiples of [`PIECE_BYTES`], which go to a pending file.
pub(super) struct LocalUpload {
    store: LocalStore,
    key: ObjectKey,
    options: PutOptions,
    size_bytes: u64,
    staging: Staging,
    /// Less than [`PIECE_BYTES`] that are not in the file yet.
    gathered: BytesMut,
}

/// Where an upload's file is.
enum Staging {
    /// Nothing is written yet.
    Unbegun,
    /// Here.
    Begun(Staged),
    /// With a write that failed or was cancelled.
    Lost,
}

impl LocalUpload {
    pub(super) fn new(store: LocalStore, key: ObjectKey, options: PutOptions) -> Self {
        Self {
            store,
            key,
            options,
            size_bytes: 0,
            staging: Staging::Unbegun,
            gathered: BytesMut::new(),
        }
    }

    /// Hands bytes to the file, on another thread.
    async fn stage(&mut self, bytes: Bytes) -> Result<()> {
        let staging = std::mem::replace(&mut self.staging, Staging::Lost);
        let stage = stage(&self.store, &self.key, staging, bytes);
        self.staging = Staging::Begun(blocking(stage).await?);
        Ok(())
    }
}

#[async_trait]
impl ObjectUpload for LocalUpload {
    async fn write(&mut self, mut piece: Bytes) -> Result<()> {
        let size_bytes = self.size_bytes + piece.len() as u64;
        self.store.shared.limit.check(&self.key, size_bytes)?;
        self.size_bytes = size_bytes;
        if !self.gathered.is_empty() {
            let wanted = (PIECE_BYTES - self.gathered.len()).min(piece.len());
            self.gathered.extend_from_slice(&piece.split_to(wanted));
            if self.gathered.len() < PIECE_BYTES {
                return Ok(());
            }
            let full = self.gathered.split().freeze();
            self.stage(full).await?;
        }
        let whole = piece.len() - piece.len() % PIECE_BYTES;
        if whole > 0 {
            let full = piece.split_to(whole);
            self.stage(full).await?;
        }
        if piece.has_remaining() {
            self.gathered.reserve(PIECE_BYTES);
            self.gathered.extend_from_slice(&piece);
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectMeta> {
        let Self {
            store,
            key,
            options,
            staging,
            gathered,
            ..
        } = *self;
        let stage = stage(&store, &key, staging, gathered.freeze());
        store.commit(&key, options, stage).await
    }
}

/// The work of appending `bytes` to an upload's file, which is made when there is none.
fn stage(
    store: &LocalStore,
    key: &ObjectKey,
    staging: Staging,
    bytes: Bytes,
) -> impl FnOnce() -> Result<Staged> + Send + 'static {
    let (folder, key) = (store.shared.folder.clone(), key.clone());
    move || match staging {
        Staging::Unbegun => Staged::holding(&folder, &bytes),
        Staging::Begun(mut staged) => {
            staged.append(&bytes)?;
            Ok(staged)
        }
        Staging::Lost => Err(Error::invalid(format!(
            "the upload of {key} cannot go on: an earlier write of it failed or was cancelled"
        ))),
    }
}
