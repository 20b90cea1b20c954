//! The host's calls as they are imported; in a program of this machine they are functions of `funcs/native`. What each means is written in
//! `include/ganglion/ndp.h` and `include/faasm/host_interface.h`.

use std::ffi::{c_char, c_long};

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    #[link_name = "__faasm_read_input"]
    pub fn read_input(buffer: *mut u8, length: c_long) -> c_long;

    #[link_name = "__faasm_write_output"]
    pub fn write_output(bytes: *const u8, length: c_long);

    #[link_name = "__faasmndp_put"]
    pub fn put(key: *const u8, key_length: u32, bytes: *const u8, length: u32) -> i32;

    #[link_name = "__faasmndp_getMmap"]
    pub fn get_mmap(
        key: *const u8,
        key_length: i32,
        offset: i64,
        length_max: i64,
        length: *mut u32,
    ) -> *mut u8;

    #[link_name = "__faasmndp_unmap"]
    pub fn unmap(bytes: *mut u8, length: i32) -> i32;

    #[link_name = "__faasmndp_storageCallAndAwait1"]
    pub fn storage_call(
        key: *const u8,
        key_length: u32,
        function: extern "C" fn(i32) -> i32,
        first: i32,
    ) -> i32;

    #[link_name = "__faasm_chain_name"]
    pub fn chain_name(name: *const c_char, input: *const u8, length: c_long) -> u32;

    #[link_name = "__faasm_chain_ptr"]
    pub fn chain_ptr(function: extern "C" fn() -> i32, input: *const u8, length: c_long) -> u32;

    #[link_name = "__faasm_await_call_output"]
    pub fn await_call_output(call: u32, buffer: *mut u8, length: c_long) -> i32;

    #[link_name = "__ganglion_call_output_size"]
    pub fn call_output_size(call: u32) -> c_long;

    #[link_name = "__faasm_read_state"]
    pub fn read_state(key: *const c_char, buffer: *mut u8, length: c_long) -> c_long;

    #[link_name = "__faasm_write_state"]
    pub fn write_state(key: *const c_char, bytes: *const u8, length: c_long);

    #[link_name = "__faasm_read_state_offset"]
    pub fn read_state_offset(
        key: *const c_char,
        total: c_long,
        offset: c_long,
        buffer: *mut u8,
        length: c_long,
    );

    #[link_name = "__faasm_write_state_offset"]
    pub fn write_state_offset(
        key: *const c_char,
        total: c_long,
        offset: c_long,
        bytes: *const u8,
        length: c_long,
    );

    #[link_name = "__faasm_push_state"]
    pub fn push_state(key: *const c_char);

    #[link_name = "__faasm_push_state_partial"]
    pub fn push_state_partial(key: *const c_char);

    #[link_name = "__faasm_pull_state"]
    pub fn pull_state(key: *const c_char, total: c_long);

    #[link_name = "__faasm_lock_state_read"]
    pub fn lock_state_read(key: *const c_char);

    #[link_name = "__faasm_unlock_state_read"]
    pub fn unlock_state_read(key: *const c_char);

    #[link_name = "__faasm_lock_state_write"]
    pub fn lock_state_write(key: *const c_char);

    #[link_name = "__faasm_unlock_state_write"]
    pub fn unlock_state_write(key: *const c_char);
}
