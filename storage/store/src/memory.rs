//! Objects in memory: for tests, and for a node that keeps nothing.

use crate::catalog::Catalog;
use crate::record::{
    Admission, Record, SizeLimit, admit_delete, admit_write, check_version, not_found,
};
use crate::{
    ByteRange, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload, ObjectView,
    PutOptions, Version,
};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use ganglion_types::{Ambient, Bucket, Error, Key, NodeId, ObjectKey, Result};
use parking_lot::RwLock;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

/// Keeps objects in this process's memory; they are gone with the last clone of the store.
///
/// A body is kept as the [`Bytes`] it came in, and read without a copy. The first [`ObjectStore::view`] of a content
/// copies it into a sealed memory file, which is kept as long as that content: a viewed object takes its size twice.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    node: Option<NodeId>,
    clock: Arc<dyn Ambient>,
    limit: SizeLimit,
    contents: RwLock<Contents>,
}

struct Contents {
    objects: Catalog<Object>,
    /// Of the last write to whichever key, so that a key which is deleted and made again goes on growing.
    last_version: u64,
}

struct Object {
    record: Record,
    body: Bytes,
    view: Arc<OnceLock<Arc<File>>>,
}

impl MemoryStore {
    /// An empty store, said to be on `node`; `object_bytes_max` is the setting `limits.object`.
    #[must_use]
    pub fn new(node: Option<NodeId>, clock: Arc<dyn Ambient>, object_bytes_max: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                node,
                clock,
                limit: SizeLimit::of_objects(object_bytes_max),
                contents: RwLock::new(Contents {
                    objects: Catalog::new(),
                    last_version: 0,
                }),
            }),
        }
    }
}

impl Shared {
    fn put(&self, key: &ObjectKey, body: Bytes, options: &PutOptions) -> Result<ObjectMeta> {
        self.limit.check(key, body.len() as u64)?;
        let mut contents = self.contents.write();
        let current = contents.objects.get(key).map(|object| &object.record);
        let names = match admit_write(key, current, options)? {
            Admission::Done(meta) => return Ok(meta),
            Admission::Write(names) => names,
        };
        contents.last_version += 1;
        let meta = ObjectMeta {
            size_bytes: body.len() as u64,
            version: Version(contents.last_version),
            modified_ms: self.clock.unix_ns() / 1_000_000,
        };
        let record = Record {
            meta: meta.clone(),
            names,
        };
        let object = Object {
            record,
            body,
            view: Arc::default(),
        };
        contents.objects.insert(key, object);
        Ok(meta)
    }

    /// What is known of the object, and its body, which costs a counter and no copy.
    fn read(&self, key: &ObjectKey) -> Result<(ObjectMeta, Bytes)> {
        let contents = self.contents.read();
        let object = contents.objects.get(key).ok_or_else(|| not_found(key))?;
        Ok((object.record.meta.clone(), object.body.clone()))
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        self.shared.put(key, body, &options)
    }

    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        Ok(Box::new(MemoryUpload {
            store: self.shared.clone(),
            key: key.clone(),
            options,
            body: BytesMut::new(),
        }))
    }

    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        let (meta, body) = self.shared.read(key)?;
        check_version(key, &meta, if_version)?;
        let range = range.within(meta.size_bytes);
        Ok(ObjectRead {
            bytes: body.slice(in_memory(range.offset)..in_memory(range.offset + range.length)),
            meta,
        })
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        let contents = self.shared.contents.read();
        let object = contents.objects.get(key).ok_or_else(|| not_found(key))?;
        Ok(object.record.meta.clone())
    }

    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        let mut contents = self.shared.contents.write();
        let current = contents.objects.get(key).map(|object| &object.record);
        admit_delete(key, current, condition)?;
        contents.objects.remove(key);
        Ok(())
    }

    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        let contents = self.shared.contents.read();
        let meta = |object: &Object| object.record.meta.clone();
        Ok(contents.objects.page(bucket, prefix, after, limit, meta))
    }

    async fn buckets(&self) -> Result<Vec<Bucket>> {
        Ok(self.shared.contents.read().objects.buckets())
    }

    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        let (meta, body, view) = {
            let contents = self.shared.contents.read();
            let object = contents.objects.get(key).ok_or_else(|| not_found(key))?;
            let meta = object.record.meta.clone();
            (meta, object.body.clone(), object.view.clone())
        };
        let file = match view.get() {
            Some(file) => file.clone(),
            None => {
                let sealed = sealed_file(&body).map_err(|cause| {
                    Error::unavailable(format!("making a memory file of {key}: {cause}"))
                })?;
                view.get_or_init(|| Arc::new(sealed)).clone()
            }
        };
        Ok(ObjectView::File { meta, file })
    }

    fn home(&self, _key: &ObjectKey) -> Option<NodeId> {
        self.shared.node.clone()
    }
}

struct MemoryUpload {
    store: Arc<Shared>,
    key: ObjectKey,
    options: PutOptions,
    body: BytesMut,
}

#[async_trait]
impl ObjectUpload for MemoryUpload {
    async fn write(&mut self, piece: Bytes) -> Result<()> {
        let size_bytes = self.body.len() as u64 + piece.len() as u64;
        self.store.limit.check(&self.key, size_bytes)?;
        self.body.extend_from_slice(&piece);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectMeta> {
        self.store.put(&self.key, self.body.freeze(), &self.options)
    }
}

/// A memory file of these bytes that nobody can change any more.
fn sealed_file(body: &[u8]) -> std::io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(memfd_create("ganglion-object", flags)?);
    file.write_all_at(body, 0)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "an offset within a body that is in memory fits usize"
)]
fn in_memory(offset: u64) -> usize {
    offset as usize
}
