// `key`: sorts the images of that object (idx3-ubyte) into ten groups by their 32 principal components, where it is. Answers with the
// group of each, from 0 to 9, a space between any two.

#include <ganglion/manifest.h>

#include "clustering.hpp"
#include "kernels/kmeans.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    constexpr std::size_t groups = 10;
    constexpr int rounds_max = 25;
    constexpr std::uint64_t seed = 1234567;
    const std::string key = ganglion::input();
    ndp::Numbers labels;
    const int code = ndp::on_coordinates(key, [&](const ganglion::kernels::Table& coordinates) {
        const ganglion::kernels::Points points{coordinates.data(), static_cast<std::size_t>(coordinates.rows()),
                                               static_cast<std::size_t>(coordinates.cols())};
        for (const std::uint32_t label : ganglion::kernels::kmeans(points, groups, rounds_max, seed)) {
            labels.add(label);
        }
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        ganglion::set_output(labels.text());
    }
    return code;
}
