//! Writing behind an object's end.

use super::{Room, body, effect, kept, on, refused};
use crate::{Condition, NAMES_MAX, ObjectStore, PutOptions, Version};
use bytes::{Bytes, BytesMut};
use ganglion_types::ErrorKind;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Pieces of any size, empty ones too, stand one behind the other; the first makes the object, and each a new version.
pub async fn what_is_appended_stands_behind_what_was_there(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "what_is_appended_stands_behind_what_was_there");
    let key = room.key("k");
    let mut whole = BytesMut::new();
    let mut last = Version(0);
    for (number, length) in [0, 1, 4095, 0, 4097, 1 << 20, 7].into_iter().enumerate() {
        let piece = body(number as u64, length);
        whole.extend_from_slice(&piece);
        let meta = kept(room.try_append(&key, piece, on(Condition::None)).await);
        assert!(meta.version > last, "piece {number} was not written");
        last = meta.version;
        let read = room.get(&key).await;
        assert_eq!(read.meta, meta);
        assert!(read.bytes == whole, "after piece {number}");
    }
    room.put(&key, "new").await;
    kept(room.try_append(&key, "er", on(Condition::None)).await);
    assert_eq!(room.get(&key).await.bytes, "newer");
}

/// Only on its condition, like a put.
pub async fn an_append_happens_only_on_its_condition(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "an_append_happens_only_on_its_condition");
    let key = room.key("k");
    let some = on(Condition::Version(Version(u64::MAX >> 1)));
    refused(room.try_append(&key, "x", some).await, ErrorKind::Conflict);
    assert!(room.is_absent(&key).await);
    let first = kept(room.try_append(&key, "a", on(Condition::Absent)).await);
    refused(
        room.try_append(&key, "x", on(Condition::Absent)).await,
        ErrorKind::Conflict,
    );
    refused(room.try_append(&key, "x", some).await, ErrorKind::Conflict);
    let on_first = on(Condition::Version(first.version));
    kept(room.try_append(&key, "b", on_first).await);
    refused(
        room.try_append(&key, "x", on_first).await,
        ErrorKind::Conflict,
    );
    assert_eq!(room.get(&key).await.bytes, "ab");
}

/// A repeat is done already, whatever was appended or put since and whatever its condition says.
pub async fn a_repeated_append_is_already_done(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_repeated_append_is_already_done");
    let key = room.key("k");
    room.put(&key, "0").await;
    for number in (0_u32..).take(NAMES_MAX) {
        let options = effect(3, number);
        let written = match number % 5 {
            4 => room.try_put(&key, "0", options).await,
            _ => room.try_append(&key, "1", options).await,
        };
        let now = kept(written);
        for (earlier, condition) in [
            (0, Condition::None),
            (number / 2, Condition::Absent),
            (number, Condition::Version(Version(0))),
        ] {
            let again = PutOptions {
                condition,
                ..effect(3, earlier)
            };
            let repeat = kept(room.try_append(&key, "not written", again).await);
            assert_eq!(repeat, now, "{earlier} behind {number}");
        }
    }
    let expected = format!("0{}", "1".repeat(NAMES_MAX % 5));
    assert_eq!(room.get(&key).await.bytes, expected);
}

/// Of many that append at once, with names and without, and again, each piece is there once.
pub async fn appends_side_by_side_lose_nothing(store: Arc<dyn ObjectStore>) {
    const TASKS: u32 = 6;
    const LINES: u32 = 5;
    let room = Room::new(store, "appends_side_by_side_lose_nothing");
    let key = room.key("log");
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (room, key) = (room.clone(), key.clone());
        tasks.spawn(async move {
            for line in 0..LINES {
                let piece = Bytes::from(format!("{task} {line}\n"));
                let named = effect(u128::from(task), line);
                match task % 2 {
                    0 => drop(kept(
                        room.try_append(&key, piece, on(Condition::None)).await,
                    )),
                    _ => {
                        kept(room.try_append(&key, piece.clone(), named).await);
                        kept(room.try_append(&key, piece, named).await);
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    let read = room.get(&key).await.bytes;
    let text = std::str::from_utf8(&read).expect("lines are text");
    let mut lines: Vec<&str> = text.lines().collect();
    // Each task's own lines are in its order.
    for task in 0..TASKS {
        let own = lines
            .iter()
            .filter(|line| line.starts_with(&format!("{task} ")));
        assert!(own.is_sorted(), "{text}");
    }
    lines.sort_unstable();
    let all = (0..TASKS).flat_map(|task| (0..LINES).map(move |line| format!("{task} {line}")));
    assert_eq!(lines, all.collect::<Vec<_>>());
}
