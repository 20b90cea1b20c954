//! The near-data interface: objects as memory, and calls beside them.
//!
//! An error never looks like data: `getMmap` answers null, the others a negative code (see [`Code`]).

use super::windows;
use crate::guest::{Guest, bytes_at, memory_and_guest};
use crate::offload::{self, overtaken};
use crate::stop::because;
use bytes::Bytes;
use ganglion_registry::abi::{ENV, PUT};
use ganglion_store::{ByteRange, CommitId, PutOptions};
use ganglion_types::{Entry, Error, ErrorKind, Key, ObjectKey};
use std::time::Duration;
use wasmtime::{AsContextMut, Caller, Linker, Result};

/// What a guest is told of an error; the header `ganglion/ndp.h` says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
enum Code {
    Ok = 0,
    Invalid = -1,
    NotFound = -2,
    Denied = -3,
    Limit = -4,
    Storage = -5,
}

impl Code {
    fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Denied => Self::Denied,
            _ => Self::Storage,
        }
    }
}

pub(super) fn define(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(ENV, "__faasmndp_getMmap", get_mmap)?;
    linker.func_wrap(ENV, "__faasmndp_unmap", unmap)?;
    linker.func_wrap(ENV, PUT, put)?;
    linker.func_wrap(
        ENV,
        "__faasmndp_storageCallAndAwait",
        |caller: Caller<'_, Guest>, key: u32, len: u32, function: u32| {
            storage_call(caller, (key, len), function, &[])
        },
    )?;
    linker.func_wrap(
        ENV,
        "__faasmndp_storageCallAndAwait1",
        |caller: Caller<'_, Guest>, key: u32, len: u32, function: u32, a: i32| {
            storage_call(caller, (key, len), function, &[a])
        },
    )?;
    linker.func_wrap(
        ENV,
        "__faasmndp_storageCallAndAwait2",
        |caller: Caller<'_, Guest>, key: u32, len: u32, function: u32, a: i32, b: i32| {
            storage_call(caller, (key, len), function, &[a, b])
        },
    )?;
    Ok(())
}

/// The object that a guest names: a key in its tenant's bucket.
fn object_at(
    caller: &mut Caller<'_, Guest>,
    (pointer, length): (u32, u32),
    function: &str,
) -> Result<Result<ObjectKey, Error>> {
    let (memory, guest) = memory_and_guest(caller)?;
    let bytes = bytes_at(memory, pointer, length, function)?;
    let Ok(key) = std::str::from_utf8(bytes) else {
        return Ok(Err(Error::invalid("the object key is not UTF-8")));
    };
    Ok(Key::new(key).map(|key| ObjectKey {
        bucket: guest.call.function.tenant.bucket(),
        key,
    }))
}

/// Maps a range of an object into the guest's memory. Returns the address of its first byte and sets `*length_out`; null
/// and 0 on any error. An empty range has an address as well.
fn get_mmap(
    mut caller: Caller<'_, Guest>,
    key: u32,
    key_length: u32,
    offset: i64,
    length_max: i64,
    length_out: u32,
) -> Result<u32> {
    const NAME: &str = "__faasmndp_getMmap";
    let set_length = |caller: &mut Caller<'_, Guest>, length: u32| {
        let (memory, _) = memory_and_guest(caller)?;
        bytes_at(memory, length_out, 4, NAME)?.copy_from_slice(&length.to_le_bytes());
        Ok::<_, wasmtime::Error>(())
    };
    set_length(&mut caller, 0)?;
    let object = object_at(&mut caller, (key, key_length), NAME)?;
    let (Ok(object), Ok(offset), Ok(length)) =
        (object, u64::try_from(offset), u64::try_from(length_max))
    else {
        return Ok(0);
    };
    let range = ByteRange { offset, length };
    match windows::open(&mut caller.as_context_mut(), &object, range)? {
        Ok((address, length)) => {
            set_length(&mut caller, length)?;
            Ok(address)
        }
        Err(error) => {
            caller.data_mut().objects.failed(&error);
            tracing::debug!(call = %caller.data().call.id, %object, %error, "getMmap");
            Ok(0)
        }
    }
}

/// Gives a window back; later ones may use its place.
fn unmap(mut caller: Caller<'_, Guest>, pointer: u32, _length: u32) -> Result<i32> {
    match windows::close(caller.data_mut(), windows::window_of(pointer))? {
        true => Ok(Code::Ok as i32),
        false => Ok(Code::Invalid as i32),
    }
}

/// Replaces a whole object. The write carries the call's id: a repeat of the call writes nothing twice. An object that the call has
/// mapped is replaced only while it is what was mapped; otherwise the call is begun again ([`overtaken`]). A combiner, of which nobody
/// knows how often it runs, writes none.
fn put(
    mut caller: Caller<'_, Guest>,
    key: u32,
    key_length: u32,
    pointer: u32,
    length: u32,
) -> Result<i32> {
    let object = match object_at(&mut caller, (key, key_length), PUT)? {
        Ok(object) => object,
        Err(error) => return Ok(Code::of(&error) as i32),
    };
    if caller.data().call.entry == Entry::Combine {
        return Ok(Code::Denied as i32);
    }
    make_certain(caller.data_mut())?;
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let body = Bytes::copy_from_slice(bytes_at(memory, pointer, length, PUT)?);
    let Some(reach) = &guest.reach else {
        return Ok(Code::Denied as i32);
    };
    let store = reach.store.clone();
    if store.home(&object).is_some_and(|home| home != reach.node) {
        guest.objects.moved_bytes += u64::from(length);
    }
    let commit = CommitId {
        call: guest.call.id,
        sequence: guest.objects.writes,
    };
    guest.objects.writes += 1;
    let options = PutOptions {
        commit: Some(commit),
        condition: guest.condition(&object),
    };
    let writing = store.put(&object, body, options);
    match windows::wait_for(&mut caller.as_context_mut(), &object, writing)? {
        Ok(meta) => {
            caller.data_mut().seen.insert(object, Some(meta.version));
            Ok(Code::Ok as i32)
        }
        Err(error) if error.kind() == ErrorKind::Conflict => {
            Err(overtaken(caller.data_mut(), &object))
        }
        // The key was found to be one above; what is left for the store to object to is the size.
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(Code::Limit as i32),
        Err(error) => {
            caller.data_mut().objects.failed(&error);
            tracing::debug!(call = %caller.data().call.id, %object, %error, "put");
            Ok(Code::of(&error) as i32)
        }
    }
}

/// How long a connection that has ended may take to be noticed, once this process runs again.
const NOTICE: Duration = Duration::from_millis(50);

/// Before a write: does the caller still wait? A process that was stopped for a while does not know what happened meanwhile. Its
/// caller may have heard nothing, run the call elsewhere and gone on to other calls, whose writes have pushed the names of this one's
/// out of the object's memory. Whoever has run for long lets the ends of connections be noticed first: they cancel the call.
fn make_certain(guest: &mut Guest) -> Result<()> {
    if let Some(reach) = &guest.reach
        && guest.ambient.monotonic_ns() - guest.certain_ns >= reach.trust_ns
    {
        reach.waiting.wait(tokio::time::sleep(NOTICE))?;
        guest.certain_ns = guest.ambient.monotonic_ns();
    }
    guest.may_go_on().map_err(because)
}

/// Runs a function of the table beside an object: at its home, where that is worth the way, or here.
fn storage_call(
    mut caller: Caller<'_, Guest>,
    key: (u32, u32),
    function: u32,
    arguments: &[i32],
) -> Result<i32> {
    match object_at(&mut caller, key, "__faasmndp_storageCallAndAwait")? {
        Ok(object) => {
            offload::storage_call(&mut caller.as_context_mut(), &object, function, arguments)
                .map(|value| value.unwrap_or(Code::Invalid as i32))
        }
        Err(_) => Ok(Code::Invalid as i32),
    }
}
