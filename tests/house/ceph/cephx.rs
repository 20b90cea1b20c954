//! Authentication on: the user that the documentation describes can do Ganglion's work, and nothing more.

use super::lab::CephLab;
use crate::process::root;
use ganglion_dev_ceph::Options;
use std::process::Command;

/// The capabilities, as docs/ceph.md gives them.
const CAPS: [(&str, &str); 2] = [("mon", "allow r"), ("osd", "allow rw pool=ganglion")];

fn with_auth(options: &mut Options) {
    options.auth = true;
    options.pools.push("others".to_owned());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_does_the_work_and_nothing_more() {
    let page = std::fs::read_to_string(root().join("docs/ceph.md")).unwrap();
    for (daemon, cap) in CAPS {
        let documented = format!("{daemon} '{cap}'");
        assert!(
            page.contains(&documented),
            "docs/ceph.md has another cap than {documented}"
        );
    }
    let mut lab = CephLab::bare(with_auth).await;
    let keyring = tokio::task::block_in_place(|| lab.ceph.create_user("client.ganglion", &CAPS));
    let keyring = keyring.unwrap();
    lab.tell("GANGLION_CEPH_KEYRING", keyring.to_str().unwrap());
    lab.start_all().await;
    let keys: Vec<String> = (0..6).map(|number| format!("text-{number}")).collect();
    lab.store_texts(&keys).await;
    for key in &keys {
        let near = lab.count_words(key, "").await;
        let far = lab.count_words(key, "?ndp=forbid").await;
        assert!(near.starts_with("storage-") || near == far, "{near}");
    }
    let listed = lab.api().get("/v1/objects/ndp").await.text().await.unwrap();
    assert!(
        keys.iter().all(|key| listed.contains(key.as_str())),
        "{listed}"
    );
    let removed = lab
        .api()
        .request(reqwest::Method::DELETE, "/v1/objects/ndp/text-0");
    assert!(removed.send().await.unwrap().status().is_success());

    let conf = lab.ceph.conf();
    let may = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.args([
            "-c",
            conf.to_str().unwrap(),
            "-n",
            "client.ganglion",
            "--keyring",
        ]);
        command
            .arg(&keyring)
            .args(words)
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(may(
        "rados",
        &["-p", "ganglion", "-N", "ndp", "stat", "text-1"]
    ));
    assert!(
        !may("rados", &["-p", "others", "put", "x", "/etc/hostname"]),
        "another pool"
    );
    assert!(
        !may("ceph", &["osd", "pool", "create", "more"]),
        "a new pool"
    );
    assert!(!may("ceph", &["osd", "out", "0"]), "the cluster's state");
    assert!(
        !may("ceph", &["auth", "get", "client.admin"]),
        "somebody's key"
    );
}
