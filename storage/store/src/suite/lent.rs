//! Reading into memory that the caller lends, where a store offers it.

use super::{Room, body, refused};
use crate::{Condition, ObjectStore, Version, Wait};
use ganglion_types::{Error, ErrorKind, ObjectKey, Result};
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::runtime::Handle;

/// Memory is lent as it is found, so that a byte which is not written shows.
const FOUND: u8 = 0xa5;

/// Any range of any size is there as `get` has it, and no byte beside it is touched; another version is a conflict. A store
/// that does not offer it never does.
pub async fn lent_memory_gets_that_versions_bytes(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "lent_memory_gets_that_versions_bytes");
    let mut offered = Vec::new();
    for size in [0, 1, 5000, (9 << 20) + 7] {
        let key = room.key(&format!("size-{size}"));
        let body = body(size as u64, size);
        let version = room.put(&key, body.clone()).await.version;
        for offset in [0, 1, 4999, 5 << 20, size, size + 1, usize::MAX >> 1] {
            for length in [0, 1, 4096, 6 << 20, size] {
                let (read, into) = lend(&room, &key, version, offset, length).await;
                offered.push(read.is_some());
                let Some(read) = read else { continue };
                let expected = &body[offset.min(size)..offset.saturating_add(length).min(size)];
                let read = read.unwrap_or_else(|error| panic!("{key} {offset} {length}: {error}"));
                assert_eq!(read, expected.len(), "{key} {offset} {length}");
                assert!(into[..read] == *expected, "{key} {offset} {length}");
                assert!(into[read..].iter().all(|byte| *byte == FOUND));
            }
        }
        for other in [Version(0), Version(version.0 + 1)] {
            if let (Some(outcome), _) = lend(&room, &key, other, 0, 100).await {
                refused(outcome, ErrorKind::Conflict);
            }
        }
        let deleted = room.store.delete(&key, Condition::None).await;
        deleted.expect("it was there");
        if let (Some(outcome), _) = lend(&room, &key, version, 0, 100).await {
            refused(outcome, ErrorKind::NotFound);
        }
    }
    assert!(offered.iter().all(|one| *one == offered[0]));
}

/// A caller that will not wait gets its own error; one that comes back too early gets one of the store.
pub async fn a_read_into_lent_memory_stops_when_its_caller_does(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_read_into_lent_memory_stops_when_its_caller_does");
    let key = room.key("k");
    let size = 20 << 20;
    let version = room.put(&key, body(1, size)).await.version;
    for _ in 0..20 {
        // What is under way then has to be given up before the memory is the caller's again.
        let tired = |reading: Pinned<'_>| {
            let _ = reading.poll(&mut Context::from_waker(Waker::noop()));
            Err(Error::deadline("tired"))
        };
        let (read, _) = lend_to(&room, &key, version, 0, size, tired).await;
        if let Some(outcome) = read {
            assert_eq!(outcome, Err(Error::deadline("tired")));
        }
        let (read, _) = lend_to(&room, &key, version, 0, size, |_| Ok(())).await;
        if let Some(outcome) = read {
            refused(outcome, ErrorKind::Internal);
        }
    }
}

type Pinned<'a> = std::pin::Pin<&'a mut (dyn Future<Output = ()> + Send)>;

async fn lend(
    room: &Room,
    key: &ObjectKey,
    version: Version,
    offset: usize,
    length: usize,
) -> (Option<Result<usize>>, Vec<u8>) {
    let runtime = Handle::current();
    let patient = move |reading: Pinned<'_>| {
        runtime.block_on(reading);
        Ok(())
    };
    lend_to(room, key, version, offset, length, patient).await
}

/// Lends memory, on a thread that may block, with that way to wait.
async fn lend_to(
    room: &Room,
    key: &ObjectKey,
    version: Version,
    offset: usize,
    length: usize,
    mut wait: impl FnMut(Pinned<'_>) -> Result<()> + Send + 'static,
) -> (Option<Result<usize>>, Vec<u8>) {
    let (room, key) = (room.clone(), key.clone());
    let lending = tokio::task::spawn_blocking(move || {
        let mut into = vec![FOUND; length];
        let wait: &mut Wait<'_> = &mut wait;
        let read = room
            .store
            .read_into(&key, version, offset as u64, &mut into, wait);
        (read, into)
    });
    lending.await.expect("lending memory does not panic")
}
