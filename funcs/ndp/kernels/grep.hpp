// Where a regular expression matches. Pure: bytes in, offsets out.
//
// A line is read twice. From its end, an automaton of the reversed expression tells of each place whether a match begins there; from
// such a place, the other one tells where the longest one ends. So a text takes time in proportion to its length, and more only as far
// as one that is searched for further reaches behind where the match ends.
#ifndef GANGLION_KERNELS_GREP_HPP
#define GANGLION_KERNELS_GREP_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "automaton.hpp"
#include "bytes.hpp"

namespace ganglion::kernels {

/// An automaton on its way through a line. One at a time may use it.
class Reader {
public:
    Reader(Automaton& automaton, Side before)
        : automaton_(automaton)
        , row_(automaton.start(before))
        , table_(automaton.table())
    {
    }

    /// Reads a byte. Says whether a match ends before it.
    bool step(char byte)
    {
        const auto number = static_cast<std::uint8_t>(byte);
        Automaton::Entry entry = table_[row_ + number];
        if (entry == Automaton::unknown) {
            entry = automaton_.make_entry(row_, number);
            table_ = automaton_.table();
        }
        row_ = Automaton::row_of(entry);
        return Automaton::ends_match(entry);
    }

    /// Whether a match ends here, when this is the line's other end.
    bool step_at_edge() const { return automaton_.ends_at_edge(row_); }

    /// Whether no match can end behind this, if the automaton is not searching.
    bool is_dead() const { return row_ == Automaton::dead_row; }

private:
    Automaton& automaton_;
    std::uint32_t row_;
    const Automaton::Entry* table_;
};

/// A compiled expression.
class Expression {
public:
    explicit Expression(std::string_view expression)
        : programs_(compiled(expression))
    {
    }

    /// What is wrong with it; nothing but this may be called then. NULL where nothing is.
    const char* wrong() const { return programs_.wrong; }

    /// Calls `visit(offset)` for each match that is not empty, one behind the end of the other, as `grep -Eo` shows them: the
    /// leftmost, and of those the longest. A match lies within one line.
    template <class Visit>
    void for_each_match(std::string_view text, Visit&& visit) const
    {
        Automaton backward(programs_.backward, true);
        Automaton forward(programs_.forward, false);
        std::vector<std::uint64_t> begins;
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = find_byte(text.data(), text.size(), begin, '\n');
            const std::string_view line = text.substr(begin, end - begin);
            if (find_begins(backward, line, begins)) {
                for_each_match_of_line(forward, line, begins, [&](std::size_t offset) { visit(begin + offset); });
            }
            begin = end + 1;
        }
    }

private:
    /// Sets the bit of each place in the line where a match begins that is not empty. Says whether there is one.
    static bool find_begins(Automaton& automaton, std::string_view line, std::vector<std::uint64_t>& begins)
    {
        begins.resize(line.size() / 64 + 1);
        Reader reader(automaton, Side::edge);
        std::uint64_t any = 0;
        // The step at a byte tells of the place behind it, so a bit comes from the byte before.
        for (std::size_t word = begins.size(); word-- != 0;) {
            std::uint64_t found = 0;
            for (std::size_t at = std::min(line.size(), word * 64 + 63); at != word * 64; --at) {
                found = found << 1 | reader.step(line[at - 1]);
            }
            found = found << 1 | (word == 0 ? reader.step_at_edge() : reader.step(line[word * 64 - 1]));
            begins[word] = found;
            any |= found;
        }
        return any != 0;
    }

    template <class Visit>
    static void for_each_match_of_line(Automaton& automaton, std::string_view line, const std::vector<std::uint64_t>& begins,
                                       Visit&& visit)
    {
        std::size_t done = 0;
        for (std::size_t word = 0; word != begins.size(); ++word) {
            for (std::uint64_t left = begins[word]; left != 0; left &= left - 1) {
                const std::size_t at = word * 64 + static_cast<std::size_t>(__builtin_ctzll(left));
                if (at >= done) {
                    visit(at);
                    done = end_of_match(automaton, line, at);
                }
            }
        }
    }

    /// Where the longest match ends that begins there.
    static std::size_t end_of_match(Automaton& automaton, std::string_view line, std::size_t begin)
    {
        Reader reader(automaton, begin == 0 ? Side::edge : side_of(static_cast<std::uint8_t>(line[begin - 1])));
        std::size_t end = begin;
        for (std::size_t at = begin; at != line.size(); ++at) {
            end = reader.step(line[at]) ? at : end;
            if (reader.is_dead()) {
                return end;
            }
        }
        return reader.step_at_edge() ? line.size() : end;
    }

    Programs programs_;
};

} // namespace ganglion::kernels

#endif
