// Reports of DAMON, the kernel's monitor of memory accesses, as `damo report raw` prints them. Pure: bytes in, result out.
//
//     nr_regions: 2                                                begins a snapshot
//     563ebaa00000-563ebc99e000(  31.617 MiB):        1            a region, and how often it was seen accessed
//     7f938d7e1000-7f938ddfc000(   6.105 MiB):        0
#ifndef GANGLION_KERNELS_DAMO_HPP
#define GANGLION_KERNELS_DAMO_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "bytes.hpp"
#include "digits.hpp"

namespace ganglion::kernels {

/// A region of memory in a snapshot.
struct Region {
    std::uint64_t bytes;
    std::uint64_t accesses;
};

/// The region of a line; nothing where the line is none.
inline std::optional<Region> region_of(std::string_view line)
{
    std::size_t at = 0;
    const auto first = hexadecimal_at(line, at);
    if (!first || at == line.size() || line[at] != '-') {
        return std::nullopt;
    }
    const auto behind = hexadecimal_at(line, ++at);
    if (!behind || *behind < *first || at == line.size() || line[at] != '(') {
        return std::nullopt;
    }
    at = find_byte(line.data(), line.size(), at, ':');
    do {
        if (at == line.size()) {
            return std::nullopt;
        }
        ++at;
    } while (at != line.size() && (line[at] == ' ' || line[at] == '\t'));
    const auto accesses = decimal_at(line, at);
    return accesses ? std::optional(Region{*behind - *first, *accesses}) : std::nullopt;
}

/// Calls `visit(line)` for each line, with its end.
template <class Visit>
inline void for_each_line(std::string_view text, Visit&& visit)
{
    for (std::size_t begin = 0; begin != text.size();) {
        const std::size_t end = find_byte(text.data(), text.size(), begin, '\n');
        const std::size_t next = end == text.size() ? end : end + 1;
        visit(text.substr(begin, next - begin));
        begin = next;
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
    kept.reserve(report.size());
    const char* begin = report.data(); // of what has been kept and is not copied yet
    const char* end = begin;
    for_each_line(report, [&](std::string_view line) {
        const auto region = region_of(line);
        any |= region.has_value();
        if (region && region->accesses < threshold) {
            kept.insert(kept.end(), begin, end);
            begin = line.data() + line.size();
        }
        end = line.data() + line.size();
    });
    kept.insert(kept.end(), begin, end);
    return any ? std::optional(std::move(kept)) : std::nullopt;
}

} // namespace ganglion::kernels

#endif
