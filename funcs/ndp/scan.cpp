// `key X`: counts the byte X in that object, where it is. Answers with the number in decimal.

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/scan.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    const std::string input = ganglion::input();
    const auto [key, wanted, complete] = ndp::split_at_space(input);
    if (!complete || wanted.size() != 1) {
        return ndp::fail(ndp::bad_input, "the input is not a key, a space and a byte");
    }
    const auto byte = static_cast<std::uint8_t>(wanted[0]);
    std::uint64_t count = 0;
    const int code = ndp::on_object(key, [&](const ganglion::Object& object) {
        count = ganglion::kernels::count_byte(object.data(), object.size(), byte);
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        ndp::answer_number(count);
    }
    return code;
}
