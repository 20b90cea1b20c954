// `key`: answers with that object, a PNG, a quarter as wide and as high, as PNG. It is decoded and made smaller where it is.

#include <ganglion/manifest.h>

#include "thumbnailer.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    return ndp::thumbnail(ganglion::kernels::shrunk, ndp::unchanged);
}
