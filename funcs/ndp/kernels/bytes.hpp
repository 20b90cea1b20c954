// Where a byte occurs, 16 bytes at a time.
#ifndef GANGLION_KERNELS_BYTES_HPP
#define GANGLION_KERNELS_BYTES_HPP

#include <cstddef>
#include <cstdint>

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ganglion::kernels {

/// Bit `i` is set where `bytes[i]` is `wanted`. Reads 16 bytes.
inline std::uint32_t equal_of_16(const char* bytes, char wanted)
{
#if defined(__wasm_simd128__)
    return wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(bytes), wasm_i8x16_splat(wanted)));
#elif defined(__SSE2__)
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(wanted))));
#else
    std::uint32_t mask = 0;
    for (unsigned i = 0; i < 16; ++i) {
        mask |= static_cast<std::uint32_t>(bytes[i] == wanted) << i;
    }
    return mask;
#endif
}

/// The offset of the first `wanted` in `[from, size)`; `size` where there is none.
inline std::size_t find_byte(const char* bytes, std::size_t size, std::size_t from, char wanted)
{
    for (; size - from >= 16; from += 16) {
        if (const std::uint32_t mask = equal_of_16(bytes + from, wanted)) {
            return from + static_cast<std::size_t>(__builtin_ctz(mask));
        }
    }
    for (; from != size && bytes[from] != wanted; ++from) {
    }
    return from;
}

} // namespace ganglion::kernels

#endif
