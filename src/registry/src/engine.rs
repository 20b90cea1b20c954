//! The engine's settings, in one place: what compiles an artefact must be what runs it.

use crate::blueprint::refused_features;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::sync::Arc;
use wasmtime::{Config, MemoryCreator, WasmFeatures};

/// Native stack that a thread must have beyond a guest's own, in bytes: the host functions run there too.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Address space that every linear memory reserves: all that 32-bit addresses can reach, so that no load or store
/// needs a bounds check.
const RESERVATION_BYTES: u64 = 4 << 30;
/// Protected space behind it: a load's constant offset of up to 32 MiB needs no check either.
const GUARD_BYTES: u64 = 32 << 20;

/// How a guest that runs is told to stop: its time is up, or its caller has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interruption {
    /// Each loop and each function reads a page that a watchdog makes inaccessible (see `poll`).
    Poll,
    /// Each loop and each function compares a counter of the engine's with its own limit; a beat increments the counter.
    Epoch,
    /// Not at all: for measuring what the others cost.
    #[serde(skip)]
    Never,
}

/// Wasmtime's engine with the house's settings, and how its guests are interrupted.
///
/// - Memory is never initialised by wasmtime: images are mapped by `snapshot`, and the rewritten modules have no
///   active data segments.
/// - No backtraces: a trap by stack exhaustion costs 14 times more with them, and its name is what a user reads.
/// - Atomic instructions are taken where guests poll, since polls are such; the upload check refuses them in any case.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    interruption: Interruption,
}

impl Engine {
    /// An engine that compiles. `stack_bytes` is a guest's native stack (setting `limits.stack`).
    ///
    /// # Errors
    /// Wasmtime's, when this machine cannot run it.
    pub fn new(stack_bytes: usize, interruption: Interruption) -> wasmtime::Result<Self> {
        Self::of(&config(stack_bytes, interruption), interruption)
    }

    /// An engine that runs guests as well, whose linear memories are made by `memory`. It runs what one of
    /// [`Engine::new`] has compiled for the same settings.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_memory(
        stack_bytes: usize,
        interruption: Interruption,
        memory: Arc<dyn MemoryCreator>,
    ) -> wasmtime::Result<Self> {
        let mut config = config(stack_bytes, interruption);
        config.with_host_memory(memory);
        Self::of(&config, interruption)
    }

    fn of(config: &Config, interruption: Interruption) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(config)?;
        Ok(Self {
            engine,
            interruption,
        })
    }

    /// How the guests that it compiles are interrupted.
    pub fn interruption(&self) -> Interruption {
        self.interruption
    }
}

impl Deref for Engine {
    type Target = wasmtime::Engine;
    fn deref(&self) -> &wasmtime::Engine {
        &self.engine
    }
}

fn config(stack_bytes: usize, interruption: Interruption) -> Config {
    let polls = interruption == Interruption::Poll;
    let mut config = Config::new();
    config
        .wasm_features(refused_features(), false)
        .wasm_features(WasmFeatures::THREADS, polls)
        .epoch_interruption(interruption == Interruption::Epoch)
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
