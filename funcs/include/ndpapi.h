/* Objects under the names of Faasm's near-data fork. What each call does is written in ganglion/ndp.h. */
#ifndef NDPAPI_H
#define NDPAPI_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ganglion/ndp.h"

/* A function that a storage call runs, whatever its parameters are. */
typedef int (*FaasmNdpFuncPtr)();

/* An object as a file that can be read (`mode` is "r" or "rb"); NULL where it cannot be opened. Its memory is the host's again at the end
 * of the call, or of the storage call that opened it. */
static inline FILE* faasmndp_fopen(const char* name, const char* mode)
{
    uint32_t length = 0;
    uint8_t* const bytes = __faasmndp_getMmap(name, (int32_t)strlen(name), 0, INT64_MAX, &length);
    return bytes == NULL ? NULL : fmemopen(bytes, length, mode);
}

#ifdef __cplusplus

#include "ganglion/ndp.hpp"

// Faasm passes functions of any parameters under one type.
inline int32_t __faasmndp_storageCallAndAwait1(const char* key, uint32_t key_length, FaasmNdpFuncPtr function, int32_t first)
{
    const auto typed = reinterpret_cast<int32_t (*)(int32_t)>(reinterpret_cast<void*>(function));
    return __faasmndp_storageCallAndAwait1(key, key_length, typed, first);
}

inline int32_t __faasmndp_storageCallAndAwait2(const char* key, uint32_t key_length, FaasmNdpFuncPtr function, int32_t first,
                                               int32_t second)
{
    const auto typed = reinterpret_cast<int32_t (*)(int32_t, int32_t)>(reinterpret_cast<void*>(function));
    return __faasmndp_storageCallAndAwait2(key, key_length, typed, first, second);
}

/// Runs `work()` where the object is, or here.
template <class Work>
int faasmndp_storageCallAndAwait(const char* key, uint32_t key_length, Work work)
{
    return ganglion::on_storage(std::string_view(key, key_length), work);
}

#endif

#endif
