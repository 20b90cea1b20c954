// How the functions of this folder answer in words.
#ifndef NDP_ANSWER_HPP
#define NDP_ANSWER_HPP

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include <ganglion/ndp.hpp>

namespace ndp {

constexpr int failed = 1;    // the object, or the host
constexpr int bad_input = 2; // the caller

/// The parts behind one another. (`std::string::append` would link the library's conversions of numbers with it.)
inline std::string joined(std::initializer_list<std::string_view> parts)
{
    std::size_t length = 0;
    for (const std::string_view part : parts) {
        length += part.size();
    }
    std::string whole(length, '\0');
    auto at = whole.begin();
    for (const std::string_view part : parts) {
        at = std::copy(part.begin(), part.end(), at);
    }
    return whole;
}

/// Makes the reason the output and returns the code, which is not 0.
inline int fail(int code, std::string_view reason, std::string_view detail = "")
{
    ganglion::set_output(joined({"FAILED - ", reason, detail}));
    return code;
}

} // namespace ndp

#endif
