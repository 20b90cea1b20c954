// `object threshold`: writes that object, a report of DAMON's, without its regions of fewer accesses as the object `object_filterT`, where T
// is the threshold. Answers `OK`.

#include <ganglion/manifest.h>

#include "report.hpp"

GANGLION_OBJECT_KEY(first-word)

FAASM_MAIN_FUNC()
{
    const std::string input = ganglion::input();
    const auto request = ndp::report_and_threshold(input);
    if (!request) {
        return ndp::fail_without_threshold();
    }
    const std::string target = ndp::joined({request->key, "_filter", request->digits});
    const int code = ndp::on_object(request->key, [&](const ganglion::Object& object) {
        const auto kept = ganglion::kernels::hot_regions(object.text(), request->threshold);
        return kept ? ndp::put(target, {kept->data(), kept->size()}) : ndp::no_report;
    });
    if (code == 0) {
        ganglion::set_output("OK");
    }
    return code;
}
