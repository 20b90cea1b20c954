// `key`: parses that object as JSON, where it is, and writes it out again. Answers `Dump length is: N\n`, the bytes that takes without
// white space: numbers as nlohmann's library prints them, with an exponent from 1e15 on.

#include <optional>

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/json.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    std::size_t length = 0;
    const int code = ndp::on_object(key, [&](const ganglion::Object& object) {
        const auto dumped = ganglion::kernels::json_dump_length(object.text());
        length = dumped.value_or(0);
        return dumped ? ndp::nothing_wrong : "not JSON, or nested deeper than 127: object ";
    });
    if (code == 0) {
        ndp::Numbers number;
        number.add(length);
        ganglion::set_output(ndp::joined({"Dump length is: ", number.text(), "\n"}));
    }
    return code;
}
