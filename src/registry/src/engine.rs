//! The engine's settings, in one place: what compiles an artefact must be what runs it.

use wasmtime::Config;

/// Native stack that a thread must have beyond a guest's own, in bytes: the host functions run there too.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Address space that every linear memory reserves: all that 32-bit addresses can reach, so that no load or store
/// needs a bounds check.
const RESERVATION_BYTES: u64 = 4 << 30;
/// Protected space behind it: a load's constant offset of up to 32 MiB needs no check either.
const GUARD_BYTES: u64 = 32 << 20;

/// The configuration of every engine in the house. `stack_bytes` is a guest's native stack (setting `limits.stack`).
///
/// - Memory is never initialised by wasmtime: images are mapped by `snapshot`, and the rewritten modules have no
///   active data segments.
/// - Epochs interrupt guests (deadlines, cancellation).
/// - No backtraces: a trap by stack exhaustion costs 14 times more with them, and its name is what a user reads.
pub fn engine_config(stack_bytes: usize) -> Config {
    let mut config = Config::new();
    config
        .wasm_features(crate::blueprint::refused_features(), false)
        .epoch_interruption(true)
        .max_wasm_stack(stack_bytes)
        .wasm_backtrace_max_frames(None)
        .memory_init_cow(false)
        .memory_reservation(RESERVATION_BYTES)
        .memory_guard_size(GUARD_BYTES)
        .memory_may_move(false)
        .generate_address_map(false);
    config
}

/// Stack size of a thread that runs guests of `stack_bytes`.
pub fn stack_bytes_of(stack_bytes: usize) -> usize {
    stack_bytes + HOST_STACK_BYTES
}
