/* Helpers for values of state. */
#ifndef FAASM_STATE_H
#define FAASM_STATE_H

#include "core.h"

#ifdef __cplusplus

#include <vector>

#define BIT_MASK_8 0xffu
#define BIT_MASK_32 0xffffffffu

namespace faasm {

/// Marks the double at that index in a mask for faasmPushStatePartialMask.
inline void maskDouble(unsigned int* mask, unsigned long index)
{
    mask[2 * index] |= BIT_MASK_32;
    mask[2 * index + 1] |= BIT_MASK_32;
}

/// Makes the value so many zeros.
inline void zeroState(const char* key, size_t length)
{
    const std::vector<uint8_t> zeros(length);
    faasmWriteState(key, zeros.data(), static_cast<long>(length));
}

/// The value as a number; 0 where there is none.
inline int readIntState(const char* key)
{
    int number = 0;
    faasmReadState(key, BYTES(&number), sizeof number);
    return number;
}

inline void writeIntState(const char* key, int number)
{
    faasmWriteState(key, BYTES(&number), sizeof number);
}

} // namespace faasm

#endif

#endif
