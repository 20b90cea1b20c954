//! Homes: what the store computes is what the cluster says.

use crate::lab::{Lab, connect, eventually, key, kind, shared_store};
use ganglion_store::{ObjectStore, PutOptions, RadosOptions, RadosStore};
use ganglion_types::{ErrorKind, NodeId, ObjectKey};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

/// Keys of every length and script.
fn keys() -> Vec<ObjectKey> {
    let mut keys = Vec::new();
    for bucket in ["books", ".functions", "B-_.9", &"z".repeat(64)] {
        for number in 0..60 {
            keys.push(key(bucket, &format!("shelf-{}/book-{number}", number % 7)));
        }
        for text in ["a", "日本 語", "ü%2F'", "u\u{308}", "🦑", "..", "a/../b"] {
            keys.push(key(bucket, text));
        }
        for length in (1..40).chain([255, 256, 1000, 1023, 1024]) {
            keys.push(key(bucket, &"x".repeat(length)));
        }
    }
    keys
}

/// What the monitor says of each (`osd map`).
fn primaries(lab: &Lab, keys: &[ObjectKey]) -> Vec<i32> {
    let question = |key: &ObjectKey| {
        json!({
            "prefix": "osd map", "format": "json",
            "pool": "ganglion", "object": key.key.as_str(), "nspace": key.bucket.as_str(),
        })
    };
    let questions: Vec<_> = keys.iter().map(question).collect();
    let answers = lab.ask_monitor(&questions);
    let primaries = answers.iter().map(|answer| &answer["acting_primary"]);
    primaries
        .map(|osd| i32::try_from(osd.as_i64().unwrap()).unwrap())
        .collect()
}

fn known(store: &RadosStore, keys: &[ObjectKey]) -> Vec<i32> {
    keys.iter().map(|key| store.osd_of(key).unwrap()).collect()
}

async fn agree(lab: &Lab, store: &RadosStore, what: &str) {
    let keys = keys();
    eventually(what, || {
        let keys = &keys;
        async move { (known(store, keys) == primaries(lab, keys)).then_some(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_are_the_acting_primaries_that_the_cluster_names() {
    let (lab, store) = shared_store();
    let keys = keys();
    assert!(keys.len() > 400);
    let homes = known(&store, &keys);
    assert_eq!(homes, primaries(&lab, &keys));
    for osd in 0..3 {
        let share = homes.iter().filter(|home| **home == osd).count();
        assert!(share > keys.len() / 10, "osd.{osd} has {share}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_is_the_node_that_stands_for_the_osd() {
    let (_lab, store) = shared_store();
    let key = key("books", "k");
    let osd = store.osd_of(&key).unwrap();
    assert_eq!(store.home(&key).unwrap().as_str(), format!("osd.{osd}"));
    let node = NodeId::new("storage-1").unwrap();
    let nodes = HashMap::from([(osd, node.clone())]);
    store.osd_nodes().replace(nodes);
    assert_eq!(store.home(&key), Some(node));
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_follow_every_change_of_the_map() {
    let lab = Lab::up(|options| options.quick_failover = true);
    let store = lab.store().await;
    agree(&lab, &store, "homes as they begin").await;

    lab.ceph
        .command(&["osd", "primary-affinity", "0", "0"])
        .unwrap();
    agree(&lab, &store, "homes by another affinity").await;
    assert!(!known(&store, &keys()).contains(&0));
    lab.ceph
        .command(&["osd", "primary-affinity", "0", "1"])
        .unwrap();

    lab.ceph.kill_osd(1).unwrap();
    lab.ceph.wait_osd_down(1).unwrap();
    agree(&lab, &store, "homes without osd.1").await;
    assert!(!known(&store, &keys()).contains(&1));
    lab.ceph.start_osd(1).unwrap();
    lab.ceph.wait_osd_up(1).unwrap();
    lab.ceph.wait_clean().unwrap();
    agree(&lab, &store, "homes with osd.1 again").await;

    for groups in ["24", "32"] {
        // A manager would go there step by step; there is none.
        lab.ceph
            .command(&["osd", "pool", "set", "ganglion", "pg_num", groups])
            .unwrap();
        for var in ["pg_num_actual", "pgp_num_actual"] {
            lab.ask_monitor(&[json!({
                "prefix": "osd pool set", "pool": "ganglion", "var": var, "val": groups,
            })]);
        }
        agree(&lab, &store, &format!("homes in {groups} groups")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_stays_while_no_monitor_answers() {
    let lab = Lab::up(|_| {});
    let store = connect(RadosOptions {
        mon_time: Duration::from_secs(1),
        map_age: Duration::from_millis(50),
        ..lab.options()
    });
    let store = store.await.unwrap();
    let keys = keys();
    let before = known(&store, &keys);
    let key = key("books", "k");
    let put = || store.put(&key, "still".into(), PutOptions::default());
    put().await.unwrap();
    lab.ceph.kill_mon().unwrap();
    let error = store.osds().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    for word in ["osd dump", "1s", "ceph.mon_time"] {
        assert!(error.message().contains(word), "{error}");
    }
    assert_eq!(known(&store, &keys), before);
    put().await.unwrap();
    store.stat(&key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_finds_its_neighbours_among_the_osds() {
    let (_lab, store) = shared_store();
    let osds = store.osds().await.unwrap();
    assert_eq!(osds.len(), 3);
    for (number, osd) in osds.iter().enumerate() {
        assert_eq!(usize::try_from(osd.id), Ok(number));
        assert_eq!(osd.crush_host, Some(format!("host{number}")));
        assert!(osd.up && osd.address.unwrap().is_loopback(), "{osd:?}");
        assert!(osd.host.is_some(), "{osd:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_deleted_is_not_found() {
    let lab = Lab::up(|_| {});
    let store = lab.store().await;
    let key = key("books", "k");
    let put = || store.put(&key, "x".into(), PutOptions::default());
    put().await.unwrap();
    let sure = "--yes-i-really-really-mean-it";
    lab.ceph
        .command(&["osd", "pool", "delete", "ganglion", "ganglion", sure])
        .unwrap();
    let error = eventually("the pool is missed", || async {
        let error = store.stat(&key).await.err()?;
        error.message().contains("ceph.pool").then_some(error)
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = put().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("ceph.pool"), "{error}");
    assert_eq!(
        kind(store.delete(&key, Default::default()).await),
        ErrorKind::NotFound
    );
    assert_eq!(store.home(&key), None);
}
