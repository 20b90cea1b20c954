// Programs of expressions as automata whose states are made when a text first leads to them (Thompson 1968): a state is the set of
// nodes that can be next, and costs a row of a table. A byte costs a look into that table.
//
// What lies behind a byte decides whether a place such as `$` or `\b` is before it, so a row tells of a byte, first, whether a match
// ends before it, and then the state behind it. When the table is full all states are forgotten: memory is bounded, whatever the expression.
#ifndef GANGLION_KERNELS_AUTOMATON_HPP
#define GANGLION_KERNELS_AUTOMATON_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "expression.hpp"

namespace ganglion::kernels {

/// What is beside a place: a line's edge, or a byte.
enum class Side : std::uint8_t { edge, word, other };

inline Side side_of(std::uint8_t byte)
{
    return is_of_word(byte) ? Side::word : Side::other;
}

class Automaton {
public:
    /// `searching`: a match may begin anywhere, and not only in the state that `start` gives.
    Automaton(const Program& program, bool searching)
        : program_(program)
        , searching_(searching)
        , marks_(program.nodes.size())
    {
        find_classes();
        forget();
    }

    /// An entry of a row: the offset of the next row in the table, twice; and 1 where a match ends before the byte. A match that is
    /// empty is none where the automaton is searching.
    using Entry = std::uint32_t;

    static constexpr bool ends_match(Entry entry) { return (entry & 1) != 0; }
    static constexpr std::uint32_t row_of(Entry entry) { return entry >> 1; }

    static constexpr std::uint32_t row_entries = 256;

    /// From here no match can be reached, if the automaton is not searching.
    static constexpr std::uint32_t dead_row = row_entries;

    /// The row for the place behind what is on that side.
    std::uint32_t start(Side before)
    {
        std::uint32_t& row = starts_[static_cast<std::size_t>(before)];
        if (row == 0) {
            begin_set();
            if (!searching_) {
                reach(program_.start);
            }
            const std::uint32_t made = row_of_set(before);
            starts_[static_cast<std::size_t>(before)] = made; // not through `row`: all may have been forgotten
            return made;
        }
        return row;
    }

    /// What happens at each byte, in the rows that there are: `table()[row + byte]`. Where that is `unknown`, `make_entry` knows.
    const Entry* table() const { return table_.data(); }

    static constexpr Entry unknown = 0; // no entry is: the table's first row is unused

    /// What happens in the state of that row at that byte. Rows from before are no longer to be used, nor is the table's address.
    Entry make_entry(std::uint32_t row, std::uint8_t byte)
    {
        const bool ends = resolve(row, side_of(byte));
        if (searching_) {
            follow_from(program_.start);
        }
        begin_set();
        for (const std::uint32_t node : active_) {
            const ProgramNode& at = program_.nodes[node];
            if (at.kind == ProgramNode::Kind::bytes && program_.sets[at.set].has(byte)) {
                reach(at.next);
            }
        }
        const std::size_t forgotten = forgotten_;
        const std::uint32_t next = row_of_set(side_of(byte));
        const Entry entry = next << 1 | static_cast<Entry>(ends);
        for (std::uint32_t same = 0; same != row_entries && forgotten == forgotten_; ++same) {
            if (class_of_[same] == class_of_[byte]) {
                table_[row + same] = entry;
            }
        }
        return entry;
    }

    /// Whether a match ends where the line does, in the state of that row.
    bool ends_at_edge(std::uint32_t row)
    {
        std::uint8_t& known = state_of(row).ends_at_edge;
        if (known == maybe) {
            known = resolve(row, Side::edge) ? yes : no;
        }
        return known == yes;
    }

private:
    static constexpr std::size_t rows_max = 1024;              // 1 MiB
    static constexpr std::size_t nodes_max = std::size_t{1} << 20; // of all states together: 4 MiB
    static constexpr std::size_t slots = 4 * rows_max;
    enum Known : std::uint8_t { maybe, no, yes };

    struct State {
        std::uint32_t nodes_begin; // in `nodes_`, to where those of the next one begin
        std::uint32_t nodes_count;
        Side before;
        std::uint8_t ends_at_edge;
    };

    State& state_of(std::uint32_t row) { return states_[row / row_entries - 1]; }

    /// Bytes that no set of the program tells from each other are of one class.
    void find_classes()
    {
        int count = 1;
        const auto split = [&](const ByteSet& set) {
            int renamed[2][256];
            std::fill(&renamed[0][0], &renamed[0][0] + 512, -1);
            count = 0;
            for (int byte = 0; byte != 256; ++byte) {
                int& name = renamed[set.has(static_cast<std::uint8_t>(byte))][class_of_[byte]];
                name = name < 0 ? count++ : name;
                class_of_[byte] = static_cast<std::uint8_t>(name);
            }
        };
        for (const ByteSet& set : program_.sets) {
            split(set);
        }
        if (program_.has_places) {
            split(ByteSet::of(is_of_word));
        }
    }

    void forget()
    {
        states_.clear();
        nodes_.clear();
        table_.assign(row_entries, unknown);
        slots_.assign(slots, 0);
        std::fill(starts_, starts_ + 3, 0);
        begin_set();
        row_of_set(Side::other); // the dead one
    }

    /// Fills `active_` with what the state of that row can do when this is behind the place; says whether it can be a match.
    bool resolve(std::uint32_t row, Side behind)
    {
        const State state = state_of(row);
        active_.clear();
        mark_ += 1;
        before_ = state.before;
        behind_ = behind;
        for (std::uint32_t i = 0; i != state.nodes_count; ++i) {
            follow_from(nodes_[state.nodes_begin + i]);
        }
        return marks_[0] == mark_;
    }

    bool holds(Place place) const
    {
        const bool left = before_ == Side::word;
        const bool right = behind_ == Side::word;
        switch (place) {
        case Place::line_begin: return before_ == Side::edge;
        case Place::line_end: return behind_ == Side::edge;
        case Place::word_begin: return !left && right;
        case Place::word_end: return left && !right;
        case Place::word_edge: return left != right;
        default: return left == right;
        }
    }

    /// Adds to `active_` what can be reached from that node without a byte.
    void follow_from(std::uint32_t first)
    {
        walk(first, active_, [this](const ProgramNode& node) { return holds(node.place); });
    }

    void begin_set()
    {
        set_.clear();
        mark_ += 1;
    }

    /// Adds to `set_` what can be reached from that node without a byte, as far as no place is in the way.
    void reach(std::uint32_t first)
    {
        walk(first, set_, [](const ProgramNode&) { return false; });
    }

    template <class Passes>
    void walk(std::uint32_t first, std::vector<std::uint32_t>& found, Passes&& passes)
    {
        stack_.push_back(first);
        while (!stack_.empty()) {
            const std::uint32_t index = stack_.back();
            stack_.pop_back();
            if (marks_[index] == mark_) {
                continue;
            }
            marks_[index] = mark_;
            const ProgramNode& node = program_.nodes[index];
            if (node.kind == ProgramNode::Kind::fork) {
                stack_.push_back(node.other);
                stack_.push_back(node.next);
            } else if (node.kind == ProgramNode::Kind::place && passes(node)) {
                stack_.push_back(node.next);
            } else {
                found.push_back(index);
            }
        }
    }

    /// The row of the state of `set_`.
    std::uint32_t row_of_set(Side before)
    {
        if (!program_.has_places || (set_.empty() && !searching_)) {
            before = Side::other; // it makes no difference
        }
        std::sort(set_.begin(), set_.end());
        std::size_t slot = slot_of(before);
        if (slots_[slot] != 0) {
            return slots_[slot];
        }
        if (states_.size() == rows_max || nodes_.size() + set_.size() > nodes_max) {
            const std::vector<std::uint32_t> kept = std::move(set_);
            forget();
            forgotten_ += 1;
            set_ = kept;
            return row_of_set(before);
        }
        const auto row = static_cast<std::uint32_t>(table_.size());
        table_.resize(table_.size() + row_entries, unknown);
        states_.push_back({static_cast<std::uint32_t>(nodes_.size()), static_cast<std::uint32_t>(set_.size()), before, maybe});
        nodes_.insert(nodes_.end(), set_.begin(), set_.end());
        slots_[slot] = row;
        return row;
    }

    /// Where the row of the state of `set_` is or would be.
    std::size_t slot_of(Side before) const
    {
        std::uint64_t hash = static_cast<std::uint64_t>(before);
        for (const std::uint32_t node : set_) {
            hash = (hash ^ node) * 0x9e3779b97f4a7c15;
            hash ^= hash >> 32;
        }
        std::size_t slot = hash % slots;
        while (slots_[slot] != 0 && !is_set(states_[slots_[slot] / row_entries - 1], before)) {
            slot = (slot + 1) % slots;
        }
        return slot;
    }

    bool is_set(const State& state, Side before) const
    {
        return state.before == before && state.nodes_count == set_.size() &&
               std::equal(set_.begin(), set_.end(), nodes_.begin() + state.nodes_begin);
    }

    const Program& program_;
    bool searching_;
    std::uint8_t class_of_[256] = {};

    std::vector<Entry> table_;
    std::vector<State> states_;        // of the table's rows, from its second one on
    std::vector<std::uint32_t> nodes_; // of the states
    std::vector<std::uint32_t> slots_; // rows by their states' hashes; 0 where there is none
    std::uint32_t starts_[3] = {};
    std::size_t forgotten_ = 0; // how often

    // While a state is made:
    std::vector<std::uint32_t> set_;
    std::vector<std::uint32_t> active_;
    std::vector<std::uint32_t> stack_;
    std::vector<std::uint64_t> marks_; // by node: `mark_` where it has been found
    std::uint64_t mark_ = 0;
    Side before_{};
    Side behind_{};
};

} // namespace ganglion::kernels

#endif
