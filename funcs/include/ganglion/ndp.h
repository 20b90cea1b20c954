/* Objects, and calls that run beside them: the host's calls, for C and C++. C++ guests want ndp.hpp.
 *
 * A key is 1 to 1024 bytes of UTF-8 without NUL, and names an object in the bucket of the function's own tenant. It need not
 * end in NUL: its length is passed with it. Every pointer here must lie in the guest's memory with its whole length,
 * otherwise the guest traps.
 *
 * These calls do the same at every site: a guest cannot tell whether it, or a part of it, ran on compute or on storage. */
#ifndef GANGLION_NDP_H
#define GANGLION_NDP_H

#include <stdint.h>

#include "../faasm/host_interface.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why a call failed. The numbers are part of the interface and do not change. */
enum {
    GANGLION_INVALID = -1,   /* an argument: a key, range, view or function that cannot be */
    GANGLION_NOT_FOUND = -2, /* no such object */
    GANGLION_DENIED = -3,    /* this tenant may not do this to this object, or a combiner writes */
    GANGLION_LIMIT = -4,     /* beyond a limit of the call; the host's log names the setting */
    GANGLION_STORAGE = -5,   /* the store failed or cannot be reached */
};

/* Writes the whole object, in place of what was there; a reader sees the old object or the new one. When it returns 0 the
 * object is durable. `bytes` may be empty. The host copies them before it returns.
 *
 * An object that this call has mapped, or looked for, is written only while it is what was seen. When somebody else was sooner, the
 * whole call is begun again with what is there then, up to 16 times: of two functions that read, change and write one object neither
 * undoes the other. Writes that a call has made are not made again when it is repeated.
 *
 * Returns 0, or GANGLION_INVALID (the key), GANGLION_DENIED, GANGLION_LIMIT (the store's largest object) or
 * GANGLION_STORAGE; the object is then as it was. */
GANGLION_IMPORT(__faasmndp_put)
int32_t __faasmndp_put(const char* key, uint32_t key_length, const uint8_t* bytes, uint32_t length);

/* Lays the bytes [offset, offset + length_max) of the object into the guest's memory and returns where they begin; a range
 * that reaches beyond the object's end stops there. INT64_MAX asks for all there is. `*length` becomes the number of bytes:
 * never fewer than the object has in the range.
 *
 * An empty object, a range beyond the end and a `length_max` of 0 give a pointer other than NULL and a `*length` of 0.
 * NULL, with a `*length` of 0, is any error: a bad key, a negative offset or length, no such object, access denied, no room
 * left for it in the guest's memory, or a store that fails.
 *
 * A view lies above the heap and is no part of the memory's size as malloc sees it.
 *
 * Such a view shows one version of the object for as long as it is open. A guest may write into it: that changes the guest's
 * own copy and no object. Close it with __faasmndp_unmap; what is still open at the end of the call is closed by the host.
 * A view that is open when a storage call begins is there inside of it as well. One that a storage call opens is closed by the
 * host when that call ends. */
GANGLION_IMPORT(__faasmndp_getMmap)
uint8_t* __faasmndp_getMmap(const char* key, int32_t key_length, int64_t offset, int64_t length_max, uint32_t* length);

/* Closes a view: `bytes` and `length` as __faasmndp_getMmap gave them, also where the length is 0. Its memory must not be
 * touched afterwards.
 *
 * Returns 0, or GANGLION_INVALID when no such view is open; nothing is closed then. */
GANGLION_IMPORT(__faasmndp_unmap)
int32_t __faasmndp_unmap(uint8_t* bytes, int32_t length);

/* Runs `function` where the object is, when the scheduler finds that worth it and the call was not made with `forbid_ndp`;
 * otherwise in place. It works on the guest's own memory either way: what it reads was written before the call, and what it
 * writes is there after it, whatever it returns. The guest waits meanwhile. The object need not exist, and other objects may
 * be used too, by a storage call inside of this one as well. Views that it opens are closed when it ends.
 *
 * Returns what `function` returned, or GANGLION_INVALID when it was not run: for a bad key, or when `function` is not a
 * function of these parameters. A function that returns 0 or more can be told from that. When `function` traps or meets a
 * limit, the whole call ends as it would have in place. */
GANGLION_IMPORT(__faasmndp_storageCallAndAwait)
int32_t __faasmndp_storageCallAndAwait(const char* key, uint32_t key_length, int32_t (*function)(void));

/* The same, with an argument: a number, or a pointer in a guest of 32 bits. */
GANGLION_IMPORT(__faasmndp_storageCallAndAwait1)
int32_t __faasmndp_storageCallAndAwait1(const char* key, uint32_t key_length, int32_t (*function)(int32_t), int32_t first);

/* The same, with two. */
GANGLION_IMPORT(__faasmndp_storageCallAndAwait2)
int32_t __faasmndp_storageCallAndAwait2(const char* key, uint32_t key_length, int32_t (*function)(int32_t, int32_t),
                                        int32_t first, int32_t second);

#ifdef __cplusplus
}
#endif

#endif
