//! Object windows: a range of an object becomes a range of the guest's memory.
//!
//! A file of this node is mapped, without a copy. An object in Ceph is read straight into the window's pages, and one of another
//! node comes over the link, in pieces.

use crate::guest::{Guest, Open, memory_and_guest};
use crate::stop::{because, fault};
use futures::StreamExt;
use ganglion_snapshot::PAGE_BYTES;
use ganglion_store::{ByteRange, ObjectMeta, ObjectStore, ObjectView, Version};
use ganglion_types::{Error, ErrorKind, ObjectKey, Shown};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use wasmtime::{Result, StoreContextMut};

/// Object bytes are fetched from another node in pieces of this size, several at once.
const PIECE_BYTES: u64 = 4 << 20;
const PIECES_AT_ONCE: usize = 4;
/// How often a read begins again because the object was replaced meanwhile.
const READ_ATTEMPTS: usize = 3;
const WASM_PAGE_BYTES: usize = 65_536;

/// Maps a range of an object, as far as the object reaches, and gives the address and the length of what is mapped.
///
/// Outer error: the guest is stopped. Inner error: the guest is told.
pub(crate) fn open(
    context: &mut StoreContextMut<'_, Guest>,
    object: &ObjectKey,
    range: ByteRange,
) -> Result<Result<(u32, u32), Error>> {
    let store = match store_of(context) {
        Ok(store) => store,
        Err(error) => return Ok(Err(error)),
    };
    for _ in 0..READ_ATTEMPTS {
        let view = match wait_for(context, object, store.view(object))? {
            Ok(view) => view,
            Err(error) => {
                if error.kind() == ErrorKind::NotFound {
                    context.data_mut().seen.insert(object.clone(), None);
                }
                return Ok(Err(error));
            }
        };
        let range = range.within(view.meta().size_bytes);
        // A mapping begins with a page of the file; what is read begins there too, so that addresses are the same everywhere.
        let skipped = range.offset % PAGE_BYTES as u64;
        let shown = ByteRange {
            offset: range.offset - skipped,
            length: skipped + range.length,
        };
        let window = match window_for(context, length_of(shown))? {
            Ok(window) => window,
            Err(error) => return Ok(Err(error)),
        };
        let put = put_into(context, &store, (object, &view), shown, window)?;
        if put.is_err() {
            close(context.data_mut(), window)?;
        }
        match put {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Ok(Err(error)),
            Ok(()) => {
                let guest = context.data_mut();
                guest.objects.object_bytes += range.length;
                guest.seen.insert(object.clone(), Some(view.meta().version));
                guest.opened(Shown {
                    window: window as u64,
                    object: object.clone(),
                    version: view.meta().version.0,
                    offset: shown.offset,
                    len_bytes: shown.length,
                });
                let length = u32::try_from(range.length).expect("a window is below 4 GiB");
                return Ok(Ok((address(window as u64 + skipped), length)));
            }
        }
    }
    Ok(Err(Error::conflict(format!(
        "{object} is being replaced too often to be read whole"
    ))))
}

/// Shows in an empty window of this guest what a window of the guest's at another node shows.
///
/// Outer error: the guest is stopped. Inner error: it cannot be shown here, as when that version is no longer there.
pub(crate) fn show(
    context: &mut StoreContextMut<'_, Guest>,
    shown: &Shown,
) -> Result<Result<(), Error>> {
    let store = match store_of(context) {
        Ok(store) => store,
        Err(error) => return Ok(Err(error)),
    };
    let object = &shown.object;
    let view = match wait_for(context, object, store.view(object))? {
        Ok(view) => view,
        Err(error) => return Ok(Err(error)),
    };
    let range = ByteRange {
        offset: shown.offset,
        length: shown.len_bytes,
    };
    let there = view.meta();
    if there.version != Version(shown.version) || range.within(there.size_bytes) != range {
        return Ok(Err(Error::conflict(format!(
            "{object} was replaced since it was mapped"
        ))));
    }
    let window = usize::try_from(shown.window).unwrap_or(usize::MAX);
    let put = put_into(context, &store, (object, &view), range, window)?;
    if put.is_ok() {
        let guest = context.data_mut();
        guest.objects.object_bytes += range.length;
        guest.opened(shown.clone());
    }
    Ok(put)
}

/// Gives the window back that begins at `window`; `false` when there is none.
pub(crate) fn close(guest: &mut Guest, window: usize) -> Result<bool> {
    let unmapped = guest.slot.unmap_window(window);
    let unmapped = unmapped
        .map_err(|error| because(Error::internal(format!("unmapping a window: {error}"))))?;
    guest.open.retain(|open| open.shown.window != window as u64);
    Ok(unmapped)
}

/// Gives all windows back that were opened since [`Guest::openings`] was `mark`.
pub(crate) fn close_since(guest: &mut Guest, mark: u64) -> Result<()> {
    let opened = |open: &&Open| open.number >= mark;
    let windows: Vec<u64> = guest
        .open
        .iter()
        .filter(opened)
        .map(|open| open.shown.window)
        .collect();
    for window in windows {
        close(guest, usize::try_from(window).unwrap_or(usize::MAX))?;
    }
    Ok(())
}

/// Where in memory the window that holds `address` may begin: a range that began within a page was mapped from the page's beginning.
pub(crate) fn window_of(address: u32) -> usize {
    address as usize & !(PAGE_BYTES - 1)
}

fn store_of(context: &mut StoreContextMut<'_, Guest>) -> Result<Arc<dyn ObjectStore>, Error> {
    let guest = context.data_mut();
    let none = || Error::denied("start-up code cannot reach objects");
    Ok(guest.reach.as_ref().ok_or_else(none)?.store.clone())
}

fn length_of(range: ByteRange) -> usize {
    usize::try_from(range.length).unwrap_or(usize::MAX)
}

fn address(offset: u64) -> u32 {
    u32::try_from(offset).expect("a slot's offsets have 32 bits")
}

/// Puts a range that lies within the object into the window at `window`.
fn put_into(
    context: &mut StoreContextMut<'_, Guest>,
    store: &Arc<dyn ObjectStore>,
    (object, view): (&ObjectKey, &ObjectView),
    range: ByteRange,
    window: usize,
) -> Result<Result<(), Error>> {
    match view {
        ObjectView::File { file, .. } if range.offset.is_multiple_of(PAGE_BYTES as u64) => {
            let slot = context.data_mut().slot.clone();
            let mapped = slot.map_object(window, file, range.offset, length_of(range));
            Ok(mapped.map_err(|error| {
                Error::unavailable(format!("the object cannot be mapped: {error}"))
            }))
        }
        ObjectView::File { file, .. } => fill(context, object, range, window, |context| {
            let (memory, _) = memory_and_guest(&mut *context)?;
            let into = &mut memory[window..window + length_of(range)];
            let read = file.read_exact_at(into, range.offset);
            let failed = |error| Error::unavailable(format!("reading {object}: {error}"));
            Ok(read.map(|()| range.length).map_err(failed))
        }),
        ObjectView::Remote { meta } => {
            fill(
                context,
                object,
                range,
                window,
                |context| match read_straight(context, store, object, meta, range, window)? {
                    Some(read) => Ok(read),
                    None => copy_pieces(context, store, object, meta, range, window),
                },
            )
        }
    }
}

/// Fills a window with what `read` writes into it; zeros when that is not all of the range.
fn fill(
    context: &mut StoreContextMut<'_, Guest>,
    object: &ObjectKey,
    range: ByteRange,
    window: usize,
    read: impl FnOnce(&mut StoreContextMut<'_, Guest>) -> Result<Result<u64, Error>>,
) -> Result<Result<(), Error>> {
    let slot = context.data_mut().slot.clone();
    let filling = match slot.begin_filling(window, length_of(range)) {
        Ok(filling) => filling,
        Err(error) => {
            return Ok(Err(Error::internal(format!(
                "a window for {object}: {error}"
            ))));
        }
    };
    // On every path but one the filling is dropped, and the guest, should it go on, finds zeros where it was.
    Ok(match read(context)? {
        Ok(bytes) if bytes == range.length => {
            filling.finish(length_of(range));
            Ok(())
        }
        Ok(_) => Err(Error::corrupt(format!("{object} ended before its size"))),
        Err(error) => Err(error),
    })
}

/// `None` where the store does not offer it; otherwise how many bytes came.
fn read_straight(
    context: &mut StoreContextMut<'_, Guest>,
    store: &Arc<dyn ObjectStore>,
    object: &ObjectKey,
    meta: &ObjectMeta,
    range: ByteRange,
    window: usize,
) -> Result<Option<Result<u64, Error>>> {
    let (memory, guest) = memory_and_guest(&mut *context)?;
    let remote = is_remote(guest, object);
    let Some(reach) = &guest.reach else {
        return Err(fault("start-up code cannot reach objects"));
    };
    let into = &mut memory[window..window + length_of(range)];
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
    context: &mut StoreContextMut<'_, Guest>,
    store: &Arc<dyn ObjectStore>,
    object: &ObjectKey,
    meta: &ObjectMeta,
    range: ByteRange,
    window: usize,
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
    let (mut at, end) = (window, window as u64 + range.length);
    while let Some(piece) = wait_for(context, object, pieces.next())? {
        let piece = match piece {
            Ok(piece) => piece.bytes,
            Err(error) => return Ok(Err(error)),
        };
        if (at + piece.len()) as u64 > end {
            return Ok(Err(Error::corrupt(format!(
                "{object} has more bytes than were asked for"
            ))));
        }
        let (memory, guest) = memory_and_guest(&mut *context)?;
        memory[at..at + piece.len()].copy_from_slice(&piece);
        guest.objects.moved_bytes += piece.len() as u64;
        at += piece.len();
    }
    Ok(Ok((at - window) as u64))
}

/// A window's place in memory: one that was given back, or new memory at the end.
fn window_for(
    context: &mut StoreContextMut<'_, Guest>,
    length: usize,
) -> Result<Result<usize, Error>> {
    let slot = context.data_mut().slot.clone();
    if let Some(offset) = slot.free_window(length) {
        return Ok(Ok(offset));
    }
    let mut stopped = None;
    let window = slot.new_window(length, |size| match grow_for_windows(context, size) {
        Ok(grown) => grown,
        Err(error) => {
            stopped = Some(error);
            Err(Error::internal("the guest is stopped"))
        }
    });
    match stopped {
        Some(error) => Err(error),
        None => Ok(window.map_err(|_| {
            Error::guest(format!(
                "an object range of {length} bytes does not fit into what is left of the 4 GiB that a guest can address"
            ))
        })),
    }
}

/// Makes the memory `size` bytes large, for windows: what they take does not count as the guest's memory.
///
/// Inner error: that is more than can be addressed.
pub(crate) fn grow_for_windows(
    context: &mut StoreContextMut<'_, Guest>,
    size: usize,
) -> Result<Result<(), Error>> {
    let too_large = || Error::guest(format!("a memory of {size} bytes cannot be addressed"));
    let guest = context.data_mut();
    let (old, memory) = (guest.slot.size_bytes(), guest.memory);
    let Some(memory) = memory else {
        return Ok(Err(Error::denied("start-up code cannot reach objects")));
    };
    if size > ganglion_snapshot::SLOT_BYTES {
        return Ok(Err(too_large()));
    }
    let pages = (size.saturating_sub(old) / WASM_PAGE_BYTES) as u64;
    guest.opening_window = true;
    let grown = memory.grow(&mut *context, pages);
    let guest = context.data_mut();
    guest.opening_window = false;
    if grown.is_err() {
        return Ok(Err(too_large()));
    }
    guest.window_bytes += size - old;
    Ok(Ok(()))
}

/// Waits for the store; when the object is another node's, that is time on the link.
pub(crate) fn wait_for<F: Future>(
    context: &mut StoreContextMut<'_, Guest>,
    object: &ObjectKey,
    future: F,
) -> Result<F::Output> {
    let guest = context.data_mut();
    let remote = is_remote(guest, object);
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
fn is_remote(guest: &Guest, object: &ObjectKey) -> bool {
    let home = guest
        .reach
        .as_ref()
        .and_then(|reach| Some((reach.store.home(object)?, &reach.node)));
    home.is_some_and(|(home, node)| home != *node)
}
