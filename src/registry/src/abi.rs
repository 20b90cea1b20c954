//! The host interface: every function that a guest may import, with its WebAssembly type.
//!
//! Sources: WASI preview 1 (`wasi_snapshot_preview1`) for commands, and the names and types of Faasm and of its
//! near-data fork for `env`.

/// A value type of the interface; nothing in it is a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbiType {
    /// `i32`: also pointers and lengths.
    I32,
    /// `i64`: file offsets, rights, times.
    I64,
}

/// One function of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// The import's module.
    pub module: &'static str,
    /// The import's name.
    pub name: &'static str,
    /// Its parameters.
    pub params: &'static [AbiType],
    /// Its results: none or one `i32`.
    pub results: &'static [AbiType],
}

/// The module of WASI's functions.
pub const WASI: &str = "wasi_snapshot_preview1";
/// The module of Faasm's functions.
pub const ENV: &str = "env";

/// The import that maps an object into memory; only modules with it have object windows.
pub const GET_MMAP: &str = "__faasmndp_getMmap";
/// What the imports that run a function beside an object are called, but for the number of its arguments behind it.
pub const STORAGE_CALL: &str = "__faasmndp_storageCallAndAwait";
/// The import that writes an object; a module without it cannot change one.
pub const PUT: &str = "__faasmndp_put";

/// The export, of a function that has one, which makes one output of several: `() -> i32`.
pub const COMBINE: &str = "ganglion_combine";

use AbiType::{I32, I64};

const fn wasi(name: &'static str, params: &'static [AbiType]) -> HostFunction {
    HostFunction {
        module: WASI,
        name,
        params,
        results: &[I32],
    }
}

const fn env(
    name: &'static str,
    params: &'static [AbiType],
    results: &'static [AbiType],
) -> HostFunction {
    HostFunction {
        module: ENV,
        name,
        params,
        results,
    }
}

/// The whole interface.
pub const HOST_FUNCTIONS: &[HostFunction] = &[
    env("__faasm_read_input", &[I32, I32], &[I32]),
    env("__faasm_write_output", &[I32, I32], &[]),
    env(GET_MMAP, &[I32, I32, I64, I64, I32], &[I32]),
    env(PUT, &[I32, I32, I32, I32], &[I32]),
    env("__faasmndp_unmap", &[I32, I32], &[I32]),
    env(STORAGE_CALL, &[I32, I32, I32], &[I32]),
    env(
        "__faasmndp_storageCallAndAwait1",
        &[I32, I32, I32, I32],
        &[I32],
    ),
    env(
        "__faasmndp_storageCallAndAwait2",
        &[I32, I32, I32, I32, I32],
        &[I32],
    ),
    wasi("args_get", &[I32, I32]),
    wasi("args_sizes_get", &[I32, I32]),
    wasi("clock_res_get", &[I32, I32]),
    wasi("clock_time_get", &[I32, I64, I32]),
    wasi("environ_get", &[I32, I32]),
    wasi("environ_sizes_get", &[I32, I32]),
    wasi("fd_advise", &[I32, I64, I64, I32]),
    wasi("fd_allocate", &[I32, I64, I64]),
    wasi("fd_close", &[I32]),
    wasi("fd_datasync", &[I32]),
    wasi("fd_fdstat_get", &[I32, I32]),
    wasi("fd_fdstat_set_flags", &[I32, I32]),
    wasi("fd_fdstat_set_rights", &[I32, I64, I64]),
    wasi("fd_filestat_get", &[I32, I32]),
    wasi("fd_filestat_set_size", &[I32, I64]),
    wasi("fd_filestat_set_times", &[I32, I64, I64, I32]),
    wasi("fd_pread", &[I32, I32, I32, I64, I32]),
    wasi("fd_prestat_dir_name", &[I32, I32, I32]),
    wasi("fd_prestat_get", &[I32, I32]),
    wasi("fd_pwrite", &[I32, I32, I32, I64, I32]),
    wasi("fd_read", &[I32, I32, I32, I32]),
    wasi("fd_readdir", &[I32, I32, I32, I64, I32]),
    wasi("fd_renumber", &[I32, I32]),
    wasi("fd_seek", &[I32, I64, I32, I32]),
    wasi("fd_sync", &[I32]),
    wasi("fd_tell", &[I32, I32]),
    wasi("fd_write", &[I32, I32, I32, I32]),
    wasi("path_create_directory", &[I32, I32, I32]),
    wasi("path_filestat_get", &[I32, I32, I32, I32, I32]),
    wasi(
        "path_filestat_set_times",
        &[I32, I32, I32, I32, I64, I64, I32],
    ),
    wasi("path_link", &[I32, I32, I32, I32, I32, I32, I32]),
    wasi("path_open", &[I32, I32, I32, I32, I32, I64, I64, I32, I32]),
    wasi("path_readlink", &[I32, I32, I32, I32, I32, I32]),
    wasi("path_remove_directory", &[I32, I32, I32]),
    wasi("path_rename", &[I32, I32, I32, I32, I32, I32]),
    wasi("path_symlink", &[I32, I32, I32, I32, I32]),
    wasi("path_unlink_file", &[I32, I32, I32]),
    wasi("poll_oneoff", &[I32, I32, I32, I32]),
    HostFunction {
        module: WASI,
        name: "proc_exit",
        params: &[I32],
        results: &[],
    },
    wasi("random_get", &[I32, I32]),
    wasi("sched_yield", &[]),
    wasi("sock_accept", &[I32, I32, I32]),
    wasi("sock_recv", &[I32, I32, I32, I32, I32, I32]),
    wasi("sock_send", &[I32, I32, I32, I32, I32]),
    wasi("sock_shutdown", &[I32, I32]),
];

/// The function of that name, if there is one.
pub fn host_function(module: &str, name: &str) -> Option<&'static HostFunction> {
    HOST_FUNCTIONS
        .iter()
        .find(|function| function.module == module && function.name == name)
}
