//! Settings that are wrong, and objects that do not fit: said at once, by name.

use super::lab::CephLab;
use crate::api::Called;
use crate::process::program;
use reqwest::StatusCode;
use std::process::Command;
use std::time::{Duration, Instant};

/// Starts a process that has to end by itself, and checks its exit code and what it names.
fn refused(command: &mut Command, code: i32, named: &[&str]) {
    #[allow(clippy::disallowed_methods, reason = "how long a test takes")]
    let began = Instant::now();
    let ended = command.output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(code), "{told}");
    for name in named {
        assert!(told.contains(name), "{told} does not name {name}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{told}");
}

fn serve(words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("serve").args(words);
    command.env("GANGLION_LISTEN_HTTP", r#"["127.0.0.1:0"]"#);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceph_that_cannot_be_used_ends_the_process_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = path("data");
    let with = |conf: &str| serve(&["--data", &data, "--ceph", conf]);
    refused(&mut with(&path("none")), 2, &["none", "ceph.conf"]);
    std::fs::write(path("rubbish"), "[global\nfsid").unwrap();
    refused(&mut with(&path("rubbish")), 2, &["rubbish", "ceph.conf"]);
    std::fs::write(path("away"), "[global]\nfsid = 5f0b9b9e-0000-4000-8000-000000000000\nmon host = v1:127.0.0.1:9\nauth client required = none\n").unwrap();
    let mut away = with(&path("away"));
    away.env("GANGLION_CEPH_CONNECT_TIME", "2s");
    refused(&mut away, 4, &["away", "ceph.connect_time"]);

    let lab = CephLab::bare(|options| options.auth = true).await;
    let conf = lab.ceph.conf();
    let conf = conf.to_str().unwrap();
    let mut keyless = with(conf);
    keyless.env("GANGLION_CEPH_KEYRING", path("no-keyring"));
    refused(&mut keyless, 5, &["no-keyring", "ceph.keyring"]);
    let admin = lab.ceph.keyring("client.admin");
    let as_admin = |conf: &str| {
        let mut command = with(conf);
        command
            .env("GANGLION_CEPH_KEYRING", &admin)
            .env("GANGLION_CEPH_USER", "client.admin");
        command
    };
    let mut stranger = as_admin(conf);
    stranger.env("GANGLION_CEPH_USER", "client.stranger");
    refused(&mut stranger, 5, &["stranger"]);
    let mut poolless = as_admin(conf);
    poolless.env("GANGLION_CEPH_POOL", "nowhere");
    refused(&mut poolless, 3, &["nowhere", "ceph.pool"]);
    let mut beside = as_admin(conf);
    beside.args(["--osd", "17"]);
    refused(&mut beside, 3, &["osd.17", "ceph.osds"]);
}

#[test]
fn settings_that_do_not_go_together_end_the_process_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let with = |words: &[&str]| {
        let mut command = serve(words);
        command.arg("--data").arg(&data);
        command
    };
    refused(
        &mut with(&["--role", "gateway"]),
        2,
        &["redis.url", "cluster.nodes"],
    );
    refused(
        &mut with(&["--role", "cook"]),
        2,
        &["cook", "gateway, compute or storage"],
    );
    refused(
        &mut with(&["--role", "compute", "--redis", "nonsense"]),
        2,
        &["redis.url"],
    );
    refused(
        &mut with(&["--role", "compute", "--redis", "redis://127.0.0.1:9"]),
        2,
        &["ceph.conf", "cluster.nodes"],
    );
    refused(
        &mut with(&["--peer", "storage-a"]),
        2,
        &["storage-a", "cluster.nodes"],
    );
    refused(
        &mut with(&[
            "--role",
            "storage",
            "--name",
            "b",
            "--peer",
            "storage-a=127.0.0.1:9",
        ]),
        2,
        &["storage-b", "cluster.nodes"],
    );
    refused(
        &mut with(&["--listen", "127.0.0.1:0"]),
        2,
        &["storage.listen", "compute.listen"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_do_not_fit_are_refused_with_the_limit_and_leave_nothing() {
    let mut lab = CephLab::bare(|_| {}).await;
    lab.tell("GANGLION_CEPH_OBJECT", "1 MiB");
    lab.start_all().await;
    let large = vec![b'x'; (1 << 20) + 1];
    let refused = Called::of(lab.api().put("/v1/objects/ndp/large", large).await).await;
    let (_, message) = refused.error();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{message}");
    assert!(
        message.contains("ceph.object") && message.contains("ndp/large"),
        "{message}"
    );
    assert_eq!(lab.object("large").await, None);
    let long = "k".repeat(1025);
    let refused = Called::of(lab.api().put(&format!("/v1/objects/ndp/{long}"), "x").await).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.error().1.contains("1024"));
    let longest = "k".repeat(1024);
    lab.put(&longest, "x").await;
    assert_eq!(lab.object(&longest).await.unwrap(), "x");
}
