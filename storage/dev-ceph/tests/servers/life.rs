//! How a cluster begins and ends.

use crate::support::{Lab, assert_nothing_left, get};
use ganglion_dev_ceph::{MiniCeph, Options, Place, Store};
use ganglion_types::ErrorKind;

#[test]
fn a_cluster_takes_writes_tells_of_itself_and_leaves_only_logs() {
    let lab = Lab::up();
    lab.put("greeting", b"hello");
    assert_eq!(lab.get("greeting"), b"hello");

    let status = lab.ceph.status().unwrap();
    let names: Vec<&str> = status.daemons.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["mon.a", "osd.0", "osd.1", "osd.2"]);
    for daemon in &status.daemons {
        assert_eq!(daemon.up, Some(true), "{daemon:?}");
        assert!(daemon.memory_bytes > 10 << 20, "{daemon:?}");
        assert_eq!(lab.ceph.pids().unwrap()[&daemon.name], daemon.pid.unwrap());
    }
    let second = lab.ceph.address_of(Place::Storage(1));
    assert_eq!(status.daemons[2].address, second);
    assert_eq!(status.pools, ["ganglion"]);
    assert_eq!(status.health.as_deref(), Some("HEALTH_OK"), "{status:?}");
    assert!(status.epoch.unwrap() > 1);
    assert_eq!(
        serde_json::to_value(&status).unwrap()["pools"][0],
        "ganglion"
    );
    lab.down();
}

#[test]
fn each_osd_is_on_a_host_and_an_address_of_its_own() {
    let lab = Lab::up();
    for index in 0..3 {
        let found = lab
            .ceph
            .command(&["osd", "find", &index.to_string()])
            .unwrap();
        assert_eq!(found["crush_location"]["host"], format!("host{index}"));
        let address = lab.ceph.address_of(Place::Storage(index)).to_string();
        let listens = found["addrs"]["addrvec"][0]["addr"].as_str().unwrap();
        assert!(listens.starts_with(&format!("{address}:")), "{listens}");
    }
    lab.down();
}

#[test]
fn another_process_takes_a_cluster_up_by_its_folder() {
    let Lab { ceph, folder } = Lab::up();
    let mons = ceph.pids().unwrap();
    ceph.leave_running().unwrap();
    let attached = MiniCeph::attach(folder.path()).unwrap();
    assert_eq!(attached.pids().unwrap(), mons);
    drop(attached);
    let again = MiniCeph::attach(folder.path()).unwrap();
    assert_eq!(again.pids().unwrap(), mons, "taking up owns nothing");
    again.down().unwrap();
    assert_nothing_left(folder.path());
    let error = MiniCeph::attach(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_cluster_that_is_dropped_ends_even_if_its_folder_went_first() {
    let Lab { ceph, folder } = Lab::up();
    let path = folder.path().to_owned();
    let pids = ceph.pids().unwrap();
    folder.close().unwrap();
    drop(ceph);
    for pid in pids.values() {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!line.contains(path.to_str().unwrap()), "{line}");
    }
}

#[test]
fn two_clusters_share_the_machine_and_nothing_else() {
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(Lab::up);
        let two = scope.spawn(Lab::up);
        (one.join().unwrap(), two.join().unwrap())
    });
    one.put("whose", b"one");
    assert!(!get(two.rados(), "ganglion", "whose").status.success());
    two.put("whose", b"two");
    one.down();
    assert_eq!(two.get("whose"), b"two");
    two.down();
}

#[test]
fn a_folder_in_use_is_refused_and_its_cluster_goes_on() {
    let lab = Lab::up();
    let error = MiniCeph::up(&Options::new(lab.folder.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    lab.put("still", b"here");
    lab.down();
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        store: Store::BlueStore { bytes: 1 << 30 },
        // No power of two: the monitor is up by the time that the OSDs' folders are made and fail at it.
        extra: vec!["bluestore min alloc size = 12345".to_owned()],
        ..Options::new(folder.path())
    };
    let error = MiniCeph::up(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let message = error.message();
    assert!(message.starts_with("osd."), "{message}");
    assert!(message.contains("min_alloc_size"), "{message}");
    assert_nothing_left(folder.path());
}

#[test]
fn a_pool_that_is_made_later_takes_writes_at_once() {
    let lab = Lab::up();
    lab.ceph.create_pool("later").unwrap();
    let put = crate::support::put(lab.rados(), "later", "object", b"bytes");
    assert!(put.status.success(), "{put:?}");
    assert_eq!(lab.ceph.status().unwrap().pools, ["ganglion", "later"]);
    let error = lab.ceph.create_pool("no name").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    lab.down();
}

#[test]
fn a_command_that_ceph_does_not_know_fails_in_its_words() {
    let lab = Lab::up();
    let dump = lab.ceph.command(&["osd", "dump"]).unwrap();
    assert_eq!(dump["fsid"], lab.ceph.fsid());
    assert_eq!(dump["pools"][0]["min_size"], 1);
    let error = lab.ceph.command(&["osd", "nonsense"]).unwrap_err();
    assert!(error.message().contains("no valid command"), "{error}");
    lab.down();
}
