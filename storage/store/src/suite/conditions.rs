//! Conditions, and effects by name.

use super::{Room, effect, kept, on, refused};
use crate::{Condition, ObjectStore, PutOptions, Version};
use ganglion_types::ErrorKind;
use std::sync::Arc;

/// `Absent` and `Version` let a write through exactly when they hold; otherwise the object stays as it was.
pub async fn a_write_happens_only_on_its_condition(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_write_happens_only_on_its_condition");
    let key = room.key("k");
    let version = |version| on(Condition::Version(version));

    refused(
        room.try_put(&key, "x", version(Version(1))).await,
        ErrorKind::Conflict,
    );
    assert!(room.is_absent(&key).await);
    let first = kept(room.try_put(&key, "first", on(Condition::Absent)).await);
    refused(
        room.try_put(&key, "x", on(Condition::Absent)).await,
        ErrorKind::Conflict,
    );
    assert_eq!(room.get(&key).await.meta, first);

    let second = kept(room.try_put(&key, "second", version(first.version)).await);
    for stale in [first.version, Version(second.version.0 + 1), Version(0)] {
        refused(
            room.try_put(&key, "x", version(stale)).await,
            ErrorKind::Conflict,
        );
    }
    let read = room.get(&key).await;
    assert_eq!(
        (read.meta, &read.bytes[..]),
        (second.clone(), &b"second"[..])
    );

    kept(room.store.delete(&key, Condition::None).await);
    refused(
        room.try_put(&key, "x", version(second.version)).await,
        ErrorKind::Conflict,
    );
    kept(room.try_put(&key, "third", on(Condition::Absent)).await);
    refused(
        room.try_put(&key, "x", version(second.version)).await,
        ErrorKind::Conflict,
    );
}

/// A delete on a version removes that version or nothing; on absence it is a mistake of the caller.
pub async fn a_delete_happens_only_on_its_condition(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_delete_happens_only_on_its_condition");
    let key = room.key("k");
    let version = Condition::Version;
    refused(
        room.store.delete(&key, version(Version(1))).await,
        ErrorKind::NotFound,
    );
    let old = room.put(&key, "old").await.version;
    let new = room.put(&key, "new").await.version;
    refused(
        room.store.delete(&key, version(old)).await,
        ErrorKind::Conflict,
    );
    refused(
        room.store.delete(&key, Condition::Absent).await,
        ErrorKind::Invalid,
    );
    assert_eq!(room.get(&key).await.bytes, "new");
    kept(room.store.delete(&key, version(new)).await);
    refused(
        room.store.delete(&key, version(new)).await,
        ErrorKind::NotFound,
    );
    refused(
        room.store.delete(&key, Condition::Absent).await,
        ErrorKind::Invalid,
    );
}

/// A put that finds its own name on the object changes nothing and returns the object, although its bytes differ and its
/// condition no longer holds.
pub async fn a_repeated_effect_is_already_done(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_repeated_effect_is_already_done");
    let key = room.key("k");
    let before = room.put(&key, "before").await.version;
    for condition in [
        Condition::None,
        Condition::Absent,
        Condition::Version(before),
    ] {
        let first = PutOptions {
            condition: Condition::None,
            ..effect(9, 4)
        };
        let done = kept(room.try_put(&key, "done", first).await);
        let again = PutOptions {
            condition,
            ..effect(9, 4)
        };
        let repeat = kept(room.try_put(&key, "not written", again).await);
        assert_eq!(repeat, done, "{condition:?}");
        let read = room.get(&key).await;
        assert_eq!((read.meta, &read.bytes[..]), (done, &b"done"[..]));
    }
}

/// Another call's effect, another effect of the same call, and the same effect once a write without a name has wiped it out or
/// the object is no more: each writes, if its condition holds.
pub async fn another_effect_writes_anew(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "another_effect_writes_anew");
    let key = room.key("k");
    let mut last = room.put(&key, "unnamed").await.version;
    for round in 0..2 {
        for (call, sequence) in [(1, 0), (1, 1), (2, 1), (u128::MAX, u32::MAX), (0, 0)] {
            let body = format!("{call} {sequence} {round}");
            let options = effect(call, sequence);
            let meta = kept(room.try_put(&key, body.clone(), options).await);
            assert!(meta.version > last, "{body} was not written");
            assert_eq!(room.get(&key).await.bytes, body);
            last = meta.version;
        }
        let unnamed = room.put(&key, "unnamed again").await;
        assert!(unnamed.version > last);
        last = unnamed.version;
    }
    let absent = PutOptions {
        condition: Condition::Absent,
        ..effect(0, 0)
    };
    refused(room.try_put(&key, "x", absent).await, ErrorKind::Conflict);
    kept(room.store.delete(&key, Condition::None).await);
    let meta = kept(room.try_put(&key, "after the delete", absent).await);
    assert!(meta.version > last);
    assert_eq!(room.get(&key).await.bytes, "after the delete");
}
