// `key`: adds up the bytes of that object, where it is. Answers with the sum in decimal.

#include <charconv>
#include <cstdint>
#include <string>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

#include "answer.hpp"
#include "kernels/sum.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = faasm::getStringInput("");
    std::uint64_t sum = 0;
    const int code = ganglion::on_storage(key, [&] {
        const auto object = ganglion::Object::open(key);
        if (!object) {
            return ndp::failed;
        }
        sum = ganglion::kernels::sum_bytes(object.data(), object.size());
        return 0;
    });
    if (code != 0) {
        return ndp::fail(ndp::failed, "cannot open object ", key);
    }
    char digits[20];
    const char* const end = std::to_chars(digits, digits + sizeof digits, sum).ptr;
    faasm::setStringOutput({digits, static_cast<std::size_t>(end - digits)});
    return 0;
}
