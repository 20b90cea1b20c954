/* Objects: files of a folder. A storage call runs in place. */
#include "../include/ganglion/ndp.h"

#include "host.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A view that is open: where it begins in memory for the guest, and the mapping that it lies in. */
struct view {
    struct view* next;
    unsigned char* bytes;
    uint32_t length;
    void* mapping;
    size_t mapping_bytes;
    int depth; /* storage calls that were under way when it was opened */
};

static struct view* views;
static int depth;

static bool path_of(char path[host_path_bytes], const char* key, uint32_t key_length)
{
    return host_path(path, "GANGLION_OBJECTS", key, key_length);
}

int32_t __faasmndp_put(const char* key, uint32_t key_length, const uint8_t* bytes, uint32_t length)
{
    char path[host_path_bytes];
    if (!path_of(path, key, key_length)) {
        return GANGLION_INVALID;
    }
    return host_write_file(path, bytes, length) ? 0 : GANGLION_STORAGE;
}

/* Maps so many bytes of the file, or one page of zeros where there are none to map. */
static bool map(struct view* view, int file, int64_t offset)
{
    const int64_t page_bytes = sysconf(_SC_PAGESIZE);
    const int64_t before = offset % page_bytes;
    view->mapping_bytes = view->length == 0 ? (size_t)page_bytes : (size_t)(before + view->length);
    view->mapping = view->length == 0
                        ? mmap(NULL, view->mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                        : mmap(NULL, view->mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, offset - before);
    view->bytes = (unsigned char*)view->mapping + (view->length == 0 ? 0 : before);
    return view->mapping != MAP_FAILED;
}

uint8_t* __faasmndp_getMmap(const char* key, int32_t key_length, int64_t offset, int64_t length_max, uint32_t* length)
{
    char path[host_path_bytes];
    struct stat status;
    *length = 0;
    if (key_length < 0 || offset < 0 || length_max < 0 || !path_of(path, key, (uint32_t)key_length)) {
        return NULL;
    }
    const int file = open(path, O_RDONLY);
    if (file < 0) {
        return NULL;
    }
    struct view* const view = malloc(sizeof *view);
    bool mapped = false;
    if (view != NULL && fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
        const int64_t left = offset < status.st_size ? status.st_size - offset : 0;
        const int64_t wanted = left < length_max ? left : length_max;
        *view = (struct view){.length = (uint32_t)wanted, .depth = depth};
        mapped = wanted <= UINT32_MAX && map(view, file, offset);
    }
    close(file);
    if (!mapped) {
        free(view);
        return NULL;
    }
    view->next = views;
    views = view;
    *length = view->length;
    return view->bytes;
}

/* Takes a view out of the list that begins or goes on at `link`. */
static void close_view(struct view** link)
{
    struct view* const view = *link;
    *link = view->next;
    munmap(view->mapping, view->mapping_bytes);
    free(view);
}

int32_t __faasmndp_unmap(uint8_t* bytes, int32_t length)
{
    for (struct view** link = &views; *link != NULL; link = &(*link)->next) {
        if ((*link)->bytes == bytes && (*link)->length == (uint32_t)length) {
            close_view(link);
            return 0;
        }
    }
    return GANGLION_INVALID;
}

/* Whether a storage call may begin; it has begun then. */
static bool begin(const char* key, uint32_t key_length, bool is_function)
{
    char path[host_path_bytes];
    const bool may = is_function && path_of(path, key, key_length);
    depth += may;
    return may;
}

/* Closes the views that a storage call has opened. The newest are first in the list. */
static int32_t end(int32_t result)
{
    while (views != NULL && views->depth == depth) {
        close_view(&views);
    }
    depth -= 1;
    return result;
}

int32_t __faasmndp_storageCallAndAwait(const char* key, uint32_t key_length, int32_t (*function)(void))
{
    return begin(key, key_length, function != NULL) ? end(function()) : GANGLION_INVALID;
}

int32_t __faasmndp_storageCallAndAwait1(const char* key, uint32_t key_length, int32_t (*function)(int32_t), int32_t first)
{
    return begin(key, key_length, function != NULL) ? end(function(first)) : GANGLION_INVALID;
}

int32_t __faasmndp_storageCallAndAwait2(const char* key, uint32_t key_length, int32_t (*function)(int32_t, int32_t), int32_t first,
                                        int32_t second)
{
    return begin(key, key_length, function != NULL) ? end(function(first, second)) : GANGLION_INVALID;
}
