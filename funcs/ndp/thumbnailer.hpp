// The two thumbnailers: the same steps, and one of them sooner or later.
#ifndef NDP_THUMBNAILER_HPP
#define NDP_THUMBNAILER_HPP

#include <string>

#include "call.hpp"
#include "kernels/thumbnail.hpp"

namespace ndp {

/// Answers with the PNG that the call names, a quarter as wide and as high. Decoding and then `beside` are done where the object is,
/// and `here`, from image to image as that, behind it.
template <class Beside, class Here>
int thumbnail(Beside&& beside, Here&& here)
{
    const std::string key = ganglion::input();
    ganglion::kernels::Image image;
    const int code = on_object(key, [&](const ganglion::Object& object) -> Wrong {
        auto decoded = ganglion::kernels::decoded_png(object.data(), object.size());
        if (!decoded) {
            return "not a PNG, or a damaged or too large one: object ";
        }
        image = beside(std::move(*decoded));
        return nothing_wrong;
    });
    if (code != 0) {
        return code;
    }
    const auto png = ganglion::kernels::encoded_png(here(std::move(image)));
    if (!png) {
        return fail(failed, "no memory for the smaller image of object ", key);
    }
    faasmSetOutput(png->data(), static_cast<long>(png->size()));
    return 0;
}

inline ganglion::kernels::Image unchanged(ganglion::kernels::Image image)
{
    return image;
}

} // namespace ndp

#endif
