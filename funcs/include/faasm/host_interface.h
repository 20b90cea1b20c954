/* What the host gives every guest under the names of Faasm, as imports of the module "env". Most guests want core.h. */
#ifndef FAASM_HOST_INTERFACE_H
#define FAASM_HOST_INTERFACE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The name under which the linker imports a call of the host. */
#define GANGLION_IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

/* Copies the first `length` bytes of the input, or all of it where it is shorter, to `buffer`; returns the number of bytes
 * copied. With `length` 0 it copies nothing and returns the size of the whole input instead.
 * Traps when the buffer does not lie in the guest's memory. */
GANGLION_IMPORT(__faasm_read_input)
int __faasm_read_input(void* buffer, int length);

/* Makes these bytes the output of the call, in place of what an earlier call to this function set: the last one wins.
 * The host copies them before it returns.
 * Traps when the bytes do not lie in the guest's memory, or beyond the limit of an output (setting `limits.output`). */
GANGLION_IMPORT(__faasm_write_output)
void __faasm_write_output(const void* bytes, int length);

#ifdef __cplusplus
}
#endif

#endif
