//! Jobs on a real Ceph: a worker that dies costs its parts and nothing else.

use super::lab::{CephLab, until};
use crate::answers::counted;
use crate::jobs::{begin, ended, look, result};
use serde_json::{Value, json};

/// Waits for the object `go` to appear, then sets the number 1 as its output; its combiner adds such numbers.
const ONE: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "go")
    (func (export "_start")
        (loop $wait
            (br_if $wait (i32.eqz (call $map (i32.const 0) (i32.const 2) (i64.const 0) (i64.const 1) (i32.const 16)))))
        (i32.store (i32.const 32) (i32.const 1))
        (call $out (i32.const 32) (i32.const 4)))
    (func (export "ganglion_combine") (result i32) (local $at i32) (local $end i32)
        (local.set $end (call $in (i32.const 64) (call $in (i32.const 0) (i32.const 0))))
        (loop $next (if (i32.lt_u (local.get $at) (local.get $end)) (then
            (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.load offset=64 (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br $next))))
        (call $out (i32.const 32) (i32.const 4))
        (i32.const 0)))"#;

fn count(job: &Value, what: &str, which: &str) -> u64 {
    job[what][which].as_u64().unwrap()
}

/// Killed while its guests run and others wait there: what it had runs on compute, what the others have stays with them, and every
/// object is counted once.
#[tokio::test(flavor = "multi_thread")]
async fn a_storage_worker_killed_in_mid_job_costs_only_its_parts() {
    let mut lab = CephLab::up().await;
    let keys: Vec<String> = (0..90).map(|number| format!("text-{number}")).collect();
    for key in &keys {
        lab.put(key, "x").await;
    }
    let of_the_dead = keys.iter().filter(|key| lab.primary_of(key) == 0).count() as u64;
    assert!((1..90).contains(&of_the_dead));
    lab.api().upload("one", ONE).await;
    let job = json!({"function": "ndp/one", "over": "text-*", "combine": true, "ndp": "prefer"});
    let id = begin(lab.api(), &job).await;
    until(async || lab.running_on("storage-0").await > Some(0)).await;
    lab.kill("storage-0");
    until(async || count(&look(lab.api(), &id).await, "parts", "repeated") > 0).await;
    lab.put("go", "x").await;
    let job = ended(lab.api(), &id).await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(result(lab.api(), &id).await, 90_u32.to_le_bytes());
    assert_eq!(count(&job, "objects", "done"), 90);
    assert_eq!(count(&job, "parts", "compute"), of_the_dead, "{job}");
    assert_eq!(count(&job, "parts", "storage"), 90 - of_the_dead, "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_ceph_counts_what_one_count_over_all_objects_would() {
    let lab = CephLab::up().await;
    let (mut whole, mut apart) = (String::new(), 0);
    for number in 0..60 {
        let key = format!("books/{number:03}");
        let text = format!("the words of {key} are words\n").repeat(number * 20 + 1);
        lab.put(&key, &text).await;
        apart += counted(text.as_bytes()).len() as u64;
        whole += &text;
    }
    for ndp in ["allow", "prefer", "forbid"] {
        let job =
            json!({"function": "ndp/wordcount", "over": "books/*", "combine": true, "ndp": ndp});
        let id = begin(lab.api(), &job).await;
        let job = ended(lab.api(), &id).await;
        assert_eq!(job["state"], "done", "{job}");
        assert!(
            result(lab.api(), &id).await == counted(whole.as_bytes()),
            "{ndp}"
        );
        let on_storage = count(&job, "parts", "storage");
        match ndp {
            "forbid" => assert_eq!(on_storage, 0),
            "prefer" => assert_eq!(on_storage, 60),
            _ => assert_eq!(on_storage + count(&job, "parts", "compute"), 60),
        }
        let outputs = count(&job, "bytes", "outputs");
        assert!(
            outputs < apart,
            "combined on the nodes: {outputs} of {apart} bytes"
        );
    }
}
