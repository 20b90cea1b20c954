// How many ways there are to place queens. Pure: number in, number out. All of it is recursion.
#ifndef GANGLION_KERNELS_QUEENS_HPP
#define GANGLION_KERNELS_QUEENS_HPP

#include <cstdint>

namespace ganglion::kernels {

/// Ways to go on below the rows that are placed. Bits are columns: `taken` by a queen above, and those that the queens
/// above reach in this row by their two diagonals.
inline std::uint64_t queens_below(std::uint32_t all, std::uint32_t taken, std::uint32_t left, std::uint32_t right)
{
    if (taken == all) {
        return 1;
    }
    std::uint64_t ways = 0;
    for (std::uint32_t open = all & ~(taken | left | right); open != 0; open &= open - 1) {
        const std::uint32_t queen = open & -open;
        ways += queens_below(all, taken | queen, (left | queen) << 1, (right | queen) >> 1);
    }
    return ways;
}

/// Ways to place so many queens (up to 31) on a board of as many rows and columns, none in reach of another.
inline std::uint64_t queens(std::uint32_t count)
{
    return queens_below((std::uint32_t{1} << count) - 1, 0, 0, 0);
}

} // namespace ganglion::kernels

#endif
