//! One call, from a free slot to its answer, on the thread that it is given.

use crate::function::Function;
use crate::guest::{Guest, Reach};
use crate::interrupt::{Interrupter, Running};
use crate::memory::EngineMemory;
use crate::stop::end_of;
use bytes::Bytes;
use ganglion_registry::abi::COMBINE;
use ganglion_types::{Ambient, Call, End, Entry, Error, Result, StorageCalls};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use wasmtime::{Extern, Instance, Store, TypedFunc};

/// Where the instances of a process live, what stops them, and their clocks.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) memory: EngineMemory,
    pub(crate) interrupter: Arc<Interrupter>,
    pub(crate) ambient: Arc<dyn Ambient>,
}

/// What an instance is made with.
pub(crate) struct Start {
    pub(crate) call: Arc<Call>,
    pub(crate) cancelled: Arc<AtomicBool>,
    /// `None` for start-up code.
    pub(crate) reach: Option<Reach>,
}

/// An instance whose guest may run.
pub(crate) struct Live<'a> {
    running: Option<Running<'a>>,
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
}

impl Drop for Live<'_> {
    /// Before the store is dropped, and with it the slot is given back: from here on nobody stops who is in it.
    fn drop(&mut self) {
        self.running = None;
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) end: End,
    pub(crate) output: Option<Bytes>,
    pub(crate) stdout: Bytes,
    pub(crate) stderr: Bytes,
    pub(crate) objects: crate::guest::ObjectUse,
    pub(crate) storage_calls: StorageCalls,
    pub(crate) run_ns: u64,
    pub(crate) cpu_ns: u64,
}

/// A fresh instance in a slot with the function's image.
///
/// # Errors
/// `Busy` when every slot is in use; `Internal` when the engine refuses what the upload check took.
pub(crate) fn instantiate<'a>(
    function: &Function,
    around: &'a Surroundings,
    start: Start,
) -> Result<Live<'a>> {
    let slot = around
        .memory
        .prepare(&function.image)
        .map_err(|error| Error::unavailable(format!("no memory for a guest: {error}")))?
        .ok_or_else(|| Error::busy("every instance slot is in use (setting worker.instances)"))?;
    let Start {
        call,
        cancelled,
        reach,
    } = start;
    let guest = Guest::new(call, around.ambient.clone(), cancelled, slot, reach);
    let mut store = Store::new(function.pre.module().engine(), guest);
    store.limiter(|guest| guest);
    let failed = |error: wasmtime::Error| Error::internal(format!("instantiating: {error:#}"));
    let instance = function.pre.instantiate(&mut store).map_err(failed)?;
    let exported = instance.get_module_export(&mut store, &function.exports.memory);
    let guest = store.data_mut();
    guest.memory = exported.and_then(Extern::into_memory);
    guest.exports = Some(function.exports.clone());
    if function.offloads {
        guest.slot.expect_delta();
    }
    guest.instance = Some(instance);
    for (export, value) in &function.changed_globals {
        let global = instance
            .get_module_export(&mut store, export)
            .and_then(Extern::into_global);
        let global = global.ok_or_else(|| Error::internal("a global that is not exported"))?;
        global.set(&mut store, *value).map_err(failed)?;
    }
    Ok(Live {
        running: Some(around.interrupter.enter(&mut store)),
        store,
        instance,
    })
}

/// Where a guest is entered.
enum Code {
    Main(TypedFunc<(), ()>),
    Combine(TypedFunc<(), i32>),
}

impl Code {
    fn of(function: &Function, live: &mut Live<'_>) -> Result<Self> {
        let (store, instance) = (&mut live.store, live.instance);
        let entry = store.data().call.entry;
        let export = match entry {
            Entry::Main => Some(function.exports.main),
            Entry::Combine => function.exports.combine,
        };
        let export = export.ok_or_else(|| {
            let function = &store.data().call.function;
            Error::invalid(format!("{function} has no combiner (export {COMBINE})"))
        })?;
        let code = instance.get_module_export(&mut *store, &export);
        let code = code
            .and_then(Extern::into_func)
            .and_then(|code| match entry {
                Entry::Main => code.typed(&*store).ok().map(Self::Main),
                Entry::Combine => code.typed(&*store).ok().map(Self::Combine),
            });
        code.ok_or_else(|| Error::internal("the function's entry is not what it was"))
    }

    /// Runs it to its end, and gives its exit code.
    fn run(&self, store: &mut Store<Guest>) -> wasmtime::Result<i32> {
        match self {
            Self::Main(main) => main.call(store, ()).map(|()| 0),
            Self::Combine(combine) => combine.call(store, ()),
        }
    }
}

/// Runs a call in a fresh instance.
///
/// # Errors
/// As [`instantiate`]: nothing ran. `Invalid` when it has no such entry. `Conflict` when the guest was [overtaken](crate::offload::overtaken). What else it does is in the
/// answer.
pub(crate) fn run(function: &Function, around: &Surroundings, start: Start) -> Result<Ran> {
    let mut live = instantiate(function, around, start)?;
    let code = Code::of(function, &mut live)?;
    let store = &mut live.store;
    let (began_ns, cpu_began_ns) = (store.data().ambient.monotonic_ns(), thread_cpu_ns());
    let result = code.run(store);
    let run_ns = store.data().ambient.monotonic_ns() - began_ns;
    let cpu_ns = thread_cpu_ns() - cpu_began_ns;
    let guest = store.data_mut();
    let mut end = match result {
        Ok(code) => End::Exited(code),
        Err(error) => end_of(Err(error), guest, function.stack_bytes),
    };
    if guest.overtaken
        && let End::Failed(error) = end
    {
        return Err(error);
    }
    if guest.slot.take_torn() {
        end = End::Failed(Error::corrupt(
            "an object's file was cut short or could not be read while the function had it mapped",
        ));
    }
    Ok(Ran {
        end,
        output: guest.output.take(),
        stdout: std::mem::take(&mut guest.stdout).into(),
        stderr: std::mem::take(&mut guest.stderr).into(),
        objects: guest.objects,
        storage_calls: std::mem::take(&mut guest.storage_calls),
        run_ns,
        cpu_ns,
    })
}

pub(crate) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    seconds * 1_000_000_000 + nanos
}
