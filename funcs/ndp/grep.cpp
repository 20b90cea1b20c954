// `key expression`: where the POSIX extended regular expression, which is everything behind the first space, matches in that object.
// Answers with the offsets in bytes, a space between any two: those of `grep -Eob`.

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/grep.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    const std::string input = ganglion::input();
    const auto [key, argument, complete] = ndp::split_at_space(input);
    if (!complete || argument.empty()) {
        return ndp::fail(ndp::bad_input, "the input is not a key, a space and a regular expression");
    }
    const ganglion::kernels::Expression expression(argument);
    if (expression.wrong() != nullptr) {
        return ndp::fail(ndp::bad_input, "not a regular expression: ", expression.wrong());
    }
    ndp::Numbers offsets;
    const int code = ndp::on_object(key, [&](const ganglion::Object& object) {
        expression.for_each_match(object.text(), [&](std::size_t offset) { offsets.add(offset); });
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        ganglion::set_output(offsets.text());
    }
    return code;
}
