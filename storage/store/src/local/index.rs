//! What is known of every object of a folder, in memory.

use super::error::corrupt;
use super::name;
use crate::catalog::Catalog;
use crate::record::{Record, not_found};
use crate::{ListPage, Version};
use ganglion_types::{Bucket, Error, Key, ObjectKey, Result};
use std::collections::BTreeMap;

/// The objects, and the files that should be objects but cannot be read as one.
#[derive(Debug)]
pub(super) struct Index {
    objects: Catalog<Record>,
    unreadable: BTreeMap<(Bucket, String), &'static str>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            objects: Catalog::new(),
            unreadable: BTreeMap::new(),
        }
    }

    /// What is known of an object; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when its file cannot be read as an object.
    pub(super) fn find(&self, key: &ObjectKey) -> Result<Option<&Record>> {
        let record = self.objects.get(key);
        if record.is_none() && !self.unreadable.is_empty() {
            let file = (key.bucket.clone(), name::of_key(&key.key));
            if let Some(what) = self.unreadable.get(&file) {
                return Err(corrupt(key, what));
            }
        }
        Ok(record)
    }

    /// The same of an object that has to be there.
    ///
    /// # Errors
    /// `NotFound`, and as [`Index::find`].
    pub(super) fn get(&self, key: &ObjectKey) -> Result<&Record> {
        self.find(key)?.ok_or_else(|| not_found(key))
    }

    /// The version of an object that can be read.
    pub(super) fn version(&self, key: &ObjectKey) -> Option<Version> {
        self.objects.get(key).map(|record| record.meta.version)
    }

    pub(super) fn insert(&mut self, key: &ObjectKey, record: Record) {
        self.objects.insert(key, record);
        self.forget_unreadable(key);
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) {
        self.objects.remove(key);
        self.forget_unreadable(key);
    }

    /// Notes a file that cannot be read as an object, and why.
    pub(super) fn insert_unreadable(&mut self, bucket: Bucket, file: String, what: &'static str) {
        self.unreadable.insert((bucket, file), what);
    }

    /// A page of the bucket.
    ///
    /// # Errors
    /// `Corrupt` when the bucket holds a file that cannot be read: the listing would be silently shorter.
    pub(super) fn page(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        let from = (bucket.clone(), String::new());
        if let Some(((in_bucket, file), what)) = self.unreadable.range(from..).next()
            && in_bucket == bucket
        {
            return Err(match name::parse(file) {
                name::FileName::Short(key) => {
                    let bucket = bucket.clone();
                    corrupt(&ObjectKey { bucket, key }, what)
                }
                _ => Error::corrupt(format!("object file {bucket}/{file} is corrupt: {what}")),
            });
        }
        let meta = |record: &Record| record.meta.clone();
        Ok(self.objects.page(bucket, prefix, after, limit, meta))
    }

    /// The buckets that hold an object, readable or not.
    pub(super) fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = self.objects.buckets();
        buckets.extend(self.unreadable.keys().map(|(bucket, _)| bucket.clone()));
        buckets.sort_unstable();
        buckets.dedup();
        buckets
    }

    pub(super) fn unreadable_count(&self) -> usize {
        self.unreadable.len()
    }

    fn forget_unreadable(&mut self, key: &ObjectKey) {
        if !self.unreadable.is_empty() {
            let file = (key.bucket.clone(), name::of_key(&key.key));
            self.unreadable.remove(&file);
        }
    }
}
