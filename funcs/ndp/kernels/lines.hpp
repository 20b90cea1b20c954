// The longest line. Pure: bytes in, number out. A loop byte by byte that ends where the text says, so it stays scalar.
#ifndef GANGLION_KERNELS_LINES_HPP
#define GANGLION_KERNELS_LINES_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ganglion::kernels {

/// Bytes of the longest line, its end not counted.
inline std::uint64_t longest_line(const std::uint8_t* bytes, std::size_t size)
{
    std::size_t longest = 0;
    for (std::size_t begin = 0; begin < size;) {
        std::size_t end = begin;
        while (end != size && bytes[end] != '\n') {
            ++end;
        }
        longest = std::max(longest, end - begin);
        begin = end + 1;
    }
    return longest;
}

} // namespace ganglion::kernels

#endif
