// `key`: writes the 32 principal components of each image of that object (idx3-ubyte) as the object `key_pcareduced`: doubles, little-endian,
// an image behind the other. Answers `OK`.

#include <ganglion/manifest.h>

#include "clustering.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    const std::string target = ndp::joined({key, "_pcareduced"});
    const int code = ndp::on_coordinates(key, [&](const ganglion::kernels::Table& coordinates) {
        const auto* const bytes = reinterpret_cast<const char*>(coordinates.data());
        return ndp::put(target, {bytes, static_cast<std::size_t>(coordinates.size()) * sizeof(double)});
    });
    if (code == 0) {
        ganglion::set_output("OK");
    }
    return code;
}
