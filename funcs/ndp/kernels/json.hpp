// JSON into a tree and back. Pure: bytes in, number out. The parser is nlohmann's; without exceptions it tells of bad text by a
// value, and what it does not bound itself is bounded here.
#ifndef GANGLION_KERNELS_JSON_HPP
#define GANGLION_KERNELS_JSON_HPP

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#define JSON_NOEXCEPTION
#define JSON_NO_IO
#include <nlohmann/json.hpp>

namespace ganglion::kernels {

/// How deep arrays and objects may lie in each other: writing them out recurses.
constexpr std::size_t json_depth_max = 127;

/// How deep they lie in each other, when the text is JSON; some number otherwise.
inline std::size_t json_depth(std::string_view text)
{
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char byte = text[at];
        if (byte == '"') {
            in_string = !in_string;
        } else if (in_string) {
            at += byte == '\\'; // the byte behind it ends no string
        } else if (byte == '[' || byte == '{') {
            deepest = std::max(deepest, ++depth);
        } else if ((byte == ']' || byte == '}') && depth > 0) {
            --depth;
        }
    }
    return deepest;
}

/// The bytes of the same value written without white space; nothing where the text is not JSON or is too deep.
inline std::optional<std::size_t> json_dump_length(std::string_view text)
{
    if (json_depth(text) > json_depth_max) {
        return std::nullopt;
    }
    const auto tree = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    if (tree.is_discarded()) {
        return std::nullopt;
    }
    return tree.dump().size();
}

} // namespace ganglion::kernels

#endif
