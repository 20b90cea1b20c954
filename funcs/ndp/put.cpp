// `key value...`: writes the value, which is everything behind the first space, as the object `key`.

#include <ganglion/manifest.h>

#include "call.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    const std::string input = ganglion::input();
    const auto [key, value, complete] = ndp::split_at_space(input);
    if (!complete) {
        return ndp::fail(ndp::bad_input, "no key/value pair in input");
    }
    const int code = ganglion::put(key, value);
    if (code == GANGLION_INVALID) {
        return ndp::fail(ndp::bad_input, "not a key: ", key);
    }
    if (code != 0) {
        return ndp::fail(ndp::failed, "cannot write object ", key);
    }
    ganglion::set_output("OK");
    return 0;
}
