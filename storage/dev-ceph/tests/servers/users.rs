//! Who may do what (cephx).

use crate::support::{Lab, POOL, get, put};
use ganglion_types::ErrorKind;
use std::process::Command;

fn rados_as(lab: &Lab, user: &str) -> Command {
    let mut rados = lab.rados();
    rados.args(["--name", user, "--client_mount_timeout=5"]);
    rados
}

#[test]
fn a_user_may_do_what_its_capabilities_say_and_a_stranger_nothing() {
    let lab = Lab::up_with(|options| options.auth = true);
    lab.ceph.create_pool("other").unwrap();
    lab.put("object", b"bytes");
    let caps = [("mon", "allow r"), ("osd", "allow r pool=ganglion")];
    let keyring = lab.ceph.create_user("client.reader", &caps).unwrap();
    assert_eq!(keyring, lab.ceph.keyring("client.reader"));
    let again = lab.ceph.create_user("client.reader", &caps);
    assert_eq!(again.unwrap(), keyring, "the same user is found");

    let reader = || rados_as(&lab, "client.reader");
    assert_eq!(get(reader(), POOL, "object").stdout, b"bytes");
    assert!(!put(reader(), POOL, "object", b"others").status.success());
    assert!(!get(reader(), "other", "object").status.success());
    let stranger = || rados_as(&lab, "client.stranger");
    assert!(!get(stranger(), POOL, "object").status.success());
    assert_eq!(lab.get("object"), b"bytes");
    lab.down();
}

#[test]
fn osds_prove_who_they_are_also_when_they_come_back() {
    let lab = Lab::up_with(|options| options.auth = true);
    let names = lab.put_many();
    lab.ceph.kill_osd(0).unwrap();
    lab.ceph.wait_osd_down(0).unwrap();
    lab.ceph.start_osd(0).unwrap();
    lab.ceph.wait_osd_up(0).unwrap();
    lab.ceph.wait_clean().unwrap();
    lab.assert_all_there(&names);
    lab.down();
}

#[test]
fn users_need_a_cluster_with_keys_and_a_name() {
    let lab = Lab::up();
    let error = lab.ceph.create_user("client.a", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("auth"), "{error}");
    lab.down();
    let lab = Lab::up_with(|options| options.auth = true);
    for name in ["admin", "client.", "client.a b"] {
        let error = lab.ceph.create_user(name, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
    lab.down();
}
