// `key`: the SHA-256 of that object, where it is. Answers with 64 hexadecimal digits.

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/sha256.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    std::array<char, 64> digits;
    const int code = ndp::on_object(key, [&](const ganglion::Object& object) {
        digits = ganglion::kernels::hexadecimal(ganglion::kernels::sha256(object.data(), object.size()));
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        faasmSetOutput(digits.data(), digits.size());
    }
    return code;
}
