//! An ordered index of objects: what both stores of this room answer `stat` and `list` from.

use crate::{ListPage, ObjectMeta};
use ganglion_types::{Bucket, Key, ObjectKey};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Most objects on one page of a listing.
pub(crate) const PAGE_OBJECTS_MAX: usize = 10_000;

/// Objects by bucket and key, both in byte order. A bucket is there as long as it holds an object.
#[derive(Debug)]
pub(crate) struct Catalog<E> {
    buckets: BTreeMap<Bucket, BTreeMap<Key, E>>,
}

impl<E> Catalog<E> {
    pub(crate) fn new() -> Self {
        Self {
            buckets: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&E> {
        self.buckets.get(&key.bucket)?.get(&key.key)
    }

    pub(crate) fn insert(&mut self, key: &ObjectKey, object: E) {
        match self.buckets.get_mut(&key.bucket) {
            Some(bucket) => {
                bucket.insert(key.key.clone(), object);
            }
            None => {
                let bucket = BTreeMap::from([(key.key.clone(), object)]);
                self.buckets.insert(key.bucket.clone(), bucket);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        if let Some(bucket) = self.buckets.get_mut(&key.bucket) {
            bucket.remove(&key.key);
            if bucket.is_empty() {
                self.buckets.remove(&key.bucket);
            }
        }
    }

    pub(crate) fn buckets(&self) -> Vec<Bucket> {
        self.buckets.keys().cloned().collect()
    }

    /// The page that [`crate::ObjectStore::list`] describes; `meta` tells what is known of an object.
    pub(crate) fn page(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
        meta: impl Fn(&E) -> ObjectMeta,
    ) -> ListPage {
        let (Some(objects), Some(first)) = (self.buckets.get(bucket), first_bound(prefix, after))
        else {
            return ListPage::default();
        };
        let mut found = objects
            .range((first, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(prefix));
        let objects = found
            .by_ref()
            .take(limit.min(PAGE_OBJECTS_MAX))
            .map(|(key, object)| (key.clone(), meta(object)))
            .collect();
        ListPage {
            objects,
            more: found.next().is_some(),
        }
    }
}

/// Where the keys that begin with `prefix` and come behind `after` begin; `None` when no key can begin with `prefix`.
fn first_bound(prefix: &str, after: Option<&Key>) -> Option<Bound<Key>> {
    match after {
        Some(after) if after.as_str() >= prefix => Some(Bound::Excluded(after.clone())),
        _ if prefix.is_empty() => Some(Bound::Unbounded),
        _ => Key::new(prefix).ok().map(Bound::Included),
    }
}
