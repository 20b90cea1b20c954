//! A cluster that fails while it is used.

use crate::lab::{Lab, connect, eventually, key, kind};
use bytes::Bytes;
use futures::future::join_all;
use ganglion_store::{
    ByteRange, CommitId, Condition, ObjectStore, PutOptions, RadosOptions, RadosStore,
};
use ganglion_types::{CallId, Error, ErrorKind, ObjectKey};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const OP_TIME: Duration = Duration::from_secs(2);

/// One OSD that is taken for alive however long it hangs, and a store with little patience.
async fn lonely() -> (Lab, RadosStore) {
    let lab = Lab::up(|options| {
        options.osds = 1;
        options.extra = vec![
            "osd heartbeat grace = 600".to_owned(),
            "mon osd report timeout = 600".to_owned(),
        ];
    });
    let store = connect(RadosOptions {
        op_time: OP_TIME,
        ..lab.options()
    });
    let store = store.await.unwrap();
    (lab, store)
}

fn effect(call: u128, condition: Condition) -> PutOptions {
    PutOptions {
        condition,
        commit: Some(CommitId {
            call: CallId(call),
            sequence: 0,
        }),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures time itself")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_answer_is_resolved_as_soon_as_the_osd_goes_on() {
    let (lab, store) = lonely().await;
    for (name, options) in [
        ("blind", PutOptions::default()),
        ("named", effect(1, Condition::None)),
        (
            "absent",
            PutOptions {
                condition: Condition::Absent,
                commit: None,
            },
        ),
        ("both", effect(2, Condition::Absent)),
    ] {
        let mut tries = (0..20).map(|number| key("hung", &format!("{name}-{number}")));
        let mut resolved = false;
        while !resolved {
            let key = tries.next().expect("no write was on its way");
            resolved = hang_while_writing(&lab, &store, &key, options).await;
        }
    }
}

/// Stops the OSD while a write is on its way, if that comes about: the write may be done before, or not yet behind the look
/// that a guarded one begins with.
async fn hang_while_writing(
    lab: &Lab,
    store: &RadosStore,
    key: &ObjectKey,
    options: PutOptions,
) -> bool {
    // Long enough on its way to be met there.
    let body = Bytes::from(vec![7; 32 << 20]);
    let writing = async {
        let outcome = store.put(key, body.clone(), options).await;
        (outcome, now())
    };
    let hanging = async {
        tokio::time::sleep(Duration::from_millis(15)).await;
        lab.hang_osd(0);
        tokio::time::sleep(OP_TIME + Duration::from_millis(500)).await;
        lab.ceph.resume_osd(0).unwrap();
        now()
    };
    let ((outcome, ended), resumed) = tokio::join!(writing, hanging);
    if ended < resumed {
        let looked_in_vain = |error: Error| error.kind() == ErrorKind::Unavailable;
        assert!(outcome.err().is_none_or(looked_in_vain));
        return false;
    }
    let meta = outcome.unwrap();
    let took = ended - resumed;
    assert!(
        took < Duration::from_millis(1500),
        "{key}: {took:?} after the OSD went on"
    );
    let read = store.get(key, ByteRange::ALL, None).await.unwrap();
    assert!(read.meta == meta && read.bytes == body, "{key}");
    if options.commit.is_some() {
        let again = store.put(key, "again".into(), options).await;
        assert_eq!(again.unwrap(), meta);
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn an_osd_that_never_answers_is_told_of_within_the_limit() {
    let (lab, store) = lonely().await;
    let key = key("hung", "k");
    let before = store
        .put(&key, "before".into(), PutOptions::default())
        .await
        .unwrap();
    lab.hang_osd(0);
    let start = now();
    let (read, stat, put, delete, list) = tokio::join!(
        store.get(&key, ByteRange::ALL, None),
        store.stat(&key),
        store.put(&key, "after".into(), PutOptions::default()),
        store.delete(&key, Condition::Version(before.version)),
        store.list(&key.bucket, "", None, 10),
    );
    assert!(start.elapsed() < OP_TIME * 3, "{:?}", start.elapsed());
    for (what, outcome, kind) in [
        ("read", read.map(drop), ErrorKind::Unavailable),
        ("stat", stat.map(drop), ErrorKind::Unavailable),
        ("put", put.map(drop), ErrorKind::Indeterminate),
        ("delete", delete, ErrorKind::Unavailable),
        ("list", list.map(drop), ErrorKind::Unavailable),
    ] {
        let error = outcome.expect_err(what);
        assert_eq!(error.kind(), kind, "{error}");
        for word in ["hung", "pool ganglion", "2s", "ceph.op_time"] {
            assert!(error.message().contains(word), "no `{word}`: {error}");
        }
    }
    lab.ceph.resume_osd(0).unwrap();
    let read = store.get(&key, ByteRange::ALL, None).await.unwrap();
    assert!(["before", "after"].iter().any(|text| read.bytes == *text));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_without_an_answer_is_resolved() {
    let (lab, store) = lonely().await;
    let key = key("hung", "k");
    store
        .put(&key, "x".into(), PutOptions::default())
        .await
        .unwrap();
    // Stops the OSD once the delete has looked, so that it is the removal which hangs: over many rounds it is.
    for pause_us in [0, 300, 600, 1000] {
        let deleting = async { store.delete(&key, Condition::None).await };
        let hanging = async {
            tokio::time::sleep(Duration::from_micros(pause_us)).await;
            lab.hang_osd(0);
            tokio::time::sleep(OP_TIME + Duration::from_millis(300)).await;
            lab.ceph.resume_osd(0).unwrap();
        };
        let (outcome, ()) = tokio::join!(deleting, hanging);
        match outcome {
            Ok(()) => {}
            // The look itself had no answer: nothing was asked to be removed.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        store
            .put(&key, "x".into(), PutOptions::default())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_hangs_holds_no_thread_up() {
    let (lab, store) = lonely().await;
    lab.hang_osd(0);
    // More writes, and more bytes of them, than librados would have under way by itself.
    let body = Bytes::from(vec![1; 100_000]);
    let keys: Vec<_> = (0..1500)
        .map(|number| key("many", &format!("{number}")))
        .collect();
    let putting = keys
        .iter()
        .map(|key| store.put(key, body.clone(), PutOptions::default()));
    let mut putting: Vec<_> = putting.collect();
    let start = now();
    for put in &mut putting {
        let mut context = Context::from_waker(Waker::noop());
        assert!(put.as_mut().poll(&mut context).is_pending());
    }
    let took = start.elapsed();
    assert!(took < OP_TIME / 2, "sending 1500 writes took {took:?}");
    lab.ceph.resume_osd(0).unwrap();
    for put in join_all(putting).await {
        put.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_refuses_writes_at_once_and_lets_reads_and_deletes_through() {
    let lab = Lab::up(|_| {});
    let store = lab.store().await;
    let keys = [key("full", "a"), key("full", "b")];
    for key in &keys {
        store
            .put(key, "x".into(), PutOptions::default())
            .await
            .unwrap();
    }
    lab.ceph.set_full(true).unwrap();
    let mut tries = 0;
    for options in [PutOptions::default(), effect(1, Condition::None)] {
        let refused = eventually("the pool is full", || {
            // What takes no more room than before is let through, so each try is of a new object.
            tries += 1;
            let new = key("full", &format!("new-{tries}"));
            let store = &store;
            async move {
                let writing = store.put(&new, "x".into(), options);
                let outcome = timeout(Duration::from_secs(3), writing).await;
                outcome.unwrap().err()
            }
        });
        let error = refused.await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("pool ganglion is full"), "{error}");
    }
    let read = store.get(&keys[1], ByteRange::ALL, None).await.unwrap();
    assert_eq!(read.bytes, "x");
    let deleting = store.delete(&keys[1], Condition::None);
    timeout(Duration::from_secs(3), deleting)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kind(store.stat(&keys[1]).await), ErrorKind::NotFound);
    lab.ceph.set_full(false).unwrap();
    eventually("there is room again", || async {
        store
            .put(&keys[0], "z".into(), PutOptions::default())
            .await
            .ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_an_osd_loses_nothing_and_repeats_nothing() {
    let lab = Lab::up(|options| options.quick_failover = true);
    let store = lab.store().await;
    let mut versions = Vec::new();
    for number in 0..60_u128 {
        if number == 20 {
            lab.ceph.kill_osd(0).unwrap();
        }
        let key = key("failover", &format!("{}", number % 20));
        let body = Bytes::from(format!("{number}"));
        let meta = store
            .put(&key, body, effect(number, Condition::None))
            .await
            .unwrap();
        versions.push((key, number, meta));
    }
    for (key, number, meta) in &versions[40..] {
        let read = store.get(key, ByteRange::ALL, None).await.unwrap();
        assert_eq!(
            (&read.meta, read.bytes),
            (meta, Bytes::from(format!("{number}")))
        );
        let again = store.put(key, "again".into(), effect(number - 20, Condition::None));
        assert_eq!(again.await.unwrap(), *meta);
    }
}
