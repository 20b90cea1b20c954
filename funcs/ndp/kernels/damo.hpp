// Reports of DAMON, the kernel's monitor of memory accesses, as `damo report raw` prints them. Pure: bytes in, result out.
//
//     nr_regions: 2                                                begins a snapshot
//     563ebaa00000-563ebc99e000(  31.617 MiB):        1            a region, and how often it was seen accessed
//     7f938d7e1000-7f938ddfc000(   6.105 MiB):        0
#ifndef GANGLION_KERNELS_DAMO_HPP
#define GANGLION_KERNELS_DAMO_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ganglion::kernels {

/// A region of memory in a snapshot.
struct Region {
    std::uint64_t bytes;
    std::uint64_t accesses;
};

/// The region of a line; nothing where the line is none.
inline std::optional<Region> region_of(std::string_view line)
{
    constexpr int hexadecimal = 16;
    const char* const end = line.data() + line.size();
    std::uint64_t first = 0;
    std::uint64_t behind = 0;
    const auto left = std::from_chars(line.data(), end, first, hexadecimal);
    if (left.ec != std::errc() || left.ptr == end || *left.ptr != '-') {
        return std::nullopt;
    }
    const auto right = std::from_chars(left.ptr + 1, end, behind, hexadecimal);
    const std::size_t colon = line.find(':');
    if (right.ec != std::errc() || colon == std::string_view::npos || behind < first) {
        return std::nullopt;
    }
    const std::size_t number = line.find_first_not_of(" \t", colon + 1);
    if (number == std::string_view::npos) {
        return std::nullopt;
    }
    Region region{behind - first, 0};
    if (std::from_chars(line.data() + number, end, region.accesses).ec != std::errc()) {
        return std::nullopt;
    }
    return region;
}

/// Calls `visit(line)` for each line, with its end.
template <class Visit>
inline void for_each_line(std::string_view text, Visit&& visit)
{
    while (!text.empty()) {
        const std::size_t length = std::min(text.find('\n'), text.size() - 1) + 1;
        visit(text.substr(0, length));
        text.remove_prefix(length);
    }
}

/// The most bytes that were hot in one snapshot: in regions with at least `threshold` accesses. Nothing where no line is a region.
inline std::optional<std::uint64_t> hot_bytes_max(std::string_view report, std::uint64_t threshold)
{
    constexpr std::string_view head = "nr_regions:";
    bool any = false;
    std::uint64_t hot = 0;
    std::uint64_t most = 0;
    for_each_line(report, [&](std::string_view line) {
        if (line.substr(0, head.size()) == head) {
            hot = 0;
        } else if (const auto region = region_of(line)) {
            any = true;
            hot += region->accesses >= threshold ? region->bytes : 0;
            most = std::max(most, hot);
        }
    });
    return any ? std::optional(most) : std::nullopt;
}

/// All lines but those of regions with fewer than `threshold` accesses. Nothing where no line is a region.
inline std::optional<std::vector<char>> hot_regions(std::string_view report, std::uint64_t threshold)
{
    bool any = false;
    std::vector<char> kept;
    for_each_line(report, [&](std::string_view line) {
        const auto region = region_of(line);
        any |= region.has_value();
        if (!region || region->accesses >= threshold) {
            kept.insert(kept.end(), line.begin(), line.end());
        }
    });
    return any ? std::optional(std::move(kept)) : std::nullopt;
}

} // namespace ganglion::kernels

#endif
