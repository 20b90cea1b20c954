//! The other side: a function of a guest that waits at another node, run here.

use super::Callee;
use super::state::{apply, arrange, globals, unfit};
use crate::function::Function;
use crate::guest::{Guest, ObjectUse};
use crate::host::windows;
use crate::run::{Start, Surroundings, instantiate, thread_cpu_ns};
use crate::stop::end_of;
use bytes::Bytes;
use ganglion_types::{
    Delta, End, Error, Offload, Progress, Result, Returned, Shown, StorageCalls, Windows,
};
use wasmtime::{AsContextMut, StoreContextMut};

/// What came of it.
pub(crate) struct Taken {
    pub(crate) returned: Returned,
    pub(crate) changes: Option<Delta>,
    pub(crate) windows: Windows,
    pub(crate) output: Option<Bytes>,
    pub(crate) stdout: Bytes,
    pub(crate) stderr: Bytes,
    pub(crate) progress: Progress,
    pub(crate) objects: ObjectUse,
    pub(crate) storage_calls: StorageCalls,
    pub(crate) run_ns: u64,
    pub(crate) cpu_ns: u64,
}

/// Runs the function in a fresh instance with the guest's state.
///
/// # Errors
/// `Busy` and `Unavailable`: nothing ran. `Conflict` when it was [`overtaken`](super::overtaken), `Indeterminate` when what it left
/// cannot be told.
pub(crate) fn take(
    function: &Function,
    around: &Surroundings,
    start: Start,
    offload: &Offload,
) -> Result<Taken> {
    let (ours, theirs) = (function.image.hash(), offload.memory.image);
    if ours != theirs {
        return Err(Error::unavailable(format!(
            "its image of {} is {ours} here and {theirs} there",
            offload.call.function
        )));
    }
    let mut live = instantiate(function, around, start)?;
    let mut context = live.store.as_context_mut();
    match restore(&mut context, offload) {
        Ok(restored) => restored?,
        Err(stopped) => {
            return Err(
                match end_of(Err(stopped), context.data(), function.stack_bytes) {
                    End::Failed(error) => error,
                    End::Exited(_) => Error::internal("a guest exited before it ran"),
                },
            );
        }
    }
    let callee = Callee::find(&mut context, offload.function, offload.arguments.len());
    let callee = callee.ok_or_else(|| Error::invalid("there is no such function in the table"))?;
    let mark = context.data().openings;
    let (began_ns, cpu_began_ns) = (context.data().ambient.monotonic_ns(), thread_cpu_ns());
    let called = callee.call(&mut context, &offload.arguments);
    let ended = called.and_then(|value| {
        windows::close_since(context.data_mut(), mark)?;
        Ok((value, globals(&mut context)?))
    });
    let run_ns = context.data().ambient.monotonic_ns() - began_ns;
    let cpu_ns = thread_cpu_ns() - cpu_began_ns;
    let guest = context.data_mut();
    if guest.slot.take_torn() {
        return Err(Error::unavailable(
            "an object's file was cut short or could not be read while the function had it mapped",
        ));
    }
    let (returned, changes) = match ended {
        Ok((value, globals)) => {
            let limit = guest
                .reach
                .as_ref()
                .map_or(0, |reach| reach.offloads.delta_bytes_max);
            let changes = guest.slot.changes_since(&offload.memory, globals, limit);
            let changes = changes.map_err(|error| {
                Error::indeterminate(format!("it ran, and what it changed: {}", unfit(&error)))
            })?;
            (Returned::Value(value), Some(changes))
        }
        Err(error) => match end_of(Err(error), guest, function.stack_bytes) {
            End::Failed(error) if guest.overtaken => return Err(error),
            End::Failed(error) => (Returned::Failed(error), None),
            End::Exited(code) => (Returned::Exited(code), None),
        },
    };
    Ok(Taken {
        returned,
        changes,
        windows: guest.windows(),
        progress: guest.progress(),
        output: guest.output.take(),
        stdout: std::mem::take(&mut guest.stdout).into(),
        stderr: std::mem::take(&mut guest.stderr).into(),
        objects: guest.objects,
        storage_calls: std::mem::take(&mut guest.storage_calls),
        run_ns,
        cpu_ns,
    })
}

/// Makes the instance the guest that waits. Inner error: it cannot be made so here.
fn restore(
    context: &mut StoreContextMut<'_, Guest>,
    offload: &Offload,
) -> wasmtime::Result<Result<()>> {
    let Progress {
        writes, stdin_read, ..
    } = offload.progress;
    let guest = context.data_mut();
    guest.slot.expect_delta();
    guest.objects.writes = writes;
    guest.stdin_read = usize::try_from(stdin_read).unwrap_or(usize::MAX);
    guest.printed_before = offload.progress;
    let new = match arrange(context, offload.memory.memory_bytes, &offload.windows)? {
        Ok(new) => new,
        Err(error) => return Ok(Err(error)),
    };
    for window in new {
        let is_it = |shown: &&Shown| shown.window == window as u64;
        if let Some(shown) = offload.windows.shown.iter().find(is_it)
            && let Err(error) = windows::show(context, shown)?
        {
            return Ok(Err(Error::unavailable(format!("a window: {error}"))));
        }
    }
    apply(context, &offload.memory, |slot, delta| slot.apply(delta))
}
