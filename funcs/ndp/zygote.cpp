// Says what was prepared before it: a constructor and then a zygote ran, once each, and no earlier call left a trace. Every
// call gives the same answer, and code 1 with another one where the host does not keep that promise.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>

#include "answer.hpp"

GANGLION_OBJECT_KEY(none)

namespace {

// Zero in the module itself, and not by a constructor; volatile, so that each of them is in memory.
volatile int constructor_runs;
volatile int constructor_runs_before_zygote;
volatile int zygote_runs;
volatile int main_runs;

struct Squares {
    std::array<std::uint32_t, 1024> table;

    Squares()
    {
        constructor_runs = constructor_runs + 1;
        table.fill(7);
    }
};

Squares squares;

bool constructor_filled_table()
{
    return std::all_of(squares.table.begin(), squares.table.end(), [](std::uint32_t entry) { return entry == 7; });
}

bool zygote_filled_table()
{
    for (std::uint32_t i = 0; i < squares.table.size(); ++i) {
        if (squares.table[i] != i * i) {
            return false;
        }
    }
    return true;
}

std::string decimal(int number)
{
    char digits[11];
    return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

} // namespace

FAASM_ZYGOTE()
{
    zygote_runs = zygote_runs + 1;
    constructor_runs_before_zygote = constructor_runs;
    if (!constructor_filled_table()) {
        return 1;
    }
    for (std::uint32_t i = 0; i < squares.table.size(); ++i) {
        squares.table[i] = i * i;
    }
    return 0;
}

FAASM_MAIN_FUNC()
{
    const bool table_kept = zygote_filled_table();
    const bool promise_kept = table_kept && constructor_runs_before_zygote == 1 && constructor_runs == 1 &&
                              zygote_runs == 1 && main_runs == 0;
    ganglion::set_output(ndp::joined({"constructor runs ", decimal(constructor_runs), ", before the zygote ",
                                        decimal(constructor_runs_before_zygote), "; zygote runs ", decimal(zygote_runs),
                                        "; earlier calls seen ", decimal(main_runs), "; table ",
                                        table_kept ? "as the zygote left it" : "changed"}));
    main_runs = main_runs + 1;
    squares.table.fill(0);
    return promise_kept ? 0 : 1;
}
