//! Parts of a job on one node: each as a call would be, their outputs combined here.
#![allow(
    clippy::unwrap_used,
    reason = "a test's helpers fail the test as its own lines do"
)]
mod lab;

use bytes::Bytes;
use ganglion_store::NAMES_MAX;
use ganglion_types::{
    Batch, CallLimits, Combiner, ContentHash, End, Entry, ErrorKind, Executor, FunctionRef, Key,
    Ndp, Part,
};
use lab::{Lab, Where};
use std::time::Duration;

/// Sets the number 1 as its output, four bytes; traps for keys that begin with `f`, and returns 3 for those that begin with `r`. Its
/// combiner adds such numbers.
const ONE: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $in (i32.const 8) (i32.const 1)))
        (if (i32.eq (i32.load8_u (i32.const 8)) (i32.const 102)) (then unreachable))
        (if (i32.eq (i32.load8_u (i32.const 8)) (i32.const 114)) (then (call $exit (i32.const 3))))
        (i32.store (i32.const 0) (i32.const 1))
        (call $out (i32.const 0) (i32.const 4)))
    (func (export "ganglion_combine") (result i32) (local $at i32) (local $end i32)
        (local.set $end (call $in (i32.const 64) (call $in (i32.const 0) (i32.const 0))))
        (loop $next (if (i32.lt_u (local.get $at) (local.get $end)) (then
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.load offset=64 (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br $next))))
        (call $out (i32.const 0) (i32.const 4))
        (i32.const 0)))"#;

/// Never ends.
const SPIN: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop $l (br $l))))"#;

/// Takes some milliseconds, and sets nothing.
const SLOW: &str = r#"(module (memory (export "memory") 1)
    (func (export "_start") (local $i i32)
        (loop $again
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 20000000))))))"#;

/// Echoes its input.
const ECHO: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (call $out (i32.const 0) (call $in (i32.const 0) (call $in (i32.const 0) (i32.const 0))))))"#;

fn batch(lab: &Lab, module: ContentHash, keys: &[String]) -> Batch {
    let part = |(number, key): (usize, &String)| Part {
        number: u32::try_from(number).unwrap(),
        key: Key::new(key).unwrap(),
    };
    Batch {
        common: lab.call(module, ""),
        parts: keys.iter().enumerate().map(part).collect(),
        combiner: None,
        outputs_bytes_max: 1 << 20,
    }
}

fn own_combiner(module: ContentHash, input_bytes_max: u64) -> Option<Combiner> {
    Some(Combiner {
        function: FunctionRef::new("lab", "guest").unwrap(),
        module,
        entry: Entry::Combine,
        input_bytes_max,
        limits: CallLimits::default(),
    })
}

fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect()
}

fn number(output: &Bytes) -> u32 {
    u32::from_le_bytes(output[..].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_come_back_part_by_part_in_the_batchs_order() {
    let lab = Lab::new();
    let echo = lab.add(ECHO).await;
    let mut batch = batch(&lab, echo, &keys("k", 50));
    batch.common.input = "and more".into();
    let batched = lab.worker.batch(batch.clone()).await.unwrap();
    assert!(batched.combined.is_empty());
    for (number, answer) in batched.parts.iter().enumerate() {
        let answer = answer.as_ref().unwrap();
        assert_eq!(
            answer.output.as_ref().unwrap(),
            &format!("k{number} and more")
        );
    }
    batch.outputs_bytes_max = 100;
    let error = lab.worker.batch(batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("jobs.result"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_combined_to_one_whatever_fits_the_combiners_input() {
    let lab = Lab::new();
    let one = lab.add(ONE).await;
    for input_bytes_max in [8, 12, 100, 1 << 20] {
        let mut batch = batch(&lab, one, &keys("k", 41));
        batch.combiner = own_combiner(one, input_bytes_max);
        let batched = lab.worker.batch(batch).await.unwrap();
        let combined: Vec<u32> = batched.combined.iter().map(number).collect();
        assert_eq!(combined, [41], "limit {input_bytes_max}");
        let outputs = batched
            .parts
            .iter()
            .map(|answer| &answer.as_ref().unwrap().output);
        assert!(
            outputs.clone().all(Option::is_none),
            "each is in the combined one"
        );
    }
    let mut batch = batch(&lab, one, &keys("k", 3));
    batch.combiner = own_combiner(one, 7);
    let batched = lab.worker.batch(batch).await.unwrap();
    assert_eq!(
        batched.combined.len(),
        3,
        "no two fit: they stay as they are"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_of_which_no_two_can_be_combined_are_kept_up_to_a_limit() {
    let lab = Lab::new();
    let one = lab.add(ONE).await;
    let mut batch = batch(&lab, one, &keys("k", 10));
    batch.combiner = own_combiner(one, 7);
    batch.outputs_bytes_max = 40;
    let batched = lab.worker.batch(batch.clone()).await.unwrap();
    assert_eq!(batched.combined.len(), 10);
    batch.outputs_bytes_max = 39;
    let error = lab.worker.batch(batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for setting in ["limits.input", "jobs.result"] {
        assert!(error.message().contains(setting), "{error}");
    }
}

/// The limit has room for one output, the combiner's input for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn outputs_beyond_the_limit_are_combined_at_once() {
    let lab = Lab::new();
    let one = lab.add(ONE).await;
    let mut batch = batch(&lab, one, &keys("k", 10));
    batch.combiner = own_combiner(one, 1 << 20);
    batch.outputs_bytes_max = 4;
    let batched = lab.worker.batch(batch).await.unwrap();
    assert_eq!(number(&batched.combined[0]), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_function_can_be_the_combiner() {
    let lab = Lab::new();
    let (one, echo) = (lab.add(ONE).await, lab.add(ECHO).await);
    let mut batch = batch(&lab, one, &keys("k", 5));
    batch.combiner = own_combiner(echo, 100).map(|combiner| Combiner {
        entry: Entry::Main,
        ..combiner
    });
    let batched = lab.worker.batch(batch).await.unwrap();
    assert_eq!(batched.combined, [Bytes::from([1, 0, 0, 0].repeat(5))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_is_told_and_the_others_are_combined_without_it() {
    let lab = Lab::new();
    let one = lab.add(ONE).await;
    let names = ["a", "f", "b", "r", "c"].map(str::to_owned);
    let mut batch = batch(&lab, one, &names);
    batch.combiner = own_combiner(one, 100);
    let batched = lab.worker.batch(batch).await.unwrap();
    assert_eq!(number(&batched.combined[0]), 3);
    let ends: Vec<_> = batched
        .parts
        .into_iter()
        .map(|part| part.unwrap().end)
        .collect();
    assert!(matches!(&ends[1], End::Failed(error) if error.kind() == ErrorKind::Guest));
    assert_eq!(ends[3], End::Exited(3));
    assert!([0, 2, 4].iter().all(|at| ends[*at] == End::Exited(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_combiner_that_fails_fails_the_batch() {
    let lab = Lab::new();
    let broken = lab
        .add(&ONE.replace(
            "(i32.const 4))\n        (i32.const 0)))",
            "(i32.const 4)) (i32.const 9)))",
        ))
        .await;
    let mut batch = batch(&lab, broken, &keys("k", 4));
    batch.combiner = own_combiner(broken, 100);
    let error = lab.worker.batch(batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Guest);
    assert!(error.message().contains("returned 9"), "{error}");
    let echo = lab.add(ECHO).await;
    let mut none = self::batch(&lab, echo, &keys("k", 4));
    none.combiner = own_combiner(echo, 100);
    let error = lab.worker.batch(none).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("ganglion_combine"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_tells_of_a_store_that_failed_the_guest() {
    const BOTH: &str = r#"(module
        (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
        (import "env" "__faasmndp_put" (func $put (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "object")
        (func (export "_start")
            (drop (call $map (i32.const 16) (i32.const 6) (i64.const 0) (i64.const 1) (i32.const 0)))
            (drop (call $put (i32.const 16) (i32.const 6) (i32.const 16) (i32.const 6)))))"#;
    for (place, failures) in [(Where::Away, 2), (Where::Elsewhere, 0), (Where::Here, 0)] {
        let lab = Lab::with_objects(place);
        let both = lab.add(BOTH).await;
        let answer = lab.run(both, "").await;
        assert_eq!(answer.end, End::Exited(0));
        assert_eq!(answer.usage.store_failures, failures, "{place:?}");
    }
}

/// Writes one object, whatever its own is.
const SHARED: &str = r#"(module
    (import "env" "__faasmndp_put" (func $put (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "object")
    (func (export "_start") (drop (call $put (i32.const 16) (i32.const 6) (i32.const 16) (i32.const 6)))))"#;

/// What an object remembers is enough for as many parts as a node has of a job that writes; with one more it is not.
#[tokio::test(flavor = "multi_thread")]
async fn parts_that_write_one_object_write_it_once_when_their_batch_is_sent_again() {
    let lab = Lab::new();
    let shared = lab.add(SHARED).await;
    for (count, again) in [(NAMES_MAX, false), (NAMES_MAX + 1, true)] {
        let batch = batch(&lab, shared, &keys("k", count));
        lab.worker.batch(batch.clone()).await.unwrap();
        let version = lab.version("object").await;
        lab.worker.batch(batch).await.unwrap();
        assert_eq!(lab.version("object").await != version, again, "{count}");
    }
}

/// The code that a write gives becomes the output.
#[tokio::test(flavor = "multi_thread")]
async fn a_combiner_writes_no_objects() {
    let lab = Lab::new();
    let writer = lab
        .add(
            r#"(module
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (import "env" "__faasmndp_put" (func $put (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "object")
            (func $write (i32.store (i32.const 0) (call $put (i32.const 16) (i32.const 6) (i32.const 16) (i32.const 6)))
                (call $out (i32.const 0) (i32.const 4)))
            (func (export "_start") (call $write))
            (func (export "ganglion_combine") (result i32) (call $write) (i32.const 0)))"#,
        )
        .await;
    let mut call = lab.call(writer, "");
    call.entry = Entry::Combine;
    let denied = lab.execute(call.clone()).await.unwrap();
    assert_eq!(number(&denied.output.unwrap()).cast_signed(), -3);
    call.entry = Entry::Main;
    let written = lab.execute(call).await.unwrap();
    assert_eq!(number(&written.output.unwrap()), 0);
    assert_eq!(lab.get("object").await, "object");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_nobody_waits_for_any_more_is_stopped() {
    let lab = Lab::new();
    let spin = lab.add(SPIN).await;
    let worker = lab.worker.clone();
    let sent = batch(&lab, spin, &keys("k", 9));
    let running = tokio::spawn(async move { worker.batch(sent).await });
    lab.until(|load| load.running == Lab::PERMITS).await;
    running.abort();
    lab.until(|load| load.running == 0 && load.queued == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_has_its_own_time() {
    let lab = Lab::new();
    let spin = lab.add(SPIN).await;
    let mut batch = batch(&lab, spin, &keys("k", 3));
    batch.common.limits.wall = Duration::from_millis(80);
    let began_ns = lab.now_ns();
    for answer in lab.worker.batch(batch).await.unwrap().parts {
        let end = answer.unwrap().end;
        assert!(
            matches!(&end, End::Failed(error) if error.kind() == ErrorKind::Deadline),
            "{end:?}"
        );
    }
    let took_ns = lab.now_ns() - began_ns;
    assert!(took_ns >= 160_000_000, "two at once, then one");
    assert!(took_ns < 20_000_000_000, "not the time of the batch");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_for_few_parts_however_many_there_are() {
    let lab = Lab::new();
    let (slow, echo) = (lab.add(SLOW).await, lab.add(ECHO).await);
    let batches = [1, 2, 3].map(|_| {
        let (worker, batch) = (lab.worker.clone(), batch(&lab, slow, &keys("k", 60)));
        tokio::spawn(async move { worker.batch(batch).await.unwrap() })
    });
    lab.until(|load| load.running == Lab::PERMITS).await;
    for _ in 0..20 {
        let load = lab.worker.load();
        assert!(load.queued <= Lab::PERMITS, "{load:?}");
        assert_eq!(lab.run(echo, "x").await.output.unwrap(), "x");
    }
    let over = batches.iter().filter(|batch| batch.is_finished()).count();
    assert_eq!(over, 0, "twenty calls were over before sixty parts");
    for batch in batches {
        let parts = batch.await.unwrap().parts;
        assert!(
            parts
                .iter()
                .all(|part| part.as_ref().unwrap().end == End::Exited(0))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_forbids_storage_or_meets_a_node_that_drains_does_not_run() {
    let lab = Lab::new();
    let one = lab.add(ONE).await;
    let mut forbidden = batch(&lab, one, &keys("k", 2));
    forbidden.common.ndp = Ndp::Forbidden;
    let error = lab.worker.batch(forbidden).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let slow = lab.add(SLOW).await;
    let (worker, under_way) = (lab.worker.clone(), batch(&lab, slow, &keys("k", 200)));
    let running = tokio::spawn(async move { worker.batch(under_way).await.unwrap() });
    lab.until(|load| load.running == Lab::PERMITS).await;
    lab.worker.drain();
    let parts = running.await.unwrap().parts;
    let refused = parts.iter().filter_map(|part| part.as_ref().err());
    assert!(
        refused
            .clone()
            .all(|error| error.kind() == ErrorKind::Unavailable)
    );
    assert!(
        (1..200).contains(&refused.count()),
        "those that ran went on"
    );
    let error = lab
        .worker
        .batch(batch(&lab, one, &keys("k", 2)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
