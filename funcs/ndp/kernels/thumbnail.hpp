// PNG into pixels, pixels made fewer, and PNG again. Pure: bytes in, bytes out. Reading and writing PNG is stb's.
#ifndef GANGLION_KERNELS_THUMBNAIL_HPP
#define GANGLION_KERNELS_THUMBNAIL_HPP

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_NO_THREAD_LOCALS
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-function"
#pragma clang diagnostic ignored "-Wmissing-field-initializers"
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#pragma clang diagnostic pop

namespace ganglion::kernels {

constexpr std::size_t pixel_bytes = 4;             ///< red, green, blue, opacity
constexpr std::size_t pixels_max = std::size_t{1} << 25; ///< 128 MiB of them: what a short PNG can claim to hold is bounded

/// Rows of pixels, from the top.
struct Image {
    std::size_t width;
    std::size_t height;
    std::vector<std::uint8_t> pixels;
};

/// The image of a PNG; nothing where it is none, is damaged, or has more than `pixels_max`.
inline std::optional<Image> decoded_png(const std::uint8_t* bytes, std::size_t size)
{
    int width = 0;
    int height = 0;
    int channels = 0;
    if (size > INT_MAX || stbi_info_from_memory(bytes, static_cast<int>(size), &width, &height, &channels) == 0) {
        return std::nullopt;
    }
    if (static_cast<std::size_t>(width) > pixels_max / static_cast<std::size_t>(height)) {
        return std::nullopt;
    }
    std::uint8_t* const pixels =
        stbi_load_from_memory(bytes, static_cast<int>(size), &width, &height, &channels, static_cast<int>(pixel_bytes));
    if (pixels == nullptr) {
        return std::nullopt;
    }
    Image image{static_cast<std::size_t>(width), static_cast<std::size_t>(height), {}};
    image.pixels.assign(pixels, pixels + image.width * image.height * pixel_bytes);
    std::free(pixels);
    return image;
}

/// The mean of the pixels `[left, right)` of the rows `[top, bottom)`: of colours, each counts as much as it is opaque.
inline void mean_pixel(const Image& image, std::size_t left, std::size_t right, std::size_t top, std::size_t bottom,
                       std::uint8_t* mean)
{
    std::uint32_t colours[3] = {};
    std::uint32_t opacity = 0;
    for (std::size_t y = top; y != bottom; ++y) {
        const std::uint8_t* pixel = image.pixels.data() + (y * image.width + left) * pixel_bytes;
        for (std::size_t x = left; x != right; ++x, pixel += pixel_bytes) {
            for (std::size_t i = 0; i < 3; ++i) {
                colours[i] += std::uint32_t{pixel[i]} * pixel[3];
            }
            opacity += pixel[3];
        }
    }
    for (std::size_t i = 0; i < 3; ++i) {
        mean[i] = static_cast<std::uint8_t>(opacity == 0 ? 0 : (colours[i] + opacity / 2) / opacity);
    }
    const auto pixels = static_cast<std::uint32_t>((right - left) * (bottom - top));
    mean[3] = static_cast<std::uint8_t>((opacity + pixels / 2) / pixels);
}

/// A quarter as wide and as high, rounded up: each pixel is the mean of four by four, or of what there is at the right and
/// the lower edge.
inline Image shrunk(const Image& image)
{
    constexpr std::size_t factor = 4;
    Image small{(image.width + factor - 1) / factor, (image.height + factor - 1) / factor, {}};
    small.pixels.resize(small.width * small.height * pixel_bytes);
    std::uint8_t* mean = small.pixels.data();
    for (std::size_t top = 0; top < image.height; top += factor) {
        for (std::size_t left = 0; left < image.width; left += factor, mean += pixel_bytes) {
            mean_pixel(image, left, std::min(left + factor, image.width), top, std::min(top + factor, image.height), mean);
        }
    }
    return small;
}

/// The image as PNG, with opacity. Nothing where there is no memory.
inline std::optional<std::vector<std::uint8_t>> encoded_png(const Image& image)
{
    std::vector<std::uint8_t> png;
    const auto append = [](void* context, void* bytes, int size) {
        const auto* const begin = static_cast<const std::uint8_t*>(bytes);
        static_cast<std::vector<std::uint8_t>*>(context)->assign(begin, begin + size);
    };
    const auto side = [](std::size_t pixels) { return static_cast<int>(pixels); };
    const int row_bytes = side(image.width * pixel_bytes);
    if (stbi_write_png_to_func(append, &png, side(image.width), side(image.height), pixel_bytes, image.pixels.data(),
                               row_bytes) == 0) {
        return std::nullopt;
    }
    return png;
}

} // namespace ganglion::kernels

#endif
