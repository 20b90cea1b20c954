//! Reads with a location go to the replica there.

use crate::lab::{Lab, connect, eventually, key};
use ganglion_store::{ByteRange, ObjectStore, PutOptions, RadosOptions, RadosStore};
use ganglion_types::ObjectKey;
use tokio::runtime::Handle;

const OBJECTS: usize = 40;
const BYTES: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn reads_with_a_location_are_served_by_the_osd_there() {
    let lab = Lab::up(|options| {
        options.replicas = Some(3);
        options.quick_failover = true;
    });
    let keys = objects_of_osd_0(&lab).await;
    for (location, expected) in [(None, 0), (Some("host=host1"), 1), (Some("host=host2"), 2)] {
        let near = connect(RadosOptions {
            crush_location: location.map(str::to_owned),
            ..lab.options()
        });
        let near = near.await.unwrap();
        // A replica reads only while it holds a lease of its primary's, which it gets some seconds after the group began.
        eventually(&format!("osd.{expected} serves {location:?}"), || async {
            let before = served(&lab);
            for key in &keys {
                read_twice(&near, key).await;
            }
            let after = served(&lab);
            let more = |osd: usize| (after[osd].0 - before[osd].0, after[osd].1 - before[osd].1);
            let others = (0..3).filter(|osd| *osd != expected);
            let alone = others
                .map(more)
                .all(|(reads, bytes)| (reads, bytes) == (0, 0));
            let (reads, bytes) = more(expected);
            assert!(
                !alone || (reads >= 2 * OBJECTS as u64 && bytes >= 2 * (OBJECTS * BYTES) as u64)
            );
            alone.then_some(())
        })
        .await;
    }
}

/// Objects that osd.0 is the primary of.
async fn objects_of_osd_0(lab: &Lab) -> Vec<ObjectKey> {
    let store = lab.store().await;
    let mut keys = Vec::new();
    // A replica refuses what was written last, until it has learned that every replica has it, by a write behind it.
    for round in 0..2 {
        for number in 0..200 {
            let key = key("near", &format!("{round}-{number}"));
            store
                .put(&key, vec![1; BYTES].into(), PutOptions::default())
                .await
                .unwrap();
            if round == 0 && store.osd_of(&key) == Some(0) && keys.len() < OBJECTS {
                keys.push(key);
            }
        }
    }
    assert_eq!(keys.len(), OBJECTS);
    keys
}

/// By `get`, and into lent memory.
async fn read_twice(store: &RadosStore, key: &ObjectKey) {
    let read = store.get(key, ByteRange::ALL, None).await.unwrap();
    assert_eq!(read.bytes, vec![1; BYTES]);
    let (store, key, version) = (store.clone(), key.clone(), read.meta.version);
    let lending = tokio::task::spawn_blocking(move || {
        let mut into = vec![0; BYTES];
        let read = store.read_into(&key, version, 0, &mut into, &mut |reading| {
            Handle::current().block_on(reading);
            Ok(())
        });
        (read.unwrap().unwrap(), into)
    });
    assert_eq!(lending.await.unwrap(), (BYTES, vec![1; BYTES]));
}

/// Reads that each OSD has served, and bytes of them.
fn served(lab: &Lab) -> Vec<(u64, u64)> {
    let of = |osd| {
        let perf = lab.ceph.perf(osd).unwrap();
        let count = |name: &str| perf["osd"][name].as_u64().unwrap();
        (count("op_r"), count("op_out_bytes"))
    };
    (0..3).map(of).collect()
}
