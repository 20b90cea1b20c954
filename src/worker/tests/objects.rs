//! Objects as memory, from this node and from another, and calls beside them.

mod lab;

use ganglion_types::{End, ErrorKind};
use lab::{Lab, Where};

/// Input: `KEY`. Maps a range of it and answers with those bytes; "null" when the mapping is refused.
fn get(offset: i64, length: i64) -> String {
    format!(
        r#"(module
        (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
        (import "env" "__faasm_write_output" (func $out (param i32 i32)))
        (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 4096) "null")
        (func (export "_start") (local $key i32) (local $at i32)
            (local.set $key (call $in (i32.const 16) (i32.const 1024)))
            (local.set $at (call $map (i32.const 16) (local.get $key)
                (i64.const {offset}) (i64.const {length}) (i32.const 8)))
            (if (i32.eqz (local.get $at))
                (then (call $out (i32.const 4096) (i32.const 4)))
                (else (call $out (local.get $at) (i32.load (i32.const 8)))))))"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_reads_the_same_bytes_here_and_from_afar() {
    let bytes: Vec<u8> = (0..9_000_001_u32)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect();
    for (place, moved) in [(Where::Here, 0), (Where::Elsewhere, bytes.len() as u64)] {
        let lab = Lab::with_objects(place);
        lab.put("large", &bytes).await;
        lab.put("empty", b"").await;
        let whole = lab.add(&get(0, i64::MAX)).await;
        let answer = lab.run_large(whole, "large").await;
        assert_eq!(answer.end, End::Exited(0));
        assert!(answer.output.unwrap() == bytes, "{place:?}");
        assert_eq!(answer.usage.object_bytes, bytes.len() as u64);
        assert_eq!(answer.usage.moved_bytes, moved);
        assert_eq!(lab.run(whole, "empty").await.output.unwrap(), "");
        assert_eq!(lab.run(whole, "missing").await.output.unwrap(), "null");
        for (offset, length) in [
            (0, 10),
            (1, 10),
            (4095, 3),
            (5_000_000, 4096),
            (8_999_999, 100),
            (9_000_001, 5),
        ] {
            let part = lab.add(&get(offset, length)).await;
            let start = usize::try_from(offset).unwrap();
            let end = (start + usize::try_from(length).unwrap()).min(bytes.len());
            assert_eq!(
                lab.run(part, "large").await.output.unwrap(),
                bytes[start..end],
                "{place:?} {offset}"
            );
        }
        for (offset, length) in [(-1, 10), (0, -1)] {
            let bad = lab.add(&get(offset, length)).await;
            assert_eq!(lab.run(bad, "large").await.output.unwrap(), "null");
        }
        assert_eq!(
            lab.run(whole, "").await.output.unwrap(),
            "null",
            "an empty key"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_given_back_is_used_again_and_writes_stay_private() {
    let lab = Lab::with_objects(Where::Here);
    lab.put("k", b"original").await;
    // Maps, overwrites and unmaps 3000 times: without reuse that would be 6 GiB of addresses.
    let churn = lab
        .add(
            r#"(module
            (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
            (import "env" "__faasmndp_unmap" (func $unmap (param i32 i32) (result i32)))
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "k")
            (func (export "_start") (local $i i32) (local $at i32)
                (loop $again
                    (local.set $at (call $map (i32.const 16) (i32.const 1) (i64.const 0) (i64.const 100) (i32.const 8)))
                    (if (i32.eqz (local.get $at)) (then unreachable))
                    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 111)) (then unreachable))
                    (i32.store8 (local.get $at) (i32.const 88))
                    (if (call $unmap (local.get $at) (i32.const 8)) (then unreachable))
                    (if (i32.ne (call $unmap (local.get $at) (i32.const 8)) (i32.const -1)) (then unreachable))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const 3000))))))"#,
        )
        .await;
    assert_eq!(lab.run(churn, "").await.end, End::Exited(0));
    assert_eq!(lab.get("k").await, "original");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_fill_all_that_a_guest_can_address_and_the_next_one_is_refused() {
    let lab = Lab::with_objects(Where::Here);
    lab.put("k", &vec![111; 64 << 20]).await;
    // Maps 64 MiB until it is refused, then again in the place of the last one.
    let fill = lab
        .add(
            r#"(module
            (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
            (import "env" "__faasmndp_unmap" (func $unmap (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "k")
            (func $open (result i32)
                (call $map (i32.const 16) (i32.const 1) (i64.const 0) (i64.const 0x7fffffff) (i32.const 8)))
            (func (export "_start") (local $count i32) (local $last i32) (local $at i32)
                (loop $again
                    (local.set $at (call $open))
                    (if (local.get $at) (then
                        (if (i32.ne (i32.load8_u offset=0x3ffffff (local.get $at)) (i32.const 111)) (then unreachable))
                        (local.set $last (local.get $at))
                        (local.set $count (i32.add (local.get $count) (i32.const 1)))
                        (br $again))))
                (if (i32.load (i32.const 8)) (then unreachable))
                (if (call $unmap (local.get $last) (i32.const 0)) (then unreachable))
                (if (i32.load8_u (local.get $last)) (then unreachable))
                (if (i32.ne (call $open) (local.get $last)) (then unreachable))
                (call $exit (local.get $count))))"#,
        )
        .await;
    for _ in 0..2 {
        assert_eq!(lab.run(fill, "").await.end, End::Exited(63));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn put_replaces_the_whole_object_once_for_a_call() {
    for place in [Where::Here, Where::Elsewhere] {
        let lab = Lab::with_objects(place);
        lab.put("k", b"something much longer than what comes").await;
        let put = lab
            .add(
                r#"(module
                (import "env" "__faasmndp_put" (func $put (param i32 i32 i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (data (i32.const 16) "k")
                (data (i32.const 32) "new")
                (func (export "_start")
                    (call $exit (call $put (i32.const 16) (i32.const 1) (i32.const 32) (i32.const 3)))))"#,
            )
            .await;
        let call = lab.call(put, "");
        assert_eq!(lab.execute(call.clone()).await.unwrap().end, End::Exited(0));
        assert_eq!(lab.get("k").await, "new");
        let version = lab.version("k").await;
        assert_eq!(lab.execute(call).await.unwrap().end, End::Exited(0));
        assert_eq!(
            lab.version("k").await,
            version,
            "the repeat found its own id there"
        );
        lab.run(put, "").await;
        assert_ne!(
            lab.version("k").await,
            version,
            "another call is another effect"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_call_runs_its_function_and_gives_its_value_back() {
    let lab = Lab::with_objects(Where::Here);
    let calling = |import: &str, params: &str, arguments: &str| {
        format!(
            r#"(module
            (import "env" "__faasmndp_storageCallAndAwait{import}" (func $call (param i32 i32 i32 {params}) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "k")
            (table 5 funcref)
            (elem (i32.const 1) $none $one $two $trap)
            (func $none (result i32) (i32.const 40))
            (func $one (param i32) (result i32) (i32.add (local.get 0) (i32.const 100)))
            (func $two (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
            (func $trap (result i32) unreachable)
            (func (export "_start")
                (call $exit (call $call (i32.const 16) (i32.const 1) {arguments}))))"#
        )
    };
    for (import, params, arguments, exit) in [
        ("", "", "(i32.const 1)", 40),
        ("1", "i32", "(i32.const 2) (i32.const 7)", 107),
        (
            "2",
            "i32 i32",
            "(i32.const 3) (i32.const 9) (i32.const 4)",
            5,
        ),
        ("", "", "(i32.const 0)", -1),
        ("", "", "(i32.const 2)", -1),
        ("", "", "(i32.const 99)", -1),
    ] {
        let function = lab.add(&calling(import, params, arguments)).await;
        assert_eq!(
            lab.run(function, "").await.end,
            End::Exited(exit),
            "{import} {arguments}"
        );
    }
    let trapping = lab.add(&calling("", "", "(i32.const 4)")).await;
    let End::Failed(error) = lab.run(trapping, "").await.end else {
        panic!("it did not trap")
    };
    assert_eq!(error.kind(), ErrorKind::Guest);
}

/// What wasi-libc's allocator does: the first time, everything up to the memory's size is heap.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_no_part_of_the_memory_that_an_allocator_sees() {
    let lab = Lab::with_objects(Where::Here);
    lab.put("k", b"object").await;
    let sizes = lab
        .add(
            r#"(module
            (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (memory (export "memory") 3)
            (data (i32.const 16) "k")
            (func $size (param i32) (i32.store8 (local.get 0) (i32.add (i32.const 48) (memory.size))))
            (func (export "_start")
                (call $size (i32.const 100))
                (drop (call $map (i32.const 16) (i32.const 1) (i64.const 0) (i64.const 100) (i32.const 8)))
                (call $size (i32.const 101))
                (i32.store8 (i32.const 102) (i32.add (i32.const 48)
                    (i32.eq (memory.grow (i32.const 1)) (i32.const 4))))
                (i32.store8 (i32.const 103) (i32.add (i32.const 48) (i32.eq (memory.size) (i32.const 5))))
                (i32.store8 (i32.const 104) (i32.add (i32.const 48)
                    (i32.eq (memory.grow (i32.const 60000)) (i32.const -1))))
                (i32.store8 (i32.const 105) (i32.add (i32.const 48) (i32.eq (memory.size) (i32.const 5))))
                (call $out (i32.const 100) (i32.const 6))))"#,
        )
        .await;
    for _ in 0..3 {
        assert_eq!(lab.run(sizes, "").await.output.unwrap(), "331111");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_code_reaches_no_object() {
    let lab = Lab::with_objects(Where::Here);
    lab.put("k", b"secret").await;
    let zygote = lab
        .add(
            r#"(module
            (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "k")
            (func (export "_start"))
            (func (export "_faasm_zygote") (result i32)
                (call $map (i32.const 16) (i32.const 1) (i64.const 0) (i64.const 9) (i32.const 8))))"#,
        )
        .await;
    assert_eq!(
        lab.run(zygote, "").await.end,
        End::Exited(0),
        "getMmap was null"
    );
}
