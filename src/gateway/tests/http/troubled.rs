//! A store that fails so often as it is told.

use crate::house::TestAmbient;
use async_trait::async_trait;
use bytes::Bytes;
use ganglion_store::{
    ByteRange, Condition, ListPage, MemoryStore, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload,
    ObjectView, PutOptions, Version,
};
use ganglion_types::{Bucket, Error, ErrorKind, Key, NodeId, ObjectKey, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Its next listings, or writes, of the bucket `ndp` fail so.
pub(crate) struct Troubled {
    store: MemoryStore,
    pub(crate) listing: Mutex<Vec<ErrorKind>>,
    pub(crate) putting: Mutex<Vec<ErrorKind>>,
    listed: AtomicUsize,
}

impl Troubled {
    pub(crate) fn new() -> Arc<Self> {
        let home = NodeId::new("storage-1").unwrap();
        Arc::new(Self {
            store: MemoryStore::new(Some(home), TestAmbient::new(), 1 << 40),
            listing: Mutex::default(),
            putting: Mutex::default(),
            listed: AtomicUsize::new(0),
        })
    }

    /// Pages of the bucket `ndp` that were given.
    pub(crate) fn listed(&self) -> usize {
        self.listed.load(Ordering::SeqCst)
    }
}

fn trouble(kinds: &Mutex<Vec<ErrorKind>>, bucket: &Bucket) -> Result<()> {
    if bucket.as_str() != "ndp" {
        return Ok(());
    }
    match kinds.lock().unwrap().pop() {
        Some(kind) => Err(Error::new(kind, "the store says no")),
        None => Ok(()),
    }
}

#[async_trait]
impl ObjectStore for Troubled {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        trouble(&self.putting, &key.bucket)?;
        self.store.put(key, body, options).await
    }

    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        self.store.upload(key, options).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        version: Option<Version>,
    ) -> Result<ObjectRead> {
        self.store.get(key, range, version).await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        self.store.stat(key).await
    }

    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        self.store.delete(key, condition).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        trouble(&self.listing, bucket)?;
        if bucket.as_str() == "ndp" {
            self.listed.fetch_add(1, Ordering::SeqCst);
        }
        self.store.list(bucket, prefix, after, limit).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>> {
        self.store.buckets().await
    }

    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        self.store.view(key).await
    }

    fn home(&self, key: &ObjectKey) -> Option<NodeId> {
        self.store.home(key)
    }
}
