//! Processes that die without ending their clusters.

use crate::support::{Lab, POOL, assert_nothing_left, get, network_of};
use ganglion_dev_ceph::{MiniCeph, Network, Options, Place};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The prefix of the lab that dies with its maker, in whatever folder.
const PREFIX: &str = "gowner";

/// Names the folder of the cluster that [`makes_a_cluster_and_waits_to_be_killed`] makes.
const FOLDER: &str = "GANGLION_TEST_FOLDER";

fn options(folder: &Path) -> Options {
    Options {
        network: Network::Namespaces {
            prefix: PREFIX.to_owned(),
            subnet: [10, 201, 77],
        },
        ..Options::new(folder)
    }
}

#[test]
#[ignore = "is the process that the other tests kill"]
fn makes_a_cluster_and_waits_to_be_killed() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let _ceph = MiniCeph::up(&options(Path::new(&folder))).unwrap();
    println!("\nready");
    loop {
        std::thread::park();
    }
}

/// Starts that process, with its cluster up.
fn maker(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("owners::makes_a_cluster_and_waits_to_be_killed")
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).any(|line| line == "ready");
    assert!(ready, "{:?}", child.wait());
    child
}

/// A cluster whose maker was killed (SIGKILL).
fn orphan() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut maker = maker(folder.path());
    maker.kill().unwrap();
    maker.wait().unwrap();
    folder
}

/// One after the other, as all have the same prefix.
#[test]
fn a_cluster_whose_maker_was_killed_is_ended_from_its_folder_or_makes_way() {
    let folder = orphan();
    let ceph = MiniCeph::attach(folder.path()).unwrap();
    assert_eq!(ceph.pids().unwrap().len(), 4, "it outlived its maker");
    ceph.down().unwrap();
    assert_nothing_left(folder.path());
    assert_eq!(network_of(PREFIX), Vec::<String>::new());

    let folder = orphan();
    let ceph = MiniCeph::up(&options(folder.path())).unwrap();
    assert_eq!(ceph.pids().unwrap().len(), 4, "only the new one");
    ceph.down().unwrap();
    assert_nothing_left(folder.path());

    let first = orphan();
    let second = tempfile::tempdir().unwrap();
    let ceph = MiniCeph::up(&options(second.path())).unwrap();
    assert_nothing_left(first.path());
    let lab = Lab {
        ceph,
        folder: second,
    };
    lab.put("object", b"bytes");
    let inside = lab.ceph.command_in(Place::Compute, "rados");
    assert_eq!(get(inside, POOL, "object").stdout, b"bytes");
    lab.down();
    assert_eq!(network_of(PREFIX), Vec::<String>::new());
}
