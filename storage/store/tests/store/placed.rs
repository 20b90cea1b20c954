//! [`PlacedStore`] over stores of each kind, and when a member fails.

use crate::{clock, key};
use async_trait::async_trait;
use bytes::Bytes;
use ganglion_store::{
    ByteRange, Condition, ListPage, LocalOptions, LocalStore, MemoryStore, ObjectMeta, ObjectRead,
    ObjectStore, ObjectUpload, ObjectView, PlacedStore, PutOptions, Version,
};
use ganglion_types::{Bucket, Error, ErrorKind, Key, NodeId, ObjectKey, Result};
use std::sync::Arc;
use tempfile::TempDir;

type Members = Vec<(NodeId, Arc<dyn ObjectStore>)>;

fn members(names: &[&str], store: impl Fn(&NodeId) -> Arc<dyn ObjectStore>) -> Members {
    let named = |name: &&str| {
        let node = NodeId::new(name).unwrap();
        let store = store(&node);
        (node, store)
    };
    names.iter().map(named).collect()
}

fn memory(node: &NodeId) -> Arc<dyn ObjectStore> {
    Arc::new(MemoryStore::new(Some(node.clone()), clock(), u64::MAX))
}

mod over_memory {
    use super::*;

    fn fresh() -> ((), Arc<dyn ObjectStore>) {
        let members = members(&["s1", "s2", "s3"], memory);
        ((), Arc::new(PlacedStore::new(members).unwrap()))
    }

    ganglion_store::suite_tests!(fresh);
}

mod over_local {
    use super::*;

    fn fresh() -> (TempDir, Arc<dyn ObjectStore>) {
        let folder = tempfile::tempdir().unwrap();
        let options = LocalOptions {
            durable: false,
            ..LocalOptions::default()
        };
        let local = |node: &NodeId| -> Arc<dyn ObjectStore> {
            let path = folder.path().join(node.as_str());
            let store = LocalStore::open_with(path, Some(node.clone()), clock(), options);
            Arc::new(store.unwrap())
        };
        let store = PlacedStore::new(members(&["s1", "s2", "s3"], local)).unwrap();
        (folder, Arc::new(store))
    }

    ganglion_store::suite_tests!(fresh);
}

#[tokio::test]
async fn an_object_is_on_its_home_and_nowhere_else() {
    let members = members(&["s2", "s1", "s3"], memory);
    let placed = PlacedStore::new(members.clone()).unwrap();
    for number in 0..100 {
        let key = key(&format!("k{number}"));
        let body = Bytes::from_static(b"x");
        placed.put(&key, body, PutOptions::default()).await.unwrap();
        let home = placed.home(&key).unwrap();
        for (node, store) in &members {
            assert_eq!(store.stat(&key).await.is_ok(), *node == home, "{key}");
        }
    }
}

#[tokio::test]
async fn a_key_that_two_members_hold_is_listed_once_as_its_home_has_it() {
    let members = members(&["s1", "s2", "s3"], memory);
    let placed = PlacedStore::new(members.clone()).unwrap();
    for (size, (_, store)) in members.iter().enumerate() {
        for number in 0..20 {
            let (key, body) = (key(&format!("k{number:02}")), vec![0; size]);
            store
                .put(&key, body.into(), PutOptions::default())
                .await
                .unwrap();
        }
    }
    let bucket = Bucket::new("books").unwrap();
    for limit in [3, 100] {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = placed
                .list(&bucket, "", after.as_ref(), limit)
                .await
                .unwrap();
            for (key, meta) in &page.objects {
                let (bucket, key) = (bucket.clone(), key.clone());
                assert_eq!(
                    &placed.stat(&ObjectKey { bucket, key }).await.unwrap(),
                    meta
                );
                count += 1;
            }
            after = page.objects.last().map(|(key, _)| key.clone());
            if !page.more {
                break;
            }
        }
        assert_eq!(count, 20);
    }
}

/// A member that cannot be reached.
struct Down;

fn down<T>() -> Result<T> {
    Err(Error::busy("no connection"))
}

#[async_trait]
impl ObjectStore for Down {
    async fn put(&self, _: &ObjectKey, _: Bytes, _: PutOptions) -> Result<ObjectMeta> {
        down()
    }
    async fn upload(&self, _: &ObjectKey, _: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        down()
    }
    async fn get(&self, _: &ObjectKey, _: ByteRange, _: Option<Version>) -> Result<ObjectRead> {
        down()
    }
    async fn stat(&self, _: &ObjectKey) -> Result<ObjectMeta> {
        down()
    }
    async fn delete(&self, _: &ObjectKey, _: Condition) -> Result<()> {
        down()
    }
    async fn list(&self, _: &Bucket, _: &str, _: Option<&Key>, _: usize) -> Result<ListPage> {
        down()
    }
    async fn buckets(&self) -> Result<Vec<Bucket>> {
        down()
    }
    async fn view(&self, _: &ObjectKey) -> Result<ObjectView> {
        down()
    }
    fn home(&self, _: &ObjectKey) -> Option<NodeId> {
        None
    }
}

#[tokio::test]
async fn a_listing_without_one_node_fails_and_names_it() {
    let members = members(&["s1", "gone", "s3"], |node| match node.as_str() {
        "gone" => Arc::new(Down),
        _ => memory(node),
    });
    let placed = PlacedStore::new(members).unwrap();
    let bucket = Bucket::new("books").unwrap();
    let listing = placed.list(&bucket, "", None, 10).await.unwrap_err();
    let buckets = placed.buckets().await.unwrap_err();
    for error in [listing, buckets] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("gone"), "{error}");
    }
    // Objects whose home is up are served all the same.
    let up = (0..100).map(|number| key(&format!("k{number}")));
    for key in up.filter(|key| placed.home(key).unwrap().as_str() != "gone") {
        let body = Bytes::from_static(b"x");
        placed.put(&key, body, PutOptions::default()).await.unwrap();
    }
}
