//! Objects as RADOS has them: versions, what others write, names of effects, sizes.

use crate::lab::{eventually, key, kind, shared_store};
use bytes::Bytes;
use ganglion_store::{
    ByteRange, CommitId, Condition, NAMES_MAX, ObjectMeta, ObjectStore, PutOptions, RadosOptions,
    RadosStore,
};
use ganglion_types::{Ambient, CallId, ErrorKind, Key, ObjectKey};
use std::task::{Context, Waker};

fn effect(call: u128) -> PutOptions {
    PutOptions {
        condition: Condition::None,
        commit: Some(CommitId {
            call: CallId(call),
            sequence: 0,
        }),
    }
}

async fn put(store: &RadosStore, key: &ObjectKey, body: &'static str) -> ObjectMeta {
    let body = Bytes::from_static(body.as_bytes());
    store.put(key, body, PutOptions::default()).await.unwrap()
}

async fn put_as(store: &RadosStore, key: &ObjectKey, call: u128) -> ObjectMeta {
    let body = Bytes::from(format!("of {call}"));
    store.put(key, body, effect(call)).await.unwrap()
}

async fn text(store: &RadosStore, key: &ObjectKey) -> String {
    let read = store.get(key, ByteRange::ALL, None).await.unwrap();
    String::from_utf8(read.bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_grow_over_deletes_and_writes_of_others() {
    let (lab, store) = shared_store();
    let key = key("versions", "k");
    let mut last = 0;
    for round in 0..12 {
        match round % 4 {
            0 => lab.rados(&["-N", "versions", "put", "k", "-"], "foreign"),
            1 => {
                put(&store, &key, "ours").await;
            }
            2 => lab.rados(&["-N", "versions", "rm", "k"], ""),
            _ => {
                store.delete(&key, Condition::None).await.unwrap_err();
                put(&store, &key, "again").await;
                lab.rados(&["-N", "versions", "append", "k", "-"], "more");
            }
        }
        if let Ok(meta) = store.stat(&key).await {
            assert!(meta.version.0 > last, "{} after {last}", meta.version);
            last = meta.version.0;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_is_an_object_like_any() {
    let (lab, store) = shared_store();
    let now_ms = crate::lab::Host.unix_ns() / 1_000_000;
    lab.rados(&["-N", "foreign", "put", "a/b", "-"], "from afar");
    let key = key("foreign", "a/b");
    let meta = store.stat(&key).await.unwrap();
    assert_eq!(
        (meta.size_bytes, text(&store, &key).await),
        (9, "from afar".to_owned())
    );
    assert!(
        meta.modified_ms.abs_diff(now_ms) < 10_000,
        "{meta:?} at {now_ms}"
    );
    let page = store.list(&key.bucket, "", None, 10).await.unwrap();
    assert_eq!(page.objects, [(key.key.clone(), meta.clone())]);

    let on = PutOptions {
        condition: Condition::Version(meta.version),
        commit: None,
    };
    store
        .put(&key, Bytes::from_static(b"here"), on)
        .await
        .unwrap();
    assert_eq!(text(&store, &key).await, "here");
    let stale = store.delete(&key, Condition::Version(meta.version)).await;
    assert_eq!(kind(stale), ErrorKind::Conflict);
    store.delete(&key, Condition::None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_over_an_object_is_seen_and_its_names_stay() {
    let (lab, store) = shared_store();
    let key = key("overwritten", "k");
    let ours = put_as(&store, &key, 7).await;
    lab.rados(&["-N", "overwritten", "put", "k", "-"], "foreign");
    let theirs = store.stat(&key).await.unwrap();
    assert!(theirs.version > ours.version && theirs.size_bytes == 7);
    assert_eq!(put_as(&store, &key, 7).await, theirs);
    assert_eq!(text(&store, &key).await, "foreign");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bucket_and_no_key_is_not_seen() {
    let (lab, store) = shared_store();
    lab.rados(&["put", "without-namespace", "-"], "x");
    lab.rados(&["-N", "no bucket!", "put", "k", "-"], "x");
    lab.rados(&["-N", "seen", "put", "k", "-"], "x");
    lab.rados(&["-N", "seen", "put", &"k".repeat(1025), "-"], "x");
    let buckets = store.buckets().await.unwrap();
    assert!(buckets.iter().any(|bucket| bucket.as_str() == "seen"));
    assert!(!buckets.iter().any(|bucket| bucket.as_str().contains(' ')));
    let bucket = key("seen", "k").bucket;
    let page = store.list(&bucket, "", None, 10).await.unwrap();
    assert_eq!(page.objects.len(), 1);
}

/// Names that are no keys stand between those that are, and fill no page.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_behind_what_is_no_key() {
    let (lab, store) = shared_store();
    let bucket = "between";
    for name in ["a", &"b".repeat(1025), &"c".repeat(1500), "d", "e"] {
        lab.rados(&["-N", bucket, "put", name, "-"], "x");
    }
    let bucket = key(bucket, "a").bucket;
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(&bucket, "", after.as_ref(), 1).await.unwrap();
        listed.extend(page.objects.into_iter().map(|(key, _)| key));
        if !page.more {
            break;
        }
        after = listed.last().cloned();
    }
    let listed: Vec<&str> = listed.iter().map(Key::as_str).collect();
    assert_eq!(listed, ["a", "d", "e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_behind_more_writes_than_names_are_kept_is_done_again() {
    let (_lab, store) = shared_store();
    let key = key("late", "k");
    let others = NAMES_MAX as u128;
    put_as(&store, &key, 0).await;
    for call in 1..others {
        put_as(&store, &key, call).await;
    }
    let last = store.stat(&key).await.unwrap();
    assert_eq!(put_as(&store, &key, 0).await, last);
    assert_eq!(text(&store, &key).await, format!("of {}", others - 1));

    put_as(&store, &key, others).await;
    assert!(put_as(&store, &key, 0).await.version > last.version);
    assert_eq!(text(&store, &key).await, "of 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_takes_twenty_bytes_for_each_name_that_there_is() {
    let (lab, store) = shared_store();
    let key = key("stamps", "k");
    let stamp_bytes = || {
        let stamp = lab.rados_output(&["-N", "stamps", "getxattr", "k", "ganglion"]);
        stamp.len()
    };
    put_as(&store, &key, 0).await;
    assert_eq!(stamp_bytes(), 16 + 20);
    for call in 1..=NAMES_MAX as u128 {
        put_as(&store, &key, call).await;
    }
    assert_eq!(stamp_bytes(), 16 + 20 * NAMES_MAX);
    put(&store, &key, "without a name").await;
    assert_eq!(stamp_bytes(), 16 + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_stamp_is_spoilt_is_corrupt_until_it_is_written_anew() {
    let (lab, store) = shared_store();
    for (name, mended_by_put) in [("put", true), ("delete", false)] {
        let key = key("spoilt", name);
        put(&store, &key, "x").await;
        lab.rados(
            &["-N", "spoilt", "setxattr", name, "ganglion", "rubbish"],
            "",
        );
        for outcome in [
            store.stat(&key).await.map(drop),
            store.get(&key, ByteRange::ALL, None).await.map(drop),
            store.put(&key, Bytes::new(), effect(1)).await.map(drop),
            store.append(&key, Bytes::new(), effect(1)).await.map(drop),
        ] {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.message().contains(&key.to_string()), "{error}");
        }
        let page = store.list(&key.bucket, name, None, 1).await.unwrap();
        let (listed, meta) = &page.objects[0];
        assert_eq!((listed, meta.size_bytes), (&key.key, 1));
        if mended_by_put {
            put(&store, &key, "mended").await;
            assert_eq!(text(&store, &key).await, "mended");
        } else {
            store.delete(&key, Condition::None).await.unwrap();
            assert_eq!(kind(store.stat(&key).await), ErrorKind::NotFound);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_limit_is_the_largest_object_that_the_cluster_takes() {
    let (lab, store) = shared_store();
    let key = key("large", "k");
    let limit = usize::try_from(RadosOptions::CEPH_OBJECT_BYTES_MAX).unwrap();
    // The largest stamp goes with it.
    let most = NAMES_MAX as u128;
    for call in 0..most {
        put_as(&store, &key, call).await;
    }
    let body = Bytes::from(vec![7; limit]);
    store.put(&key, body.clone(), effect(most)).await.unwrap();
    let read = store.get(&key, ByteRange::ALL, None).await.unwrap();
    assert!(read.bytes == body);

    let larger = Bytes::from(vec![7; limit + 1]);
    let error = store
        .put(&key, larger.clone(), effect(most + 1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains(&limit.to_string()), "{error}");

    let bold = crate::lab::connect(RadosOptions {
        object_bytes_max: u64::MAX,
        ceph_object_bytes_max: limit as u64 + 1,
        ..lab.options()
    });
    let bold = bold.await.unwrap();
    let error = bold.put(&key, larger, effect(most + 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("ceph.object"), "{error}");
    assert_eq!(store.stat(&key).await.unwrap(), read.meta);
    let mut upload = bold.upload(&key, PutOptions::default()).await.unwrap();
    upload.write(body).await.unwrap();
    let more = upload.write(Bytes::from_static(b"xx")).await.unwrap_err();
    assert!(more.message().contains("ceph.object"), "{more}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setting_that_holds_is_in_the_error() {
    let (lab, _store) = shared_store();
    let small = crate::lab::connect(RadosOptions {
        object_bytes_max: 10_000,
        ..lab.options()
    });
    let store = std::sync::Arc::new(small.await.unwrap());
    ganglion_store::suite::an_object_beyond_the_limit_is_refused(store, 10_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_futures_and_the_store_itself_loses_no_write_that_was_sent() {
    let (lab, store) = shared_store();
    let body = Bytes::from(vec![1; 100_000]);
    for number in 0..200 {
        let key = key("dropped", &format!("{number}"));
        let mut putting = store.put(&key, body.clone(), PutOptions::default());
        let mut reading = store.get(&key, ByteRange::ALL, None);
        let mut context = Context::from_waker(Waker::noop());
        // The answer may be there already, where others use the processor meanwhile.
        let _ = putting.as_mut().poll(&mut context);
        let _ = reading.as_mut().poll(&mut context);
    }
    drop(store);
    let store = lab.store().await;
    for number in 0..200 {
        let key = key("dropped", &format!("{number}"));
        // What another connection asks may overtake it.
        let read = eventually("what was sent is written", || async {
            store.get(&key, ByteRange::ALL, None).await.ok()
        });
        assert!(read.await.bytes == body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_that_came_back_is_not_written_to_any_more() {
    let (_lab, store) = shared_store();
    let key = key("lent", "k");
    let body = Bytes::from(vec![1; 40 << 20]);
    let meta = store.put(&key, body, PutOptions::default()).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let reading = tokio::task::spawn_blocking(move || {
        let mut into = vec![0; 40 << 20];
        for polls in 0..20 {
            let stopped = store.read_into(&key, meta.version, 0, &mut into, &mut |mut reading| {
                let mut context = Context::from_waker(Waker::noop());
                for _ in 0..=polls {
                    let _ = reading.as_mut().poll(&mut context);
                    std::thread::yield_now();
                }
                Err(ganglion_types::Error::deadline("enough"))
            });
            assert_eq!(kind(stopped.unwrap()), ErrorKind::Deadline);
            into.fill(2);
            // Anything that was still to come would come before this answer.
            runtime.block_on(store.stat(&key)).unwrap();
            assert!(
                into.iter().all(|byte| *byte == 2),
                "written after {polls} polls"
            );
        }
    });
    reading.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_waiting_leaves_no_read_under_way() {
    let (_lab, store) = shared_store();
    let key = key("lent", "panic");
    let body = Bytes::from(vec![1; 40 << 20]);
    let meta = store.put(&key, body, PutOptions::default()).await.unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut into = vec![0; 40 << 20];
        let panicking = std::panic::AssertUnwindSafe(|| {
            store.read_into(&key, meta.version, 0, &mut into, &mut |mut reading| {
                let mut context = Context::from_waker(Waker::noop());
                let _ = reading.as_mut().poll(&mut context);
                std::panic::resume_unwind(Box::new("no more"));
            })
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
        into.fill(2);
        let runtime = tokio::runtime::Handle::current();
        runtime.block_on(store.stat(&key)).unwrap();
        assert!(into.iter().all(|byte| *byte == 2));
    });
    reading.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_buckets_than_are_kept_open_can_be_asked() {
    let (_lab, store) = shared_store();
    let first = key("bucket-0", "k");
    put(&store, &first, "here").await;
    for number in 1..1500 {
        let missing = store.stat(&key(&format!("bucket-{number}"), "k")).await;
        assert_eq!(kind(missing), ErrorKind::NotFound);
    }
    assert_eq!(text(&store, &first).await, "here");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_several_pieces_is_read_as_one_beside_its_writer() {
    let (_lab, store) = shared_store();
    let key = key("pieces", "k");
    let filled = |number: u8| Bytes::from(vec![number; (9 << 20) + usize::from(number)]);
    let plain = PutOptions::default();
    store.put(&key, filled(0), plain).await.unwrap();
    let writing = async {
        for number in 1..30 {
            store.put(&key, filled(number), plain).await.unwrap();
        }
    };
    let reading = async {
        let mut seen = 0;
        while seen < 29 {
            let read = store.get(&key, ByteRange::ALL, None).await.unwrap();
            assert_eq!(read.bytes.len() as u64, read.meta.size_bytes);
            let number = read.bytes[0];
            assert!(number >= seen && read.bytes == filled(number), "{number}");
            seen = number;
        }
    };
    tokio::join!(writing, reading);
}
