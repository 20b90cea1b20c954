// `key needle`: where that object holds the needle, which is everything behind the first space. Answers with the first 64 offsets
// in bytes, a space between any two; no two of those needles overlap.

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/substring.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    constexpr int offsets_max = 64;
    const std::string input = ganglion::input();
    const auto [key, needle, complete] = ndp::split_at_space(input);
    if (!complete || needle.empty()) {
        return ndp::fail(ndp::bad_input, "the input is not a key, a space and a needle");
    }
    ndp::Numbers offsets;
    const int code = ndp::on_object(key, [&, needle = needle](const ganglion::Object& object) {
        int found = 0;
        ganglion::kernels::for_each_substring(object.text(), needle, [&](std::size_t offset) {
            offsets.add(offset);
            return ++found < offsets_max;
        });
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        ganglion::set_output(offsets.text());
    }
    return code;
}
