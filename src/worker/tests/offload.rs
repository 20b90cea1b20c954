//! Storage calls at the object's home: the guest cannot tell, whatever becomes of the other node.

#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

mod lab;

use bytes::Bytes;
use ganglion_types::{Answer, ContentHash, End, ErrorKind, Ndp};
use lab::{Fate, Lab, Neighbour};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What every guest of this file begins with: input at 16, its length at 8.
const HEAD: &str = r#"
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
    (import "env" "__faasmndp_unmap" (func $unmap (param i32 i32) (result i32)))
    (import "env" "__faasmndp_put" (func $put (param i32 i32 i32 i32) (result i32)))
    (import "env" "__faasmndp_storageCallAndAwait" (func $call0 (param i32 i32 i32) (result i32)))
    (import "env" "__faasmndp_storageCallAndAwait1" (func $call1 (param i32 i32 i32 i32) (result i32)))
    (import "env" "__faasmndp_storageCallAndAwait2" (func $call2 (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 2)
    (table 8 funcref)
    (func $key (i32.store (i32.const 8) (call $in (i32.const 16) (i32.const 1024))))
    (func $print (param $at i32) (param $length i32)
        (i32.store (i32.const 2048) (local.get $at))
        (i32.store (i32.const 2052) (local.get $length))
        (drop (call $write (i32.const 1) (i32.const 2048) (i32.const 1) (i32.const 2056))))
    ;; The object's bytes, summed; its length at 2064.
    (func $sum (result i32) (local $at i32) (local $end i32) (local $sum i32)
        (local.set $at (call $map (i32.const 16) (i32.load (i32.const 8)) (i64.const 0) (i64.const 0x7fffffffffff) (i32.const 2064)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const -1))))
        (local.set $end (i32.add (local.get $at) (i32.load (i32.const 2064))))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next)))
        (local.get $sum))
"#;

/// Everything that a function can change: globals of all types, memory it had and memory it grows, output, stdout; and it returns
/// something other than 0.
const STATE: &str = r#"
    (global $small (mut i32) (i32.const 1))
    (global $large (mut i64) (i64.const 2))
    (global $single (mut f32) (f32.const 0.5))
    (global $double (mut f64) (f64.const nan:0x4000000000007))
    (elem (i32.const 3) $far)
    ;; Somewhere in the pages that the last growth brought.
    (func $grown (result i32)
        (i32.add (i32.mul (i32.load (i32.const 4112)) (i32.const 65536)) (i32.const 40000)))
    (func $far (param $first i32) (param $second i32) (result i32)
        (i32.store (i32.const 4096) (call $sum))
        (i32.store (i32.const 4100) (local.get $first))
        (i32.store (i32.const 4104) (local.get $second))
        (i32.store (i32.const 4108) (global.get $small))
        (i64.store (i32.const 70000) (global.get $large))
        (global.set $small (i32.const -77))
        (global.set $large (i64.const -0x7700000000000001))
        (global.set $single (f32.const nan:0x200001))
        (global.set $double (f64.const -0.0))
        (i32.store (i32.const 4112) (memory.grow (i32.const 3)))
        (i64.store (call $grown) (i64.const 0x1122334455667788))
        ;; A page that was written before becomes zeros again.
        (memory.fill (i32.const 8192) (i32.const 0) (i32.const 4096))
        (call $print (i32.const 16) (i32.load (i32.const 8)))
        (call $out (i32.const 16) (i32.load (i32.const 8)))
        (i32.const 41))
    (func (export "_start")
        (call $key)
        (memory.fill (i32.const 8192) (i32.const 9) (i32.const 8192))
        (global.set $small (i32.const 1234))
        (call $print (i32.const 8192) (i32.const 3))
        (i32.store (i32.const 4116) (call $call2 (i32.const 16) (i32.load (i32.const 8)) (i32.const 3) (i32.const -5) (i32.const 6)))
        (i32.store (i32.const 4120) (global.get $small))
        (i64.store (i32.const 4124) (global.get $large))
        (f32.store (i32.const 4132) (global.get $single))
        (f64.store (i32.const 4136) (global.get $double))
        (i32.store (i32.const 4144) (memory.size))
        (i64.store (i32.const 4148) (i64.load (call $grown)))
        ;; A second one goes on from what the first has left.
        (i32.store (i32.const 4156) (call $call2 (i32.const 16) (i32.load (i32.const 8)) (i32.const 3) (i32.const 1) (i32.const 2)))
        (call $print (i32.const 4096) (i32.const 100))
        (call $out (i32.const 4096) (i32.const 16384)))
"#;

fn module(body: &str) -> String {
    format!("(module {HEAD} {body})")
}

async fn run(lab: &Lab, module: ContentHash, input: &str, ndp: Ndp) -> Answer {
    let mut call = lab.call(module, input);
    call.ndp = ndp;
    lab.execute(call).await.unwrap()
}

/// What a user sees of a call.
fn seen(answer: &Answer) -> (End, Option<Bytes>, Bytes, Bytes) {
    (
        answer.end.clone(),
        answer.output.clone(),
        answer.stdout.clone(),
        answer.stderr.clone(),
    )
}

/// Runs a guest in place and at the home, under every fate, and compares; gives what it answered.
async fn equally(body: &str, input: &str, objects: &[(&str, &[u8])]) -> Answer {
    let mut first: Option<Answer> = None;
    for (ndp, fate) in [
        (Ndp::Forbidden, Fate::Arrives),
        (Ndp::Preferred, Fate::Arrives),
        (Ndp::Allowed, Fate::Arrives),
        (Ndp::Preferred, Fate::Refused),
        (Ndp::Preferred, Fate::RequestLost),
        (Ndp::Preferred, Fate::AnswerLost),
    ] {
        let (lab, neighbour) = Lab::with_neighbour(fate);
        for (key, bytes) in objects {
            lab.put(key, bytes).await;
        }
        let module = lab.add(&module(body)).await;
        let answer = run(&lab, module, input, ndp).await;
        let taken = neighbour.taken.load(Ordering::SeqCst);
        let calls = &answer.storage_calls;
        match (ndp, fate) {
            (Ndp::Forbidden, _) => assert_eq!((taken, calls.offloaded), (0, 0)),
            (Ndp::Preferred, Fate::Arrives) => {
                assert!(
                    calls.offloaded > 0 || answer.end != End::Exited(0),
                    "{calls:?}"
                );
                assert!(taken > 0 && calls.in_place == 0, "{calls:?}");
            }
            (Ndp::Preferred, _) => assert_eq!(calls.offloaded, 0),
            _ => {}
        }
        match &first {
            None => first = Some(answer),
            Some(first) => assert_eq!(seen(&answer), seen(first), "{ndp:?} {fate:?}: {calls:?}"),
        }
    }
    first.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_globals_growth_output_and_return_codes_come_back_as_if_run_in_place() {
    let object: Vec<u8> = (0..500_000_u32)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect();
    let answer = equally(STATE, "k", &[("k", &object)]).await;
    assert_eq!(answer.end, End::Exited(0));
    let output = answer.output.unwrap();
    let word = |at: usize| i32::from_le_bytes(output[at - 4096..at - 4092].try_into().unwrap());
    let sum: i32 = object.iter().map(|byte| i32::from(*byte)).sum();
    assert_eq!(
        [4096, 4100, 4104, 4108].map(word),
        [sum, 1, 2, -77],
        "of the second call"
    );
    assert_eq!((word(4116), word(4120), word(4156)), (41, -77, 41));
    assert!(
        word(4112) > 5 && word(4112) == word(4144),
        "pages, those of the window below them"
    );
    assert_eq!(
        &output[4148 - 4096..4156 - 4096],
        0x1122_3344_5566_7788_u64.to_le_bytes()
    );
    assert!(
        output[8192 - 4096..12_288 - 4096]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert!(
        output[12_288 - 4096..16_384 - 4096]
            .iter()
            .all(|byte| *byte == 9)
    );
    assert!(
        answer.stdout.starts_with(b"\t\t\tkk"),
        "{:?}",
        answer.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_and_a_function_that_is_none_are_told_alike() {
    let answer = equally(STATE, "missing", &[]).await;
    assert_eq!(answer.end, End::Exited(0));
    let none = r#"(func (export "_start") (call $key)
        (i32.store (i32.const 4096) (call $call1 (i32.const 16) (i32.load (i32.const 8)) (i32.const 2) (i32.const 5)))
        (call $out (i32.const 4096) (i32.const 4)))"#;
    let (lab, neighbour) = Lab::with_neighbour(Fate::Arrives);
    let module = lab.add(&module(none)).await;
    let answer = run(&lab, module, "k", Ndp::Preferred).await;
    assert_eq!(answer.output.unwrap(), (-1_i32).to_le_bytes().as_slice());
    assert_eq!(neighbour.taken.load(Ordering::SeqCst), 0);
}

/// Both nodes start from one image, whichever of them made it: a storage call goes on with what the zygote drew.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_zygote_draws_at_random_is_drawn_once_for_all_nodes() {
    let drawing = module(
        r#"(elem (i32.const 1) $far)
        (func (export "_faasm_zygote") (result i32) (call $random (i32.const 4096) (i32.const 8)))
        (func $far (result i32) (i32.store (i32.const 4104) (i32.load (i32.const 4096))) (i32.const 0))
        (func (export "_start") (call $key)
            (drop (call $call0 (i32.const 16) (i32.load (i32.const 8)) (i32.const 1)))
            (call $out (i32.const 4096) (i32.const 12)))"#,
    );
    for home_is_first in [false, true] {
        let (lab, neighbour) = Lab::with_neighbour(Fate::Arrives);
        lab.put("k", b"x").await;
        let module = lab.add(&drawing).await;
        if home_is_first {
            run(&neighbour.home, module, "k", Ndp::Allowed).await;
        }
        let answer = run(&lab, module, "k", Ndp::Preferred).await;
        assert_eq!(
            answer.storage_calls.offloaded, 1,
            "{:?}",
            answer.storage_calls
        );
        let output = answer.output.unwrap();
        assert_eq!(output[..4], output[8..]);
        let there = run(&neighbour.home, module, "k", Ndp::Allowed).await;
        assert_eq!(there.output.unwrap(), output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lacks_the_module_loads_it_and_says_how_long_that_took() {
    let (lab, neighbour) = Lab::with_neighbour(Fate::Arrives);
    lab.put("k", b"x").await;
    let plain = module(
        r#"(elem (i32.const 1) $far)
        (func $far (result i32) (i32.const 0))
        (func (export "_start") (call $key)
            (drop (call $call0 (i32.const 16) (i32.load (i32.const 8)) (i32.const 1))))"#,
    );
    let module = lab.add(&plain).await;
    for is_loaded in [false, true] {
        let calls = run(&lab, module, "k", Ndp::Preferred).await.storage_calls;
        assert_eq!(calls.offloaded, 1);
        let says_so = calls
            .last_reason
            .contains("load the function first, which took ");
        assert_ne!(says_so, is_loaded, "{calls:?}");
    }
    assert_eq!(neighbour.taken.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_has_changed_more_than_the_limit_stays_and_says_so() {
    let (lab, neighbour) = Lab::with_neighbour(Fate::Arrives);
    lab.put("k", b"x").await;
    let heavy = module(
        r#"(elem (i32.const 1) $far)
        (func $far (result i32) (call $print (i32.const 16) (i32.const 1)) (i32.const 0))
        (func (export "_start") (call $key)
            (drop (memory.grow (i32.const 160)))
            (memory.fill (i32.const 131072) (i32.const 1) (i32.const 8388609))
            (drop (call $call0 (i32.const 16) (i32.load (i32.const 8)) (i32.const 1))))"#,
    );
    let module = lab.add(&heavy).await;
    let answer = run(&lab, module, "k", Ndp::Preferred).await;
    assert_eq!(
        (answer.end, &answer.stdout[..]),
        (End::Exited(0), &b"k"[..])
    );
    let calls = answer.storage_calls;
    assert_eq!((calls.offloaded, calls.in_place), (0, 1));
    assert!(calls.last_reason.contains("limits.delta"), "{calls:?}");
    assert_eq!(neighbour.taken.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_limits_and_exit_inside_of_the_function_end_the_call() {
    let ending = |what: &str| {
        format!(
            r#"(elem (i32.const 1) $far)
            (func $far (result i32) (call $print (i32.const 16) (i32.const 1)) {what} (i32.const 0))
            (func (export "_start") (call $key)
                (drop (call $call0 (i32.const 16) (i32.load (i32.const 8)) (i32.const 1)))
                (call $print (i32.const 16) (i32.const 1)))"#
        )
    };
    let answer = equally(&ending("(unreachable)"), "k", &[("k", b"x")]).await;
    assert!(matches!(&answer.end, End::Failed(error) if error.kind() == ErrorKind::Guest));
    assert_eq!(answer.stdout, "k");
    let answer = equally(&ending("(call $exit (i32.const 3))"), "k", &[("k", b"x")]).await;
    assert_eq!(
        (answer.end, &answer.stdout[..]),
        (End::Exited(3), &b"k"[..])
    );
    let loud = "(call $print (i32.const 4096) (i32.const 65536))";
    let answer = equally(&ending(loud), "k", &[("k", b"x")]).await;
    assert!(
        matches!(&answer.end, End::Failed(error) if error.message().contains("limits.log")),
        "what was printed before counts: {:?}",
        answer.end
    );
}

/// Maps the object, writes into the window, and lets a function beside another object read it; that one opens a window of its own,
/// writes there, and leaves it open; what comes back shows which windows are still what.
const WINDOWS: &str = r#"
    (elem (i32.const 1) $far)
    (data (i32.const 3000) "other")
    (global $mine (mut i32) (i32.const 0))
    (func $far (result i32) (local $theirs i32)
        (i32.store (i32.const 4096) (i32.load (global.get $mine)))
        (i32.store8 (i32.add (global.get $mine) (i32.const 1)) (i32.const 90))
        (local.set $theirs (call $map (i32.const 3000) (i32.const 5) (i64.const 4097) (i64.const 100000) (i32.const 2064)))
        (i32.store (i32.const 4100) (i32.load (local.get $theirs)))
        (i32.store (local.get $theirs) (i32.const 0x55555555))
        (i32.store (i32.const 4104) (local.get $theirs))
        (i32.const 0))
    (func (export "_start") (local $round i32)
        (call $key)
        (global.set $mine (call $map (i32.const 16) (i32.load (i32.const 8)) (i64.const 3) (i64.const 9000) (i32.const 2064)))
        (i32.store8 (global.get $mine) (i32.const 65))
        (drop (call $call0 (i32.const 3000) (i32.const 5) (i32.const 1)))
        (i32.store (i32.const 4108) (i32.load (global.get $mine)))
        ;; Where the function's window was are zeros.
        (i32.store (i32.const 4112) (i32.load (i32.load (i32.const 4104))))
        (drop (call $call0 (i32.const 3000) (i32.const 5) (i32.const 1)))
        (i32.store (i32.const 4116) (i32.load (global.get $mine)))
        (i32.store (i32.const 4120) (call $unmap (global.get $mine) (i32.const 9000)))
        (i32.store (i32.const 4124) (call $unmap (i32.load (i32.const 4104)) (i32.const 9000)))
        (call $out (i32.const 4096) (i32.const 64)))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn windows_that_are_open_are_seen_there_and_what_a_function_opens_ends_with_it() {
    let mine: Vec<u8> = (0..20_000_u32)
        .map(|i| u8::try_from(i % 199).unwrap())
        .collect();
    let other: Vec<u8> = (0..200_000_u32)
        .map(|i| u8::try_from(i % 211).unwrap())
        .collect();
    let answer = equally(WINDOWS, "mine", &[("mine", &mine), ("other", &other)]).await;
    let output = answer.output.expect("it set output");
    let bytes = |at: usize| &output[at - 4096..at - 4092];
    assert_eq!(bytes(4096), [65, 90, 5, 6], "of the second call");
    assert_eq!(
        bytes(4100),
        &other[4097..4101],
        "and not what the first one wrote"
    );
    assert_eq!(bytes(4108), [65, 90, 5, 6]);
    assert_eq!(bytes(4112), [0; 4]);
    assert_eq!(bytes(4120), [0; 4]);
    assert_eq!(
        bytes(4124),
        (-1_i32).to_le_bytes(),
        "no window is open there"
    );
}

/// Reads the object, adds one to its first byte, and writes it back, in a function beside it.
const COUNTER: &str = r#"
    (elem (i32.const 1) $far)
    (func $far (result i32) (local $at i32)
        (local.set $at (call $map (i32.const 16) (i32.load (i32.const 8)) (i64.const 0) (i64.const 8) (i32.const 2064)))
        (i32.store8 (local.get $at) (i32.add (i32.load8_u (local.get $at)) (i32.const 1)))
        (call $put (i32.const 16) (i32.load (i32.const 8)) (local.get $at) (i32.load (i32.const 2064))))
    (func (export "_start")
        (call $key)
        (i32.store (i32.const 4096) (call $call0 (i32.const 16) (i32.load (i32.const 8)) (i32.const 1)))
        (call $out (i32.const 4096) (i32.const 4)))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_writes_is_written_once_whatever_becomes_of_its_answer() {
    for fate in [
        Fate::Arrives,
        Fate::Refused,
        Fate::RequestLost,
        Fate::AnswerLost,
    ] {
        let (lab, neighbour) = Lab::with_neighbour(fate);
        lab.put("n", b"\x05 counter").await;
        let module = lab.add(&module(COUNTER)).await;
        // So often that it is soon run on the thread that receives it.
        for count in 6..46_u8 {
            let answer = run(&lab, module, "n", Ndp::Preferred).await;
            assert_eq!(answer.output.unwrap(), [0; 4].as_slice(), "{fate:?}");
            assert_eq!(lab.get("n").await[0], count, "{fate:?}");
        }
        let taken = neighbour.taken.load(Ordering::SeqCst);
        let arrives = matches!(fate, Fate::Arrives | Fate::AnswerLost);
        assert_eq!(taken, if arrives { 40 } else { 0 });
    }
}

/// Everything about a neighbour that takes the middle of calls, but late: after its caller has gone on.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_caller_has_gone_on_does_not_undo_what_was_written_since() {
    // The object is replaced between the function's reading and its writing, by itself, which stands for somebody else.
    let overtaken = r#"
        (elem (i32.const 1) $far)
        (data (i32.const 3000) "\07")
        (func $far (result i32)
            (drop (call $sum))
            (call $put (i32.const 16) (i32.load (i32.const 8)) (i32.const 3000) (i32.const 1)))
        (func (export "_start") (call $key)
            (i32.store (i32.const 4096) (call $call0 (i32.const 16) (i32.load (i32.const 8)) (i32.const 1)))
            (call $out (i32.const 4096) (i32.const 4)))"#;
    let (lab, neighbour) = Lab::with_neighbour(Fate::Arrives);
    lab.put("n", &vec![1; 16 << 20]).await;
    let module = lab.add(&module(overtaken)).await;
    let racing = race(&lab, &neighbour, module).await;
    assert!(racing > 0, "no write came between");
}

/// Writes the object from outside while functions work on it: whatever was acknowledged last, is there. Gives how often a function was
/// overtaken.
async fn race(lab: &Lab, neighbour: &Arc<Neighbour>, module: ContentHash) -> u32 {
    let mut overtaken = 0;
    for round in 0..200_u32 {
        let mut call = lab.call(module, "n");
        call.ndp = Ndp::Preferred;
        let running = tokio::spawn(lab.execute(call.clone()));
        tokio::time::sleep(std::time::Duration::from_micros(
            u64::from(round % 20) * 1000,
        ))
        .await;
        lab.put("n", &vec![2; 16 << 20]).await;
        match running.await.unwrap() {
            Ok(answer) => {
                assert_eq!(answer.end, End::Exited(0));
                overtaken += answer.storage_calls.not_taken;
            }
            // In place as well: whoever waits begins it again.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
        if lab.get("n").await[0] == 7 {
            assert_eq!(lab.get("n").await.len(), 1);
        }
        lab.put("n", &vec![1; 16 << 20]).await;
        if overtaken > 2 {
            break;
        }
    }
    assert!(neighbour.taken.load(Ordering::SeqCst) > 0);
    overtaken
}
