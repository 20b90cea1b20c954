//! What guests can do, and what they cannot do to anybody else.

mod lab;

use ganglion_types::{End, ErrorKind, Ndp, Site, Start};
use lab::Lab;
use std::time::Duration;

/// A guest that answers with `text`.
fn answering(text: &str) -> String {
    let length = text.len();
    format!(
        r#"(module
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "{text}")
            (func (export "_start") (call $out (i32.const 16) (i32.const {length}))))"#
    )
}

const ECHO: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (call $out (i32.const 0)
            (call $in (i32.const 0) (call $in (i32.const 0) (i32.const 0))))))"#;

fn body(inner: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func $f (export "_start") {inner}))"#)
}

fn failure(answer: &ganglion_types::Answer) -> (ErrorKind, &str) {
    match &answer.end {
        End::Failed(error) => (error.kind(), error.message()),
        End::Exited(code) => panic!("it exited with {code}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_what_the_guest_set_and_input_what_it_was_given() {
    let lab = Lab::new();
    let hello = lab.add(&answering("hello")).await;
    let answer = lab.run(hello, "").await;
    assert_eq!(
        (answer.output.unwrap(), answer.end),
        ("hello".into(), End::Exited(0))
    );
    assert_eq!((answer.site, answer.node.as_str()), (Site::Storage, "here"));
    let echo = lab.add(ECHO).await;
    assert_eq!(lab.run(echo, "ping").await.output.unwrap(), "ping");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_call_is_cold_and_the_next_is_restored() {
    let lab = Lab::new();
    let hello = lab.add(&answering("hello")).await;
    assert_eq!(lab.run(hello, "").await.usage.start, Start::Cold);
    assert_eq!(lab.run(hello, "").await.usage.start, Start::Restored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reads_stdin_and_prints_and_exits() {
    let lab = Lab::new();
    let cat = lab
        .add(
            r#"(module
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\00\01\00\00\00\02\00\00")
            (func (export "_start")
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                (i32.store (i32.const 4) (i32.load (i32.const 8)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                (call $exit (i32.const 7))))"#,
        )
        .await;
    let answer = lab.run(cat, "to both").await;
    assert_eq!(
        (&answer.stdout[..], &answer.stderr[..]),
        (&b"to both"[..], &b"to both"[..])
    );
    assert_eq!((answer.end, answer.output), (End::Exited(7), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_sees_what_another_left_behind() {
    let lab = Lab::new();
    // Counts in memory, in a global, and in memory that it grows; answers with the sum, which is 3 for a fresh instance.
    let counter = lab
        .add(
            r#"(module
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (memory (export "memory") 1)
            (global $g (mut i32) (i32.const 48))
            (func (export "_start") (local $new i32)
                (global.set $g (i32.add (global.get $g) (i32.const 1)))
                (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.const 1)))
                (local.set $new (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
                (i32.store (local.get $new) (i32.add (i32.load (local.get $new)) (i32.const 1)))
                (i32.store8 (i32.const 0) (i32.add (i32.add (global.get $g) (i32.load (i32.const 32)))
                    (i32.load (local.get $new))))
                (call $out (i32.const 0) (i32.const 1))))"#,
        )
        .await;
    for _ in 0..100 {
        assert_eq!(lab.run(counter, "").await.output.unwrap(), "3");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_runs_start_up_code_when_it_starts_and_not_when_it_restores() {
    let lab = Lab::new();
    // It takes its limit of logs to run once: a second run in the same instance would fail.
    let loud = lab
        .add(
            r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 2)
            (func (export "_faasm_zygote") (result i32)
                (i32.store (i32.const 0) (i32.const 1024))
                (i32.store (i32.const 4) (i32.const 40000))
                (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (func (export "_start") unreachable))"#,
        )
        .await;
    let mut quiet = lab.call(loud, "");
    let rehearsal = lab.worker.rehearse(quiet.clone()).await.unwrap();
    for _ in 0..5 {
        drop(rehearsal.restore().unwrap());
        drop(rehearsal.start().unwrap());
    }
    let standing: Vec<_> = (0..16).map(|_| rehearsal.restore().unwrap()).collect();
    let error = rehearsal.restore().err().unwrap();
    assert_eq!(
        error.kind(),
        ErrorKind::Busy,
        "all 16 slots are in use: {error}"
    );
    drop(standing);
    quiet.limits.log_bytes = 39_999;
    let rehearsal = lab.worker.rehearse(quiet).await.unwrap();
    drop(rehearsal.restore().unwrap());
    let error = rehearsal.start().err().unwrap();
    assert!(error.message().contains("_faasm_zygote"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn constructors_and_zygote_run_once_and_every_call_begins_behind_them() {
    let lab = Lab::new();
    let zygote = lab
        .add(
            r#"(module
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (memory (export "memory") 1)
            (global $g (mut i64) (i64.const 0))
            (func $start (i32.store8 (i32.const 0) (i32.const 97)))
            (start $start)
            (func (export "__wasm_call_ctors")
                (i32.store8 (i32.const 1) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1))))
            (func (export "_faasm_zygote") (result i32)
                (i32.store8 (i32.const 2) (i32.add (i32.load8_u (i32.const 1)) (i32.const 1)))
                (global.set $g (i64.const 9)) (i32.const 0))
            (func (export "_start")
                (if (i64.ne (global.get $g) (i64.const 9)) (then unreachable))
                (global.set $g (i64.const 1))
                (call $out (i32.const 0) (i32.const 3))
                (i64.store (i32.const 0) (i64.const 0))))"#,
        )
        .await;
    for _ in 0..5 {
        let answer = lab.run(zygote, "").await;
        assert_eq!(
            (answer.end, answer.output.unwrap()),
            (End::Exited(0), "abc".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_code_that_fails_fails_the_call_and_says_which() {
    let lab = Lab::new();
    let zygote = lab
        .add(
            r#"(module (memory 1) (func (export "_start"))
            (func (export "_faasm_zygote") (result i32) (i32.const 3)))"#,
        )
        .await;
    let error = lab.execute(lab.call(zygote, "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Guest);
    assert!(
        error.message().contains("_faasm_zygote") && error.message().contains("returned 3"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_loops_for_ever_is_stopped_at_its_deadline() {
    for lab in Lab::interrupted_by_each() {
        let looping = lab.add(&body("(loop (br 0))")).await;
        let mut call = lab.call(looping, "");
        call.deadline = lab.deadline(Duration::from_millis(200));
        let began = lab.now_ns();
        let answer = lab.execute(call).await.unwrap();
        let late_ms = (lab.now_ns() - began) / 1_000_000 - 200;
        assert_eq!(failure(&answer).0, ErrorKind::Deadline);
        assert!(
            failure(&answer).1.contains("limits.call_time"),
            "{}",
            failure(&answer).1
        );
        assert!(late_ms < 50, "{late_ms} ms late");
        assert_eq!(
            lab.run(lab.add(ECHO).await, "next").await.output.unwrap(),
            "next"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_takes_its_guest_with_it() {
    for lab in Lab::interrupted_by_each() {
        let looping = lab.add(&body("(loop (br 0))")).await;
        let calls: Vec<_> = (0..3)
            .map(|_| tokio::spawn(lab.execute(lab.call(looping, ""))))
            .collect();
        lab.until(|load| load.running > 0).await;
        for call in calls {
            call.abort();
        }
        lab.until(|load| load.running == 0 && load.queued == 0)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_failing_has_its_name_and_harms_nobody() {
    let lab = Lab::new();
    let log_for_ever = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\00\00\00\00\00\10\00\00")
        (func (export "_start")
            (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))))"#;
    let output_too_large = r#"(module
        (import "env" "__faasm_write_output" (func $out (param i32 i32)))
        (memory (export "memory") 64)
        (func (export "_start") (call $out (i32.const 0) (i32.const 3000000))))"#;
    let outside = r#"(module
        (import "env" "__faasm_write_output" (func $out (param i32 i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $out (i32.const 65000) (i32.const 1000))))"#;
    let cases = [
        (body("unreachable"), "unreachable"),
        (
            body("(drop (i32.div_s (i32.const 1) (i32.const 0)))"),
            "divide by zero",
        ),
        (
            body("(i32.store (i32.const 65536) (i32.const 1))"),
            "outside of the memory",
        ),
        (body("(call $f)"), "limits.stack"),
        (
            body(
                "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
            ),
            "limits.memory",
        ),
        (log_for_ever.into(), "limits.log"),
        (output_too_large.into(), "limits.output"),
        (outside.into(), "__faasm_write_output"),
    ];
    let echo = lab.add(ECHO).await;
    for (text, named) in cases {
        let function = lab.add(&text).await;
        let answer = lab.run(function, "").await;
        let (kind, message) = failure(&answer);
        assert_eq!(kind, ErrorKind::Guest, "{message}");
        assert!(message.contains(named), "{message:?} does not name {named}");
        assert_eq!(lab.run(echo, "next").await.output.unwrap(), "next");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_guests_share_the_cores_with_short_ones() {
    let lab = Lab::new();
    let looping = lab.add(&body("(loop (br 0))")).await;
    let echo = lab.add(ECHO).await;
    for _ in 0..40 {
        lab.run(echo, "warm").await;
    }
    let mut call = lab.call(looping, "");
    call.deadline = lab.deadline(Duration::from_millis(400));
    let long = tokio::spawn(lab.execute(call));
    lab.until(|load| load.running == 1).await;
    for _ in 0..40 {
        assert_eq!(lab.run(echo, "short").await.output.unwrap(), "short");
    }
    assert!(
        !long.is_finished(),
        "the long one was still running beside them"
    );
    assert_eq!(
        failure(&long.await.unwrap().unwrap()).0,
        ErrorKind::Deadline
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_budget_a_worker_refuses_at_once_and_nothing_ran() {
    let lab = Lab::new();
    let looping = lab.add(&body("(loop (br 0))")).await;
    let calls: Vec<_> = (0..Lab::PERMITS + Lab::QUEUE)
        .map(|_| {
            let mut call = lab.call(looping, "");
            call.deadline = lab.deadline(Duration::from_secs(20));
            tokio::spawn(lab.execute(call))
        })
        .collect();
    lab.until(|load| load.running == Lab::PERMITS && load.queued == Lab::QUEUE)
        .await;
    let error = lab.execute(lab.call(looping, "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.message().contains("storage.permits"), "{error}");
    for call in calls {
        call.abort();
    }
    lab.until(|load| load.running == 0).await;
    let mut forbidden = lab.call(looping, "");
    forbidden.ndp = Ndp::Forbidden;
    assert_eq!(
        lab.execute(forbidden).await.unwrap_err().kind(),
        ErrorKind::Denied
    );
    lab.worker.drain();
    assert_eq!(
        lab.execute(lab.call(looping, "")).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}
