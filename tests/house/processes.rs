//! Processes with roles that know each other from a list, and keep objects in files.

use crate::api::Api;
use crate::process::{Running, free_port, program};
use reqwest::StatusCode;
use std::path::Path;
use std::process::Command;

fn serve(folder: &Path, name: &str, words: &[&str], peers: &[String], told: &str) -> Running {
    let mut command = Command::new(program());
    command.args(["serve", "--data", name, "--name", name]);
    command.args(words);
    for peer in peers {
        command.args(["--peer", peer]);
    }
    command.env("GANGLION_LISTEN_HTTP", r#"["127.0.0.1:0"]"#);
    Running::of(command, folder, told, 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_find_each_other_by_a_list_and_keep_objects_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let ports = [free_port(), free_port()];
    let peers = [0, 1].map(|node| format!("storage-{node}=127.0.0.1:{}", ports[node]));
    let storage = [0, 1].map(|node| {
        let (name, listen) = (node.to_string(), format!("127.0.0.1:{}", ports[node]));
        let words = ["--role", "storage", "--listen", &listen];
        serve(folder.path(), &name, &words, &peers, "for other nodes on")
    });
    let words = [
        "--role",
        "gateway,compute",
        "--functions",
        "--listen",
        "127.0.0.1:0",
    ];
    let gateway = serve(folder.path(), "g", &words, &peers, "listening on http://");
    let api = Api::new(&format!("http://{}", gateway.addresses[0]));
    api.until_ready().await;
    for number in 0..16 {
        let key = format!("k{number}");
        let put = api.put(&format!("/v1/objects/ndp/{key}"), "a a b\n").await;
        assert!(put.status().is_success());
        let message = format!(
            r#"{{"user":"ndp","function":"wordcount","input_data":"{key}","is_storage":true}}"#
        );
        assert_eq!(
            api.faasm(&message).await,
            (StatusCode::OK, "a\t2\nb\t1\n".to_owned())
        );
        let far = api.invoke("wordcount", &key, "?ndp=forbid").await;
        assert_eq!(
            (far.text(), far.node.as_str()),
            ("a\t2\nb\t1\n", "compute-g")
        );
    }
    for node in [0, 1] {
        let kept = folder
            .path()
            .join(format!("{node}/objects/storage-{node}/objects/ndp"));
        assert!(
            kept.read_dir().unwrap().count() > 0,
            "objects are on both nodes"
        );
    }
    drop(storage);
    let gone = api.invoke("wordcount", "k0", "?ndp=forbid").await;
    assert!(!gone.status.is_success());
}

#[cfg(not(feature = "ceph"))]
#[test]
fn a_build_without_ceph_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command
        .args(["serve", "--ceph", "ceph.conf", "--data"])
        .arg(folder.path());
    let ended = command.output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("--features ceph"), "{told}");
}
