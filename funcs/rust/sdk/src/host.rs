//! The host's calls as they are imported. What each means is written in `include/ganglion/ndp.h` and
//! `include/faasm/host_interface.h`.

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    #[link_name = "__faasm_read_input"]
    pub fn read_input(buffer: *mut u8, length: i32) -> i32;

    #[link_name = "__faasm_write_output"]
    pub fn write_output(bytes: *const u8, length: i32);

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
}
