// Where a string of bytes occurs, and text with something else in its place. Pure: bytes in, result out.
#ifndef GANGLION_KERNELS_SUBSTRING_HPP
#define GANGLION_KERNELS_SUBSTRING_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ganglion::kernels {

/// Bit `i` is set where `left[i]` is `first` and `right[i]` is `last`. Reads 16 bytes of both.
inline std::uint32_t pairs_of_16(const char* left, char first, const char* right, char last)
{
#if defined(__wasm_simd128__)
    const v128_t firsts = wasm_i8x16_eq(wasm_v128_load(left), wasm_i8x16_splat(first));
    const v128_t lasts = wasm_i8x16_eq(wasm_v128_load(right), wasm_i8x16_splat(last));
    return wasm_i8x16_bitmask(wasm_v128_and(firsts, lasts));
#elif defined(__SSE2__)
    const auto equal = [](const char* bytes, char wanted) {
        return _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)), _mm_set1_epi8(wanted));
    };
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_and_si128(equal(left, first), equal(right, last))));
#else
    std::uint32_t mask = 0;
    for (unsigned i = 0; i < 16; ++i) {
        mask |= static_cast<std::uint32_t>(left[i] == first && right[i] == last) << i;
    }
    return mask;
#endif
}

/// The offset of the first `needle`, which is not empty, at or behind `from`; npos where there is none.
inline std::size_t find_substring(std::string_view text, std::string_view needle, std::size_t from)
{
    // Candidates are where both the needle's first and its last byte fit: rare in text, and found 16 at a time.
    const std::size_t reach = needle.size() - 1;
    std::size_t at = from;
    for (; at + reach + 16 <= text.size(); at += 16) {
        const char* const left = text.data() + at;
        std::uint32_t candidates = pairs_of_16(left, needle.front(), left + reach, needle.back());
        for (; candidates != 0; candidates &= candidates - 1) {
            const auto i = static_cast<std::size_t>(__builtin_ctz(candidates));
            if (std::memcmp(left + i, needle.data(), needle.size()) == 0) {
                return at + i;
            }
        }
    }
    return text.find(needle, at);
}

/// Calls `visit(offset)` for each `needle`, which is not empty, one behind the end of the other, while it returns true.
template <class Visit>
inline void for_each_substring(std::string_view text, std::string_view needle, Visit&& visit)
{
    std::size_t at = find_substring(text, needle, 0);
    while (at != std::string_view::npos && visit(at)) {
        at = find_substring(text, needle, at + needle.size());
    }
}

/// The text with `replacement` in the place of each `needle`, which is not empty.
inline std::vector<char> replaced(std::string_view text, std::string_view needle, std::string_view replacement)
{
    std::vector<char> result;
    result.reserve(text.size());
    const auto add = [&result](std::string_view part) { result.insert(result.end(), part.begin(), part.end()); };
    std::size_t done = 0;
    for_each_substring(text, needle, [&](std::size_t at) {
        add(text.substr(done, at - done));
        add(replacement);
        done = at + needle.size();
        return true;
    });
    add(text.substr(done));
    return result;
}

} // namespace ganglion::kernels

#endif
