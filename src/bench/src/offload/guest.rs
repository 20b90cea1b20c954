//! The guests that are offloaded.

use bytes::Bytes;
use ganglion_types::{Error, Result};

const MIB: u32 = 1 << 20;
const WASM_PAGES_PER_MIB: u32 = 16;
/// What the function of the table returns.
pub(super) const RETURNED: u32 = 7;

fn built(text: &str) -> Result<Bytes> {
    let wasm = wat::parse_str(text);
    let wasm = wasm.map_err(|error| Error::internal(format!("a guest of the bench: {error}")))?;
    Ok(wasm.into())
}

/// A guest whose image is `image_mib` MiB of a byte that is not 0. It writes one byte to each of `pages` (at least 1) pages of 4 KiB,
/// as far apart as they can be, calls an empty function of its table beside the object `key`, and gives what that returned (32
/// bits) behind two times of the clock, before and after (64 bits each).
pub(super) fn guest_that_leaves(image_mib: u32, pages: u32, key: &str) -> Result<Bytes> {
    // The clock writes to the first page.
    let others = pages - 1;
    let stride = (image_mib * MIB / pages) & !4095;
    built(&format!(
        r#"(module
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "env" "__faasmndp_storageCallAndAwait" (func $call (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (memory (export "memory") {memory_pages})
    (table 2 funcref)
    (elem (i32.const 1) $empty)
    (func $empty (result i32) (i32.const {RETURNED}))
    (func (export "_faasm_zygote") (result i32)
        (memory.fill (i32.const 4096) (i32.const 0x5a) (i32.const {filled_bytes}))
        (i32.const 0))
    (data (i32.const 64) "{key}")
    (func (export "_start") (local $left i32) (local $at i32)
        (local.set $left (i32.const {others}))
        (block $done (loop $next
            (br_if $done (i32.eqz (local.get $left)))
            (local.set $at (i32.add (local.get $at) (i32.const {stride})))
            (i32.store8 (local.get $at) (i32.const 1))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next)))
        (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 0)))
        (i32.store (i32.const 16) (call $call (i32.const 64) (i32.const {key_len}) (i32.const 1)))
        (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 8)))
        (call $out (i32.const 0) (i32.const 20))))"#,
        memory_pages = image_mib * WASM_PAGES_PER_MIB,
        filled_bytes = image_mib * MIB - 4096,
        key_len = key.len(),
    ))
}

/// A guest that adds up the 64-bit words of the object that its input names, in a function of its table beside it, and gives the
/// sum, of 64 bits.
pub(super) fn guest_that_adds() -> Result<Bytes> {
    built(
        r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
    (import "env" "__faasmndp_storageCallAndAwait" (func $call (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (table 2 funcref)
    (elem (i32.const 1) $add)
    (global $key_len (mut i32) (i32.const 0))
    (func $add (result i32) (local $at i32) (local $end i32) (local $sum i64)
        (local.set $at (call $map (i32.const 1024) (global.get $key_len) (i64.const 0) (i64.const 0x7fffffffffff) (i32.const 8)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 1))))
        (local.set $end (i32.add (local.get $at) (i32.load (i32.const 8))))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br $next)))
        (i64.store (i32.const 0) (local.get $sum))
        (i32.const 0))
    (func (export "_start")
        (global.set $key_len (call $in (i32.const 1024) (i32.const 1024)))
        (if (call $call (i32.const 1024) (global.get $key_len) (i32.const 1)) (then (unreachable)))
        (call $out (i32.const 0) (i32.const 8))))"#,
    )
}
