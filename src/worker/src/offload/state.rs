//! A guest's state, taken out and put back: what a delta does not know of.

use crate::function::{global_value, value};
use crate::guest::Guest;
use crate::host::windows::grow_for_windows;
use crate::stop::{Stop, because};
use ganglion_snapshot::DeltaError;
use ganglion_types::{
    Delta, Error, GlobalValue, Offloaded, Progress, Returned, StorageCalls, Windows,
};
use wasmtime::{Extern, Result, StoreContextMut};

impl Guest {
    /// The windows, as another node has to make them.
    pub(crate) fn windows(&self) -> Windows {
        Windows {
            layout: self.slot.windows(),
            bytes: self.window_bytes as u64,
            shown: self.open.iter().map(|open| open.shown.clone()).collect(),
        }
    }

    /// How far the call has come.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            writes: self.objects.writes,
            stdin_read: self.stdin_read as u64,
            stdout_bytes: self.printed_before.stdout_bytes + self.stdout.len() as u64,
            stderr_bytes: self.printed_before.stderr_bytes + self.stderr.len() as u64,
        }
    }
}

/// The mutable globals, in the image's order.
pub(super) fn globals(context: &mut StoreContextMut<'_, Guest>) -> Result<Vec<GlobalValue>> {
    let guest = context.data();
    let (Some(exports), Some(instance)) = (guest.exports.clone(), guest.instance) else {
        return Err(incomplete());
    };
    let read = |export| {
        let global = instance
            .get_module_export(&mut *context, export)
            .and_then(Extern::into_global);
        global.and_then(|global| global_value(&global.get(&mut *context)))
    };
    let values: Option<Vec<_>> = exports.globals.iter().map(read).collect();
    values.ok_or_else(incomplete)
}

fn set_globals(context: &mut StoreContextMut<'_, Guest>, values: &[GlobalValue]) -> Result<()> {
    let guest = context.data();
    let (Some(exports), Some(instance)) = (guest.exports.clone(), guest.instance) else {
        return Err(incomplete());
    };
    for (export, global) in exports.globals.iter().zip(values) {
        let found = instance
            .get_module_export(&mut *context, export)
            .and_then(Extern::into_global);
        let found = found.ok_or_else(incomplete)?;
        found.set(&mut *context, value(*global))?;
    }
    Ok(())
}

fn incomplete() -> wasmtime::Error {
    because(Error::internal("a guest without its exports"))
}

/// Makes the memory as large as the delta's, with windows where they are there, and gives the offsets of those that are new here.
///
/// Inner error: it cannot be made so, and is as it was.
pub(super) fn arrange(
    context: &mut StoreContextMut<'_, Guest>,
    memory_bytes: u64,
    windows: &Windows,
) -> Result<std::result::Result<Vec<usize>, Error>> {
    let size = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    if size < context.data().slot.size_bytes() {
        return Ok(Err(Error::corrupt("a memory that became smaller")));
    }
    if let Err(error) = grow_for_windows(context, size)? {
        return Ok(Err(error));
    }
    let guest = context.data_mut();
    let Ok(window_bytes) = usize::try_from(windows.bytes) else {
        return Ok(Err(Error::corrupt("windows beyond any memory")));
    };
    if window_bytes > size {
        return Ok(Err(Error::corrupt("windows larger than the memory")));
    }
    guest.window_bytes = window_bytes;
    Ok(guest
        .slot
        .arrange_windows(&windows.layout, memory_bytes)
        .map_err(|error| unfit(&error)))
}

/// Puts a delta into a memory that has been [`arrange`]d for it.
pub(super) fn apply(
    context: &mut StoreContextMut<'_, Guest>,
    delta: &Delta,
    put: impl FnOnce(&ganglion_snapshot::Slot, &Delta) -> std::result::Result<(), DeltaError>,
) -> Result<std::result::Result<(), Error>> {
    if let Err(error) = put(&context.data().slot, delta) {
        return Ok(Err(unfit(&error)));
    }
    set_globals(context, &delta.globals)?;
    Ok(Ok(()))
}

pub(super) fn unfit(error: &DeltaError) -> Error {
    Error::unavailable(format!("the guest's memory: {error}"))
}

/// The guest goes on with what a function at another node has left of it, and gets what that returned.
///
/// # Errors
/// The function's end, where that is the guest's as well; also when what came cannot be put in.
pub(super) fn resume(
    context: &mut StoreContextMut<'_, Guest>,
    offloaded: Offloaded,
) -> Result<i32> {
    let guest = context.data_mut();
    guest.objects.writes = offloaded.progress.writes;
    guest.stdin_read = usize::try_from(offloaded.progress.stdin_read).unwrap_or(usize::MAX);
    guest.stdout.extend_from_slice(&offloaded.stdout);
    guest.stderr.extend_from_slice(&offloaded.stderr);
    if offloaded.output.is_some() {
        guest.output = offloaded.output;
    }
    add(&mut guest.storage_calls, &offloaded.storage_calls);
    let value = match offloaded.returned {
        Returned::Value(value) => value,
        Returned::Exited(code) => return Err(Stop::Exit(code).into()),
        Returned::Failed(error) => return Err(because(error)),
    };
    let missing = || because(Error::corrupt("a function returned without its memory"));
    let changes = offloaded.changes.ok_or_else(missing)?;
    let windows = &offloaded.windows;
    arrange(context, changes.memory_bytes, windows)?.map_err(because)?;
    let is_kept = |window: u64| {
        let mut used = windows.layout.used.iter();
        used.any(|range| range.offset == window && !range.replaced)
    };
    context
        .data_mut()
        .open
        .retain(|open| is_kept(open.shown.window));
    apply(context, &changes, |slot, changes| {
        slot.apply_changes(changes)
    })?
    .map_err(because)?;
    Ok(value)
}

fn add(sum: &mut StorageCalls, more: &StorageCalls) {
    sum.offloaded += more.offloaded;
    sum.in_place += more.in_place;
    sum.not_taken += more.not_taken;
    sum.delta_bytes += more.delta_bytes;
}
