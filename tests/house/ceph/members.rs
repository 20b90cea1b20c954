//! Several gateways, workers that come and go, and where calls are sent meanwhile.

use super::lab::{CephLab, until};
use reqwest::StatusCode;

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_read_by_the_worker_beside_their_osd() {
    let lab = CephLab::up().await;
    for osd in 0..3 {
        let key = lab.key_on(osd, "text");
        lab.store_texts(std::slice::from_ref(&key)).await;
        let near = format!("storage-{osd}");
        until(async || lab.count_words(&key, "").await == near).await;
        let called = lab.api().invoke("wordcount", &key, "").await;
        if called.node == near {
            assert_eq!(called.moved_bytes, 0, "{called:?}");
        }
        let far = lab.api().invoke("wordcount", &key, "?ndp=forbid").await;
        assert_eq!((far.status, far.site.as_str()), (StatusCode::OK, "compute"));
        assert_eq!(far.body, called.body);
        assert!(far.moved_bytes > 0);
    }
}

/// All OSDs of the lab have an address of this host.
#[tokio::test(flavor = "multi_thread")]
async fn a_storage_worker_that_is_told_of_no_osd_finds_those_of_its_host() {
    let mut lab = CephLab::bare(|_| {}).await;
    lab.start_storage_of_host("all");
    lab.start_compute("c");
    lab.start_gateway("g");
    lab.joined(2).await;
    for osd in 0..3 {
        let key = lab.key_on(osd, "text");
        lab.store_texts(std::slice::from_ref(&key)).await;
        until(async || lab.count_words(&key, "").await == "storage-all").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_share_functions_and_workers() {
    let mut lab = CephLab::up().await;
    lab.start_gateway("other");
    let other = lab.api_of("other");
    other.until_ready().await;
    let echo = r#"(module
        (import "env" "__faasm_write_output" (func $output (param i32 i32)))
        (memory (export "memory") 1) (data (i32.const 0) "one")
        (func (export "_start") (call $output (i32.const 0) (i32.const 3))))"#;
    lab.api().upload("shared", echo).await;
    let called = other.invoke("shared", "", "").await;
    assert_eq!((called.status, called.text()), (StatusCode::OK, "one"));
    lab.api()
        .upload("shared", &echo.replace("one", "two"))
        .await;
    until(async || other.invoke("shared", "", "").await.text() == "two").await;
    let deleted = lab
        .api()
        .request(reqwest::Method::DELETE, "/v1/functions/ndp/shared");
    assert!(deleted.send().await.unwrap().status().is_success());
    until(async || other.invoke("shared", "", "").await.status == StatusCode::NOT_FOUND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_leaves_at_once_and_loses_no_call() {
    let mut lab = CephLab::up().await;
    let keys: Vec<String> = (0..8).map(|number| format!("text-{number}")).collect();
    lab.store_texts(&keys).await;
    for round in 0..3 {
        let name = format!("{round}");
        lab.start_compute(&name);
        lab.until_members(5).await;
        let calls = keys.iter().map(|key| lab.count_words(key, "?ndp=forbid"));
        let calls = futures::future::join_all(calls);
        lab.signal(&format!("compute-{name}"), "TERM");
        calls.await;
        until(async || lab.members().await.len() == 4).await;
        for key in &keys {
            lab.count_words(key, "?ndp=forbid").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_cannot_have_one_name() {
    let lab = CephLab::up().await;
    let words = [
        "--role",
        "compute",
        "--name",
        "c",
        "--listen",
        "127.0.0.1:0",
    ];
    let ended = lab.command("again", &words).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(7), "{told}");
    assert!(
        told.contains("compute-c") && told.contains("process"),
        "{told}"
    );
    assert_eq!(lab.members().await.len(), 4, "the first one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_does_the_same_wherever_it_runs() {
    let lab = CephLab::up().await;
    crate::equality::every_function_does_the_same(lab.api()).await;
}
