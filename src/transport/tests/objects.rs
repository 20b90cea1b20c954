//! Every object operation over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test stops at what it did not expect"
)]

#[allow(
    dead_code,
    unreachable_pub,
    clippy::cast_possible_truncation,
    reason = "each test file uses its part"
)]
mod support;

use bytes::Bytes;
use ganglion_store::{
    ByteRange, CommitId, Condition, ObjectStore, ObjectView, PutOptions, Version,
};
use ganglion_transport::{LinkSettings, RemoteStore};
use ganglion_types::{Bucket, CallId, ErrorKind, Key, ObjectKey};
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Host, limits, link, node, settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("books", name).unwrap()
}

fn pattern(length: usize) -> Bytes {
    (0..length).map(|i| (i * 31 + i / 4096) as u8).collect()
}

fn on(condition: Condition) -> PutOptions {
    PutOptions {
        condition,
        commit: None,
    }
}

/// Pieces of 100,000 bytes.
fn small_pieces() -> LinkSettings {
    LinkSettings {
        piece_bytes: 100_000,
        ..settings()
    }
}

#[tokio::test]
async fn what_is_put_is_read_back_whole_and_by_ranges_whatever_its_length() {
    let host = Host::start(limits()).await;
    let store = host.store(small_pieces());
    for length in [0, 1, 99_999, 100_000, 100_001, 1_234_567] {
        let body = pattern(length);
        let put = store
            .put(&key("a"), body.clone(), PutOptions::default())
            .await
            .unwrap();
        assert_eq!(put.size_bytes, length as u64);
        let read = store.get(&key("a"), ByteRange::ALL, None).await.unwrap();
        assert!(read.bytes == body && read.meta == put, "{length}");
        assert_eq!(store.stat(&key("a")).await.unwrap(), put);
        for (offset, wanted) in [(0, 10), (50_000, 300_000), (length, 5), (7, usize::MAX)] {
            let range = ByteRange {
                offset: offset as u64,
                length: wanted as u64,
            };
            let read = store
                .get(&key("a"), range, Some(put.version))
                .await
                .unwrap();
            let start = offset.min(length);
            let expected = body.slice(start..start.saturating_add(wanted).min(length));
            assert!(read.bytes == expected, "{length} {offset} {wanted}");
        }
    }
    assert_eq!(host.objects.open_uploads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn conditions_and_commits_hold_as_they_do_next_door() {
    let host = Host::start(limits()).await;
    let store = host.store(small_pieces());
    for body in [pattern(10), pattern(400_000)] {
        let key = key(&body.len().to_string());
        let absent = on(Condition::Absent);
        let first = store.put(&key, body.clone(), absent).await.unwrap();
        let error = store.put(&key, body.clone(), absent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let commit = Some(CommitId {
            call: CallId(5 << 64 | 1),
            sequence: 2,
        });
        let named = PutOptions {
            condition: Condition::Version(first.version),
            commit,
        };
        let second = store.put(&key, body.clone(), named).await.unwrap();
        assert_eq!(store.put(&key, body.clone(), named).await.unwrap(), second);
        let stale = store.get(&key, ByteRange::ALL, Some(first.version)).await;
        assert_eq!(stale.unwrap_err().kind(), ErrorKind::Conflict);
        let error = store.delete(&key, Condition::Version(first.version)).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
        store
            .delete(&key, Condition::Version(second.version))
            .await
            .unwrap();
        let error = store.delete(&key, Condition::None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(
            store.stat(&key).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}

#[tokio::test]
async fn a_listing_longer_than_a_message_comes_whole_and_in_order() {
    let host = Host::start(limits()).await;
    let store = host.store(settings());
    for i in 0..1_500 {
        let name = format!("{}{i:04}", "x".repeat(1_000));
        host_put(&host, &name).await;
    }
    host_put(&host, "other").await;
    let bucket = Bucket::new("books").unwrap();
    let all = store.list(&bucket, "x", None, 10_000).await.unwrap();
    assert_eq!((all.objects.len(), all.more), (1_500, false));
    assert!(
        all.objects
            .is_sorted_by(|(a, _), (b, _)| a.as_str() < b.as_str())
    );
    let some = store
        .list(&bucket, "", Some(&all.objects[9].0), 700)
        .await
        .unwrap();
    assert_eq!((some.objects.len(), some.more), (700, true));
    assert_eq!(some.objects[0], all.objects[10]);
    let last = Key::new("other").unwrap();
    let none = store.list(&bucket, "p", Some(&last), 5).await.unwrap();
    assert!(none.objects.is_empty() && !none.more);
    assert_eq!(store.buckets().await.unwrap(), [bucket]);
}

async fn host_put(host: &Host, name: &str) {
    let local = support::Memory(host.objects.clone());
    local
        .put(&key(name), Bytes::new(), PutOptions::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_upload_is_visible_at_its_commit_and_leaves_no_trace_without_one() {
    let host = Host::start(limits()).await;
    let store = host.store(small_pieces());
    let open = || host.objects.open_uploads.load(Ordering::SeqCst);
    let mut upload = store
        .upload(&key("a"), on(Condition::Absent))
        .await
        .unwrap();
    let body = pattern(950_000);
    for piece in [
        body.slice(..3),
        body.slice(3..700_000),
        body.slice(700_000..),
    ] {
        upload.write(piece).await.unwrap();
    }
    assert_eq!(
        store.stat(&key("a")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let meta = upload.commit().await.unwrap();
    let read = store.get(&key("a"), ByteRange::ALL, None).await.unwrap();
    assert!(read.bytes == body && read.meta == meta);

    let late = store
        .upload(&key("a"), on(Condition::Absent))
        .await
        .unwrap();
    assert_eq!(late.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
    let mut dropped = store
        .upload(&key("b"), PutOptions::default())
        .await
        .unwrap();
    dropped.write(pattern(10)).await.unwrap();
    assert_eq!(open(), 1);
    drop(dropped);
    while open() > 0 {
        store.buckets().await.unwrap();
    }
    let other = host.store(settings());
    let mut lost = other
        .upload(&key("b"), PutOptions::default())
        .await
        .unwrap();
    lost.write(pattern(10)).await.unwrap();
    drop((lost, other));
    while open() > 0 {
        store.buckets().await.unwrap();
    }
    assert_eq!(
        store.stat(&key("b")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_view_says_that_the_object_is_elsewhere_and_home_says_where() {
    let host = Host::start(limits()).await;
    let store = host.store(settings());
    let meta = store
        .put(&key("a"), pattern(5), PutOptions::default())
        .await
        .unwrap();
    match store.view(&key("a")).await.unwrap() {
        ObjectView::Remote { meta: seen } => assert_eq!(seen, meta),
        ObjectView::File { .. } => panic!("a file cannot cross a socket"),
    }
    assert_eq!(store.home(&key("never")), Some(node("server")));
}

#[tokio::test]
async fn a_store_that_is_down_says_so_at_once_and_is_found_when_it_is_back() {
    let host = Host::start(limits()).await;
    let address = host.address.to_string();
    let store = host.store(settings());
    store
        .put(&key("a"), pattern(5), PutOptions::default())
        .await
        .unwrap();
    host.kill().await;
    let error = store.stat(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let error = store
        .put(&key("a"), pattern(5), PutOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let back = Host::start_at(&address, limits()).await;
    host_put(&back, "a").await;
    while let Err(error) = store.stat(&key("a")).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(store.stat(&key("a")).await.unwrap().version, Version(1));
}

/// Stands before a host, passes everything on, and cuts the first connection when the first answer behind the hello comes.
async fn cutting_proxy(host: &Host) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let host = host.address;
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(host).await.unwrap();
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let mut buffer = vec![0; 4096];
        let forward = tokio::io::copy(&mut from_client, &mut to_server);
        let cut = async {
            let hello = from_server.read(&mut buffer).await.unwrap();
            to_client.write_all(&buffer[..hello]).await.unwrap();
            from_server.read(&mut buffer).await.unwrap()
        };
        tokio::select! {
            _ = forward => {}
            _ = cut => {}
        }
        drop((client, server));
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(host).await.unwrap();
            tokio::spawn(
                async move { tokio::io::copy_bidirectional(&mut client, &mut server).await },
            );
        }
    });
    address
}

/// A store behind a connection that breaks before its first answer.
async fn broken_store(host: &Host) -> RemoteStore {
    let quiet = LinkSettings {
        heartbeat: Duration::from_secs(10),
        ..settings()
    };
    RemoteStore::new(link(&cutting_proxy(host).await, quiet), node("server"))
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_where_nothing_can_happen_twice() {
    let host = Host::start(limits()).await;
    let writes = || host.objects.writes.load(Ordering::SeqCst);
    let (body, commit) = (
        pattern(5),
        Some(CommitId {
            call: CallId(1),
            sequence: 0,
        }),
    );
    let named = PutOptions {
        commit,
        ..PutOptions::default()
    };

    let put = broken_store(&host)
        .await
        .put(&key("a"), body.clone(), named)
        .await;
    assert_eq!((put.unwrap().version, writes()), (Version(1), 1));

    let store = broken_store(&host).await;
    assert_eq!(store.stat(&key("a")).await.unwrap().version, Version(1));
    let store = broken_store(&host).await;
    assert_eq!(
        store
            .get(&key("a"), ByteRange::ALL, None)
            .await
            .unwrap()
            .bytes,
        body
    );

    let store = broken_store(&host).await;
    let error = store
        .put(&key("b"), body, PutOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), writes()),
        (ErrorKind::Indeterminate, 2),
        "{error}"
    );
    let store = broken_store(&host).await;
    let error = store.delete(&key("b"), Condition::None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
}

#[tokio::test]
async fn an_object_replaced_while_it_is_read_is_never_mixed() {
    let host = Host::start(limits()).await;
    let store = host.store(LinkSettings {
        pieces_in_flight: 1,
        ..small_pieces()
    });
    let (old, new) = (
        Bytes::from(vec![1; 2_000_000]),
        Bytes::from(vec![2; 2_000_000]),
    );
    let direct = support::Memory(host.objects.clone());
    direct
        .put(&key("a"), old, PutOptions::default())
        .await
        .unwrap();
    let replace = async {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        direct
            .put(&key("a"), new.clone(), PutOptions::default())
            .await
            .unwrap()
    };
    let key = key("a");
    let (read, _) = tokio::join!(store.get(&key, ByteRange::ALL, None), replace);
    let read = read.unwrap().bytes;
    assert!(read.len() == 2_000_000 && read.iter().all(|byte| *byte == read[0]));
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[tokio::test]
async fn an_object_of_64_mib_crosses_both_ways_with_little_beyond_its_own_memory() {
    const SIZE: usize = 64 << 20;
    let host = Host::start(limits()).await;
    let store = host.store(settings());
    let body = pattern(SIZE);
    let direct = support::Memory(host.objects.clone());
    direct
        .put(&key("big"), body.clone(), PutOptions::default())
        .await
        .unwrap();
    let before = resident_bytes();
    let read = store.get(&key("big"), ByteRange::ALL, None).await.unwrap();
    assert!(read.bytes == body);
    let grown = resident_bytes() - before;
    assert!(
        grown < SIZE as u64 + (32 << 20),
        "the read took {grown} bytes"
    );
    drop(read);
    store
        .put(&key("copy"), body.clone(), PutOptions::default())
        .await
        .unwrap();
    let copy = direct
        .get(&key("copy"), ByteRange::ALL, None)
        .await
        .unwrap();
    assert!(copy.bytes == body);
    assert!(store.stat(&key("copy")).await.unwrap().size_bytes == SIZE as u64);
}
