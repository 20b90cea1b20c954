// POSIX extended regular expressions as programs: nodes that each take a byte, stand for a place in the line, or lead on to others
// (Thompson 1968). Pure: an expression in, a program or what is wrong with it out. Of GNU's additions there are `\w \W \s \S \b \B \<
// \>`. Back references are not there: what has them is not regular, and takes time without bound.
#ifndef GANGLION_KERNELS_EXPRESSION_HPP
#define GANGLION_KERNELS_EXPRESSION_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ganglion::kernels {

constexpr std::size_t expression_bytes_max = 4096; ///< of an expression
constexpr std::size_t expression_nodes_max = 16384; ///< of its program, once its repetitions are written out
constexpr int expression_depth_max = 100;           ///< how deep groups and repetitions may lie in each other
constexpr int repetitions_max = 1000;               ///< of `{least,most}`

/// A set of bytes.
struct ByteSet {
    std::uint64_t bits[4] = {};

    void add(std::uint8_t byte) { bits[byte / 64] |= std::uint64_t{1} << byte % 64; }

    bool has(std::uint8_t byte) const { return (bits[byte / 64] >> byte % 64 & 1) != 0; }

    void add(const ByteSet& other)
    {
        for (int i = 0; i != 4; ++i) {
            bits[i] |= other.bits[i];
        }
    }

    void invert()
    {
        for (std::uint64_t& word : bits) {
            word = ~word;
        }
    }

    template <class Wanted>
    static ByteSet of(Wanted&& wanted)
    {
        ByteSet set;
        for (int byte = 0; byte != 256; ++byte) {
            if (wanted(static_cast<std::uint8_t>(byte))) {
                set.add(static_cast<std::uint8_t>(byte));
            }
        }
        return set;
    }
};

constexpr bool is_between(std::uint8_t byte, char first, char last)
{
    return byte >= static_cast<std::uint8_t>(first) && byte <= static_cast<std::uint8_t>(last);
}

constexpr bool is_digit(std::uint8_t byte)
{
    return is_between(byte, '0', '9');
}

constexpr bool is_letter(std::uint8_t byte)
{
    return is_between(byte | 32, 'a', 'z');
}

constexpr bool is_of_word(std::uint8_t byte)
{
    return is_letter(byte) || is_digit(byte) || byte == '_';
}

/// A place between two bytes of a line. (`outside` is where a word does not begin or end.)
enum class Place : std::uint8_t { line_begin, line_end, word_begin, word_end, word_edge, outside };

/// One of a program's.
struct ProgramNode {
    enum class Kind : std::uint8_t { match, bytes, place, fork };

    Kind kind = Kind::match;
    Place place{};
    std::uint32_t set = 0;   ///< of `bytes`: which of the program's sets
    std::uint32_t next = 0;  ///< where it goes on
    std::uint32_t other = 0; ///< of a `fork`: or here
};

/// What an expression is compiled to. The node 0 is the match.
struct Program {
    std::vector<ProgramNode> nodes;
    std::vector<ByteSet> sets;
    std::uint32_t start = 0;
    bool has_places = false;
};

namespace expression_detail {

/// A part of an expression.
struct Part {
    enum class Kind : std::uint8_t { sequence, choice, bytes, place, repeat };

    Kind kind;
    Place place{};
    int depth = 1;
    int least = 0;
    int most = 0;                        ///< of a `repeat`; -1 where there is no bound
    std::uint32_t set = 0;               ///< of `bytes`
    std::vector<std::uint32_t> parts{};  ///< what it is made of
};

struct Parsed {
    std::vector<Part> parts; ///< each behind those that it is made of
    std::vector<ByteSet> sets;
    const char* wrong = nullptr; ///< NULL where it is an expression
};

class Parser {
public:
    explicit Parser(std::string_view text)
        : text_(text)
    {
    }

    Parsed parsed()
    {
        if (text_.size() > expression_bytes_max) {
            fail("it is longer than 4096 bytes");
        } else {
            choice(0);
            if (!at_end()) {
                fail("a ) without a (");
            }
        }
        return std::move(parsed_);
    }

private:
    bool at_end() const { return at_ == text_.size(); }
    bool is_next(char byte) const { return !at_end() && text_[at_] == byte; }

    bool skip(char byte)
    {
        const bool skipped = is_next(byte);
        at_ += skipped;
        return skipped;
    }

    /// Only the first one counts. Nothing is read any more.
    std::uint32_t fail(const char* wrong)
    {
        if (parsed_.wrong == nullptr) {
            parsed_.wrong = wrong;
        }
        at_ = text_.size();
        return 0;
    }

    std::uint32_t add(Part part)
    {
        if (parsed_.wrong != nullptr) {
            return 0;
        }
        for (const std::uint32_t inner : part.parts) {
            part.depth = std::max(part.depth, parsed_.parts[inner].depth + 1);
        }
        if (part.depth > 3 * expression_depth_max) { // a group is a choice of sequences
            return fail("its groups and repetitions lie too deep in each other");
        }
        parsed_.parts.push_back(std::move(part));
        return static_cast<std::uint32_t>(parsed_.parts.size() - 1);
    }

    std::uint32_t add(const ByteSet& set)
    {
        Part part{Part::Kind::bytes};
        part.set = static_cast<std::uint32_t>(parsed_.sets.size());
        parsed_.sets.push_back(set);
        return add(std::move(part));
    }

    std::uint32_t add(Place place)
    {
        Part part{Part::Kind::place};
        part.place = place;
        return add(std::move(part));
    }

    std::uint32_t choice(int depth)
    {
        if (depth > expression_depth_max) {
            return fail("its groups and repetitions lie too deep in each other");
        }
        Part part{Part::Kind::choice};
        do {
            part.parts.push_back(sequence(depth));
        } while (skip('|'));
        return add(std::move(part));
    }

    std::uint32_t sequence(int depth)
    {
        Part part{Part::Kind::sequence};
        while (!at_end() && !is_next('|') && !is_next(')')) {
            part.parts.push_back(repeated(atom(depth)));
        }
        return add(std::move(part));
    }

    std::uint32_t repeated(std::uint32_t atom)
    {
        for (;;) {
            Part part{Part::Kind::repeat};
            part.parts.push_back(atom);
            if (skip('*')) {
                part.most = -1;
            } else if (skip('+')) {
                part.least = 1;
                part.most = -1;
            } else if (skip('?')) {
                part.most = 1;
            } else if (skip('{')) {
                bounds(part);
            } else {
                return atom;
            }
            if (parsed_.wrong != nullptr) {
                return 0;
            }
            atom = add(std::move(part));
        }
    }

    /// What is behind a `{`, with the end.
    void bounds(Part& part)
    {
        const int least = number();
        part.least = std::max(least, 0);
        part.most = least;
        if (skip(',')) {
            part.most = number();
        } else if (least < 0) {
            fail("no number behind a {");
        }
        if (!skip('}')) {
            fail("a { without a number and a }");
        } else if (std::max(part.least, part.most) > repetitions_max) {
            fail("a repetition of more than 1000");
        } else if (part.most >= 0 && part.most < part.least) {
            fail("a repetition whose most is below its least");
        }
    }

    /// In decimal; -1 where there is none, and something above the limit where it is.
    int number()
    {
        int value = -1;
        for (; !at_end() && is_digit(byte()); ++at_) {
            value = std::min(std::max(value, 0) * 10 + (byte() - '0'), repetitions_max + 1);
        }
        return value;
    }

    std::uint8_t byte() const { return static_cast<std::uint8_t>(text_[at_]); }

    std::uint32_t atom(int depth)
    {
        const std::uint8_t first = byte();
        ++at_;
        switch (first) {
        case '(': return group(depth);
        case '[': return bracket();
        case '\\': return escaped();
        case '^': return add(Place::line_begin);
        case '$': return add(Place::line_end);
        case '.': return add(ByteSet::of([](std::uint8_t) { return true; }));
        case '*':
        case '+':
        case '?':
        case '{': return fail("nothing to repeat before a *, +, ? or {");
        case '\n': return fail("a line's end, which no line holds");
        default: return add(ByteSet::of([first](std::uint8_t byte) { return byte == first; }));
        }
    }

    std::uint32_t group(int depth)
    {
        const std::uint32_t inner = choice(depth + 1);
        return skip(')') ? inner : fail("a ( without a )");
    }

    std::uint32_t escaped()
    {
        if (at_end()) {
            return fail("a \\ at the end");
        }
        const std::uint8_t wanted = byte();
        ++at_;
        const auto is_space = [](std::uint8_t byte) { return byte == ' ' || is_between(byte, '\t', '\r'); };
        switch (wanted) {
        case 'w': return add(ByteSet::of(is_of_word));
        case 'W': return add(ByteSet::of([](std::uint8_t byte) { return !is_of_word(byte); }));
        case 's': return add(ByteSet::of(is_space));
        case 'S': return add(ByteSet::of([&](std::uint8_t byte) { return !is_space(byte); }));
        case 'b': return add(Place::word_edge);
        case 'B': return add(Place::outside);
        case '<': return add(Place::word_begin);
        case '>': return add(Place::word_end);
        default: break;
        }
        if (is_digit(wanted)) {
            return fail("a back reference, which is not regular");
        }
        if (is_letter(wanted) || wanted == '\n') {
            return fail("an unknown letter behind a \\");
        }
        return add(ByteSet::of([wanted](std::uint8_t byte) { return byte == wanted; }));
    }

    /// What is behind a `[`, with the end.
    std::uint32_t bracket()
    {
        ByteSet set;
        const bool inverted = skip('^');
        do {
            element(set);
        } while (!at_end() && !is_next(']'));
        if (!skip(']')) {
            return fail("a [ without a ]");
        }
        if (inverted) {
            set.invert();
        }
        return add(set);
    }

    /// A class, a byte, or a range of bytes.
    void element(ByteSet& set)
    {
        if (begins_named(':')) {
            class_of(named(':'), set);
            return;
        }
        const std::uint8_t first = single();
        std::uint8_t last = first;
        if (is_next('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
            ++at_;
            last = single();
        }
        if (last < first) {
            fail("a range whose end is before its beginning");
        }
        for (int byte = first; byte <= last; ++byte) {
            set.add(static_cast<std::uint8_t>(byte));
        }
    }

    bool begins_named(char kind) const { return is_next('[') && at_ + 1 < text_.size() && text_[at_ + 1] == kind; }

    /// A byte, or `[.x.]` or `[=x=]`, which are no more in the C locale.
    std::uint8_t single()
    {
        for (const char kind : {'.', '='}) {
            if (begins_named(kind)) {
                const std::string_view name = named(kind);
                if (name.size() == 1) {
                    return static_cast<std::uint8_t>(name[0]);
                }
                fail("a [. .] or [= =] of more than a byte");
            }
        }
        if (at_end()) {
            fail("a [ without a ]");
            return 0;
        }
        return static_cast<std::uint8_t>(text_[at_++]);
    }

    /// What is in a `[: :]`, of which the first two bytes are next.
    std::string_view named(char kind)
    {
        const std::size_t begin = at_ + 2;
        for (std::size_t end = begin; end + 1 < text_.size(); ++end) {
            if (text_[end] == kind && text_[end + 1] == ']') {
                at_ = end + 2;
                return text_.substr(begin, end - begin);
            }
        }
        fail("a [: without a :], or one of its kind");
        return {};
    }

    void class_of(std::string_view name, ByteSet& set)
    {
        using Wanted = bool (*)(std::uint8_t);
        constexpr struct {
            std::string_view name;
            Wanted has;
        } classes[] = {
            {"alpha", is_letter},
            {"digit", is_digit},
            {"alnum", [](std::uint8_t byte) { return is_letter(byte) || is_digit(byte); }},
            {"upper", [](std::uint8_t byte) { return is_between(byte, 'A', 'Z'); }},
            {"lower", [](std::uint8_t byte) { return is_between(byte, 'a', 'z'); }},
            {"space", [](std::uint8_t byte) { return byte == ' ' || is_between(byte, '\t', '\r'); }},
            {"blank", [](std::uint8_t byte) { return byte == ' ' || byte == '\t'; }},
            {"punct", [](std::uint8_t byte) { return is_between(byte, '!', '~') && !is_letter(byte) && !is_digit(byte); }},
            {"graph", [](std::uint8_t byte) { return is_between(byte, '!', '~'); }},
            {"print", [](std::uint8_t byte) { return is_between(byte, ' ', '~'); }},
            {"cntrl", [](std::uint8_t byte) { return byte < ' ' || byte == 127; }},
            {"xdigit", [](std::uint8_t byte) { return is_digit(byte) || is_between(byte | 32, 'a', 'f'); }},
        };
        for (const auto& known : classes) {
            if (known.name == name) {
                set.add(ByteSet::of(known.has));
                return;
            }
        }
        fail("an unknown class in a [: :]");
    }

    std::string_view text_;
    std::size_t at_ = 0;
    Parsed parsed_;
};

class Compiler {
public:
    /// `backward`: for reading a line from its end.
    Compiler(const Parsed& parsed, bool backward)
        : parsed_(parsed)
        , backward_(backward)
    {
    }

    /// Without nodes where it would have too many.
    Program compiled()
    {
        program_.sets = parsed_.sets;
        program_.nodes.emplace_back();
        program_.start = before(static_cast<std::uint32_t>(parsed_.parts.size() - 1), 0);
        if (parts_ > expression_nodes_max) {
            program_.nodes.clear();
        }
        return std::move(program_);
    }

private:
    /// The node at which the part begins that goes on at `next`.
    std::uint32_t before(std::uint32_t index, std::uint32_t next)
    {
        const Part& part = parsed_.parts[index];
        if (++parts_ > expression_nodes_max) {
            return next;
        }
        switch (part.kind) {
        case Part::Kind::sequence: return sequence(part, next);
        case Part::Kind::choice: return choice(part, next);
        case Part::Kind::repeat: return repeat(part, next);
        case Part::Kind::bytes: return add({ProgramNode::Kind::bytes, {}, part.set, next, 0});
        case Part::Kind::place: break;
        }
        program_.has_places = true;
        return add({ProgramNode::Kind::place, backward_ ? mirrored(part.place) : part.place, 0, next, 0});
    }

    std::uint32_t add(ProgramNode node)
    {
        program_.nodes.push_back(node);
        return static_cast<std::uint32_t>(program_.nodes.size() - 1);
    }

    std::uint32_t fork(std::uint32_t next, std::uint32_t other) { return add({ProgramNode::Kind::fork, {}, 0, next, other}); }

    std::uint32_t sequence(const Part& part, std::uint32_t next)
    {
        const std::size_t count = part.parts.size();
        for (std::size_t i = 0; i != count; ++i) {
            next = before(part.parts[backward_ ? i : count - 1 - i], next);
        }
        return next;
    }

    std::uint32_t choice(const Part& part, std::uint32_t next)
    {
        std::uint32_t first = before(part.parts[0], next);
        for (std::size_t i = 1; i != part.parts.size(); ++i) {
            first = fork(first, before(part.parts[i], next));
        }
        return first;
    }

    std::uint32_t repeat(const Part& part, std::uint32_t next)
    {
        int least = part.least;
        if (part.most < 0) {
            const std::uint32_t loop = fork(0, next);
            const std::uint32_t body = before(part.parts[0], loop);
            program_.nodes[loop].next = body;
            next = least == 0 ? loop : body; // one that has to be there is the loop's own
            least -= least != 0;
        } else {
            const std::uint32_t behind = next;
            for (int i = part.least; i < part.most; ++i) {
                next = fork(before(part.parts[0], next), behind);
            }
        }
        for (int i = 0; i < least; ++i) {
            next = before(part.parts[0], next);
        }
        return next;
    }

    static Place mirrored(Place place)
    {
        switch (place) {
        case Place::line_begin: return Place::line_end;
        case Place::line_end: return Place::line_begin;
        case Place::word_begin: return Place::word_end;
        case Place::word_end: return Place::word_begin;
        default: return place;
        }
    }

    const Parsed& parsed_;
    bool backward_;
    Program program_;
    std::size_t parts_ = 0;
};

} // namespace expression_detail

/// An expression as two programs: from a line's beginning to its end, and the other way round.
struct Programs {
    Program forward;
    Program backward;
    const char* wrong; ///< what is wrong with the expression, and the programs are empty; or NULL
};

inline Programs compiled(std::string_view expression)
{
    using namespace expression_detail;
    const Parsed parsed = Parser(expression).parsed();
    if (parsed.wrong != nullptr) {
        return {{}, {}, parsed.wrong};
    }
    Programs programs{Compiler(parsed, false).compiled(), Compiler(parsed, true).compiled(), nullptr};
    if (programs.forward.nodes.empty()) {
        return {{}, {}, "its repetitions make it too large"};
    }
    return programs;
}

} // namespace ganglion::kernels

#endif
