// Where a regular expression matches. Pure: bytes in, offsets out. The expressions are POSIX extended ones and the matcher is
// the C library's, because it comes with every toolchain, takes any expression in bounded time, and says what is wrong with
// a bad one; std::regex aborts on that in a guest without exceptions.
#ifndef GANGLION_KERNELS_GREP_HPP
#define GANGLION_KERNELS_GREP_HPP

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include <regex.h>

namespace ganglion::kernels {

/// A compiled expression.
class Expression {
public:
    /// Compiles it. It has to end in NUL.
    explicit Expression(const char* expression)
        : code_(regcomp(&compiled_, expression, REG_EXTENDED))
    {
    }

    Expression(const Expression&) = delete;
    Expression& operator=(const Expression&) = delete;

    ~Expression()
    {
        if (good()) {
            regfree(&compiled_);
        }
    }

    /// False where it is not an expression; nothing but `error` may be called then.
    bool good() const { return code_ == 0; }

    /// What is wrong with it, in at most 127 bytes.
    std::vector<char> error() const
    {
        std::vector<char> words(128);
        words.resize(regerror(code_, &compiled_, words.data(), words.size()) - 1);
        return words;
    }

    /// Calls `visit(offset)` for each match that is not empty, one behind the end of the other, as `grep -Eo` shows them: a match
    /// lies within one line. A NUL ends a line too.
    template <class Visit>
    void for_each_match(std::string_view text, Visit&& visit) const
    {
        std::vector<char> line;
        for (std::size_t begin = 0; begin < text.size();) {
            const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(),
                                          [](char byte) { return byte == '\n' || byte == '\0'; });
            line.assign(text.begin() + static_cast<std::ptrdiff_t>(begin), end);
            line.push_back('\0');
            for_each_match_of_line(line, [&](std::size_t offset) { visit(begin + offset); });
            begin += line.size();
        }
    }

private:
    template <class Visit>
    void for_each_match_of_line(const std::vector<char>& line, Visit&& visit) const
    {
        regmatch_t match;
        int flags = 0;
        for (std::size_t at = 0; at + 1 < line.size() && regexec(&compiled_, line.data() + at, 1, &match, flags) == 0;
             flags = REG_NOTBOL) {
            const auto match_begin = static_cast<std::size_t>(match.rm_so);
            const auto match_end = static_cast<std::size_t>(match.rm_eo);
            if (match_begin != match_end) {
                visit(at + match_begin);
            }
            at += match_begin == match_end ? match_end + 1 : match_end;
        }
    }

    regex_t compiled_;
    int code_;
};

} // namespace ganglion::kernels

#endif
