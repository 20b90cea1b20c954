//! Daemons that die, hang and come back.

use crate::support::{Lab, POOL, get, put};
use ganglion_dev_ceph::Store;
use ganglion_types::ErrorKind;
use std::process::Command;

/// The only copy is on disk.
fn one_copy_on_disk(options: &mut ganglion_dev_ceph::Options) {
    options.osds = 1;
    options.store = Store::BlueStore { bytes: 1 << 30 };
}

#[test]
fn objects_outlive_each_osd_in_turn_since_a_memory_osd_is_filled_again() {
    let lab = Lab::up();
    let names = lab.put_many();
    for index in 0..3 {
        lab.ceph.kill_osd(index).unwrap();
        lab.ceph.wait_osd_down(index).unwrap();
        lab.assert_all_there(&names);
        lab.put("meanwhile", b"written with an OSD less");
        lab.ceph.start_osd(index).unwrap();
        lab.ceph.wait_osd_up(index).unwrap();
        lab.ceph.wait_clean().unwrap();
    }
    lab.assert_all_there(&names);
    assert_eq!(lab.get("meanwhile"), b"written with an OSD less");
    lab.down();
}

#[test]
fn an_osd_that_hangs_is_noticed_and_comes_back() {
    let lab = Lab::up_with(|options| options.quick_failover = true);
    let names = lab.put_many();
    lab.ceph.stop_osd(1).unwrap();
    assert!(lab.ceph.status().unwrap().daemons[2].stopped);
    lab.ceph.wait_osd_down(1).unwrap();
    lab.assert_all_there(&names);
    lab.ceph.resume_osd(1).unwrap();
    lab.ceph.wait_osd_up(1).unwrap();
    lab.ceph.wait_clean().unwrap();
    assert!(!lab.ceph.status().unwrap().daemons[2].stopped);
    lab.down();
}

#[test]
fn a_cluster_with_an_osd_that_hangs_still_ends() {
    let lab = Lab::up();
    lab.ceph.stop_osd(0).unwrap();
    lab.down();
}

#[test]
fn bluestore_brings_the_only_copy_back_after_a_crash() {
    let lab = Lab::up_with(one_copy_on_disk);
    let names = lab.put_many();
    lab.ceph.kill_osd(0).unwrap();
    lab.ceph.start_osd(0).unwrap();
    lab.ceph.wait_osd_up(0).unwrap();
    lab.ceph.wait_clean().unwrap();
    lab.assert_all_there(&names);
    lab.down();
}

#[test]
fn an_osd_without_peers_is_missed_by_the_monitor() {
    let lab = Lab::up_with(|options| {
        one_copy_on_disk(options);
        options.quick_failover = true;
    });
    lab.ceph.kill_osd(0).unwrap();
    lab.ceph.wait_osd_down(0).unwrap();
    lab.down();
}

#[test]
fn an_osd_that_had_the_only_copies_in_memory_is_not_started_again() {
    let lab = Lab::up_with(|options| options.replicas = Some(1));
    lab.ceph.kill_osd(2).unwrap();
    let error = lab.ceph.start_osd(2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("replicas"), "{error}");
    lab.down();
}

#[test]
fn only_an_osd_that_is_dead_and_exists_can_be_started_and_only_a_live_one_killed() {
    let lab = Lab::up();
    let kind = |error: ganglion_types::Error| error.kind();
    let conflict = ErrorKind::Conflict;
    assert_eq!(kind(lab.ceph.start_osd(0).unwrap_err()), conflict);
    assert_eq!(kind(lab.ceph.start_mon().unwrap_err()), conflict);
    let error = lab.ceph.start_osd(3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("osd.3"), "{error}");
    lab.ceph.kill_osd(0).unwrap();
    let error = lab.ceph.kill_osd(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    lab.down();
}

#[test]
fn the_monitor_comes_back_with_all_that_it_knew() {
    let lab = Lab::up();
    lab.put("before", b"bytes");
    lab.ceph.create_pool("kept").unwrap();
    let epoch = lab.ceph.status().unwrap().epoch.unwrap();

    lab.ceph.kill_mon().unwrap();
    let status = lab.ceph.status().unwrap();
    assert_eq!((status.epoch, status.health), (None, None));
    assert_eq!(status.daemons[0].pid, None);
    assert!(status.daemons[1].pid.is_some(), "OSDs go on");

    lab.ceph.start_mon().unwrap();
    let status = lab.ceph.status().unwrap();
    assert_eq!(status.pools, ["ganglion", "kept"]);
    assert!(status.epoch.unwrap() >= epoch);
    assert_eq!(lab.get("before"), b"bytes");
    lab.down();
}

#[test]
fn a_full_cluster_lets_writes_wait_and_reads_pass() {
    let lab = Lab::up_with(|options| options.quick_failover = true);
    let impatient = || {
        let mut rados: Command = lab.rados();
        rados.arg("--rados_osd_op_timeout=2");
        rados
    };
    lab.put("before", b"bytes");
    lab.ceph.set_full(true).unwrap();
    assert!(!put(impatient(), POOL, "during", b"bytes").status.success());
    assert_eq!(get(impatient(), POOL, "before").stdout, b"bytes");
    lab.ceph.set_full(false).unwrap();
    lab.put("after", b"bytes");
    lab.down();
}

#[test]
fn an_osds_counters_and_processor_time_grow_with_its_work() {
    let lab = Lab::up_with(|options| options.osds = 1);
    let written = || {
        let counters = lab.ceph.perf(0).unwrap();
        counters["osd"]["op_in_bytes"].as_u64().unwrap()
    };
    let (bytes, seconds) = (written(), lab.ceph.osd_cpu_seconds(0).unwrap());
    for index in 0..8 {
        lab.put(&format!("large-{index}"), &vec![7; 16 << 20]);
    }
    assert!(written() >= bytes + (8 << 24));
    assert!(lab.ceph.osd_cpu_seconds(0).unwrap() > seconds);
    lab.down();
}
