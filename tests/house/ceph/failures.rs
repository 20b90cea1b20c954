//! What dies, hangs, fills up or is missing, and what becomes of the calls.

use super::lab::{CephLab, until};
use crate::api::{Api, Called};
use reqwest::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Calls that go on while something happens.
struct Traffic {
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicUsize>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Traffic {
    /// Four callers count the words of these keys again and again; a call that does not end right fails the test.
    fn start(lab: &Arc<CephLab>, keys: &[String]) -> Self {
        let (stop, ended) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let caller = |number: usize| {
            let (lab, keys) = (lab.clone(), keys.to_vec());
            let (stop, ended): (Arc<AtomicBool>, Arc<AtomicUsize>) =
                (stop.clone(), Arc::clone(&ended));
            tokio::spawn(async move {
                for key in keys.iter().cycle().skip(number) {
                    lab.count_words(key, "").await;
                    ended.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            })
        };
        Self {
            callers: (0..4).map(caller).collect(),
            stop,
            ended,
        }
    }

    /// Waits until so many more calls have ended.
    async fn go_on_for(&self, calls: usize) {
        let before = self.ended.load(Ordering::Relaxed);
        until(async || {
            let broken = self.callers.iter().any(|caller| caller.is_finished());
            broken || self.ended.load(Ordering::Relaxed) >= before + calls
        })
        .await;
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
    }
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text-{number}")).collect()
}

/// A cluster with texts, and callers that read them.
async fn under_way() -> (Arc<CephLab>, Traffic) {
    let lab = Arc::new(CephLab::up().await);
    let keys = keys(24);
    lab.store_texts(&keys).await;
    let traffic = Traffic::start(&lab, &keys);
    traffic.go_on_for(50).await;
    (lab, traffic)
}

/// Adds its input as a line to the object `log`, then waits for the object `go` to appear.
const APPENDER: &str = r#"(module
    (import "env" "__faasm_read_input" (func $input (param i32 i32) (result i32)))
    (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
    (import "env" "__faasmndp_unmap" (func $unmap (param i32 i32) (result i32)))
    (import "env" "__faasmndp_put" (func $put (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "loggo")
    (func (export "_start") (local $at i32) (local $length i32) (local $window i32)
        (local.set $window (call $map (i32.const 0) (i32.const 3) (i64.const 0) (i64.const 60000) (i32.const 16)))
        (local.set $length (i32.load (i32.const 16)))
        (if (local.get $window) (then
            (memory.copy (i32.const 1024) (local.get $window) (local.get $length))
            (drop (call $unmap (local.get $window) (local.get $length)))))
        (local.set $at (i32.add (i32.const 1024) (local.get $length)))
        (local.set $at (i32.add (local.get $at) (call $input (local.get $at) (i32.const 100))))
        (i32.store8 (local.get $at) (i32.const 10))
        (local.set $length (i32.sub (i32.add (local.get $at) (i32.const 1)) (i32.const 1024)))
        (if (call $put (i32.const 0) (i32.const 3) (i32.const 1024) (local.get $length)) (then unreachable))
        (loop $wait
            (local.set $window (call $map (i32.const 3) (i32.const 2) (i64.const 0) (i64.const 1) (i32.const 16)))
            (br_if $wait (i32.eqz (local.get $window))))))"#;

/// Starts the appender on the storage node of `log`, and waits until it has written.
async fn append_and_wait(
    lab: &CephLab,
    line: &str,
) -> (String, tokio::task::JoinHandle<(StatusCode, String)>) {
    lab.api().upload("append", APPENDER).await;
    let home = format!("storage-{}", lab.primary_of("log"));
    let api: Api = lab.api().clone();
    // `is_storage` sends it to its object's node; the object is found in the input.
    let message = serde_json::json!({ "user": "ndp", "function": "append", "input_data": line, "is_storage": true });
    let calling = tokio::spawn(async move { api.faasm(&message.to_string()).await });
    until(async || {
        lab.object("log")
            .await
            .is_some_and(|log| log.contains(line))
    })
    .await;
    (home, calling)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_osd_that_is_killed_fails_no_call() {
    let (lab, traffic) = under_way().await;
    lab.ceph.kill_osd(0).unwrap();
    traffic.go_on_for(200).await;
    traffic.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_osd_that_hangs_and_goes_on_fails_no_call() {
    let (lab, traffic) = under_way().await;
    lab.ceph.stop_osd(1).unwrap();
    tokio::task::block_in_place(|| lab.ceph.wait_osd_down(1)).unwrap();
    traffic.go_on_for(100).await;
    lab.ceph.resume_osd(1).unwrap();
    tokio::task::block_in_place(|| lab.ceph.wait_osd_up(1)).unwrap();
    traffic.go_on_for(100).await;
    traffic.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_may_die_and_come_back() {
    let (lab, traffic) = under_way().await;
    lab.ceph.kill_mon().unwrap();
    traffic.go_on_for(200).await;
    lab.put("written-without-a-monitor", "x").await;
    tokio::task::block_in_place(|| lab.ceph.start_mon()).unwrap();
    traffic.go_on_for(50).await;
    traffic.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_die_and_come_back_empty_and_nothing_needs_a_restart() {
    let (mut lab, keys) = (CephLab::up().await, keys(12));
    lab.store_texts(&keys).await;
    let members = lab.members().await;
    lab.api().upload("spin", SPINNER).await;
    let message = format!(
        r#"{{"user":"ndp","function":"spin","input_data":"{}","is_storage":true}}"#,
        keys[0]
    );
    let api = lab.api().clone();
    let running = tokio::spawn(async move { api.faasm(&message).await });
    let home = format!("storage-{}", lab.primary_of(&keys[0]));
    until(async || lab.running_on(&home).await == Some(1)).await;
    lab.redis.kill().await.unwrap();
    for key in keys.iter().cycle().take(60) {
        lab.count_words(key, "").await;
    }
    assert_eq!(
        lab.members().await,
        members,
        "placement goes on with what is known"
    );
    assert!(!running.is_finished());
    lab.put("go", "x").await;
    let (status, text) = running.await.unwrap();
    assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
    lab.redis.start_again().await.unwrap();
    lab.start_compute("late");
    lab.until_members(5).await;
    lab.kill("compute-late");
    until(async || lab.members().await == members).await;
    for key in &keys {
        lab.count_words(key, "").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_worker_killed_in_mid_call_costs_no_call_and_none_goes_there() {
    let mut lab = CephLab::up().await;
    let key = lab.key_on(0, "text");
    lab.store_texts(std::slice::from_ref(&key)).await;
    lab.api().upload("spin", SPINNER).await;
    let message =
        format!(r#"{{"user":"ndp","function":"spin","input_data":"{key}","is_storage":true}}"#);
    let api = lab.api().clone();
    let calling = tokio::spawn(async move { api.faasm(&message).await });
    until(async || lab.running_on("storage-0").await == Some(1)).await;
    lab.kill("storage-0");
    lab.put("go", "x").await;
    let (status, text) = calling.await.unwrap();
    assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
    until(async || lab.members().await.len() == 3).await;
    let before = lab.api().metric("ganglion_refusals_total").await;
    for _ in 0..20 {
        assert_ne!(lab.count_words(&key, "").await, "storage-0");
    }
    let after = lab.api().metric("ganglion_refusals_total").await;
    assert_eq!(before, after, "no call is offered to a worker that is gone");
    lab.start_storage(0);
    until(async || lab.count_words(&key, "").await == "storage-0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_whose_worker_is_killed_has_written_exactly_once() {
    let mut lab = CephLab::up().await;
    lab.put("log", "first\n").await;
    let (home, calling) = append_and_wait(&lab, "log").await;
    lab.kill(&home);
    lab.put("go", "x").await;
    let (status, text) = calling.await.unwrap();
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(lab.object("log").await.unwrap(), "first\nlog\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_whose_worker_hangs_and_wakes_late_has_written_exactly_once() {
    let lab = CephLab::up().await;
    lab.put("log", "first\n").await;
    let (home, calling) = append_and_wait(&lab, "log").await;
    lab.signal(&home, "STOP");
    lab.put("go", "x").await;
    let (status, text) = calling.await.unwrap();
    assert_eq!(status, StatusCode::OK, "{text}");
    lab.put("after", "x").await;
    lab.signal(&home, "CONT");
    until(async || lab.running_on(&home).await == Some(0)).await;
    assert_eq!(lab.object("log").await.unwrap(), "first\nlog\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_slow_and_not_dead_loses_its_calls_to_others_and_gets_new_ones_later() {
    let lab = CephLab::up().await;
    let key = lab.key_on(2, "text");
    lab.store_texts(std::slice::from_ref(&key)).await;
    until(async || lab.count_words(&key, "").await == "storage-2").await;
    lab.signal("storage-2", "STOP");
    for _ in 0..10 {
        lab.count_words(&key, "").await;
    }
    lab.signal("storage-2", "CONT");
    until(async || lab.count_words(&key, "").await == "storage-2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_takes_no_writes_at_once_by_name_and_is_read_and_emptied_as_ever() {
    let lab = CephLab::up().await;
    lab.store_texts(&keys(4)).await;
    tokio::task::block_in_place(|| lab.ceph.set_full(true)).unwrap();
    // The OSDs hear of it a moment after the monitor says so. A write that makes nothing larger is never refused, so each try
    // is of a new object.
    let mut tries = 0;
    let mut more = async || {
        tries += 1;
        let path = format!("/v1/objects/ndp/more-{tries}");
        Called::of(lab.api().put(&path, "x").await).await
    };
    until(async || !more().await.status.is_success()).await;
    let refused = more().await;
    let (kind, message) = refused.error();
    assert_eq!(
        (refused.status.as_u16(), kind.as_str()),
        (503, "Unavailable")
    );
    assert!(
        message.contains("full") && message.contains("ganglion") && message.contains("ndp/more-"),
        "{message}"
    );
    lab.count_words("text-0", "").await;
    let removed = lab
        .api()
        .request(reqwest::Method::DELETE, "/v1/objects/ndp/text-3");
    assert!(removed.send().await.unwrap().status().is_success());
    tokio::task::block_in_place(|| lab.ceph.set_full(false)).unwrap();
    lab.put("more", "x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_missing_is_missing_at_both_sites() {
    let lab = CephLab::up().await;
    let gone = Called::of(lab.api().get("/v1/objects/ndp/gone").await).await;
    assert_eq!(
        (gone.status, gone.error().0.as_str()),
        (StatusCode::NOT_FOUND, "NotFound")
    );
    let near = lab.api().invoke("wordcount", "gone", "").await;
    let far = lab.api().invoke("wordcount", "gone", "?ndp=forbid").await;
    assert_eq!((near.status, near.error()), (far.status, far.error()));
    assert_eq!(far.site, "compute");
    assert!(!near.status.is_success());
}

/// Waits for the object `go` to appear.
const SPINNER: &str = r#"(module
    (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "go")
    (func (export "_start")
        (loop $wait
            (br_if $wait (i32.eqz (call $map (i32.const 0) (i32.const 2) (i64.const 0) (i64.const 1) (i32.const 16)))))))"#;
