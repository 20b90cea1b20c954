/* Input and output of the call that this program is, and what it can ask about itself. */
#include "../include/faasm/host_interface.h"

#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct host_bytes input;
static struct host_bytes output;

void host_set_input(struct host_bytes bytes)
{
    input = bytes;
}

struct host_bytes host_output(void)
{
    return output;
}

long __faasm_read_input(void* buffer, long length)
{
    const char* const text = getenv("GANGLION_INPUT");
    if (input.bytes == NULL && text != NULL) {
        input = (struct host_bytes){(unsigned char*)text, strlen(text)};
    }
    if (length == 0) {
        return (long)input.length;
    }
    const size_t copied = (size_t)length < input.length ? (size_t)length : input.length;
    if (copied != 0) {
        memcpy(buffer, input.bytes, copied);
    }
    return (long)copied;
}

void __faasm_write_output(const void* bytes, long length)
{
    unsigned char* const copy = malloc((size_t)length + 1);
    if (copy == NULL) {
        host_die("no memory for", "the output");
    }
    if (length != 0) {
        memcpy(copy, bytes, (size_t)length);
    }
    free(output.bytes);
    output = (struct host_bytes){copy, (size_t)length};
}

static void empty(unsigned char* buffer, long length)
{
    if (length > 0) {
        buffer[0] = '\0';
    }
}

void __faasm_get_py_user(unsigned char* buffer, long length)
{
    empty(buffer, length);
}

void __faasm_get_py_func(unsigned char* buffer, long length)
{
    empty(buffer, length);
}

void __faasm_get_py_entry(unsigned char* buffer, long length)
{
    empty(buffer, length);
}

unsigned int __faasm_conf_flag(const char* key)
{
    const char* const value = getenv(key);
    return value != NULL && (strcmp(value, "1") == 0 || strcmp(value, "on") == 0);
}

void __faasm_backtrace(int depth)
{
    (void)depth;
}

void __faasm_migrate_point(void (*entry)(int), int argument)
{
    (void)entry;
    (void)argument;
}

void __faasm_snapshot_memory(const char* key)
{
    errno = 0;
    host_die("a program of this machine cannot keep a snapshot of its memory", key);
}

void __faasm_restore_memory(const char* key)
{
    errno = 0;
    host_die("a program of this machine cannot go back to a snapshot of its memory", key);
}

void __faasm_sm_reduce(void* variable, int type, int operation, int current_batch)
{
    (void)variable;
    (void)type;
    (void)operation;
    (void)current_batch;
}
