// `key value...`: writes the value, which is everything behind the first space, as the object `key`.

#include <string>
#include <string_view>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

#include "answer.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    const std::string whole = faasm::getStringInput("");
    const std::string_view input = whole;
    const std::size_t space = input.find(' ');
    if (space == std::string_view::npos) {
        return ndp::fail(ndp::bad_input, "no key/value pair in input");
    }
    const std::string_view key = input.substr(0, space);
    const std::string_view value = input.substr(space + 1);
    const int code = ganglion::put(key, value);
    if (code == GANGLION_INVALID) {
        return ndp::fail(ndp::bad_input, "not a key: ", key);
    }
    if (code != 0) {
        return ndp::fail(ndp::failed, "cannot write object ", key);
    }
    faasm::setStringOutput("OK");
    return 0;
}
