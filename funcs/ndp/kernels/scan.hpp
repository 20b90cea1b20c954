// How often a byte occurs. Pure: bytes in, number out.
#ifndef GANGLION_KERNELS_SCAN_HPP
#define GANGLION_KERNELS_SCAN_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ganglion::kernels {

/// How often `wanted` occurs among the bytes.
inline std::uint64_t count_byte(const std::uint8_t* bytes, std::size_t size, std::uint8_t wanted)
{
    // Lanes of one byte count their own column and are added up before any of them can pass 255.
    typedef std::uint8_t Lanes __attribute__((vector_size(16)));
    constexpr std::size_t step_bytes = 4 * sizeof(Lanes);
    constexpr std::size_t steps_max = 255;

    const Lanes pattern = Lanes{} + wanted;
    std::uint64_t count = 0;
    std::size_t at = 0;
    while (size - at >= step_bytes) {
        Lanes found[4] = {};
        for (std::size_t steps = std::min((size - at) / step_bytes, steps_max); steps != 0; --steps, at += step_bytes) {
            for (std::size_t i = 0; i < 4; ++i) {
                Lanes text;
                std::memcpy(&text, bytes + at + i * sizeof text, sizeof text);
                found[i] -= reinterpret_cast<Lanes>(text == pattern); // equal lanes are all ones, which is -1
            }
        }
        for (const Lanes& lanes : found) {
            for (std::size_t i = 0; i < sizeof lanes; ++i) {
                count += lanes[i];
            }
        }
    }
    for (; at != size; ++at) {
        count += bytes[at] == wanted;
    }
    return count;
}

} // namespace ganglion::kernels

#endif
