// `key kernel`: one of the kernels `sum`, `lines`, `sha256` and `queens` over that object, where it is. Answers with a number in
// decimal. For measuring: each of them spends its time in another kind of loop (see the headers).

#include <ganglion/manifest.h>

#include "call.hpp"
#include "kernels/lines.hpp"
#include "kernels/queens.hpp"
#include "kernels/sha256.hpp"
#include "kernels/sum.hpp"

GANGLION_OBJECT_KEY(first-word)

namespace {

using Kernel = std::uint64_t (*)(const ganglion::Object&);

std::uint64_t sum(const ganglion::Object& object)
{
    return ganglion::kernels::sum_bytes(object.data(), object.size());
}

std::uint64_t lines(const ganglion::Object& object)
{
    return ganglion::kernels::longest_line(object.data(), object.size());
}

/// The digest's first quarter.
std::uint64_t sha256(const ganglion::Object& object)
{
    const auto digest = ganglion::kernels::sha256(object.data(), object.size());
    return std::uint64_t{digest[0]} << 32 | digest[1];
}

/// Whatever is in the object: its size alone decides how much there is to do.
std::uint64_t queens(const ganglion::Object& object)
{
    return ganglion::kernels::queens(object.size() < 1 << 20 ? 8 : 12);
}

Kernel named(std::string_view name)
{
    constexpr struct {
        std::string_view name;
        Kernel kernel;
    } kernels[] = {{"sum", sum}, {"lines", lines}, {"sha256", sha256}, {"queens", queens}};
    for (const auto& known : kernels) {
        if (known.name == name) {
            return known.kernel;
        }
    }
    return nullptr;
}

} // namespace

FAASM_MAIN_FUNC()
{
    const std::string input = ganglion::input();
    const auto [key, name, complete] = ndp::split_at_space(input);
    const Kernel kernel = named(name);
    if (!complete || kernel == nullptr) {
        return ndp::fail(ndp::bad_input, "the input is not a key, a space and a kernel");
    }
    std::uint64_t found = 0;
    const int code = ndp::on_object(key, [&](const ganglion::Object& object) {
        found = kernel(object);
        return ndp::nothing_wrong;
    });
    if (code == 0) {
        ndp::answer_number(found);
    }
    return code;
}
