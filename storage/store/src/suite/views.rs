//! Views: a file that can be mapped, or the advice to read by ranges.

use super::{Room, body, kept, refused};
use crate::{ByteRange, Condition, ObjectStore, ObjectView};
use bytes::Bytes;
use ganglion_types::{ErrorKind, ObjectKey};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The file of a view begins with the object's bytes and has all of them; a remote view's version can be read by ranges.
pub async fn a_view_holds_the_objects_bytes(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_view_holds_the_objects_bytes");
    for size in [0, 1, 4096, 5000, 3 << 20] {
        let key = room.key(&format!("size-{size}"));
        let body = body(size as u64, size);
        let meta = room.put(&key, body.clone()).await;
        // Twice: a store may keep the first one.
        for _ in 0..2 {
            let view = kept(room.store.view(&key).await);
            assert_eq!(view.meta(), &meta);
            assert!(seen(&room, &key, &view).await == body, "{key}");
        }
    }
}

async fn seen(room: &Room, key: &ObjectKey, view: &ObjectView) -> Bytes {
    match view {
        ObjectView::File { meta, file } => {
            let size = usize::try_from(meta.size_bytes).expect("the body is in memory");
            let mut bytes = vec![0; size];
            let read = file.read_exact_at(&mut bytes, 0);
            read.expect("a view's file holds the whole object");
            Bytes::from(bytes)
        }
        ObjectView::Remote { meta } => {
            let version = Some(meta.version);
            kept(room.store.get(key, ByteRange::ALL, version).await).bytes
        }
    }
}

/// After an overwrite and a delete a view's file has the bytes that it had; a remote view's version is a conflict, never
/// other bytes.
pub async fn a_view_stays_what_it_was(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_view_stays_what_it_was");
    let key = room.key("k");
    let old = body(1, 100_000);
    room.put(&key, old.clone()).await;
    let view = kept(room.store.view(&key).await);
    for size in [100_000, 10, 200_000] {
        room.put(&key, body(2, size)).await;
        check_unchanged(&room, &key, &view, &old, ErrorKind::Conflict).await;
    }
    kept(room.store.delete(&key, Condition::None).await);
    check_unchanged(&room, &key, &view, &old, ErrorKind::NotFound).await;
}

async fn check_unchanged(
    room: &Room,
    key: &ObjectKey,
    view: &ObjectView,
    old: &Bytes,
    gone: ErrorKind,
) {
    match view {
        ObjectView::File { .. } => assert!(seen(room, key, view).await == *old),
        ObjectView::Remote { meta } => {
            let version = Some(meta.version);
            refused(room.store.get(key, ByteRange::ALL, version).await, gone);
        }
    }
}
