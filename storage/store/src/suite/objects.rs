//! Put, get, stat, delete, and versions.

use super::{Room, body, kept, refused};
use crate::{ByteRange, Condition, ObjectStore, PutOptions, Version};
use bytes::Bytes;
use ganglion_types::ErrorKind;
use std::sync::Arc;

/// Bodies of every size, the empty one and those about a page's and a piece's edge included, come back as they were; and
/// the last one put is the one that is there.
pub async fn what_was_put_is_read_back(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "what_was_put_is_read_back");
    let one = room.key("rewritten");
    for size in [
        0,
        1,
        100,
        4095,
        4096,
        4097,
        65_536,
        65_537,
        2 << 20,
        (3 << 20) + 5,
        0,
    ] {
        let body = body(size as u64, size);
        for key in [room.key(&format!("size-{size}")), one.clone()] {
            let meta = room.put(&key, body.clone()).await;
            let read = room.get(&key).await;
            assert_eq!(meta.size_bytes, size as u64);
            assert_eq!(read.meta, meta);
            assert!(read.bytes == body, "{key} came back changed");
        }
    }
}

/// Put, get, stat, view and list give the same size, version and time.
pub async fn every_look_at_an_object_tells_the_same(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "every_look_at_an_object_tells_the_same");
    let key = room.key("a/b");
    for size in [0, 10, 9000] {
        let meta = room.put(&key, body(1, size)).await;
        assert_eq!(room.get(&key).await.meta, meta, "get");
        assert_eq!(kept(room.store.stat(&key).await), meta, "stat");
        assert_eq!(kept(room.store.view(&key).await).meta(), &meta, "view");
        let page = room.list("", None, 10).await;
        assert_eq!(page.objects, [(key.key.clone(), meta)], "list");
    }
}

/// A range gives what the object has of it, down to nothing, and always the whole object's meta.
pub async fn ranges_end_where_the_object_ends(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "ranges_end_where_the_object_ends");
    let large = 3 << 20;
    for size in [0, 10, 5000, large] {
        let key = room.key(&format!("size-{size}"));
        let body = body(7, size);
        let meta = room.put(&key, body.clone()).await;
        let size = size as u64;
        let offsets = [
            0,
            1,
            9,
            10,
            4096,
            size.saturating_sub(1),
            size,
            size + 1,
            u64::MAX,
        ];
        for offset in offsets {
            for length in [0, 1, 5, 4096, 300_000, size, u64::MAX] {
                let range = ByteRange { offset, length };
                let read = kept(room.store.get(&key, range, None).await);
                assert_eq!(read.meta, meta);
                let within = range.within(size);
                let expected = part(&body, within.offset, within.length);
                assert!(read.bytes == expected, "{key} {range:?}");
            }
        }
    }
}

fn part(body: &Bytes, offset: u64, length: u64) -> Bytes {
    let start = usize::try_from(offset).expect("the body is in memory");
    let length = usize::try_from(length).expect("the body is in memory");
    body.slice(start..start + length)
}

/// What was never put, in a bucket that holds others, is `NotFound` to every question.
pub async fn what_is_missing_is_not_found(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "what_is_missing_is_not_found");
    let key = room.key("missing");
    for _ in 0..2 {
        let version = Some(Version(1));
        refused(room.store.stat(&key).await, ErrorKind::NotFound);
        refused(
            room.store.get(&key, ByteRange::ALL, None).await,
            ErrorKind::NotFound,
        );
        refused(
            room.store.get(&key, ByteRange::ALL, version).await,
            ErrorKind::NotFound,
        );
        refused(room.store.view(&key).await, ErrorKind::NotFound);
        refused(
            room.store.delete(&key, Condition::None).await,
            ErrorKind::NotFound,
        );
        room.put(&room.key("missin"), "neighbour").await;
        room.put(&room.key("missing/"), "neighbour").await;
    }
}

/// After a delete nothing shows it, and its neighbours stay.
pub async fn a_deleted_object_is_gone(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_deleted_object_is_gone");
    let (key, neighbour) = (room.key("k"), room.key("k2"));
    room.put(&key, "one").await;
    room.put(&neighbour, "two").await;
    kept(room.store.delete(&key, Condition::None).await);
    assert!(room.is_absent(&key).await);
    refused(
        room.store.get(&key, ByteRange::ALL, None).await,
        ErrorKind::NotFound,
    );
    refused(
        room.store.delete(&key, Condition::None).await,
        ErrorKind::NotFound,
    );
    let page = room.list("", None, 10).await;
    assert_eq!(page.objects.len(), 1);
    assert_eq!(room.get(&neighbour).await.bytes, "two");
    room.put(&key, "again").await;
    assert_eq!(room.get(&key).await.bytes, "again");
}

/// A key's versions grow over puts, uploads and deletes; none is given twice, even for the same bytes.
pub async fn versions_grow_and_none_comes_back(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "versions_grow_and_none_comes_back");
    let key = room.key("k");
    let mut last = None;
    for round in 0..12 {
        let meta = if round % 3 == 2 {
            let upload = kept(room.store.upload(&key, PutOptions::default()).await);
            kept(upload.commit().await)
        } else {
            room.put(&key, "the same").await
        };
        assert!(
            Some(meta.version) > last,
            "{:?} after {last:?}",
            meta.version
        );
        last = Some(meta.version);
        if round % 4 == 3 {
            kept(room.store.delete(&key, Condition::None).await);
        }
    }
}

/// `if_version` gives that version or a conflict, never another one's bytes.
pub async fn a_read_of_another_version_is_a_conflict(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_read_of_another_version_is_a_conflict");
    let key = room.key("k");
    let old = room.put(&key, body(1, 10_000)).await.version;
    let range = ByteRange {
        offset: 5,
        length: 10,
    };
    let read = kept(room.store.get(&key, range, Some(old)).await);
    assert_eq!(read.meta.version, old);
    let new = room.put(&key, body(2, 10_000)).await.version;
    refused(
        room.store.get(&key, range, Some(old)).await,
        ErrorKind::Conflict,
    );
    let unborn = Some(Version(new.0 + 1));
    refused(
        room.store.get(&key, ByteRange::ALL, unborn).await,
        ErrorKind::Conflict,
    );
    assert_eq!(
        kept(room.store.get(&key, range, Some(new)).await)
            .meta
            .version,
        new
    );
}

/// A key's home is the same whether or not the object exists, and however often it is asked.
pub async fn homes_do_not_depend_on_what_is_stored(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "homes_do_not_depend_on_what_is_stored");
    for number in 0..20 {
        let key = room.key(&format!("k{number}"));
        let before = room.store.home(&key);
        room.put(&key, "x").await;
        assert_eq!(room.store.home(&key), before);
        kept(room.store.delete(&key, Condition::None).await);
        assert_eq!(room.store.home(&key), before);
    }
}
