// Principal components of images. Pure: images in, coordinates out. The eigenvectors are Eigen's.
#ifndef GANGLION_KERNELS_PCA_HPP
#define GANGLION_KERNELS_PCA_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#define EIGEN_NO_IO
#define EIGEN_MPL2_ONLY
#include <Eigen/Eigenvalues>

#include "images.hpp"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ganglion::kernels {

using Table = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace pca_detail {

using Numbers16 = std::int16_t __attribute__((vector_size(16)));
using Numbers32 = std::uint32_t __attribute__((vector_size(16)));

/// The products of the numbers of both, each added to that of its neighbour.
inline Numbers32 products_of_pairs(Numbers16 left, Numbers16 right)
{
#if defined(__wasm_simd128__)
    return reinterpret_cast<Numbers32>(wasm_i32x4_dot_i16x8(reinterpret_cast<v128_t>(left), reinterpret_cast<v128_t>(right)));
#elif defined(__SSE2__)
    return reinterpret_cast<Numbers32>(_mm_madd_epi16(reinterpret_cast<__m128i>(left), reinterpret_cast<__m128i>(right)));
#else
    Numbers32 sums;
    for (int i = 0; i != 4; ++i) {
        sums[i] = static_cast<std::uint32_t>(left[2 * i] * right[2 * i] + left[2 * i + 1] * right[2 * i + 1]);
    }
    return sums;
#endif
}

constexpr std::size_t images_at_once = 8;
constexpr std::size_t couples = images_at_once / 2;

/// Some images side by side: of each two of them, the first value of the one and of the other, then their second ones, and so on.
class Couples {
public:
    explicit Couples(std::size_t values)
        : lane_pixels_(2 * values)
        , pixels_(couples * lane_pixels_)
    {
    }

    /// Takes the images `[begin, end)`, of which there are up to `images_at_once`; what is missing is black.
    void take(const Images& images, std::size_t begin, std::size_t end)
    {
        for (std::size_t at = 0; at != images_at_once; ++at) {
            std::int16_t* const lane = pixels_.data() + at / 2 * lane_pixels_ + at % 2;
            const bool is_there = begin + at < end;
            for (std::size_t i = 0; i != images.values; ++i) {
                lane[2 * i] = is_there ? images[begin + at][i] : std::int16_t{0};
            }
        }
    }

    /// Adds, for all images, the products of the value `i` and those from there on, begun at a multiple of four, to a row of sums.
    void add_products(std::size_t i, std::size_t row_values, std::uint32_t* row) const
    {
        Numbers16 factors[couples];
        bool any = false; // most pixels are black where something is drawn on nothing
        for (std::size_t couple = 0; couple != couples; ++couple) {
            std::uint32_t pair;
            std::memcpy(&pair, lane(couple) + 2 * i, sizeof pair);
            factors[couple] = reinterpret_cast<Numbers16>(Numbers32{} + pair);
            any |= pair != 0;
        }
        if (!any) {
            return;
        }
        for (std::size_t j = i / 4 * 4; j != row_values; j += 4) {
            Numbers32 sums;
            std::memcpy(&sums, row + j, sizeof sums);
            for (std::size_t couple = 0; couple != couples; ++couple) {
                Numbers16 pixels;
                std::memcpy(&pixels, lane(couple) + 2 * j, sizeof pixels);
                sums += products_of_pairs(pixels, factors[couple]);
            }
            std::memcpy(row + j, &sums, sizeof sums);
        }
    }

private:
    const std::int16_t* lane(std::size_t couple) const { return pixels_.data() + couple * lane_pixels_; }

    std::size_t lane_pixels_;
    std::vector<std::int16_t> pixels_;
};

} // namespace pca_detail

/// The sums that the covariance is made of; all of them exact.
struct Sums {
    Eigen::VectorXd of_values;   ///< over the images
    Table of_products;           ///< of two values; only where the column is not before the row
};

inline Sums sums_of(const Images& images)
{
    using namespace pca_detail;
    // 255 * 255 a step: a batch of images cannot pass 32 bits.
    constexpr std::size_t batch_images = 65536;
    const auto side = static_cast<Eigen::Index>(images.values);
    const std::size_t row_values = (images.values + 3) / 4 * 4;
    Sums sums{Eigen::VectorXd::Zero(side), Table::Zero(side, side)};
    std::vector<std::uint32_t> products(images.values * row_values);
    Couples together(row_values);
    for (std::size_t begin = 0; begin < images.count; begin += batch_images) {
        const std::size_t end = std::min(begin + batch_images, images.count);
        std::fill(products.begin(), products.end(), 0);
        for (std::size_t image = begin; image < end; image += images_at_once) {
            together.take(images, image, end);
            for (std::size_t i = 0; i != images.values; ++i) {
                together.add_products(i, row_values, products.data() + i * row_values);
            }
        }
        for (std::size_t image = begin; image != end; ++image) {
            for (std::size_t i = 0; i != images.values; ++i) {
                sums.of_values[static_cast<Eigen::Index>(i)] += images[image][i];
            }
        }
        for (std::size_t i = 0; i != images.values; ++i) {
            for (std::size_t j = i; j != images.values; ++j) {
                sums.of_products(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) += products[i * row_values + j];
            }
        }
    }
    return sums;
}

/// The images in the coordinates in which they differ most, a row an image: `dimensions` of them, or as many as an image has
/// pixels. Of each axis, that direction is taken in which its largest entry is positive.
inline Table principal_coordinates(const Images& images, std::size_t dimensions)
{
    const auto side = static_cast<Eigen::Index>(images.values);
    const auto axes_count = std::min(side, static_cast<Eigen::Index>(dimensions));
    const Sums sums = sums_of(images);
    const auto count = static_cast<double>(images.count);
    const Eigen::VectorXd mean = sums.of_values / count;
    Table covariance(side, side);
    for (Eigen::Index i = 0; i != side; ++i) {
        for (Eigen::Index j = i; j != side; ++j) {
            covariance(j, i) = covariance(i, j) = sums.of_products(i, j) / count - mean[i] * mean[j];
        }
    }
    // Eigenvalues come in ascending order: the last ones are wanted, the largest of them first.
    const Eigen::SelfAdjointEigenSolver<Table> solved(covariance);
    Table axes = solved.eigenvectors().rightCols(axes_count).rowwise().reverse();
    for (Eigen::Index axis = 0; axis != axes_count; ++axis) {
        Eigen::Index largest = 0;
        axes.col(axis).cwiseAbs().maxCoeff(&largest);
        if (axes(largest, axis) < 0) {
            axes.col(axis) *= -1;
        }
    }
    const Eigen::RowVectorXd origin = mean.transpose() * axes;
    Table coordinates(static_cast<Eigen::Index>(images.count), axes_count);
    for (std::size_t image = 0; image != images.count; ++image) {
        auto row = coordinates.row(static_cast<Eigen::Index>(image));
        row = -origin;
        for (std::size_t i = 0; i != images.values; ++i) {
            if (const double pixel = images[image][i]; pixel != 0) {
                row += pixel * axes.row(static_cast<Eigen::Index>(i));
            }
        }
    }
    return coordinates;
}

} // namespace ganglion::kernels

#endif
