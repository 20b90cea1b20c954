// `key`: answers with the bytes of that object.

#include <string>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

#include "answer.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    const auto object = ganglion::Object::open(key);
    if (!object) {
        return ndp::fail(ndp::failed, "cannot open object ", key);
    }
    ganglion::set_output(object.text());
    return 0;
}
