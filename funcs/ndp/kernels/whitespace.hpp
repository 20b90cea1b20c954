// Where words begin and end, 64 bytes at a time.
#ifndef GANGLION_KERNELS_WHITESPACE_HPP
#define GANGLION_KERNELS_WHITESPACE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ganglion::kernels {

constexpr std::size_t block_bytes = 64;

/// Bit `i` of the result is set where `bytes[i]` is ASCII whitespace: space, or one of `\t \n \v \f \r`. Reads 16 bytes.
inline std::uint64_t whitespace_of_16(const std::uint8_t* bytes)
{
#if defined(__wasm_simd128__)
    const v128_t text = wasm_v128_load(bytes);
    const v128_t space = wasm_i8x16_eq(text, wasm_u8x16_const_splat(' '));
    const v128_t control = wasm_u8x16_le(wasm_i8x16_sub(text, wasm_u8x16_const_splat('\t')), wasm_u8x16_const_splat(4));
    return wasm_i8x16_bitmask(wasm_v128_or(space, control));
#elif defined(__SSE2__)
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    const __m128i space = _mm_cmpeq_epi8(text, _mm_set1_epi8(' '));
    const __m128i above_tab = _mm_sub_epi8(text, _mm_set1_epi8('\t'));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(above_tab, _mm_set1_epi8(4)), above_tab);
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_or_si128(space, control)));
#else
    std::uint64_t mask = 0;
    for (unsigned i = 0; i < 16; ++i) {
        const bool whitespace = bytes[i] == ' ' || static_cast<std::uint8_t>(bytes[i] - '\t') <= 4;
        mask |= static_cast<std::uint64_t>(whitespace) << i;
    }
    return mask;
#endif
}

inline std::uint64_t whitespace_of_block(const std::uint8_t* bytes)
{
    return whitespace_of_16(bytes) | whitespace_of_16(bytes + 16) << 16 | whitespace_of_16(bytes + 32) << 32 |
           whitespace_of_16(bytes + 48) << 48;
}

/// Calls `visit(begin, end)` with the offsets of every word, in order. A word is a maximal run of bytes that are not ASCII
/// whitespace.
template <class Visit>
inline void for_each_word(const std::uint8_t* bytes, std::size_t size, Visit&& visit)
{
    std::uint64_t outside = 1; // whether the byte before this block was whitespace
    std::size_t begin = 0;     // of the word that we are in, unless outside

    const auto visit_block = [&](std::uint64_t whitespace, std::size_t base) {
        // A bit where a byte differs in kind from the byte before it: word begins and word ends take turns.
        std::uint64_t edges = whitespace ^ (whitespace << 1 | outside);
        if (outside == 0 && edges != 0) {
            visit(begin, base + static_cast<std::size_t>(__builtin_ctzll(edges)));
            edges &= edges - 1;
        }
        while (edges != 0) {
            begin = base + static_cast<std::size_t>(__builtin_ctzll(edges));
            edges &= edges - 1;
            if (edges == 0) {
                break;
            }
            visit(begin, base + static_cast<std::size_t>(__builtin_ctzll(edges)));
            edges &= edges - 1;
        }
        outside = whitespace >> 63;
    };

    std::size_t base = 0;
    for (; size - base >= block_bytes; base += block_bytes) {
        visit_block(whitespace_of_block(bytes + base), base);
    }
    std::uint8_t rest[block_bytes]; // what is left, and whitespace behind it, which ends the last word
    std::memset(rest, ' ', sizeof rest);
    if (size != base) {
        std::memcpy(rest, bytes + base, size - base);
    }
    visit_block(whitespace_of_block(rest), base);
}

} // namespace ganglion::kernels

#endif
