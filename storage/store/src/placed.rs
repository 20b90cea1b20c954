//! One store over several nodes.

use crate::catalog::PAGE_OBJECTS_MAX;
use crate::placement::Placement;
use crate::{
    ByteRange, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload, ObjectView,
    PutOptions, Version, Wait,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{BoxFuture, try_join_all};
use ganglion_types::{Bucket, Error, ErrorKind, Key, NodeId, ObjectKey, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Spreads objects over its members' stores by rendezvous hashing of `bucket/key` over the nodes' names: the home of a key
/// is computed by everyone alike, and the loss of a node moves no other node's keys (the module `placement` has the formula).
///
/// A key's home answers for it alone; only [`ObjectStore::list`] and [`ObjectStore::buckets`] ask every node, and fail
/// where one does not answer. Absent on purpose: copies of an object (Ceph's work), and moving objects when the set of
/// members changes. An object that a member holds without being its home is not found and not listed.
#[derive(Clone)]
pub struct PlacedStore {
    placement: Placement,
    /// In the placement's order.
    stores: Vec<Arc<dyn ObjectStore>>,
}

impl PlacedStore {
    /// # Errors
    /// `Invalid` when there is no member or a node is named twice.
    pub fn new(mut members: Vec<(NodeId, Arc<dyn ObjectStore>)>) -> Result<Self> {
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        let names = members.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self {
            placement: Placement::new(names)?,
            stores: members.into_iter().map(|(_, store)| store).collect(),
        })
    }

    fn store(&self, key: &ObjectKey) -> &dyn ObjectStore {
        &*self.stores[self.placement.home(key)]
    }

    /// Asks every member at once; the answers are in the placement's order.
    async fn ask_all<'a, T>(
        &'a self,
        ask: impl Fn(&'a dyn ObjectStore) -> BoxFuture<'a, Result<T>>,
    ) -> Result<Vec<T>> {
        let asked = self.stores.iter().enumerate().map(|(place, store)| {
            let answer = ask(&**store);
            async move {
                answer
                    .await
                    .map_err(|error| unanswered(self.placement.node(place), &error))
            }
        });
        try_join_all(asked).await
    }

    /// The pages as one, in order; of a key that several hold, what its home says.
    fn merge(&self, bucket: &Bucket, pages: Vec<ListPage>) -> Vec<(Key, ObjectMeta)> {
        let mut found: Vec<(Key, ObjectMeta, usize)> = Vec::new();
        for (place, page) in pages.into_iter().enumerate() {
            let placed = |(key, meta)| (key, meta, place);
            found.extend(page.objects.into_iter().map(placed));
        }
        found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        found.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same && self.is_home(next.2, bucket, &next.0) {
                std::mem::swap(next, kept);
            }
            same
        });
        found
            .into_iter()
            .map(|(key, meta, _)| (key, meta))
            .collect()
    }

    fn is_home(&self, place: usize, bucket: &Bucket, key: &Key) -> bool {
        let key = ObjectKey {
            bucket: bucket.clone(),
            key: key.clone(),
        };
        self.placement.home(&key) == place
    }
}

#[async_trait]
impl ObjectStore for PlacedStore {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        self.store(key).put(key, body, options).await
    }

    async fn append(
        &self,
        key: &ObjectKey,
        piece: Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        self.store(key).append(key, piece, options).await
    }

    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        self.store(key).upload(key, options).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        self.store(key).get(key, range, if_version).await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        self.store(key).stat(key).await
    }

    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        self.store(key).delete(key, condition).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        let pages = self
            .ask_all(|store| store.list(bucket, prefix, after, limit))
            .await?;
        // A member that has more says nothing of what lies behind its page's last key: up to the least of those the
        // listing is known.
        let unfinished = pages.iter().filter(|page| page.more);
        let known_to = unfinished
            .map(|page| page.objects.last().map(|(key, _)| key.clone()))
            .min();
        let mut objects = self.merge(bucket, pages);
        let limit = limit.min(PAGE_OBJECTS_MAX);
        let known = match &known_to {
            None => objects.len(),
            Some(last) => objects.partition_point(|(key, _)| Some(key) <= last.as_ref()),
        };
        let more = known_to.is_some() || known > limit;
        objects.truncate(known.min(limit));
        Ok(ListPage { objects, more })
    }

    async fn buckets(&self) -> Result<Vec<Bucket>> {
        let buckets = self.ask_all(|store| store.buckets()).await?;
        let merged: BTreeSet<Bucket> = buckets.into_iter().flatten().collect();
        Ok(merged.into_iter().collect())
    }

    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        self.store(key).view(key).await
    }

    fn read_into(
        &self,
        key: &ObjectKey,
        version: Version,
        offset: u64,
        into: &mut [u8],
        wait: &mut Wait<'_>,
    ) -> Option<Result<usize>> {
        self.store(key).read_into(key, version, offset, into, wait)
    }

    fn home(&self, key: &ObjectKey) -> Option<NodeId> {
        Some(self.placement.node(self.placement.home(key)).clone())
    }
}

/// A listing needs every node: whatever kept one from answering, the listing is not to be had now. Only a broken object
/// stays what it is.
fn unanswered(node: &NodeId, error: &Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::Corrupt => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("asking node {node}: {error}"))
}
