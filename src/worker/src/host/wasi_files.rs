//! WASI's descriptors: a guest has 0, 1 and 2, and no file, folder or socket of the host.

use super::wasi::{Errno, GuestMemory, Outcome, errno};
use crate::guest::{Guest, memory_and_guest};
use ganglion_registry::abi::WASI;
use wasmtime::{Caller, Linker, Result};

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
const FILETYPE_CHARACTER_DEVICE: u8 = 2;
const IOVEC_BYTES: u32 = 8;
const IOVECS_MAX: u32 = 1024;

pub(super) fn define(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(WASI, "fd_read", fd_read)?;
    linker.func_wrap(WASI, "fd_write", fd_write)?;
    linker.func_wrap(WASI, "fd_fdstat_get", fd_fdstat_get)?;
    linker.func_wrap(WASI, "fd_filestat_get", fd_filestat_get)?;
    linker.func_wrap(WASI, "fd_close", |fd: u32| errno(standard(fd)))?;
    linker.func_wrap(WASI, "fd_datasync", |fd: u32| errno(standard(fd)))?;
    linker.func_wrap(WASI, "fd_sync", |fd: u32| errno(standard(fd)))?;
    linker.func_wrap(WASI, "fd_fdstat_set_flags", |fd: u32, _: u32| {
        errno(standard(fd))
    })?;
    linker.func_wrap(WASI, "fd_fdstat_set_rights", |fd: u32, _: u64, _: u64| {
        errno(standard(fd))
    })?;
    linker.func_wrap(WASI, "fd_advise", |fd: u32, _: u64, _: u64, _: u32| {
        no_seeking(fd)
    })?;
    linker.func_wrap(WASI, "fd_allocate", |fd: u32, _: u64, _: u64| {
        no_seeking(fd)
    })?;
    linker.func_wrap(WASI, "fd_filestat_set_size", |fd: u32, _: u64| {
        no_seeking(fd)
    })?;
    linker.func_wrap(
        WASI,
        "fd_filestat_set_times",
        |fd: u32, _: u64, _: u64, _: u32| no_seeking(fd),
    )?;
    linker.func_wrap(
        WASI,
        "fd_pread",
        |fd: u32, _: u32, _: u32, _: u64, _: u32| no_seeking(fd),
    )?;
    linker.func_wrap(
        WASI,
        "fd_pwrite",
        |fd: u32, _: u32, _: u32, _: u64, _: u32| no_seeking(fd),
    )?;
    linker.func_wrap(WASI, "fd_seek", |fd: u32, _: i64, _: u32, _: u32| {
        no_seeking(fd)
    })?;
    linker.func_wrap(WASI, "fd_tell", |fd: u32, _: u32| no_seeking(fd))?;
    linker.func_wrap(
        WASI,
        "fd_readdir",
        |_: u32, _: u32, _: u32, _: u64, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(WASI, "fd_renumber", |_: u32, _: u32| no_such_fd())?;
    linker.func_wrap(WASI, "fd_prestat_get", |_: u32, _: u32| no_such_fd())?;
    linker.func_wrap(WASI, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| {
        no_such_fd()
    })?;
    define_paths(linker)?;
    define_sockets(linker)
}

/// Every path is relative to a descriptor of a folder, and there is none.
fn define_paths(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(WASI, "path_create_directory", |_: u32, _: u32, _: u32| {
        no_such_fd()
    })?;
    linker.func_wrap(
        WASI,
        "path_filestat_get",
        |_: u32, _: u32, _: u32, _: u32, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(
        WASI,
        "path_filestat_set_times",
        |_: u32, _: u32, _: u32, _: u32, _: u64, _: u64, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(
        WASI,
        "path_link",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(
        WASI,
        "path_open",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u64, _: u64, _: u32, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(
        WASI,
        "path_readlink",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(WASI, "path_remove_directory", |_: u32, _: u32, _: u32| {
        no_such_fd()
    })?;
    linker.func_wrap(
        WASI,
        "path_rename",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(
        WASI,
        "path_symlink",
        |_: u32, _: u32, _: u32, _: u32, _: u32| no_such_fd(),
    )?;
    linker.func_wrap(WASI, "path_unlink_file", |_: u32, _: u32, _: u32| {
        no_such_fd()
    })?;
    Ok(())
}

fn define_sockets(linker: &mut Linker<Guest>) -> Result<()> {
    let missing = || Errno::Nosys as i32;
    linker.func_wrap(WASI, "sock_accept", move |_: u32, _: u32, _: u32| missing())?;
    linker.func_wrap(
        WASI,
        "sock_recv",
        move |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32| missing(),
    )?;
    linker.func_wrap(
        WASI,
        "sock_send",
        move |_: u32, _: u32, _: u32, _: u32, _: u32| missing(),
    )?;
    linker.func_wrap(WASI, "sock_shutdown", move |_: u32, _: u32| missing())?;
    Ok(())
}

fn standard(fd: u32) -> Outcome {
    if fd <= STDERR {
        Ok(())
    } else {
        Err(Errno::Badf)
    }
}

fn no_seeking(fd: u32) -> i32 {
    errno(standard(fd).and(Err(Errno::Spipe)))
}

fn no_such_fd() -> i32 {
    Errno::Badf as i32
}

/// The buffers of a scattered read or write: `(pointer, length)`.
fn iovecs(
    memory: &mut GuestMemory<'_>,
    list: u32,
    count: u32,
) -> std::result::Result<Vec<(u32, u32)>, Errno> {
    if count > IOVECS_MAX {
        return Err(Errno::Inval);
    }
    (0..count)
        .map(|index| {
            let at = list.checked_add(index * IOVEC_BYTES).ok_or(Errno::Fault)?;
            Ok((
                memory.read_u32(at)?,
                memory.read_u32(at.checked_add(4).ok_or(Errno::Fault)?)?,
            ))
        })
        .collect()
}

/// Prints on stdout or stderr.
fn fd_write(
    mut caller: Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    written: u32,
) -> Result<i32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let mut memory = GuestMemory(memory);
    if !matches!(fd, STDOUT | STDERR) {
        return Ok(Errno::Badf as i32);
    }
    let buffers = match iovecs(&mut memory, list, count) {
        Ok(buffers) => buffers,
        Err(error) => return Ok(error as i32),
    };
    let mut total = 0_u32;
    for (pointer, length) in buffers {
        match memory.bytes(pointer, length) {
            Ok(bytes) => guest.print(fd == STDERR, bytes)?,
            Err(error) => return Ok(error as i32),
        }
        total = total.saturating_add(length);
    }
    Ok(errno(memory.write_u32(written, total)))
}

/// Reads the call's input as stdin.
fn fd_read(
    mut caller: Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    read: u32,
) -> Result<i32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let mut memory = GuestMemory(memory);
    if fd != STDIN {
        return Ok(Errno::Badf as i32);
    }
    let mut fill = || {
        let mut total = 0;
        for (pointer, length) in iovecs(&mut memory, list, count)? {
            let rest = &guest.call.input[guest.stdin_read..];
            let copied = rest.len().min(length as usize);
            memory.bytes(pointer, length)?[..copied].copy_from_slice(&rest[..copied]);
            guest.stdin_read += copied;
            total += copied;
        }
        memory.write_u32(read, u32::try_from(total).map_err(|_| Errno::Inval)?)
    };
    Ok(errno(fill()))
}

/// `fdstat`: a character device with all rights, so that libc buffers by lines and does not seek.
fn fd_fdstat_get(mut caller: Caller<'_, Guest>, fd: u32, result: u32) -> Result<i32> {
    let (memory, _) = memory_and_guest(&mut caller)?;
    let mut stat = [0; 24];
    stat[0] = FILETYPE_CHARACTER_DEVICE;
    stat[8..].fill(0xff);
    // Without the rights to seek and to tell (bits 2 and 5), as a terminal.
    stat[8] = !((1 << 2) | (1 << 5));
    Ok(errno(
        standard(fd).and_then(|()| GuestMemory(memory).write(result, &stat)),
    ))
}

fn fd_filestat_get(mut caller: Caller<'_, Guest>, fd: u32, result: u32) -> Result<i32> {
    let (memory, _) = memory_and_guest(&mut caller)?;
    let mut stat = [0; 64];
    stat[16] = FILETYPE_CHARACTER_DEVICE;
    Ok(errno(
        standard(fd).and_then(|()| GuestMemory(memory).write(result, &stat)),
    ))
}
