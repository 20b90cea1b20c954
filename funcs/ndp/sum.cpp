// `key`: adds up the bytes of that object, where it is. Answers with the sum in decimal.

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/sum.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    std::uint64_t sum = 0;
    const int code = ndp::on_object(key, [&](const ganglion::Object& object) {
        sum = ganglion::kernels::sum_bytes(object.data(), object.size());
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        ndp::answer_number(sum);
    }
    return code;
}
