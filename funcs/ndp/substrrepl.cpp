// `key 'find' 'replacement'`: rewrites that object, where it is, with the replacement in the place of every `find`. Answers `OK`.
// There is no escape: the first `' '` ends what to find, and the input's last `'` the replacement, which may be empty.

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/substring.hpp"

GANGLION_OBJECT_KEY(first-word)

namespace {

struct Exchange {
    std::string_view find; ///< empty where the argument is not as it should be
    std::string_view replacement;
};

Exchange parsed(std::string_view argument)
{
    constexpr std::string_view between = "' '";
    const std::size_t end = argument.find(between, 1);
    const std::size_t replacement = end + between.size();
    if (argument.empty() || argument.front() != '\'' || end == std::string_view::npos || replacement >= argument.size() ||
        argument.back() != '\'') {
        return {};
    }
    return {argument.substr(1, end - 1), argument.substr(replacement, argument.size() - 1 - replacement)};
}

} // namespace

FAASM_MAIN_FUNC()
{
    const std::string input = ganglion::input();
    const auto [key, argument, complete] = ndp::split_at_space(input);
    const Exchange exchange = parsed(argument);
    if (exchange.find.empty()) {
        return ndp::fail(ndp::bad_input, "the input is not: key 'find' 'replacement'");
    }
    const int code = ndp::on_object(key, [&, key = key](const ganglion::Object& object) {
        const auto text = ganglion::kernels::replaced(object.text(), exchange.find, exchange.replacement);
        return ndp::put(key, {text.data(), text.size()});
    });
    if (code == 0) {
        ganglion::set_output("OK");
    }
    return code;
}
