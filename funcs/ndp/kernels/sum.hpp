// The sum of all bytes. Pure: bytes in, number out. A loop that compilers turn into vector instructions.
#ifndef GANGLION_KERNELS_SUM_HPP
#define GANGLION_KERNELS_SUM_HPP

#include <cstddef>
#include <cstdint>

namespace ganglion::kernels {

inline std::uint64_t sum(const std::uint8_t* bytes, std::size_t size)
{
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < size; ++i) {
        total += bytes[i];
    }
    return total;
}

} // namespace ganglion::kernels

#endif
