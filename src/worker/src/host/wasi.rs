//! WASI preview 1 for commands: arguments, environment, clocks, randomness, the three standard streams, exit.
//!
//! Our own because a call makes one of these a million times a second: the guest's state is three buffers and a cursor,
//! made with the call, where a general implementation makes a table of descriptors, and none of it needs an
//! asynchronous runtime. Source of the types and numbers: the `wasi_snapshot_preview1` witx files.

use crate::guest::{Guest, memory_and_guest};
use crate::stop::{Stop, because};
use ganglion_registry::abi::WASI;
use wasmtime::{Caller, Linker, Result};

/// WASI's error numbers that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Errno {
    Success = 0,
    Badf = 8,
    Fault = 21,
    Inval = 28,
    Nosys = 52,
    Notsup = 58,
    Spipe = 70,
}

/// What a WASI function came to; the guest sees the number.
pub(super) type Outcome = std::result::Result<(), Errno>;

pub(super) fn errno(outcome: Outcome) -> i32 {
    match outcome {
        Ok(()) => Errno::Success as i32,
        Err(errno) => errno as i32,
    }
}

/// A guest's memory with WASI's manner of failing: a bad pointer is `EFAULT`, not the end of the guest.
pub(super) struct GuestMemory<'a>(pub(super) &'a mut [u8]);

impl GuestMemory<'_> {
    pub(super) fn bytes(
        &mut self,
        pointer: u32,
        length: u32,
    ) -> std::result::Result<&mut [u8], Errno> {
        let start = pointer as usize;
        self.0
            .get_mut(start..start + length as usize)
            .ok_or(Errno::Fault)
    }

    pub(super) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Outcome {
        let length = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.bytes(pointer, length)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u32(&mut self, pointer: u32, value: u32) -> Outcome {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, pointer: u32, value: u64) -> Outcome {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(super) fn read_u32(&mut self, pointer: u32) -> std::result::Result<u32, Errno> {
        let bytes = self.bytes(pointer, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn read_u64(&mut self, pointer: u32) -> std::result::Result<u64, Errno> {
        let low = u64::from(self.read_u32(pointer)?);
        let high = u64::from(self.read_u32(pointer.checked_add(4).ok_or(Errno::Fault)?)?);
        Ok(high << 32 | low)
    }
}

pub(super) fn define(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(
        WASI,
        "args_get",
        |caller: Caller<'_, Guest>, pointers: u32, text: u32| {
            put_strings(caller, arguments, pointers, text)
        },
    )?;
    linker.func_wrap(
        WASI,
        "args_sizes_get",
        |caller: Caller<'_, Guest>, count: u32, bytes: u32| {
            put_sizes(caller, arguments, count, bytes)
        },
    )?;
    linker.func_wrap(
        WASI,
        "environ_get",
        |caller: Caller<'_, Guest>, pointers: u32, text: u32| {
            put_strings(caller, environment, pointers, text)
        },
    )?;
    linker.func_wrap(
        WASI,
        "environ_sizes_get",
        |caller: Caller<'_, Guest>, count: u32, bytes: u32| {
            put_sizes(caller, environment, count, bytes)
        },
    )?;
    linker.func_wrap(WASI, "clock_res_get", clock_res_get)?;
    linker.func_wrap(WASI, "clock_time_get", clock_time_get)?;
    linker.func_wrap(WASI, "random_get", random_get)?;
    linker.func_wrap(WASI, "sched_yield", || Errno::Success as i32)?;
    linker.func_wrap(WASI, "proc_exit", |code: i32| -> Result<()> {
        Err(Stop::Exit(code).into())
    })?;
    linker.func_wrap(WASI, "poll_oneoff", poll_oneoff)?;
    Ok(())
}

/// `argv`: Faasm's fixed first word, then the call's arguments.
fn arguments(guest: &Guest) -> Vec<String> {
    let first = std::iter::once("function.wasm".to_owned());
    first.chain(guest.call.args.iter().cloned()).collect()
}

/// No variable of the host is ever seen.
fn environment(guest: &Guest) -> Vec<String> {
    let function = &guest.call.function;
    vec![
        format!("GANGLION_TENANT={}", function.tenant),
        format!("GANGLION_FUNCTION={}", function.name),
    ]
}

fn put_sizes(
    mut caller: Caller<'_, Guest>,
    strings: fn(&Guest) -> Vec<String>,
    count: u32,
    bytes: u32,
) -> Result<i32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let (strings, mut memory) = (strings(guest), GuestMemory(memory));
    let total = strings.iter().map(|string| string.len() + 1).sum::<usize>();
    let sizes = (u32::try_from(strings.len()), u32::try_from(total));
    let (Ok(strings), Ok(total)) = sizes else {
        return Ok(Errno::Inval as i32);
    };
    Ok(errno(
        memory
            .write_u32(count, strings)
            .and_then(|()| memory.write_u32(bytes, total)),
    ))
}

fn put_strings(
    mut caller: Caller<'_, Guest>,
    strings: fn(&Guest) -> Vec<String>,
    pointers: u32,
    text: u32,
) -> Result<i32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let (strings, mut memory) = (strings(guest), GuestMemory(memory));
    let mut write = || {
        let (mut pointer, mut at) = (pointers, text);
        for string in &strings {
            memory.write_u32(pointer, at)?;
            memory.write(at, string.as_bytes())?;
            let end = u32::try_from(string.len())
                .ok()
                .and_then(|length| at.checked_add(length));
            let end = end.ok_or(Errno::Fault)?;
            memory.write(end, b"\0")?;
            (pointer, at) = (pointer.wrapping_add(4), end.wrapping_add(1));
        }
        Ok(())
    };
    Ok(errno(write()))
}

const CLOCK_REALTIME: u32 = 0;
const CLOCK_MONOTONIC: u32 = 1;

fn clock_res_get(mut caller: Caller<'_, Guest>, clock: u32, result: u32) -> Result<i32> {
    let (memory, _) = memory_and_guest(&mut caller)?;
    Ok(errno(match clock {
        CLOCK_REALTIME | CLOCK_MONOTONIC => GuestMemory(memory).write_u64(result, 1),
        _ => Err(Errno::Notsup),
    }))
}

fn clock_time_get(
    mut caller: Caller<'_, Guest>,
    clock: u32,
    _precision: u64,
    result: u32,
) -> Result<i32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    Ok(errno(match clock {
        CLOCK_REALTIME => GuestMemory(memory).write_u64(result, guest.ambient.unix_ns()),
        CLOCK_MONOTONIC => GuestMemory(memory).write_u64(result, guest.ambient.monotonic_ns()),
        _ => Err(Errno::Notsup),
    }))
}

/// A guest may ask for all of its memory at once; between two pieces it can be stopped.
const RANDOM_PIECE_BYTES: usize = 1 << 20;

fn random_get(mut caller: Caller<'_, Guest>, pointer: u32, length: u32) -> Result<i32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    match GuestMemory(memory).bytes(pointer, length) {
        Ok(buffer) => {
            for piece in buffer.chunks_mut(RANDOM_PIECE_BYTES) {
                guest.may_go_on().map_err(because)?;
                guest.ambient.fill_random(piece);
            }
            Ok(Errno::Success as i32)
        }
        Err(error) => Ok(error as i32),
    }
}

const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;
const SUBSCRIPTIONS_MAX: u32 = 64;
const EVENT_CLOCK: u8 = 0;
const CLOCK_ABSOLUTE: u32 = 1;

/// A subscription: who to tell, of what, and for a clock how long to wait.
struct Subscription {
    userdata: u64,
    kind: u8,
    wait_ns: u64,
}

/// Sleeps for the shortest clock among the subscriptions; a stream is always ready.
fn poll_oneoff(
    mut caller: Caller<'_, Guest>,
    subscriptions: u32,
    events: u32,
    count: u32,
    ready: u32,
) -> Result<i32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let now = (guest.ambient.monotonic_ns(), guest.ambient.unix_ns());
    let first = match first_event(&mut GuestMemory(memory), subscriptions, count, now) {
        Ok(first) => first,
        Err(error) => return Ok(error as i32),
    };
    if first.wait_ns > 0 {
        let Some(reach) = &guest.reach else {
            return Ok(Errno::Notsup as i32);
        };
        reach
            .waiting
            .wait(tokio::time::sleep(std::time::Duration::from_nanos(
                first.wait_ns,
            )))?;
    }
    let (memory, _) = memory_and_guest(&mut caller)?;
    let mut memory = GuestMemory(memory);
    let mut event = [0; EVENT_BYTES as usize];
    event[..8].copy_from_slice(&first.userdata.to_le_bytes());
    event[10] = first.kind;
    Ok(errno(
        memory
            .write(events, &event)
            .and_then(|()| memory.write_u32(ready, 1)),
    ))
}

/// What happens first.
fn first_event(
    memory: &mut GuestMemory<'_>,
    subscriptions: u32,
    count: u32,
    now: (u64, u64),
) -> std::result::Result<Subscription, Errno> {
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Err(Errno::Inval);
    }
    let mut first: Option<Subscription> = None;
    for index in 0..count {
        let at = subscriptions
            .checked_add(index * SUBSCRIPTION_BYTES)
            .ok_or(Errno::Fault)?;
        let next = read_subscription(memory, at, now)?;
        if first
            .as_ref()
            .is_none_or(|first| next.wait_ns < first.wait_ns)
        {
            first = Some(next);
        }
    }
    first.ok_or(Errno::Inval)
}

fn read_subscription(
    memory: &mut GuestMemory<'_>,
    at: u32,
    (monotonic_ns, unix_ns): (u64, u64),
) -> std::result::Result<Subscription, Errno> {
    memory.bytes(at, SUBSCRIPTION_BYTES)?;
    let userdata = memory.read_u64(at)?;
    let kind = memory.bytes(at + 8, 1)?[0];
    if kind != EVENT_CLOCK {
        return Ok(Subscription {
            userdata,
            kind,
            wait_ns: 0,
        });
    }
    let (clock, timeout) = (memory.read_u32(at + 16)?, memory.read_u64(at + 24)?);
    let absolute = memory.read_u32(at + 40)? & CLOCK_ABSOLUTE != 0;
    let wait_ns = match clock {
        _ if !absolute => timeout,
        CLOCK_REALTIME => timeout.saturating_sub(unix_ns),
        CLOCK_MONOTONIC => timeout.saturating_sub(monotonic_ns),
        _ => return Err(Errno::Notsup),
    };
    Ok(Subscription {
        userdata,
        kind,
        wait_ns,
    })
}
