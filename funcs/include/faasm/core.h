/* What a function is written with in Faasm, old names and new. For C and C++. What each call does, and which of them the host has, is
 * written in host_interface.h. */
#ifndef FAASM_CORE_H
#define FAASM_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "host_interface.h"

#ifdef __cplusplus
#define FAASM_C_LINKAGE extern "C"
#define BYTES(pointer) reinterpret_cast<uint8_t*>(pointer)
#else
#define FAASM_C_LINKAGE extern
#define BYTES(pointer) ((uint8_t*)(pointer))
#endif

/* ---- Where the host enters ---- */

/* Begins the function: `FAASM_MAIN_FUNC() { ... return 0; }`. What it returns is the code of the call; all but 0 is a
 * failed call, whose output then says why. A guest that wants the arguments of its call writes
 * `int main(int argc, char** argv)` instead. */
#ifdef __wasm__
#define FAASM_MAIN_FUNC() int main(void)
#else
FAASM_C_LINKAGE int faasm_main(void);
#define FAASM_MAIN_FUNC() FAASM_C_LINKAGE int faasm_main(void)
#endif

/* Begins the preparation: `FAASM_ZYGOTE() { ... return 0; }`. The host runs it once, after the global constructors; every
 * call then starts from a private copy of the memory that it left. It has no input, output or objects, and a code other
 * than 0 refuses the function.
 *
 * Link such a function with `-Wl,--export=__wasm_call_ctors,--export=_faasm_zygote`. Without the first, the linker puts
 * the constructors into `_start` and into the zygote both, and they run again in each call. */
#define FAASM_ZYGOTE() FAASM_C_LINKAGE __attribute__((used, visibility("default"))) int _faasm_zygote(void)

/* A function that can be chained. */
typedef int (*FaasmFuncPtr)(void);

/* Begins a function that can be chained by its number, from 1 to 9, and called by its name:
 * `FAASM_FUNC(part, 1) { ... return 0; }`. */
#define FAASM_FUNC(name, idx)                                                                                                 \
    static int faasm_part_##idx(void);                                                                                        \
    FAASM_C_LINKAGE int _faasm_func_##idx(void);                                                                              \
    int _faasm_func_##idx(void)                                                                                               \
    {                                                                                                                         \
        faasm_current_idx = idx;                                                                                              \
        return faasm_part_##idx();                                                                                            \
    }                                                                                                                         \
    int name(void);                                                                                                           \
    int name(void)                                                                                                            \
    {                                                                                                                         \
        return faasm_part_##idx();                                                                                            \
    }                                                                                                                         \
    static int faasm_part_##idx(void)

#ifdef __cplusplus
extern "C" {
#endif

extern __attribute__((weak)) int faasm_current_idx;
__attribute__((weak)) int faasm_current_idx = 0; /* one in the whole program, however many files include this */

/* Those that there are; the others are NULL. */
__attribute__((weak)) int _faasm_func_1(void);
__attribute__((weak)) int _faasm_func_2(void);
__attribute__((weak)) int _faasm_func_3(void);
__attribute__((weak)) int _faasm_func_4(void);
__attribute__((weak)) int _faasm_func_5(void);
__attribute__((weak)) int _faasm_func_6(void);
__attribute__((weak)) int _faasm_func_7(void);
__attribute__((weak)) int _faasm_func_8(void);
__attribute__((weak)) int _faasm_func_9(void);

/* ---- Input and output ---- */

/* The size of the input in bytes. */
static inline long faasmGetInputSize(void)
{
    return __faasm_read_input(NULL, 0);
}

/* Copies the first `length` bytes of the input to `buffer`, or all of it where it is shorter; returns the number of bytes
 * copied. Nothing is added behind them. */
static inline long faasmGetInput(uint8_t* buffer, long length)
{
    return length > 0 ? __faasm_read_input(buffer, length) : 0;
}

/* Makes these bytes the output of the call; a later call replaces them. Traps beyond the limit of an output (setting
 * `limits.output`). */
static inline void faasmSetOutput(const void* bytes, long length)
{
    __faasm_write_output(bytes, length);
}

/* ---- Chaining ---- */

/* Calls the tenant's function of that name; returns the call's id. */
static inline unsigned int faasmChainNamed(const char* name, const uint8_t* input, long length)
{
    return __faasm_chain_name(name, input, length);
}

static inline unsigned int faasmChainFunctionInput(const char* name, const uint8_t* input, long length)
{
    return __faasm_chain_name(name, input, length);
}

static inline unsigned int faasmChainFunction(const char* name)
{
    return __faasm_chain_name(name, NULL, 0);
}

/* Calls a function of this module; returns the call's id. */
static inline unsigned int faasmChain(FaasmFuncPtr function, const uint8_t* input, long length)
{
    return __faasm_chain_ptr(function, input, length);
}

/* The same, of the function that FAASM_FUNC gave that number. Traps where there is none. */
static inline unsigned int faasmChainThisInput(int idx, const uint8_t* input, long length)
{
    const FaasmFuncPtr functions[] = {NULL,          _faasm_func_1, _faasm_func_2, _faasm_func_3, _faasm_func_4,
                                      _faasm_func_5, _faasm_func_6, _faasm_func_7, _faasm_func_8, _faasm_func_9};
    if (idx < 1 || idx > 9 || functions[idx] == NULL) {
        abort();
    }
    return __faasm_chain_ptr(functions[idx], input, length);
}

static inline unsigned int faasmChainThis(int idx)
{
    return faasmChainThisInput(idx, NULL, 0);
}

/* The number of the function that this call entered; 0 is the main one. */
static inline int faasmGetCurrentIdx(void)
{
    return faasm_current_idx;
}

/* Waits for that call to end; returns its code. */
static inline unsigned int faasmAwaitCall(unsigned int call)
{
    return (unsigned int)__faasm_await_call(call);
}

/* ---- State ---- */

static inline size_t faasmReadStateSize(const char* key)
{
    return (size_t)__faasm_read_state(key, NULL, 0);
}

static inline long faasmReadState(const char* key, unsigned char* buffer, long length)
{
    return __faasm_read_state(key, buffer, length);
}

static inline uint8_t* faasmReadStatePtr(const char* key, long total)
{
    return __faasm_read_state_ptr(key, total);
}

static inline void faasmReadStateOffset(const char* key, long total, long offset, uint8_t* buffer, long length)
{
    __faasm_read_state_offset(key, total, offset, buffer, length);
}

static inline uint8_t* faasmReadStateOffsetPtr(const char* key, long total, long offset, long length)
{
    return __faasm_read_state_offset_ptr(key, total, offset, length);
}

static inline void faasmReadAppendedState(const char* key, uint8_t* buffer, long length, long count)
{
    __faasm_read_appended_state(key, buffer, length, count);
}

static inline void faasmWriteState(const char* key, const uint8_t* bytes, long length)
{
    __faasm_write_state(key, bytes, length);
}

static inline void faasmWriteStateOffset(const char* key, long total, long offset, const uint8_t* bytes, long length)
{
    __faasm_write_state_offset(key, total, offset, bytes, length);
}

static inline unsigned long faasmWriteStateFromFile(const char* key, const char* path)
{
    return __faasm_write_state_from_file(key, path);
}

static inline void faasmAppendState(const char* key, const uint8_t* bytes, long length)
{
    __faasm_append_state(key, bytes, length);
}

static inline void faasmClearAppendedState(const char* key)
{
    __faasm_clear_appended_state(key);
}

static inline void faasmFlagStateDirty(const char* key, long total)
{
    __faasm_flag_state_dirty(key, total);
}

static inline void faasmFlagStateOffsetDirty(const char* key, long total, long offset, long length)
{
    __faasm_flag_state_offset_dirty(key, total, offset, length);
}

static inline void faasmPushState(const char* key)
{
    __faasm_push_state(key);
}

static inline void faasmPushStatePartial(const char* key)
{
    __faasm_push_state_partial(key);
}

static inline void faasmPushStatePartialMask(const char* key, const char* mask_key)
{
    __faasm_push_state_partial_mask(key, mask_key);
}

static inline void faasmPullState(const char* key, long total)
{
    __faasm_pull_state(key, total);
}

static inline void faasmLockStateRead(const char* key)
{
    __faasm_lock_state_read(key);
}

static inline void faasmUnlockStateRead(const char* key)
{
    __faasm_unlock_state_read(key);
}

static inline void faasmLockStateWrite(const char* key)
{
    __faasm_lock_state_write(key);
}

static inline void faasmUnlockStateWrite(const char* key)
{
    __faasm_unlock_state_write(key);
}

/* ---- Snapshots, under the names of two generations ---- */

static inline void faasmSnapshot(const char* key)
{
    __faasm_snapshot_memory(key);
}

static inline void faasmRestore(const char* key)
{
    __faasm_restore_memory(key);
}

static inline void faasmCreateSnap(const char* key)
{
    __faasm_snapshot_memory(key);
}

static inline void faasmRestoreSnap(const char* key)
{
    __faasm_restore_memory(key);
}

/* ---- The rest ---- */

static inline unsigned int getConfFlag(const char* key)
{
    return __faasm_conf_flag(key);
}

static inline void faasmBacktrace(int depth)
{
    __faasm_backtrace(depth);
}

/* Memory of the caller's that `read` has filled with a string; NULL where there is none left. */
static inline char* faasm_filled(void (*read)(unsigned char*, long))
{
    const long length = 1024;
    char* const text = (char*)calloc((size_t)length, 1);
    if (text != NULL) {
        read((unsigned char*)text, length);
    }
    return text;
}

static inline char* faasmGetPythonUser(void)
{
    return faasm_filled(__faasm_get_py_user);
}

static inline char* faasmGetPythonFunc(void)
{
    return faasm_filled(__faasm_get_py_func);
}

static inline char* faasmGetPythonEntry(void)
{
    return faasm_filled(__faasm_get_py_entry);
}

/* Waits for that call to end, and gives its output in memory of the caller's; returns its code. */
static inline unsigned int faasm_await_call_output_new(unsigned int call, char** output, int* length)
{
    const long size = __ganglion_call_output_size(call);
    *output = (char*)malloc((size_t)size + 1);
    *length = *output == NULL ? 0 : (int)size;
    if (*output == NULL) {
        return faasmAwaitCall(call);
    }
    (*output)[size] = '\0';
    return (unsigned int)__faasm_await_call_output(call, (unsigned char*)*output, size);
}

/* Waits for that call to end, and copies its output to `buffer` as far as that reaches; returns its code. */
static inline unsigned int faasm_await_call_output_into(unsigned int call, uint8_t* buffer, long length)
{
    return (unsigned int)__faasm_await_call_output(call, buffer, length);
}

#ifdef __cplusplus
}

/* Calls `function` so many times, each with the string as its input; returns the last call's id. */
static inline unsigned int faasmChainBatch(FaasmFuncPtr function, const char* input, int count)
{
    unsigned int call = 0;
    for (int i = 0; i < count; ++i) {
        call = faasmChain(function, reinterpret_cast<const uint8_t*>(input), static_cast<long>(__builtin_strlen(input)));
    }
    return call;
}

/* Both generations have this name: with a buffer, and with memory that the caller frees. */
static inline unsigned int faasmAwaitCallOutput(unsigned int call, uint8_t* buffer, long length)
{
    return faasm_await_call_output_into(call, buffer, length);
}

static inline unsigned int faasmAwaitCallOutput(unsigned int call, char** output, int* length)
{
    return faasm_await_call_output_new(call, output, length);
}

/* The older state calls say whether the local copy is enough. */
static inline long faasmReadState(const char* key, unsigned char* buffer, long length, bool async)
{
    if (!async) {
        faasmPullState(key, length);
    }
    return faasmReadState(key, buffer, length);
}

static inline uint8_t* faasmReadStatePtr(const char* key, long total, bool async)
{
    if (!async) {
        faasmPullState(key, total);
    }
    return faasmReadStatePtr(key, total);
}

static inline void faasmReadStateOffset(const char* key, long total, long offset, uint8_t* buffer, long length, bool async)
{
    if (!async) {
        faasmPullState(key, total);
    }
    faasmReadStateOffset(key, total, offset, buffer, length);
}

static inline uint8_t* faasmReadStateOffsetPtr(const char* key, long total, long offset, long length, bool async)
{
    if (!async) {
        faasmPullState(key, total);
    }
    return faasmReadStateOffsetPtr(key, total, offset, length);
}

static inline void faasmWriteState(const char* key, const uint8_t* bytes, long length, bool async)
{
    faasmWriteState(key, bytes, length);
    if (!async) {
        faasmPushState(key);
    }
}

static inline void faasmWriteStateOffset(const char* key, long total, long offset, const uint8_t* bytes, long length, bool async)
{
    faasmWriteStateOffset(key, total, offset, bytes, length);
    if (!async) {
        faasmPushStatePartial(key);
    }
}
#else
#define faasmAwaitCallOutput(call, output, length)                                                                            \
    _Generic((output), char**: faasm_await_call_output_new, default: faasm_await_call_output_into)(call, output, length)
#endif

#endif
