// `object threshold`: of that object, a report of DAMON's, the most memory that was hot at once: in regions with at least so many accesses.
// Answers with bytes, in decimal.

#include <ganglion/manifest.h>

#include "report.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    std::uint64_t hot_bytes = 0;
    const int code = ndp::on_report([&](const ndp::Request& request, std::string_view report) {
        const auto most = ganglion::kernels::hot_bytes_max(report, request.threshold);
        hot_bytes = most.value_or(0);
        return most ? ndp::nothing_wrong : ndp::no_report;
    });
    if (code == 0) {
        ndp::answer_number(hot_bytes);
    }
    return code;
}
