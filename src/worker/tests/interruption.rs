//! Whatever a guest does, it stops when its time is up or its caller goes; and nobody else does.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

mod lab;

use ganglion_registry::Interruption;
use ganglion_types::{Answer, ContentHash, End, ErrorKind, Result};
use lab::Lab;
use std::sync::Arc;
use std::time::Duration;

const WAYS: [Interruption; 2] = [Interruption::Poll, Interruption::Epoch];
const LATE_MS_MAX: u64 = 50;

/// Modules that run for ever, by what they do meanwhile.
fn endless() -> Vec<(&'static str, String)> {
    let body = |body: &str| format!(r#"(module (memory 1) (func (export "_start") {body}))"#);
    let nest = |depth: usize| {
        let (open, close) = ("(loop ".repeat(depth), " (br 0))".repeat(depth));
        body(&format!("{open}{close}"))
    };
    vec![
        ("a loop that touches no memory", body("(loop (br 0))")),
        (
            "a module without a memory",
            r#"(module (func (export "_start") (loop (br 0))))"#.into(),
        ),
        (
            "a memory of one page for ever",
            r#"(module (memory 1 1) (func (export "_start") (loop (br 0))))"#.into(),
        ),
        (
            "a loop that counts in memory",
            body("(loop (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (br 0))"),
        ),
        (
            "a loop that takes and gives values",
            body("(i32.const 0) (loop (param i32) (i32.const 1) (i32.add) (br 0))"),
        ),
        ("the innermost of 64 loops", nest(64)),
        (
            "loops of loops, each of them short",
            body(
                "(local $i i32) (loop $a (local.set $i (i32.const 9))
                (loop $b (br_if $b (local.tee $i (i32.sub (local.get $i) (i32.const 1))))) (br $a))",
            ),
        ),
        (
            "a table of branches back",
            body("(local $i i32) (loop $a (loop $b (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_table $a $b $a (i32.and (local.get $i) (i32.const 3)))))"),
        ),
        (
            "recursion that never gets deep",
            r#"(module (memory 1)
                (func $ways (param $depth i32)
                    (if (local.get $depth) (then
                        (call $ways (i32.sub (local.get $depth) (i32.const 1)))
                        (call $ways (i32.sub (local.get $depth) (i32.const 1))))))
                (func (export "_start") (call $ways (i32.const 100))))"#
                .into(),
        ),
        (
            "two functions that call each other as their last deed",
            r#"(module
                (func $ping (return_call $pong))
                (func $pong (return_call $ping))
                (func (export "_start") (call $ping)))"#
                .into(),
        ),
        (
            "a function in a table that calls itself as its last deed",
            r#"(module (table funcref (elem $self))
                (func $self (return_call_indirect (i32.const 0)))
                (func (export "_start") (call $self)))"#
                .into(),
        ),
        (
            "a loop in a module that opens windows",
            r#"(module
                (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
                (memory 1)
                (func (export "_start")
                    (loop (br_if 0 (i32.or (memory.size) (i32.const 1))))
                    (drop (call $map (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0)))))"#
                .into(),
        ),
    ]
}

/// Instructions that do a great deal at once, again and again, on nearly all of 1 GiB.
fn large() -> Vec<(&'static str, String)> {
    const BYTES: u32 = (1 << 30) - (2 << 20);
    let again = |what: &str| {
        format!(r#"(module (memory 16384) (func (export "_start") (loop {what} (br 0))))"#)
    };
    let copy = |to: u32, from: u32| {
        again(&format!(
            "(memory.copy (i32.const {to}) (i32.const {from}) (i32.const {BYTES}))"
        ))
    };
    vec![
        (
            "a fill",
            again(&format!(
                "(memory.fill (i32.const 0) (i32.const 7) (i32.const {BYTES}))"
            )),
        ),
        ("a copy downwards", copy(0, 1 << 20)),
        ("a copy upwards", copy(1 << 20, 0)),
        (
            "randomness",
            format!(
                r#"(module
                    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
                    (memory 16384)
                    (func (export "_start")
                        (loop (drop (call $random (i32.const 0) (i32.const {BYTES}))) (br 0))))"#
            ),
        ),
    ]
}

fn error(answer: Result<Answer>) -> (ErrorKind, String) {
    let error = match answer.map(|answer| answer.end) {
        Ok(End::Exited(code)) => panic!("it exited with {code}"),
        Ok(End::Failed(error)) | Err(error) => error,
    };
    (error.kind(), error.to_string())
}

/// Runs something until its deadline and beyond. On a busy machine a thread may not be scheduled in time; so the best of
/// three counts.
async fn is_late_ms(lab: &Lab, text: &str) -> (u64, (ErrorKind, String)) {
    let module = lab.add(text).await;
    let (mut late_ms, mut ended) = (u64::MAX, None);
    for _ in 0..3 {
        let mut call = lab.call(module, "");
        call.limits.memory_bytes = 1 << 30;
        call.deadline = lab.deadline(Duration::from_millis(40));
        let deadline_ns = call.deadline.as_ns();
        ended = Some(error(lab.execute(call).await));
        late_ms = late_ms.min(lab.now_ns().saturating_sub(deadline_ns) / 1_000_000);
        if late_ms < LATE_MS_MAX {
            break;
        }
    }
    (late_ms, ended.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_runs_for_ever_is_stopped_at_its_deadline() {
    for way in WAYS {
        let lab = Lab::interrupted_by(way);
        for (what, text) in endless().into_iter().chain(large()) {
            let (late_ms, (kind, message)) = is_late_ms(&lab, &text).await;
            assert_eq!(kind, ErrorKind::Deadline, "{way:?}, {what}: {message}");
            assert!(message.contains("limits.call_time"), "{message}");
            assert!(late_ms < LATE_MS_MAX, "{way:?}, {what}: {late_ms} ms late");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_runs_for_ever_ends_when_its_caller_goes() {
    for way in WAYS {
        let lab = Lab::interrupted_by(way);
        for (what, text) in endless() {
            let module = lab.add(&text).await;
            let mut after_ms = u64::MAX;
            for _ in 0..3 {
                let call = tokio::spawn(lab.execute(lab.call(module, "")));
                lab.until(|load| load.running == 1).await;
                let left_ns = lab.now_ns();
                call.abort();
                lab.until(|load| load.running == 0).await;
                after_ms = after_ms.min((lab.now_ns() - left_ns) / 1_000_000);
                if after_ms < LATE_MS_MAX {
                    break;
                }
            }
            assert!(
                after_ms < LATE_MS_MAX,
                "{way:?}, {what}: after {after_ms} ms"
            );
        }
    }
}

/// One thread for guests, on which one waits in a host call while the other's caller goes.
#[test]
fn a_call_that_is_cancelled_before_its_guest_begins_is_stopped_all_the_same() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for way in WAYS {
        runtime.block_on(async {
            let lab = Lab::interrupted_by(way);
            let waits = lab.add(AFTER_A_HOST_CALL).await;
            let loops = lab
                .add(r#"(module (func (export "_start") (loop (br 0))))"#)
                .await;
            let mut short = lab.call(loops, "");
            short.deadline = lab.deadline(Duration::from_millis(20));
            error(lab.execute(short).await);
            lab.run(waits, "n").await;
            lab.random_takes(Duration::from_millis(200));
            let waiting = tokio::spawn(lab.execute(lab.call(waits, "n")));
            lab.until(|load| load.running == 1).await;
            let cancelled = tokio::spawn(lab.execute(lab.call(loops, "")));
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancelled.abort();
            waiting.await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            lab.until(|load| load.running == 0).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_code_that_runs_for_ever_is_stopped_at_its_deadline() {
    let endless = ["__wasm_call_ctors", "_faasm_zygote"].map(|name| {
        let result = if name == "_faasm_zygote" {
            "(result i32)"
        } else {
            ""
        };
        format!(
            r#"(module (memory 1) (func (export "_start"))
                (func (export "{name}") {result} (loop (br 0)) unreachable))"#
        )
    });
    let start = r#"(module (func (export "_start")) (func $start (loop (br 0))) (start $start))"#;
    for way in WAYS {
        let lab = Lab::interrupted_by(way);
        // A beat that nobody needs stops after a second.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        for text in endless.iter().map(String::as_str).chain([start]) {
            let (late_ms, (kind, message)) = is_late_ms(&lab, text).await;
            assert_eq!(kind, ErrorKind::Deadline, "{way:?}: {message}");
            assert!(late_ms < LATE_MS_MAX, "{way:?}: {late_ms} ms late");
        }
    }
}

/// Asks for randomness, which takes as long as the lab says, and then does what it is told: `l` loops for ever, `r` reads
/// outside of its memory, anything else is answered.
const AFTER_A_HOST_CALL: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory 1)
    (func (export "_start")
        (drop (call $in (i32.const 0) (i32.const 8)))
        (drop (call $random (i32.const 100) (i32.const 1)))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 108)) (then (loop (br 0))))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 114)) (then (drop (i32.load (i32.const 65536)))))
        (call $out (i32.const 0) (i32.const 1))))"#;

#[tokio::test(flavor = "multi_thread")]
async fn straight_code_behind_the_deadline_comes_to_its_end_and_a_loop_does_not() {
    for way in WAYS {
        let lab = Lab::interrupted_by(way);
        let module = lab.add(AFTER_A_HOST_CALL).await;
        lab.run(module, "a").await;
        for round in 0..2 {
            for (input, stops) in [("a", false), ("l", true)] {
                lab.random_takes(Duration::from_millis(400));
                let mut call = lab.call(module, input);
                call.deadline = lab.deadline(Duration::from_millis(250));
                let answer = lab.execute(call).await;
                if stops {
                    let (kind, message) = error(answer);
                    assert_eq!(kind, ErrorKind::Deadline, "{way:?}, {round}: {message}");
                } else {
                    assert_eq!(answer.unwrap().end, End::Exited(0), "{way:?}, {round}");
                }
                lab.random_takes(Duration::ZERO);
                let next = lab.run(module, "n").await;
                assert_eq!(next.output.as_deref(), Some(&b"n"[..]), "{way:?}, {round}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_outside_of_the_memory_is_called_that_and_no_deadline() {
    for way in WAYS {
        let lab = Lab::interrupted_by(way);
        let module = lab.add(AFTER_A_HOST_CALL).await;
        let (kind, message) = error(Ok(lab.run(module, "r").await));
        assert_eq!(kind, ErrorKind::Guest, "{message}");
        assert!(message.contains("outside of the memory"), "{message}");
    }
}

/// Loops as often as its input says, eight digits, a thousand times each, and answers.
const LOOPS_AS_TOLD: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (memory 1)
    (func (export "_start") (local $i i32) (local $times i32)
        (drop (call $in (i32.const 0) (i32.const 8)))
        (loop $digit
            (local.set $times (i32.add (i32.mul (local.get $times) (i32.const 10))
                (i32.sub (i32.load8_u (local.get $i)) (i32.const 48))))
            (br_if $digit (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
        (local.set $times (i32.mul (local.get $times) (i32.const 1000)))
        (loop $again (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
        (call $out (i32.const 0) (i32.const 8))))"#;

/// Guests whose deadlines come just when they end, beside guests of the same slots that have time. Gives how many of the
/// former were stopped, and how many came to their end.
async fn hurried_and_patient(lab: Arc<Lab>, module: ContentHash, seed: u64) -> (usize, usize) {
    let (mut random, mut stopped, mut ended) = (fastrand::Rng::with_seed(seed), 0, 0);
    for round in 0..1500 {
        let mut hurried = lab.call(module, &format!("{:08}", random.u32(100..1500)));
        hurried.deadline = lab.deadline(Duration::from_micros(random.u64(100..1500)));
        match lab.execute(hurried).await {
            Ok(answer) if answer.end == End::Exited(0) => ended += 1,
            answer => {
                let (kind, message) = error(answer);
                let expected = [ErrorKind::Deadline, ErrorKind::Busy];
                assert!(
                    expected.contains(&kind),
                    "round {round}: {kind:?} {message}"
                );
                stopped += 1;
            }
        }
        let answer = lab.run(module, "00000200").await;
        assert_eq!(answer.end, End::Exited(0), "round {round}");
        assert_eq!(answer.output.unwrap(), "00000200", "round {round}");
    }
    (stopped, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_stopped_for_the_guest_before_him() {
    let lab = Arc::new(Lab::interrupted_by(Interruption::Poll));
    let module = lab.add(LOOPS_AS_TOLD).await;
    let callers =
        [7, 8, 9].map(|seed| tokio::spawn(hurried_and_patient(lab.clone(), module, seed)));
    for caller in callers {
        let (stopped, ended) = caller.await.unwrap();
        assert!(
            stopped > 50 && ended > 50,
            "{stopped} stopped, {ended} ended"
        );
    }
}
