// What damo and damofilter share: their input, and what they say of a bad one.
#ifndef NDP_REPORT_HPP
#define NDP_REPORT_HPP

#include <optional>

#include "call.hpp"
#include "kernels/damo.hpp"

namespace ndp {

constexpr Wrong no_report = "no region of a DAMON report in object ";

/// What `object threshold` names.
struct Request {
    std::string_view key;
    std::string_view digits; ///< the threshold as it was written
    std::uint64_t threshold;
};

/// Nothing where the threshold is not a whole number.
inline std::optional<Request> request_of(std::string_view input)
{
    const auto [key, digits, complete] = split_at_space(input);
    std::uint64_t threshold = 0;
    const char* const end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, threshold);
    if (!complete || read.ec != std::errc() || read.ptr != end) {
        return std::nullopt;
    }
    return Request{key, digits, threshold};
}

/// Gives the call's request and the text of its report to `work`, beside that. `work` returns what is wrong. Returns as `on_object`,
/// and a code where the input is wrong.
template <class Work>
int on_report(Work&& work)
{
    const std::string input = ganglion::input();
    const auto request = request_of(input);
    if (!request) {
        return fail(bad_input, "the input is not an object's key, a space and a whole number");
    }
    return on_object(request->key, [&](const ganglion::Object& object) { return work(*request, object.text()); });
}

} // namespace ndp

#endif
