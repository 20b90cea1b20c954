// What pcakmm and pcakmmstore share.
#ifndef NDP_CLUSTERING_HPP
#define NDP_CLUSTERING_HPP

#include "call.hpp"
#include "kernels/pca.hpp"

namespace ndp {

constexpr std::size_t dimensions = 32;

/// Gives the principal coordinates of that object's images to `work`, beside it. `work` returns what is wrong. Returns as
/// `on_object`.
template <class Work>
int on_coordinates(std::string_view key, Work&& work)
{
    return on_object(key, [&](const ganglion::Object& object) -> Wrong {
        const auto images = ganglion::kernels::images_of(object.data(), object.size());
        if (!images) {
            return "no idx3-ubyte images of up to 1024 pixels: object ";
        }
        return work(ganglion::kernels::principal_coordinates(*images, dimensions));
    });
}

} // namespace ndp

#endif
