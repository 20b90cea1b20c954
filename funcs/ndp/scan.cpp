// `key X`: counts the byte X in that object, where it is. Answers with the number in decimal.

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

#include "answer.hpp"
#include "kernels/scan.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    const std::string whole = faasm::getStringInput("");
    const std::string_view input = whole;
    const std::size_t space = input.find(' ');
    if (space == std::string_view::npos || input.size() != space + 2) {
        return ndp::fail(ndp::bad_input, "the input is not a key, a space and a byte");
    }
    const std::string_view key = input.substr(0, space);
    const auto wanted = static_cast<std::uint8_t>(input.back());
    std::uint64_t count = 0;
    const int code = ganglion::on_storage(key, [&] {
        const auto object = ganglion::Object::open(key);
        if (!object) {
            return ndp::failed;
        }
        count = ganglion::kernels::count_byte(object.data(), object.size(), wanted);
        return 0;
    });
    if (code != 0) {
        return ndp::fail(ndp::failed, "cannot open object ", key);
    }
    char digits[20];
    const char* const end = std::to_chars(digits, digits + sizeof digits, count).ptr;
    faasm::setStringOutput({digits, static_cast<std::size_t>(end - digits)});
    return 0;
}
