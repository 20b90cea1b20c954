//! The near-data interface: objects as memory, and calls beside them.
//!
//! An error never looks like data: `getMmap` answers null, the others a negative code (see [`Code`]).

use crate::guest::{Guest, bytes_at, memory_and_guest};
use crate::stop::{because, fault};
use bytes::Bytes;
use futures::StreamExt;
use ganglion_registry::abi::{ENV, PUT};
use ganglion_snapshot::PAGE_BYTES;
use ganglion_store::{ByteRange, CommitId, ObjectMeta, ObjectStore, ObjectView, PutOptions};
use ganglion_types::{Error, ErrorKind, Key, ObjectKey};
use std::sync::Arc;
use wasmtime::{Caller, Linker, Result, WasmParams};

/// Object bytes are fetched from another node in pieces of this size, several at once.
const PIECE_BYTES: u64 = 4 << 20;
const PIECES_AT_ONCE: usize = 4;
/// How often a read begins again because the object was replaced meanwhile.
const READ_ATTEMPTS: usize = 3;
const WASM_PAGE_BYTES: usize = 65_536;

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
            storage_call(caller, (key, len), function, ())
        },
    )?;
    linker.func_wrap(
        ENV,
        "__faasmndp_storageCallAndAwait1",
        |caller: Caller<'_, Guest>, key: u32, len: u32, function: u32, a: i32| {
            storage_call(caller, (key, len), function, a)
        },
    )?;
    linker.func_wrap(
        ENV,
        "__faasmndp_storageCallAndAwait2",
        |caller: Caller<'_, Guest>, key: u32, len: u32, function: u32, a: i32, b: i32| {
            storage_call(caller, (key, len), function, (a, b))
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
    match open_window(&mut caller, &object, ByteRange { offset, length })? {
        Ok((address, length)) => {
            set_length(&mut caller, length)?;
            Ok(address)
        }
        Err(error) => {
            tracing::debug!(call = %caller.data().call.id, %object, %error, "getMmap");
            Ok(0)
        }
    }
}

/// Outer error: the guest is stopped. Inner error: the guest is told.
fn open_window(
    caller: &mut Caller<'_, Guest>,
    object: &ObjectKey,
    range: ByteRange,
) -> Result<Result<(u32, u32), Error>> {
    let Some(reach) = &caller.data().reach else {
        return Ok(Err(no_objects()));
    };
    let store = reach.store.clone();
    for _ in 0..READ_ATTEMPTS {
        let view = match wait_for(caller, object, store.view(object))? {
            Ok(view) => view,
            Err(error) => return Ok(Err(error)),
        };
        let range = range.within(view.meta().size_bytes);
        let opened = match &view {
            ObjectView::File { file, .. } => map_file(caller, file, range)?,
            ObjectView::Remote { meta } => fetch(caller, &store, object, meta, range)?,
        };
        match opened {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Ok(address) => {
                caller.data_mut().objects.object_bytes += range.length;
                let length = u32::try_from(range.length).expect("a window is below 4 GiB");
                return Ok(Ok((address, length)));
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(Error::conflict(format!(
        "{object} is being replaced too often to be read whole"
    ))))
}

/// On the object's own node: its file becomes memory, without a copy.
fn map_file(
    caller: &mut Caller<'_, Guest>,
    file: &std::fs::File,
    range: ByteRange,
) -> Result<Result<u32, Error>> {
    let skipped = range.offset % PAGE_BYTES as u64;
    let length = usize::try_from(skipped + range.length).unwrap_or(usize::MAX);
    let offset = match window_for(caller, length)? {
        Ok(offset) => offset,
        Err(error) => return Ok(Err(error)),
    };
    let mapped = caller
        .data()
        .slot
        .map_object(offset, file, range.offset - skipped, length);
    if let Err(error) = mapped {
        return Ok(Err(Error::unavailable(format!(
            "the object cannot be mapped: {error}"
        ))));
    }
    Ok(Ok(address(
        offset + usize::try_from(skipped).expect("below a page"),
    )))
}

/// Not a file of this host: straight into the window where the store can, or else in pieces that are copied there.
fn fetch(
    caller: &mut Caller<'_, Guest>,
    store: &Arc<dyn ObjectStore>,
    object: &ObjectKey,
    meta: &ObjectMeta,
    range: ByteRange,
) -> Result<Result<u32, Error>> {
    let length = usize::try_from(range.length).unwrap_or(usize::MAX);
    let offset = match window_for(caller, length)? {
        Ok(offset) => offset,
        Err(error) => return Ok(Err(error)),
    };
    let slot = caller.data().slot.clone();
    let filling = match slot.begin_filling(offset, length) {
        Ok(filling) => filling,
        Err(error) => {
            return Ok(Err(Error::internal(format!(
                "a window for {object}: {error}"
            ))));
        }
    };
    let fetched = match read_straight(caller, store, object, meta, range, offset)? {
        Some(fetched) => fetched,
        None => copy_pieces(caller, store, object, meta, range, offset)?,
    };
    // On every other path the filling is dropped, and the guest, should it go on, finds zeros where it was.
    Ok(match fetched {
        Ok(bytes) if bytes == range.length => {
            filling.finish(length);
            Ok(address(offset))
        }
        Ok(_) => Err(Error::corrupt(format!("{object} ended before its size"))),
        Err(error) => Err(error),
    })
}

/// `None` where the store does not offer it; otherwise how many bytes came.
fn read_straight(
    caller: &mut Caller<'_, Guest>,
    store: &Arc<dyn ObjectStore>,
    object: &ObjectKey,
    meta: &ObjectMeta,
    range: ByteRange,
    offset: usize,
) -> Result<Option<Result<u64, Error>>> {
    let remote = is_remote(caller, object)?;
    let (memory, guest) = memory_and_guest(caller)?;
    let Some(reach) = &guest.reach else {
        return Err(fault("start-up code cannot reach objects"));
    };
    let length = usize::try_from(range.length).unwrap_or(usize::MAX);
    let into = &mut memory[offset..offset + length];
    let before = guest.ambient.monotonic_ns();
    let mut stopped = None;
    let read = store.read_into(object, meta.version, range.offset, into, &mut |reading| {
        reach.waiting.wait(reading).map_err(|error| {
            stopped = Some(error);
            Error::deadline("stopped while it waits for an object")
        })
    });
    match (stopped, read) {
        (Some(error), _) => Err(error),
        (None, None) => Ok(None),
        (None, Some(read)) => {
            let read = read.map(|bytes| bytes as u64);
            if remote {
                guest.objects.link_ns += guest.ambient.monotonic_ns() - before;
                guest.objects.moved_bytes += *read.as_ref().unwrap_or(&0);
            }
            Ok(Some(read))
        }
    }
}

fn copy_pieces(
    caller: &mut Caller<'_, Guest>,
    store: &Arc<dyn ObjectStore>,
    object: &ObjectKey,
    meta: &ObjectMeta,
    range: ByteRange,
    offset: usize,
) -> Result<Result<u64, Error>> {
    let starts = (0..range.length).step_by(usize::try_from(PIECE_BYTES).expect("4 MiB"));
    let mut pieces = futures::stream::iter(starts.map(|start| {
        let length = PIECE_BYTES.min(range.length - start);
        store.get(
            object,
            ByteRange {
                offset: range.offset + start,
                length,
            },
            Some(meta.version),
        )
    }))
    .buffered(PIECES_AT_ONCE);
    let (mut at, end) = (offset, offset as u64 + range.length);
    while let Some(piece) = wait_for(caller, object, pieces.next())? {
        let piece = match piece {
            Ok(piece) => piece.bytes,
            Err(error) => return Ok(Err(error)),
        };
        if (at + piece.len()) as u64 > end {
            return Ok(Err(Error::corrupt(format!(
                "{object} has more bytes than were asked for"
            ))));
        }
        let (memory, guest) = memory_and_guest(caller)?;
        memory[at..at + piece.len()].copy_from_slice(&piece);
        guest.objects.moved_bytes += piece.len() as u64;
        at += piece.len();
    }
    Ok(Ok((at - offset) as u64))
}

/// A window's place in memory: one that was given back, or new memory at the end.
fn window_for(caller: &mut Caller<'_, Guest>, length: usize) -> Result<Result<usize, Error>> {
    let slot = caller.data().slot.clone();
    if let Some(offset) = slot.free_window(length) {
        return Ok(Ok(offset));
    }
    let too_large = || {
        Error::guest(format!(
            "an object range of {length} bytes does not fit into what is left of the 4 GiB that a guest can address"
        ))
    };
    let old = slot.size_bytes();
    let (offset, size) = slot.window_at_the_end(length);
    let pages = (size.saturating_sub(old) / WASM_PAGE_BYTES) as u64;
    if size > ganglion_snapshot::SLOT_BYTES {
        return Ok(Err(too_large()));
    }
    let Some(memory) = caller.data().memory else {
        return Ok(Err(no_objects()));
    };
    caller.data_mut().opening_window = true;
    let grown = memory.grow(&mut *caller, pages);
    caller.data_mut().opening_window = false;
    if grown.is_err() {
        return Ok(Err(too_large()));
    }
    caller.data_mut().window_bytes += size - old;
    slot.enter_window(offset, length);
    Ok(Ok(offset))
}

fn address(offset: usize) -> u32 {
    u32::try_from(offset).expect("a slot's offsets have 32 bits")
}

/// Gives a window back; later ones may use its place.
fn unmap(caller: Caller<'_, Guest>, pointer: u32, _length: u32) -> Result<i32> {
    // A range that began within a page was mapped from the page's beginning.
    let offset = pointer as usize & !(PAGE_BYTES - 1);
    match caller.data().slot.unmap_window(offset) {
        Ok(true) => Ok(Code::Ok as i32),
        Ok(false) => Ok(Code::Invalid as i32),
        Err(error) => Err(because(Error::internal(format!(
            "unmapping a window: {error}"
        )))),
    }
}

/// Replaces a whole object. The write carries the call's id: a repeat of the call writes nothing twice.
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
        ..PutOptions::default()
    };
    match wait_for(&mut caller, &object, store.put(&object, body, options))? {
        Ok(_) => Ok(Code::Ok as i32),
        // The key was found to be one above; what is left for the store to object to is the size.
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(Code::Limit as i32),
        Err(error) => {
            tracing::debug!(call = %caller.data().call.id, %object, %error, "put");
            Ok(Code::of(&error) as i32)
        }
    }
}

/// Runs a function of the table beside an object. Here that is in place: the call as a whole was placed near its object
/// before it began.
fn storage_call<P: WasmParams>(
    mut caller: Caller<'_, Guest>,
    key: (u32, u32),
    function: u32,
    arguments: P,
) -> Result<i32> {
    if object_at(&mut caller, key, "__faasmndp_storageCallAndAwait")?.is_err() {
        return Ok(Code::Invalid as i32);
    }
    let (table, instance) = (caller.data().table, caller.data().instance);
    let (Some(table), Some(instance)) = (table, instance) else {
        return Ok(Code::Invalid as i32);
    };
    let table = instance
        .get_module_export(&mut caller, &table)
        .and_then(wasmtime::Extern::into_table);
    let element = table.and_then(|table| table.get(&mut caller, u64::from(function)));
    let Some(wasmtime::Ref::Func(Some(function))) = element else {
        return Ok(Code::Invalid as i32);
    };
    match function.typed::<P, i32>(&caller) {
        Ok(function) => function.call(&mut caller, arguments),
        Err(_) => Ok(Code::Invalid as i32),
    }
}

/// Waits for the store; when the object is another node's, that is time on the link.
fn wait_for<F: Future>(
    caller: &mut Caller<'_, Guest>,
    object: &ObjectKey,
    future: F,
) -> Result<F::Output> {
    let remote = is_remote(caller, object)?;
    let guest = caller.data_mut();
    let Some(reach) = &guest.reach else {
        return Err(fault("start-up code cannot reach objects"));
    };
    let before = guest.ambient.monotonic_ns();
    let output = reach.waiting.wait(future)?;
    if remote {
        guest.objects.link_ns += guest.ambient.monotonic_ns() - before;
    }
    Ok(output)
}

/// Whether the object is another node's.
fn is_remote(caller: &mut Caller<'_, Guest>, object: &ObjectKey) -> Result<bool> {
    let Some(reach) = &caller.data().reach else {
        return Err(fault("start-up code cannot reach objects"));
    };
    let home = reach.store.home(object);
    Ok(home.is_some_and(|home| home != reach.node))
}

fn no_objects() -> Error {
    Error::denied("start-up code cannot reach objects")
}
