// Images as the MNIST files hold them: idx3-ubyte. Pure: bytes in, a view out.
//
//     0         4        8       12        16
//     00000803  images   rows    columns   images * rows * columns bytes, an image behind the other      (numbers big-endian)
#ifndef GANGLION_KERNELS_IMAGES_HPP
#define GANGLION_KERNELS_IMAGES_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace ganglion::kernels {

constexpr std::size_t image_pixels_max = 1024; ///< of one image: 32 by 32. The work grows with their third power

/// Images of the same size, in the file's own bytes.
struct Images {
    const std::uint8_t* pixels;
    std::size_t count;  ///< at least 1
    std::size_t values; ///< pixels of an image, from 1 to `image_pixels_max`

    const std::uint8_t* operator[](std::size_t image) const { return pixels + image * values; }
};

/// Nothing where it is no such file, one that ends too soon, without images, or with images that are too large.
inline std::optional<Images> images_of(const std::uint8_t* bytes, std::size_t size)
{
    constexpr std::size_t head_bytes = 16;
    constexpr std::uint32_t magic = 0x00000803;
    if (size < head_bytes) {
        return std::nullopt;
    }
    std::uint32_t head[4];
    std::memcpy(head, bytes, head_bytes);
    for (std::uint32_t& number : head) {
        number = __builtin_bswap32(number);
    }
    const std::uint64_t values = std::uint64_t{head[2]} * head[3];
    if (head[0] != magic || head[1] == 0 || values == 0 || values > image_pixels_max || head[1] * values > size - head_bytes) {
        return std::nullopt;
    }
    return Images{bytes + head_bytes, head[1], static_cast<std::size_t>(values)};
}

} // namespace ganglion::kernels

#endif
