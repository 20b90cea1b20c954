/* Input and output of a call, and the points at which the host enters a guest. For C and C++. */
#ifndef FAASM_CORE_H
#define FAASM_CORE_H

#include <stdint.h>

#include "host_interface.h"

#ifdef __cplusplus
#define FAASM_C_LINKAGE extern "C"
#else
#define FAASM_C_LINKAGE
#endif

/* Begins the function: `FAASM_MAIN_FUNC() { ... return 0; }`. What it returns is the code of the call; all but 0 is a
 * failed call, whose output then says why. A guest that wants the arguments of its call writes
 * `int main(int argc, char** argv)` instead. */
#define FAASM_MAIN_FUNC() int main(void)

/* Begins the preparation: `FAASM_ZYGOTE() { ... return 0; }`. The host runs it once, after the global constructors; every
 * call then starts from a private copy of the memory that it left. It has no input, output or objects, and a code other
 * than 0 refuses the function.
 *
 * Link such a function with `-Wl,--export=__wasm_call_ctors,--export=_faasm_zygote`. Without the first, the linker puts
 * the constructors into `_start` and into the zygote both, and they run again in each call. */
#define FAASM_ZYGOTE() FAASM_C_LINKAGE __attribute__((used, visibility("default"))) int _faasm_zygote(void)

/* The size of the input in bytes. */
static inline long faasmGetInputSize(void)
{
    return __faasm_read_input(0, 0);
}

/* Copies the first `length` bytes of the input to `buffer`, or all of it where it is shorter; returns the number of bytes
 * copied. Nothing is added behind them. */
static inline long faasmGetInput(uint8_t* buffer, long length)
{
    return length > 0 ? __faasm_read_input(buffer, (int)length) : 0;
}

/* Makes these bytes the output of the call; a later call replaces them. Traps beyond the limit of an output (setting
 * `limits.output`). */
static inline void faasmSetOutput(const void* bytes, long length)
{
    __faasm_write_output(bytes, (int)length);
}

#endif
