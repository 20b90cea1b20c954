// `key`: counts the words of that object, where it is. Answers `word\tcount\n` for each, in the order of the words' bytes.
// As a combiner: adds up such answers.

#include <string>
#include <vector>

#include <faasm/faasm.h>
#include <ganglion/combine.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

#include "answer.hpp"
#include "kernels/wordcount.hpp"

GANGLION_OBJECT_KEY(input)

FAASM_MAIN_FUNC()
{
    const std::string key = faasm::getStringInput("");
    std::vector<char> counts;
    const int code = ganglion::on_storage(key, [&] {
        const auto object = ganglion::Object::open(key);
        if (!object) {
            return ndp::failed;
        }
        counts = ganglion::kernels::wordcount(object.data(), object.size());
        return 0;
    });
    if (code != 0) {
        return ndp::fail(ndp::failed, "cannot open object ", key);
    }
    faasmSetOutput(counts.data(), static_cast<long>(counts.size()));
    return 0;
}

GANGLION_COMBINE()
{
    const std::string answers = faasm::getStringInput("");
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(answers.data());
    const std::vector<char> counts = ganglion::kernels::combined_wordcounts(bytes, answers.size());
    faasmSetOutput(counts.data(), static_cast<long>(counts.size()));
    return 0;
}
