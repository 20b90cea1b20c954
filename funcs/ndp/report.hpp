// What damo and damofilter share: their input, and what they say of a bad one.
#ifndef NDP_REPORT_HPP
#define NDP_REPORT_HPP

#include <optional>

#include "call.hpp"
#include "kernels/damo.hpp"

namespace ndp {

constexpr Wrong no_report = "no region of a DAMON report in object ";

/// `object threshold`.
struct ReportAndThreshold {
    std::string_view key;
    std::string_view digits;
    std::uint64_t threshold;
};

/// Nothing where the threshold is not a whole number.
inline std::optional<ReportAndThreshold> report_and_threshold(std::string_view input)
{
    const auto [key, digits, complete] = split_at_space(input);
    std::uint64_t threshold = 0;
    const char* const end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, threshold);
    if (!complete || read.ec != std::errc() || read.ptr != end) {
        return std::nullopt;
    }
    return ReportAndThreshold{key, digits, threshold};
}

inline int fail_without_threshold()
{
    return fail(bad_input, "the input is not an object's key, a space and a whole number");
}

} // namespace ndp

#endif
