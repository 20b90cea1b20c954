//! Storage calls: one function of the guest's table, run beside the object that it is about, wherever that is.
//!
//! ```text
//!   storage_call ─ place ─┬─ in place: the guest simply goes on                      (this file)
//!                         └─ at the home: capture ─ send ──> take ─ run ─ capture     (`state`, `take`)
//!                                         resume <── what changed ────────┘
//! ```
//!
//! The two ways give the same: what a storage call opens of windows ends with it, its writes are named by their place in the call,
//! and all that it prints, sets and changes comes back. A node that refuses, or gives no answer, costs time and nothing else: the
//! guest's memory here is as it was, so the function is run in place; a write that had been made at the other node carries its name
//! and is not made again.

mod place;
mod state;
mod take;

pub(crate) use place::Offloads;
pub(crate) use take::{Taken, take};

use crate::guest::{Guest, ObjectUse};
use crate::host::windows;
use crate::stop::{because, fault};
use ganglion_types::{Error, ObjectKey, Offload, Offloaded, Peer, Start, Usage};
use place::{Here, Placed, There};
use std::sync::Arc;
use wasmtime::{Result, StoreContextMut, TypedFunc};

/// A function of the table that can be called so: up to two `i32`s to one.
enum Callee {
    None(TypedFunc<(), i32>),
    One(TypedFunc<i32, i32>),
    Two(TypedFunc<(i32, i32), i32>),
}

impl Callee {
    /// `None` when there is no such function.
    fn find(
        context: &mut StoreContextMut<'_, Guest>,
        function: u32,
        arguments: usize,
    ) -> Option<Self> {
        let guest = context.data();
        let (table, instance) = (guest.exports.as_ref()?.table?, guest.instance?);
        let table = instance.get_module_export(&mut *context, &table)?;
        let element = table
            .into_table()?
            .get(&mut *context, u64::from(function))?;
        let wasmtime::Ref::Func(Some(function)) = element else {
            return None;
        };
        match arguments {
            0 => function.typed(&*context).ok().map(Self::None),
            1 => function.typed(&*context).ok().map(Self::One),
            2 => function.typed(&*context).ok().map(Self::Two),
            _ => None,
        }
    }

    fn call(&self, context: &mut StoreContextMut<'_, Guest>, arguments: &[i32]) -> Result<i32> {
        match (self, arguments) {
            (Self::None(function), []) => function.call(context, ()),
            (Self::One(function), [a]) => function.call(context, *a),
            (Self::Two(function), [a, b]) => function.call(context, (*a, *b)),
            _ => Err(fault("a function of the table was given other arguments")),
        }
    }
}

/// Runs a function of the guest's table beside an object, and gives what it returned; `None` when there is no such function.
pub(crate) fn storage_call(
    context: &mut StoreContextMut<'_, Guest>,
    object: &ObjectKey,
    function: u32,
    arguments: &[i32],
) -> Result<Option<i32>> {
    let Some(callee) = Callee::find(context, function, arguments.len()) else {
        return Ok(None);
    };
    let here = match place::place(context, object, function)? {
        Placed::Here(here) => here,
        Placed::There(there) => match away(context, there, object, (function, arguments))? {
            Ok(value) => return Ok(Some(value)),
            Err(here) => here,
        },
    };
    in_place(context, &callee, arguments, here).map(Some)
}

/// The guest goes on by itself.
fn in_place(
    context: &mut StoreContextMut<'_, Guest>,
    callee: &Callee,
    arguments: &[i32],
    here: Here,
) -> Result<i32> {
    let guest = context.data_mut();
    guest.storage_calls.in_place += 1;
    let (mark, before) = (guest.openings, guest.objects);
    let began_ns = guest.ambient.monotonic_ns();
    let value = callee.call(context, arguments)?;
    let guest = context.data_mut();
    windows::close_since(guest, mark)?;
    let run_ns = guest.ambient.monotonic_ns() - began_ns;
    let used = used_since(&before, &guest.objects, run_ns);
    guest.storage_calls.last_reason = here.learn(guest, &used);
    Ok(value)
}

fn used_since(before: &ObjectUse, after: &ObjectUse, run_ns: u64) -> Usage {
    Usage {
        wait_ns: 0,
        run_ns,
        cpu_ns: 0,
        object_bytes: after.object_bytes - before.object_bytes,
        moved_bytes: after.moved_bytes - before.moved_bytes,
        link_ns: after.link_ns - before.link_ns,
        store_failures: after.store_failures - before.store_failures,
        start: Start::Restored,
    }
}

/// The home goes on with the guest. Inner error: it does not, and the function is to run here.
fn away(
    context: &mut StoreContextMut<'_, Guest>,
    there: There,
    object: &ObjectKey,
    (function, arguments): (u32, &[i32]),
) -> Result<Result<i32, Here>> {
    let There {
        peer,
        memory,
        chosen,
    } = there;
    let guest = context.data_mut();
    let sent_bytes = memory.pages_bytes();
    let mut call = (*guest.call).clone();
    call.object = Some(object.clone());
    let offload = Offload {
        call,
        function,
        arguments: arguments.to_vec(),
        memory,
        windows: guest.windows(),
        progress: guest.progress(),
    };
    let began_ns = guest.ambient.monotonic_ns();
    let answered = send(guest, &peer, offload)?;
    let guest = context.data_mut();
    let took_ns = guest.ambient.monotonic_ns() - began_ns;
    let offloaded = match answered {
        Ok(offloaded) => offloaded,
        Err(error) => {
            tracing::debug!(call = %guest.call.id, %object, node = %peer.id(), %error, "run in place");
            guest.storage_calls.not_taken += 1;
            return Ok(Err(chosen.not_taken(peer.id(), &error)));
        }
    };
    let back_bytes = offloaded
        .changes
        .as_ref()
        .map_or(0, ganglion_types::Delta::pages_bytes);
    let usage = offloaded.usage;
    guest.storage_calls.offloaded += 1;
    guest.storage_calls.delta_bytes += sent_bytes + back_bytes;
    guest.objects.object_bytes += usage.object_bytes;
    guest.objects.moved_bytes += usage.moved_bytes;
    guest.objects.store_failures += usage.store_failures;
    // What is left of the time, when the other node's work is taken off, was the link's.
    guest.objects.link_ns += took_ns.saturating_sub(usage.run_ns + usage.wait_ns);
    let printed = offloaded.stdout.len() + offloaded.stderr.len();
    let reason = chosen.learn(guest, &usage, took_ns, back_bytes + printed as u64);
    guest.storage_calls.last_reason = match usage.start {
        Start::Restored => reason,
        Start::Cold => format!(
            "{reason}; it had to load the function first, which took {} us",
            usage.wait_ns / 1_000
        ),
    };
    state::resume(context, offloaded).map(Ok)
}

/// Outer error: the guest is stopped, because its time is up.
fn send(
    guest: &Guest,
    peer: &Arc<dyn Peer>,
    offload: Offload,
) -> Result<std::result::Result<Offloaded, Error>> {
    let Some(reach) = &guest.reach else {
        return Err(fault("start-up code cannot reach objects"));
    };
    reach.waiting.wait(peer.offload(offload))
}

/// A guest is about to overwrite what somebody has written since it looked. It is stopped, and whoever waits for the call begins it
/// again, with what is there now: so of two functions that read, change and write one object neither undoes the other, and one
/// whose caller has gone on without it does no harm. Writes that it has made already are not made again.
pub(crate) fn overtaken(guest: &mut Guest, object: &ObjectKey) -> wasmtime::Error {
    guest.overtaken = true;
    because(Error::conflict(format!(
        "{object} was written by somebody else while the function worked on it"
    )))
}
