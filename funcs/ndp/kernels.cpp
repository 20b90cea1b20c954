// `key kernel`: one of the kernels `sum`, `lines`, `sha256` and `queens` over that object, where it is. Answers with a number in
// decimal. For measuring: each of them spends its time in another kind of loop (see the headers).

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

#include "answer.hpp"
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
    const std::string whole = faasm::getStringInput("");
    const std::string_view input = whole;
    const std::size_t space = input.find(' ');
    const Kernel kernel = space == std::string_view::npos ? nullptr : named(input.substr(space + 1));
    if (kernel == nullptr) {
        return ndp::fail(ndp::bad_input, "the input is not a key, a space and a kernel");
    }
    const std::string_view key = input.substr(0, space);
    std::uint64_t found = 0;
    const int code = ganglion::on_storage(key, [&] {
        const auto object = ganglion::Object::open(key);
        if (!object) {
            return ndp::failed;
        }
        found = kernel(object);
        return 0;
    });
    if (code != 0) {
        return ndp::fail(ndp::failed, "cannot open object ", key);
    }
    char digits[20];
    const char* const end = std::to_chars(digits, digits + sizeof digits, found).ptr;
    faasm::setStringOutput({digits, static_cast<std::size_t>(end - digits)});
    return 0;
}
