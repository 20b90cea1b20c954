/* What the files of this folder share: the host calls for programs of this machine, over files.
 *
 *     GANGLION_OBJECTS     folder of the objects, a file each             (default: objects)
 *     GANGLION_STATE       folder of the state, a file a value            (default: state)
 *     GANGLION_FUNCTIONS   folder of programs that can be called by name  (default: that of the program itself)
 *     GANGLION_INPUT       the input, where no argument gives it
 *     GANGLION_OUTPUT      file that the output is written to             (default: standard output)
 *
 * A key's bytes other than letters, digits, '.', '_', '-' and '/' are written as %XX in the file's path; '/' makes folders. A key that
 * would lead out of its folder is refused. */
#ifndef GANGLION_NATIVE_HOST_H
#define GANGLION_NATIVE_HOST_H

#include <stdbool.h>
#include <stddef.h>

enum { host_path_bytes = 4096 };

/* Bytes on the heap; `bytes` is never NULL when they could be had, also where there are none. */
struct host_bytes {
    unsigned char* bytes;
    size_t length;
};

/* Prints a sentence about `what`, with the reason in errno if there is one, and ends the program with 1. */
_Noreturn void host_die(const char* sentence, const char* what);

/* The path of a key in the folder that `variable` names. False where the key cannot be one. */
bool host_path(char path[host_path_bytes], const char* variable, const char* key, size_t key_length);

/* Makes the folders above a path. */
void host_make_folders(const char* path);

/* The whole file; `bytes` is NULL where it cannot be read. */
struct host_bytes host_read_file(const char* path);

/* Makes a file of these bytes in place of what was there: readers see the one or the other. */
bool host_write_file(const char* path, const void* bytes, size_t length);

/* What __faasm_read_input reads from now on. The bytes are the host's. */
void host_set_input(struct host_bytes input);

/* What __faasm_write_output has last set. */
struct host_bytes host_output(void);

/* Runs the function's preparation (FAASM_ZYGOTE), where it has one, and takes the input: the argument, or where its `bytes` are NULL the value of
 * GANGLION_INPUT or what is on standard input. False where the preparation fails, and a line says so. */
bool host_begin(struct host_bytes argument);

/* Writes the output to the file GANGLION_OUTPUT, or to standard output. False where it cannot. */
bool host_end(void);

#endif
