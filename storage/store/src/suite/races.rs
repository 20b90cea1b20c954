//! Many tasks at one key.

use super::{Room, body, effect, kept, on};
use crate::{ByteRange, Condition, NAMES_MAX, ObjectMeta, ObjectStore, PutOptions, Version};
use bytes::Bytes;
use ganglion_types::{ErrorKind, ObjectKey, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::task::JoinSet;

const TASKS: u64 = 12;

/// Of writers that all ask for the same state exactly one succeeds, and its bytes are there; puts and uploads alike.
pub async fn of_concurrent_conditional_writes_one_wins(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "of_concurrent_conditional_writes_one_wins");
    let key = room.key("k");
    let mut condition = Condition::Absent;
    for _ in 0..6 {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let (room, key) = (room.clone(), key.clone());
            tasks.spawn(async move { (task, write(&room, &key, task, on(condition)).await) });
        }
        let (mut won, mut lost) = (Vec::new(), 0);
        for (task, outcome) in tasks.join_all().await {
            match outcome {
                Ok(meta) => won.push((task, meta)),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                    lost += 1;
                }
            }
        }
        assert_eq!((won.len(), lost), (1, TASKS - 1), "winners {won:?}");
        let (winner, meta) = won.swap_remove(0);
        let read = room.get(&key).await;
        assert_eq!(read.meta, meta);
        assert!(read.bytes == body(winner, 5000));
        condition = Condition::Version(meta.version);
    }
}

/// Every third task uploads, the others put.
async fn write(room: &Room, key: &ObjectKey, task: u64, options: PutOptions) -> Result<ObjectMeta> {
    let bytes = body(task, 5000);
    if !task.is_multiple_of(3) {
        return room.try_put(key, bytes, options).await;
    }
    room.try_upload(key, bytes, options).await
}

/// Read, add one, write on the version that was read, again on a conflict: the sum is right.
pub async fn a_counter_loses_no_increment(store: Arc<dyn ObjectStore>) {
    const INCREMENTS: u64 = 4;
    let room = Room::new(store, "a_counter_loses_no_increment");
    let key = room.key("counter");
    room.put(&key, Bytes::copy_from_slice(&0_u64.to_le_bytes()))
        .await;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (room, key) = (room.clone(), key.clone());
        tasks.spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&room, &key).await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(count(&room.get(&key).await.bytes), TASKS * INCREMENTS);
}

async fn increment(room: &Room, key: &ObjectKey) {
    loop {
        let read = room.get(key).await;
        let next = count(&read.bytes) + 1;
        let options = on(Condition::Version(read.meta.version));
        let next = Bytes::copy_from_slice(&next.to_le_bytes());
        match room.try_put(key, next, options).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}

fn count(bytes: &Bytes) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("the counter has eight bytes"))
}

/// Of tries of one effect at the same time one writes, and all are told of what it wrote.
pub async fn one_effect_happens_once_however_often_it_is_tried(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "one_effect_happens_once_however_often_it_is_tried");
    let key = room.key("k");
    for call in 0..4 {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let (room, key) = (room.clone(), key.clone());
            tasks.spawn(async move { write(&room, &key, task, effect(call, 0)).await });
        }
        let metas: Vec<ObjectMeta> = tasks.join_all().await.into_iter().map(kept).collect();
        let now = room.get(&key).await.meta;
        assert!(metas.iter().all(|meta| *meta == now), "{metas:?}");
    }
}

/// As many effects as an object carries names, tried side by side and again between one another: each writes once, a repeat is
/// told of what one of them wrote, and at the end, when the oldest name has all the others before it, each is recognised.
pub async fn many_effects_happen_once_however_they_are_repeated(store: Arc<dyn ObjectStore>) {
    const EFFECTS: u64 = NAMES_MAX as u64;
    let room = Room::new(store, "many_effects_happen_once_however_they_are_repeated");
    let key = room.key("k");
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let effects = (0..EFFECTS)
            .filter(|effect| effect % TASKS == task)
            .collect();
        tasks.spawn(try_and_repeat(room.clone(), key.clone(), effects));
    }
    let (mut written, mut told) = (BTreeMap::new(), Vec::new());
    for (by_task, told_task) in tasks.join_all().await {
        written.extend(by_task);
        told.extend(told_task);
    }
    assert_eq!(written.len() as u64, EFFECTS, "two writes of one version");
    for meta in told {
        let (_, known) = &written[&meta.version];
        assert_eq!(&meta, known, "a repeat wrote");
    }

    let (last, now) = written
        .into_values()
        .next_back()
        .expect("there are effects");
    let mut repeats = JoinSet::new();
    for number in 0..EFFECTS {
        let (room, key) = (room.clone(), key.clone());
        repeats.spawn(async move {
            write(&room, &key, number + EFFECTS, effect(number.into(), 0)).await
        });
    }
    let repeats: Vec<ObjectMeta> = repeats.join_all().await.into_iter().map(kept).collect();
    assert!(
        repeats.iter().all(|meta| *meta == now),
        "{repeats:?} after {now:?}"
    );
    let read = room.get(&key).await;
    assert_eq!(read.meta, now);
    assert!(read.bytes == body(last, 5000));
}

/// Tries the effects one after the other, and after each of them all before it again, with other bytes: by version, which of
/// them wrote it and what it was told; and what the repeats were told.
async fn try_and_repeat(
    room: Room,
    key: ObjectKey,
    effects: Vec<u64>,
) -> (BTreeMap<Version, (u64, ObjectMeta)>, Vec<ObjectMeta>) {
    let (mut written, mut told) = (BTreeMap::new(), Vec::new());
    for (tried, &number) in effects.iter().enumerate() {
        let meta = kept(write(&room, &key, number, effect(number.into(), 0)).await);
        written.insert(meta.version, (number, meta));
        for &earlier in &effects[..=tried] {
            let other = earlier + NAMES_MAX as u64;
            told.push(kept(
                write(&room, &key, other, effect(earlier.into(), 0)).await,
            ));
        }
    }
    (written, told)
}

/// Readers beside a writer get bytes that were put together as one, of the version that they are told, and never an older
/// one than before; the object is never missing.
pub async fn readers_see_the_whole_old_or_the_whole_new(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "readers_see_the_whole_old_or_the_whole_new");
    let key = room.key("k");
    room.put(&key, generation(0)).await;
    let done = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for reader in 0..4 {
        let (room, key, done, reads) = (room.clone(), key.clone(), done.clone(), reads.clone());
        readers.spawn(async move {
            let mut last = Version(0);
            while !done.load(Ordering::Acquire) {
                let seen = look(&room, &key, reader).await;
                assert!(seen >= last, "version {seen} after {last}");
                last = seen;
                reads.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
    }
    // As long as it takes for both to have met often; a reader that failed ends it.
    let mut writes = 0;
    while (writes < 40 || reads.load(Ordering::Relaxed) < 100) && readers.len() == 4 {
        writes += 1;
        room.put(&key, generation(writes)).await;
        tokio::task::yield_now().await;
        if let Some(ended) = readers.try_join_next() {
            ended.expect("a reader saw what it must not");
        }
    }
    done.store(true, Ordering::Release);
    readers.join_all().await;
}

/// Looks in one of the ways there are, and says which version it saw.
async fn look(room: &Room, key: &ObjectKey, reader: u64) -> Version {
    if reader == 0 {
        return kept(room.store.stat(key).await).version;
    }
    let read = room.get(key).await;
    assert_eq!(read.bytes.len() as u64, read.meta.size_bytes);
    assert!(read.bytes.len() >= 8, "a part of a body");
    assert!(
        read.bytes == generation(count(&read.bytes)),
        "bytes of several writes"
    );
    let range = ByteRange {
        offset: 0,
        length: 8,
    };
    let seen = Some(read.meta.version);
    match room.store.get(key, range, seen).await {
        Ok(again) => assert_eq!(again.bytes, read.bytes[..8]),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
    }
    read.meta.version
}

/// A body that says which one it is, small and large in turn.
fn generation(number: u64) -> Bytes {
    let words = if number % 4 == 3 {
        300_000
    } else {
        10 + number
    };
    let first = number.to_le_bytes();
    let rest = (1..words).flat_map(|word| (word ^ (number << 32)).to_le_bytes());
    first.into_iter().chain(rest).collect()
}

/// What one task has written, and says so, another sees, in every way of looking.
pub async fn a_read_after_a_write_sees_it(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_read_after_a_write_sees_it");
    let key = room.key("k");
    room.put(&key, "first").await;
    let written = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for reader in 0..3 {
        let (room, key, written) = (room.clone(), key.clone(), written.clone());
        readers.spawn(async move {
            loop {
                let promised = written.load(Ordering::Acquire);
                let seen = match reader {
                    0 => kept(room.store.stat(&key).await),
                    1 => room.get(&key).await.meta,
                    _ => kept(room.store.view(&key).await).meta().clone(),
                };
                if promised == u64::MAX {
                    return;
                }
                assert!(seen.version.0 >= promised, "{seen:?} after {promised}");
                tokio::task::yield_now().await;
            }
        });
    }
    for number in 0..40 {
        let meta = room.put(&key, body(number, 100)).await;
        written.store(meta.version.0, Ordering::Release);
        tokio::task::yield_now().await;
    }
    written.store(u64::MAX, Ordering::Release);
    readers.join_all().await;
}
