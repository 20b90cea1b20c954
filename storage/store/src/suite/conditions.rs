//! Conditions, and effects by name.

use super::{Room, body, effect, kept, on, refused};
use crate::{Condition, NAMES_MAX, ObjectMeta, ObjectStore, PutOptions, Version};
use ganglion_types::{ErrorKind, ObjectKey};
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

/// A repeat finds its name behind [`NAMES_MAX`] - 1 other writes, put and uploaded, with names and on conditions, small and
/// large. Whatever its own condition and bytes, it changes nothing and returns the object as it is.
pub async fn a_repeat_is_recognised_behind_other_writes(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_repeat_is_recognised_behind_other_writes");
    let key = room.key("k");
    let mut effects = vec![effect(7, 0)];
    let mut now = kept(room.try_put(&key, "first", effects[0]).await);
    for number in 1..NAMES_MAX {
        let named = effect(7, u32::try_from(number).expect("there are few names"));
        let options = PutOptions {
            condition: match number % 3 {
                0 => Condition::None,
                _ => Condition::Version(now.version),
            },
            commit: named.commit.filter(|_| number % 3 != 1),
        };
        let bytes = body(
            number as u64,
            if number % 16 == 0 { 3 << 20 } else { number },
        );
        let written = match number % 2 {
            0 => room.try_put(&key, bytes.clone(), options).await,
            _ => room.try_upload(&key, bytes.clone(), options).await,
        };
        let before = std::mem::replace(&mut now, kept(written));
        assert!(now.version > before.version, "{options:?} was not written");
        effects.extend(options.commit.map(|_| options));
        check_repeats(&room, &key, &effects[..1], &now).await;
        assert!(room.get(&key).await.bytes == bytes);
    }
    check_repeats(&room, &key, &effects, &now).await;
}

async fn check_repeats(room: &Room, key: &ObjectKey, effects: &[PutOptions], now: &ObjectMeta) {
    let conditions = [
        Condition::None,
        Condition::Absent,
        Condition::Version(Version(0)),
    ];
    for effect in effects {
        for condition in conditions {
            let again = PutOptions {
                condition,
                ..*effect
            };
            let put = kept(room.try_put(key, "not written", again).await);
            let uploaded = kept(room.try_upload(key, "not written", again).await);
            assert_eq!((&put, &uploaded), (now, now), "{again:?}");
        }
    }
    assert_eq!(kept(room.store.stat(key).await), *now);
}

/// Another call's effect, another effect of the same call, and the same effect once a write with neither name nor condition
/// has wiped it out or the object is no more: each writes, if its condition holds.
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
