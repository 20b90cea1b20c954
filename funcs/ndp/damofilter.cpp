// `object threshold`: writes that object, a report of DAMON's, without its regions of fewer accesses as the object `object_filterT`, where T
// is the threshold. Answers `OK`.

#include <ganglion/manifest.h>

#include "report.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    const int code = ndp::on_report([](const ndp::Request& request, std::string_view report) {
        const auto kept = ganglion::kernels::hot_regions(report, request.threshold);
        const std::string target = ndp::joined({request.key, "_filter", request.digits});
        return kept ? ndp::put(target, {kept->data(), kept->size()}) : ndp::no_report;
    });
    if (code == 0) {
        ganglion::set_output("OK");
    }
    return code;
}
