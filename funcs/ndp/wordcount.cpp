// `key`: counts the words of that object, where it is. Answers `word\tcount\n` for each, in the order of the words' bytes.
// As a combiner: adds up such answers.

#include <ganglion/combine.h>
#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/wordcount.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    std::vector<char> counts;
    const int code = ndp::on_object(key, [&](const ganglion::Object& object) {
        counts = ganglion::kernels::wordcount(object.data(), object.size());
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        faasmSetOutput(counts.data(), static_cast<long>(counts.size()));
    }
    return code;
}

GANGLION_COMBINE()
{
    const std::string answers = ganglion::input();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(answers.data());
    const auto counts = ganglion::kernels::combined_wordcounts(bytes, answers.size());
    if (!counts) {
        return ndp::fail(ndp::bad_input, "an answer is no list of words and counts");
    }
    faasmSetOutput(counts->data(), static_cast<long>(counts->size()));
    return 0;
}
