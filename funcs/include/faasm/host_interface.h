/* What the host gives a guest under the names of Faasm, as imports of the module "env". Most guests want core.h.
 *
 * Here since the first version: __faasm_read_input, __faasm_write_output, and the calls of ganglion/ndp.h. All others are declared
 * with the meaning that they will have; an upload that imports one is refused with its name until the host has it. Natively
 * (funcs/native) all of them work but where it says otherwise.
 *
 * A key or name is a string that ends in NUL. Pointers must lie in the guest's memory with their whole length, otherwise the guest
 * traps. */
#ifndef FAASM_HOST_INTERFACE_H
#define FAASM_HOST_INTERFACE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The name under which the linker imports a call of the host; natively it is a function like any other. */
#ifdef __wasm__
#define GANGLION_IMPORT(name) __attribute__((import_module("env"), import_name(#name)))
#else
#define GANGLION_IMPORT(name)
#endif

/* ---- Input and output ---- */

/* Copies the first `length` bytes of the input, or all of it where it is shorter, to `buffer`; returns the number of bytes
 * copied. With `length` 0 it copies nothing and returns the size of the whole input instead. */
GANGLION_IMPORT(__faasm_read_input)
long __faasm_read_input(void* buffer, long length);

/* Makes these bytes the output of the call, in place of what an earlier call to this function set: the last one wins.
 * The host copies them before it returns. Traps beyond the limit of an output (setting `limits.output`). */
GANGLION_IMPORT(__faasm_write_output)
void __faasm_write_output(const void* bytes, long length);

/* ---- Chaining: calls that a call makes ---- */

/* Calls the tenant's function `name` with this input, beside the caller; returns the call's id. */
GANGLION_IMPORT(__faasm_chain_name)
unsigned int __faasm_chain_name(const char* name, const unsigned char* input, long length);

/* Calls `function` of this module with this input, in an instance of its own; returns the call's id. */
GANGLION_IMPORT(__faasm_chain_ptr)
unsigned int __faasm_chain_ptr(int (*function)(void), const unsigned char* input, long length);

/* Waits for that call to end. Returns its code, or 1 where it could not be run. */
GANGLION_IMPORT(__faasm_await_call)
int __faasm_await_call(unsigned int call);

/* The same, and copies the first `length` bytes of its output, or all of it where it is shorter, to `buffer`. */
GANGLION_IMPORT(__faasm_await_call_output)
int __faasm_await_call_output(unsigned int call, unsigned char* buffer, long length);

/* Waits for that call to end, and returns the size of its output in bytes. (Not Faasm's: what its newer faasmAwaitCallOutput, which
 * gives memory of its own, is made of.) */
GANGLION_IMPORT(__ganglion_call_output_size)
long __ganglion_call_output_size(unsigned int call);

/* ---- State: values that a tenant's calls share. Each has one size, which its first writer gives it ---- */

/* Copies the value to `buffer`, as far as `length` reaches, and returns its size, 0 where there is none. With `length` 0 it copies nothing. */
GANGLION_IMPORT(__faasm_read_state)
long __faasm_read_state(const char* key, unsigned char* buffer, long length);

/* The value of that size laid into memory; every call on a node sees what others write there. The same pointer each time. */
GANGLION_IMPORT(__faasm_read_state_ptr)
unsigned char* __faasm_read_state_ptr(const char* key, long total);

/* Copies `length` bytes from `offset` on of the value of `total` bytes to `buffer`. */
GANGLION_IMPORT(__faasm_read_state_offset)
void __faasm_read_state_offset(const char* key, long total, long offset, unsigned char* buffer, long length);

/* As __faasm_read_state_ptr, for a part: only that has to be there. */
GANGLION_IMPORT(__faasm_read_state_offset_ptr)
unsigned char* __faasm_read_state_offset_ptr(const char* key, long total, long offset, long length);

/* Makes these bytes the value, on this node. */
GANGLION_IMPORT(__faasm_write_state)
void __faasm_write_state(const char* key, const unsigned char* bytes, long length);

/* Writes a part of the value of `total` bytes, on this node, and marks it as changed. */
GANGLION_IMPORT(__faasm_write_state_offset)
void __faasm_write_state_offset(const char* key, long total, long offset, const unsigned char* bytes, long length);

/* Makes a file's contents the value; returns their size. */
GANGLION_IMPORT(__faasm_write_state_from_file)
unsigned int __faasm_write_state_from_file(const char* key, const char* path);

/* Marks the value, or a part of it, as changed: for what was written through a pointer. */
GANGLION_IMPORT(__faasm_flag_state_dirty)
void __faasm_flag_state_dirty(const char* key, long total);
GANGLION_IMPORT(__faasm_flag_state_offset_dirty)
void __faasm_flag_state_offset_dirty(const char* key, long total, long offset, long length);

/* Sends the value to all nodes; or its changed parts; or those that are not 0 in the value `mask_key` of the same size. */
GANGLION_IMPORT(__faasm_push_state)
void __faasm_push_state(const char* key);
GANGLION_IMPORT(__faasm_push_state_partial)
void __faasm_push_state_partial(const char* key);
GANGLION_IMPORT(__faasm_push_state_partial_mask)
void __faasm_push_state_partial_mask(const char* key, const char* mask_key);

/* Fetches what was last sent. */
GANGLION_IMPORT(__faasm_pull_state)
void __faasm_pull_state(const char* key, long total);

/* One writer or many readers at a time. */
GANGLION_IMPORT(__faasm_lock_state_read)
void __faasm_lock_state_read(const char* key);
GANGLION_IMPORT(__faasm_unlock_state_read)
void __faasm_unlock_state_read(const char* key);
GANGLION_IMPORT(__faasm_lock_state_write)
void __faasm_lock_state_write(const char* key);
GANGLION_IMPORT(__faasm_unlock_state_write)
void __faasm_unlock_state_write(const char* key);

/* A list beside the value: adds an element; copies the first `count` elements, one behind the other, to `buffer`; empties it. */
GANGLION_IMPORT(__faasm_append_state)
void __faasm_append_state(const char* key, const unsigned char* bytes, long length);
GANGLION_IMPORT(__faasm_read_appended_state)
void __faasm_read_appended_state(const char* key, unsigned char* buffer, long length, long count);
GANGLION_IMPORT(__faasm_clear_appended_state)
void __faasm_clear_appended_state(const char* key);

/* ---- Snapshots and shared memory (see shared_mem.h) ---- */

/* Keeps the memory as it is under that name; makes it again what was kept. Not natively: the program ends with a sentence. */
GANGLION_IMPORT(__faasm_snapshot_memory)
void __faasm_snapshot_memory(const char* key);
GANGLION_IMPORT(__faasm_restore_memory)
void __faasm_restore_memory(const char* key);

/* How a variable of several threads is merged. Natively there is one thread, and nothing to merge. */
GANGLION_IMPORT(__faasm_sm_reduce)
void __faasm_sm_reduce(void* variable, int type, int operation, int current_batch);

/* A part that one of the calls on a node is in at a time. */
GANGLION_IMPORT(__faasm_sm_critical_local)
void __faasm_sm_critical_local(void);
GANGLION_IMPORT(__faasm_sm_critical_local_end)
void __faasm_sm_critical_local_end(void);

/* ---- The rest ---- */

/* May go on at another node, in `entry(argument)`; or returns. Natively it returns. */
GANGLION_IMPORT(__faasm_migrate_point)
void __faasm_migrate_point(void (*entry)(int), int argument);

/* Whose Python, which file and which function of it a call is about, as strings that end in NUL; natively empty. */
GANGLION_IMPORT(__faasm_get_py_user)
void __faasm_get_py_user(unsigned char* buffer, long length);
GANGLION_IMPORT(__faasm_get_py_func)
void __faasm_get_py_func(unsigned char* buffer, long length);
GANGLION_IMPORT(__faasm_get_py_entry)
void __faasm_get_py_entry(unsigned char* buffer, long length);

/* Whether a flag of the host is set: 1 or 0. Natively: of the environment. */
GANGLION_IMPORT(__faasm_conf_flag)
unsigned int __faasm_conf_flag(const char* key);

/* Prints where the guest is to the host's log. Natively nothing: a debugger tells more. */
GANGLION_IMPORT(__faasm_backtrace)
void __faasm_backtrace(int depth);

#ifdef __cplusplus
}
#endif

#endif
