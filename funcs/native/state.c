/* State: files of a folder, mapped and shared, so that every call sees at once what another writes. Pushing and pulling have nothing to
 * do; a value's size is its file's. */
#include "../include/faasm/host_interface.h"

#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A value that this program has touched. */
struct value {
    struct value* next;
    char* key;
    int file;
    unsigned char* bytes; /* NULL until it has a size */
    size_t length;
};

static struct value* values;

static void path_of(char path[host_path_bytes], const char* key, const char* suffix)
{
    if (!host_path(path, "GANGLION_STATE", key, strlen(key)) || strlen(path) + strlen(suffix) >= host_path_bytes) {
        errno = EINVAL;
        host_die("not a key of state", key);
    }
    strcat(path, suffix);
    host_make_folders(path);
}

static struct value* value_of(const char* key)
{
    char path[host_path_bytes];
    for (struct value* value = values; value != NULL; value = value->next) {
        if (strcmp(value->key, key) == 0) {
            return value;
        }
    }
    path_of(path, key, "");
    struct value* const value = calloc(1, sizeof *value);
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (value == NULL || file < 0 || (value->key = strdup(key)) == NULL) {
        host_die("cannot open state", path);
    }
    value->file = file;
    value->next = values;
    values = value;
    return value;
}

static size_t size_of(const struct value* value)
{
    struct stat status;
    if (fstat(value->file, &status) != 0) {
        host_die("cannot look at state", value->key);
    }
    return (size_t)status.st_size;
}

/* The value mapped, when it has at least one byte. Where it has fewer than `total` it is made so large, with zeros. */
static struct value* mapped(const char* key, size_t total)
{
    struct value* const value = value_of(key);
    size_t size = size_of(value);
    if (size < total) {
        if (ftruncate(value->file, (off_t)total) != 0) {
            host_die("cannot write state", key);
        }
        size = total;
    }
    if (value->length != size) {
        if (value->bytes != NULL) {
            munmap(value->bytes, value->length);
        }
        value->bytes = size == 0 ? NULL : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, value->file, 0);
        if (value->bytes == MAP_FAILED) {
            host_die("cannot map state", key);
        }
        value->length = size;
    }
    return value;
}

/* Where a part of a value begins. Ends the program where it does not lie in the value, as a guest would trap. */
static unsigned char* part(const char* key, long total, long offset, long length)
{
    struct value* const value = mapped(key, (size_t)total);
    if (offset < 0 || length < 0 || (size_t)offset > value->length || (size_t)length > value->length - (size_t)offset) {
        errno = ERANGE;
        host_die("not a part of state", key);
    }
    return value->bytes + offset;
}

long __faasm_read_state(const char* key, unsigned char* buffer, long length)
{
    const struct value* const value = mapped(key, 0);
    const size_t copied = (size_t)length < value->length ? (size_t)length : value->length;
    if (copied != 0) {
        memcpy(buffer, value->bytes, copied);
    }
    return (long)value->length;
}

unsigned char* __faasm_read_state_ptr(const char* key, long total)
{
    return part(key, total, 0, total);
}

void __faasm_read_state_offset(const char* key, long total, long offset, unsigned char* buffer, long length)
{
    memcpy(buffer, part(key, total, offset, length), (size_t)length);
}

unsigned char* __faasm_read_state_offset_ptr(const char* key, long total, long offset, long length)
{
    return part(key, total, offset, length);
}

void __faasm_write_state(const char* key, const unsigned char* bytes, long length)
{
    struct value* const value = value_of(key);
    if (size_of(value) > (size_t)length && ftruncate(value->file, length) != 0) {
        host_die("cannot write state", key);
    }
    __faasm_write_state_offset(key, length, 0, bytes, length);
}

void __faasm_write_state_offset(const char* key, long total, long offset, const unsigned char* bytes, long length)
{
    unsigned char* const begin = part(key, total, offset, length);
    if (length != 0) {
        memcpy(begin, bytes, (size_t)length);
    }
}

unsigned int __faasm_write_state_from_file(const char* key, const char* path)
{
    const struct host_bytes file = host_read_file(path);
    if (file.bytes == NULL) {
        host_die("cannot read", path);
    }
    __faasm_write_state(key, file.bytes, (long)file.length);
    free(file.bytes);
    return (unsigned int)file.length;
}

void __faasm_flag_state_dirty(const char* key, long total)
{
    mapped(key, (size_t)total);
}

void __faasm_flag_state_offset_dirty(const char* key, long total, long offset, long length)
{
    part(key, total, offset, length);
}

void __faasm_push_state(const char* key)
{
    mapped(key, 0);
}

void __faasm_push_state_partial(const char* key)
{
    mapped(key, 0);
}

void __faasm_push_state_partial_mask(const char* key, const char* mask_key)
{
    mapped(key, 0);
    mapped(mask_key, 0);
}

void __faasm_pull_state(const char* key, long total)
{
    mapped(key, (size_t)total);
}

/* A lock of the whole file, this program's and not those that it starts. */
static void lock(const char* key, short kind)
{
    struct flock whole = {.l_type = kind, .l_whence = SEEK_SET};
    if (fcntl(value_of(key)->file, F_SETLKW, &whole) != 0) {
        host_die("cannot lock state", key);
    }
}

void __faasm_lock_state_read(const char* key)
{
    lock(key, F_RDLCK);
}

void __faasm_unlock_state_read(const char* key)
{
    lock(key, F_UNLCK);
}

void __faasm_lock_state_write(const char* key)
{
    lock(key, F_WRLCK);
}

void __faasm_unlock_state_write(const char* key)
{
    lock(key, F_UNLCK);
}

void __faasm_sm_critical_local(void)
{
    lock("critical-local", F_WRLCK);
}

void __faasm_sm_critical_local_end(void)
{
    lock("critical-local", F_UNLCK);
}

/* The list beside a value is a file too: an element is its length, in eight bytes, and its bytes, written at once. */
void __faasm_append_state(const char* key, const unsigned char* bytes, long length)
{
    char path[host_path_bytes];
    path_of(path, key, ".appended");
    const uint64_t size = (uint64_t)length;
    unsigned char* const element = malloc(sizeof size + (size_t)length);
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (element == NULL || file < 0) {
        host_die("cannot append to state", path);
    }
    memcpy(element, &size, sizeof size);
    memcpy(element + sizeof size, bytes, (size_t)length);
    if (write(file, element, sizeof size + (size_t)length) != (ssize_t)sizeof size + length) {
        host_die("cannot append to state", path);
    }
    close(file);
    free(element);
}

void __faasm_read_appended_state(const char* key, unsigned char* buffer, long length, long count)
{
    char path[host_path_bytes];
    path_of(path, key, ".appended");
    const struct host_bytes list = host_read_file(path);
    size_t at = 0;
    size_t copied = 0;
    for (uint64_t size; count > 0 && at + sizeof size <= list.length; --count) {
        memcpy(&size, list.bytes + at, sizeof size);
        at += sizeof size;
        if (size > list.length - at || copied + size > (size_t)length) {
            break;
        }
        memcpy(buffer + copied, list.bytes + at, size);
        at += size;
        copied += size;
    }
    free(list.bytes);
}

void __faasm_clear_appended_state(const char* key)
{
    char path[host_path_bytes];
    path_of(path, key, ".appended");
    unlink(path);
}
