// Principal components of images. Pure: images in, coordinates out. The eigenvectors are Eigen's.
#ifndef GANGLION_KERNELS_PCA_HPP
#define GANGLION_KERNELS_PCA_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#define EIGEN_NO_IO
#define EIGEN_MPL2_ONLY
#include <Eigen/Eigenvalues>

#include "images.hpp"

namespace ganglion::kernels {

using Table = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The sums that the covariance is made of; all of them exact.
struct Sums {
    Eigen::VectorXd of_values;   ///< over the images
    Table of_products;           ///< of two values; only where the column is not before the row
};

inline Sums sums_of(const Images& images)
{
    // 255 * 255 a step: a batch of images cannot pass 32 bits.
    constexpr std::size_t batch_images = 65536;
    const auto side = static_cast<Eigen::Index>(images.values);
    Sums sums{Eigen::VectorXd::Zero(side), Table::Zero(side, side)};
    std::vector<std::uint32_t> values(images.values);
    std::vector<std::uint32_t> products(images.values * images.values);
    for (std::size_t begin = 0; begin < images.count; begin += batch_images) {
        std::fill(values.begin(), values.end(), 0);
        std::fill(products.begin(), products.end(), 0);
        for (std::size_t image = begin; image != std::min(begin + batch_images, images.count); ++image) {
            const std::uint8_t* const pixels = images[image];
            for (std::size_t i = 0; i != images.values; ++i) {
                const std::uint32_t pixel = pixels[i];
                if (pixel == 0) { // as most of them are where something is drawn on nothing
                    continue;
                }
                values[i] += pixel;
                std::uint32_t* const row = products.data() + i * images.values;
                for (std::size_t j = i; j != images.values; ++j) {
                    row[j] += pixel * pixels[j];
                }
            }
        }
        for (std::size_t i = 0; i != images.values; ++i) {
            sums.of_values[static_cast<Eigen::Index>(i)] += values[i];
            for (std::size_t j = i; j != images.values; ++j) {
                sums.of_products(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) += products[i * images.values + j];
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
