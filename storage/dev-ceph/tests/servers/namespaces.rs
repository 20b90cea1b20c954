//! Machines of their own for OSDs and compute.

use crate::support::{Lab, POOL, get, network_of, put};
use ganglion_dev_ceph::{MiniCeph, Network, Options, Place};
use ganglion_types::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A gigabit per second: 125 MB/s.
const GIGABIT: u64 = 1_000_000_000;

fn lab_in_namespaces() -> Lab {
    Lab::up_with(|options| options.network = Network::namespaces_of(&options.folder))
}

fn prefix_of(network: &Network) -> &str {
    match network {
        Network::Namespaces { prefix, .. } => prefix,
        Network::Loopback => panic!("on loopback"),
    }
}

/// Megabytes per second that a program at `place` reads, over some two seconds.
fn read_rate(lab: &Lab, place: Place) -> f64 {
    let mut bench = lab.ceph.command_in(place, "rados");
    bench.args(["-p", POOL, "bench", "2", "rand", "--run-name", "rate"]);
    let output = bench.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("Bandwidth"));
    let figure = line
        .unwrap_or_else(|| panic!("{text}"))
        .split(':')
        .next_back();
    figure.unwrap().trim().parse().unwrap()
}

fn write_for_reading(lab: &Lab) {
    let mut bench = lab.rados();
    bench.args(["-p", POOL, "bench", "1", "write", "--no-cleanup"]);
    let output = bench.args(["--run-name", "rate"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn compute_and_storage_reach_the_cluster_and_their_network_goes_with_it() {
    let lab = lab_in_namespaces();
    let prefix = prefix_of(&lab.ceph.options().network).to_owned();
    for place in [Place::Compute, Place::Storage(2), Place::Root] {
        let name = format!("{place:?}");
        let done = put(lab.ceph.command_in(place, "rados"), POOL, &name, b"bytes");
        assert!(done.status.success(), "{done:?}");
        let mut address = lab.ceph.command_in(place, "ip");
        let shown = address.args(["-brief", "addr"]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let own = format!(" {}/24", lab.ceph.address_of(place));
        assert!(shown.contains(&own), "{shown}");
    }
    let got = get(lab.ceph.command_in(Place::Compute, "rados"), POOL, "Root");
    assert_eq!(got.stdout, b"bytes");
    // A namespace for each machine and one for the bridge, and the end outside.
    assert_eq!(network_of(&prefix).len(), 6);
    lab.down();
    assert_eq!(network_of(&prefix), Vec::<String>::new());
}

/// Whether what crosses a bridge is shown to the firewall; there once an engine has been.
const FILTERED: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

fn filter_bridges(filtered: bool) {
    if Path::new(FILTERED).exists() {
        std::fs::write(FILTERED, if filtered { "1" } else { "0" }).unwrap();
    }
}

#[test]
#[ignore = "is the process that the next test starts in a network of its own"]
fn goes_on_where_nothing_is_forwarded_any_more() {
    filter_bridges(false);
    let lab = lab_in_namespaces();
    // As a Docker engine does that is started now.
    let mut policy = Command::new("iptables");
    let set = policy
        .args(["--policy", "FORWARD", "DROP"])
        .status()
        .unwrap();
    assert!(set.success());
    filter_bridges(true);
    let done = put(
        lab.ceph.command_in(Place::Compute, "rados"),
        POOL,
        "object",
        b"bytes",
    );
    assert!(done.status.success(), "{done:?}");
    lab.down();
}

#[test]
fn a_firewall_of_this_machine_does_not_reach_the_lab() {
    let apart = "mkdir -p /run/netns && mount -t tmpfs none /run/netns && mount -t sysfs none /sys && ip link set lo up &&
        exec \"$0\" --ignored --exact --nocapture namespaces::goes_on_where_nothing_is_forwarded_any_more";
    let mut machine = Command::new("unshare");
    machine.args(["--net", "--mount", "--", "sh", "-c", apart]);
    let this = std::env::current_exe().unwrap();
    let ended = machine.arg(this).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(
        ended.status.success() && told.contains("1 passed"),
        "{ended:?}"
    );
}

/// A program that runs for ever, unless somebody ends it: at the latest the test.
struct Forgotten(Child);

impl Forgotten {
    fn at(lab: &Lab, place: Place) -> Self {
        let mut sleep = lab.ceph.command_in(place, "sleep");
        let forgotten = Self(sleep.arg("600").stdout(Stdio::null()).spawn().unwrap());
        // It is there once it has the namespace.
        let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        while namespace(forgotten.0.id()) == namespace(std::process::id()) {
            std::thread::yield_now();
        }
        forgotten
    }
}

impl Drop for Forgotten {
    fn drop(&mut self) {
        // It has ended, or it ends now.
        let _ended = self.0.kill();
        self.0.wait().unwrap();
    }
}

#[test]
fn programs_in_the_lab_end_with_it() {
    let lab = lab_in_namespaces();
    let mut forgotten = Forgotten::at(&lab, Place::Storage(0));
    lab.down();
    assert!(forgotten.0.try_wait().unwrap().is_some(), "it still runs");
}

#[test]
fn a_limit_slows_compute_and_nobody_else_and_can_be_lifted() {
    let lab = lab_in_namespaces();
    write_for_reading(&lab);
    let free = read_rate(&lab, Place::Compute);
    lab.ceph.limit_compute(Some(GIGABIT)).unwrap();
    let before = lab.ceph.link_bytes().unwrap();
    let limited = read_rate(&lab, Place::Compute);
    let after = lab.ceph.link_bytes().unwrap();
    let beside = read_rate(&lab, Place::Storage(0));
    lab.ceph.limit_compute(None).unwrap();
    let lifted = read_rate(&lab, Place::Compute);

    eprintln!("MB/s: free {free}, limited {limited}, at the OSD {beside}, lifted {lifted}");
    assert!((60.0..125.0).contains(&limited), "{limited} MB/s");
    for fast in [free, beside, lifted] {
        assert!(fast > 1.5 * limited, "{fast} MB/s beside {limited}");
    }
    let received = after.received - before.received;
    assert!(received > 100_000_000, "{received} bytes were counted");
    assert!(after.sent - before.sent < received / 10);
    lab.down();
}

#[test]
fn a_lab_in_use_is_left_alone_whoever_asks_for_its_names() {
    let lab = lab_in_namespaces();
    let folder = tempfile::tempdir().unwrap();
    let refused = |network: Network| {
        let options = Options {
            network,
            ..Options::new(folder.path())
        };
        MiniCeph::up(&options).unwrap_err()
    };
    let taken = lab.ceph.options().network.clone();
    let error = refused(taken.clone());
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains(prefix_of(&taken)), "{error}");
    // Another prefix, and the same addresses.
    let Network::Namespaces { subnet, .. } = taken else {
        panic!("on loopback");
    };
    let prefix = "gtwin".to_owned();
    let error = refused(Network::Namespaces { prefix, subnet });
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("/24"), "{error}");
    assert_eq!(network_of("gtwin"), Vec::<String>::new());
    lab.put("still", b"here");
    lab.down();
}

#[test]
fn a_cluster_on_loopback_has_no_link_to_limit() {
    let lab = Lab::up();
    let error = lab.ceph.limit_compute(Some(GIGABIT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(lab.ceph.link_bytes().is_err());
    lab.down();
}
