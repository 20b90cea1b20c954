// The sum of all bytes. Pure: bytes in, number out.
#ifndef GANGLION_KERNELS_SUM_HPP
#define GANGLION_KERNELS_SUM_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ganglion::kernels {

/// The bytes added up.
inline std::uint64_t sum_bytes(const std::uint8_t* bytes, std::size_t size)
{
    // Lanes of two bytes add up their lower and their upper byte, and are added up before any of them can pass 65535.
    typedef std::uint16_t Lanes __attribute__((vector_size(16)));
    constexpr std::size_t step_bytes = 4 * sizeof(Lanes);
    constexpr std::size_t steps_max = 65535 / 510;

    std::uint64_t sum = 0;
    std::size_t at = 0;
    while (size - at >= step_bytes) {
        Lanes added[4] = {};
        for (std::size_t steps = std::min((size - at) / step_bytes, steps_max); steps != 0; --steps, at += step_bytes) {
            for (std::size_t i = 0; i < 4; ++i) {
                Lanes pairs;
                std::memcpy(&pairs, bytes + at + i * sizeof pairs, sizeof pairs);
                added[i] += (pairs & 0xff) + (pairs >> 8);
            }
        }
        for (const Lanes& lanes : added) {
            for (std::size_t i = 0; i < sizeof lanes / sizeof lanes[0]; ++i) {
                sum += lanes[i];
            }
        }
    }
    for (; at != size; ++at) {
        sum += bytes[at];
    }
    return sum;
}

} // namespace ganglion::kernels

#endif
