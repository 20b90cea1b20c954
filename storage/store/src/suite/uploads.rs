//! Objects written in pieces.

use super::{Room, body, effect, kept, on, refused};
use crate::{Condition, ObjectStore, PutOptions};
use bytes::Bytes;
use ganglion_types::ErrorKind;
use std::sync::Arc;

const MIB: usize = 1 << 20;

/// However an object is cut, it is the same; no piece at all is the empty object.
pub async fn pieces_of_any_size_make_one_object(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "pieces_of_any_size_make_one_object");
    let cuts: [&[usize]; 6] = [
        &[],
        &[0, 0],
        &[1, 0, 4095, 1, 70_000],
        &[2 * MIB, 2 * MIB],
        &[2 * MIB - 1, 1, 1, 2 * MIB + 1],
        &[5, 5 * MIB + 3, MIB, MIB, 7],
    ];
    for (number, cut) in cuts.iter().enumerate() {
        let key = room.key(&format!("k{number}"));
        let whole = body(number as u64, cut.iter().sum());
        let mut upload = kept(room.store.upload(&key, PutOptions::default()).await);
        let mut rest = whole.clone();
        for &length in *cut {
            kept(upload.write(rest.split_to(length)).await);
        }
        let meta = kept(upload.commit().await);
        assert_eq!(meta.size_bytes, whole.len() as u64);
        let read = room.get(&key).await;
        assert_eq!(read.meta, meta);
        assert!(read.bytes == whole, "cut {cut:?} came back changed");
    }
}

/// Before the commit the key has what it had; after it, all of the new.
pub async fn an_upload_is_invisible_until_its_commit(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "an_upload_is_invisible_until_its_commit");
    for old in [None, Some("old")] {
        let key = room.key(&format!("{old:?}"));
        if let Some(old) = old {
            room.put(&key, old).await;
        }
        let listed = room.list("", None, 10).await;
        let mut upload = kept(room.store.upload(&key, PutOptions::default()).await);
        let pieces = [body(1, 10), body(2, 3 * MIB)];
        for piece in &pieces {
            kept(upload.write(piece.clone()).await);
            assert_eq!(room.list("", None, 10).await, listed);
            match old {
                None => assert!(room.is_absent(&key).await),
                Some(old) => assert_eq!(room.get(&key).await.bytes, old),
            }
        }
        kept(upload.commit().await);
        assert!(room.get(&key).await.bytes == pieces.concat());
    }
}

/// An upload that is dropped, early or late, changes nothing that can be seen.
pub async fn a_dropped_upload_leaves_nothing(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_dropped_upload_leaves_nothing");
    let (missing, present) = (room.key("missing"), room.key("present"));
    let meta = room.put(&present, "present").await;
    for pieces in 0..3 {
        for key in [&missing, &present] {
            let mut upload = kept(room.store.upload(key, PutOptions::default()).await);
            for piece in 0..pieces {
                kept(upload.write(body(piece, 3 * MIB)).await);
            }
            drop(upload);
        }
    }
    assert!(room.is_absent(&missing).await);
    assert_eq!(room.get(&present).await.meta, meta);
    assert_eq!(room.list("", None, 10).await.objects.len(), 1);
}

/// What changed while the pieces were written counts; a refused commit changes nothing.
pub async fn an_upload_asks_its_condition_at_the_commit(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "an_upload_asks_its_condition_at_the_commit");
    let key = room.key("k");

    let mut late = kept(room.store.upload(&key, on(Condition::Absent)).await);
    kept(late.write(body(1, 3 * MIB)).await);
    let meta = room.put(&key, "first come").await;
    refused(late.commit().await, ErrorKind::Conflict);
    assert_eq!(room.get(&key).await.meta, meta);

    let version = on(Condition::Version(meta.version));
    let mut one = kept(room.store.upload(&key, version).await);
    let mut other = kept(room.store.upload(&key, version).await);
    kept(one.write(Bytes::from_static(b"one")).await);
    kept(other.write(Bytes::from_static(b"other")).await);
    kept(other.commit().await);
    refused(one.commit().await, ErrorKind::Conflict);
    assert_eq!(room.get(&key).await.bytes, "other");

    kept(room.store.delete(&key, Condition::None).await);
    let absent = kept(room.store.upload(&key, on(Condition::Absent)).await);
    kept(absent.commit().await);
    assert!(room.get(&key).await.bytes.is_empty());
}

/// An effect's name works for uploads as for puts, and across the two.
pub async fn a_repeated_upload_is_already_done(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_repeated_upload_is_already_done");
    let key = room.key("k");
    let absent = PutOptions {
        condition: Condition::Absent,
        ..effect(5, 1)
    };
    let mut upload = kept(room.store.upload(&key, absent).await);
    kept(upload.write(Bytes::from_static(b"once")).await);
    let done = kept(upload.commit().await);

    let mut repeat = kept(room.store.upload(&key, absent).await);
    kept(repeat.write(body(3, 3 * MIB)).await);
    assert_eq!(kept(repeat.commit().await), done);
    assert_eq!(
        kept(room.try_put(&key, body(4, 3 * MIB), absent).await),
        done
    );
    assert_eq!(room.get(&key).await.bytes, "once");

    let another = kept(room.store.upload(&key, effect(5, 2)).await);
    assert!(kept(another.commit().await).version > done.version);
}

/// An object of exactly `object_bytes_max` is kept; one byte more is `Invalid` with the setting's name, put or uploaded,
/// and changes nothing. Not part of [`super::run_all`]: only the store's maker knows the limit.
pub async fn an_object_beyond_the_limit_is_refused(
    store: Arc<dyn ObjectStore>,
    object_bytes_max: usize,
) {
    let room = Room::new(store, "an_object_beyond_the_limit_is_refused");
    let key = room.key("k");
    let largest = body(1, object_bytes_max);
    let meta = room.put(&key, largest.clone()).await;
    let put = room.try_put(&key, body(2, object_bytes_max + 1), PutOptions::default());
    let error = put.await.expect_err("an object beyond the limit was put");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("limits.object"), "{error}");
    assert!(
        error.message().contains(&object_bytes_max.to_string()),
        "{error}"
    );

    let mut upload = kept(room.store.upload(&key, PutOptions::default()).await);
    kept(upload.write(largest).await);
    refused(
        upload.write(Bytes::from_static(b"x")).await,
        ErrorKind::Invalid,
    );
    drop(upload);
    assert_eq!(room.get(&key).await.meta, meta);
}
