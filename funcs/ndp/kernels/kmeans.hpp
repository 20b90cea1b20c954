// Points sorted into groups around their means. Pure: points in, labels out.
#ifndef GANGLION_KERNELS_KMEANS_HPP
#define GANGLION_KERNELS_KMEANS_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace ganglion::kernels {

/// Points of the same number of coordinates, one behind the other.
struct Points {
    const double* coordinates;
    std::size_t count;
    std::size_t dimensions;

    const double* operator[](std::size_t point) const { return coordinates + point * dimensions; }
};

namespace kmeans_detail {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
class Random {
public:
    explicit Random(std::uint64_t seed)
        : state_(seed)
    {
    }

    /// From [0, 1).
    double next()
    {
        std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
        return static_cast<double>((mixed ^ mixed >> 31) >> 11) * 0x1p-53;
    }

private:
    std::uint64_t state_;
};

inline double squared_distance(const double* left, const double* right, std::size_t dimensions)
{
    double sum = 0;
    for (std::size_t i = 0; i != dimensions; ++i) {
        const double difference = left[i] - right[i];
        sum += difference * difference;
    }
    return sum;
}

/// First centres after k-means++ (Arthur, Vassilvitskii 2007): each is a point, the likelier the farther it is from those before.
inline std::vector<double> first_centres(const Points& points, std::size_t groups, Random& random)
{
    std::vector<double> centres;
    std::vector<double> nearest(points.count, std::numeric_limits<double>::infinity());
    auto chosen = static_cast<std::size_t>(random.next() * static_cast<double>(points.count));
    for (;;) {
        centres.insert(centres.end(), points[chosen], points[chosen] + points.dimensions);
        if (centres.size() == groups * points.dimensions) {
            return centres;
        }
        double sum = 0;
        for (std::size_t point = 0; point != points.count; ++point) {
            const double distance = squared_distance(points[point], points[chosen], points.dimensions);
            nearest[point] = distance < nearest[point] ? distance : nearest[point];
            sum += nearest[point];
        }
        double left = random.next() * sum;
        for (chosen = 0; chosen + 1 < points.count && left >= nearest[chosen]; ++chosen) {
            left -= nearest[chosen];
        }
    }
}

inline std::uint32_t nearest_centre(const double* point, const std::vector<double>& centres, std::size_t dimensions)
{
    double least = std::numeric_limits<double>::infinity();
    std::uint32_t nearest = 0;
    for (std::size_t at = 0; at != centres.size(); at += dimensions) {
        const double distance = squared_distance(point, centres.data() + at, dimensions);
        if (distance < least) {
            least = distance;
            nearest = static_cast<std::uint32_t>(at / dimensions);
        }
    }
    return nearest;
}

/// Each centre becomes the mean of its points; one that has none stays.
inline void move_centres(const Points& points, const std::vector<std::uint32_t>& labels, std::vector<double>& centres)
{
    std::vector<double> sums(centres.size());
    std::vector<double> counts(centres.size() / points.dimensions);
    for (std::size_t point = 0; point != points.count; ++point) {
        double* const sum = sums.data() + labels[point] * points.dimensions;
        for (std::size_t i = 0; i != points.dimensions; ++i) {
            sum[i] += points[point][i];
        }
        counts[labels[point]] += 1;
    }
    for (std::size_t at = 0; at != centres.size(); ++at) {
        const double count = counts[at / points.dimensions];
        centres[at] = count == 0 ? centres[at] : sums[at] / count;
    }
}

} // namespace kmeans_detail

/// The group of each point, from 0 on, after so many of Lloyd's rounds or when none moves any more.
inline std::vector<std::uint32_t> kmeans(const Points& points, std::size_t groups, int rounds_max, std::uint64_t seed)
{
    using namespace kmeans_detail;
    Random random(seed);
    std::vector<double> centres = first_centres(points, groups, random);
    std::vector<std::uint32_t> labels(points.count, std::numeric_limits<std::uint32_t>::max());
    for (int round = 0; round != rounds_max; ++round) {
        bool moved = false;
        for (std::size_t point = 0; point != points.count; ++point) {
            const std::uint32_t label = nearest_centre(points[point], centres, points.dimensions);
            moved |= label != labels[point];
            labels[point] = label;
        }
        if (!moved) {
            break;
        }
        move_centres(points, labels, centres);
    }
    return labels;
}

} // namespace ganglion::kernels

#endif
