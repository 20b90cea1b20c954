// `key`: answers with that object, a PNG, a quarter as wide and as high, as PNG. Only the decoding is done where the object is, so that
// all of its pixels travel: thumbnailer_shrink shows what that costs.

#include <ganglion/manifest.h>

#include "thumbnailer.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    return ndp::thumbnail(ndp::unchanged, ganglion::kernels::shrunk);
}
