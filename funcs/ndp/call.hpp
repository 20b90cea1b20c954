// What most functions of this folder are: an input that begins with a key, and work on that object, where it is.
#ifndef NDP_CALL_HPP
#define NDP_CALL_HPP

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "answer.hpp"

namespace ndp {

/// An input `key argument...`: the argument is everything behind the first space.
struct KeyAndArgument {
    std::string_view key;
    std::string_view argument;
    bool has_argument; ///< whether there is a space
};

inline KeyAndArgument split_at_space(std::string_view input)
{
    const std::size_t space = input.find(' ');
    if (space == std::string_view::npos) {
        return {input, {}, false};
    }
    return {input.substr(0, space), input.substr(space + 1), true};
}

/// What is wrong with an object, ready to have its key behind it; NULL where nothing is.
using Wrong = const char*;
constexpr Wrong nothing_wrong = nullptr;

/// Gives the object to `work`, beside it where that pays. `work` returns what is wrong with it. Returns 0; or, when the object
/// cannot be opened or something is wrong, a code, and the output says which.
template <class Work>
int on_object(std::string_view key, Work&& work)
{
    Wrong wrong = "cannot open object ";
    ganglion::on_storage(key, [&] {
        if (const auto object = ganglion::Object::open(key)) {
            wrong = work(object);
        }
    });
    return wrong == nothing_wrong ? 0 : fail(failed, wrong, key);
}

/// Writes that object; returns what is wrong then.
inline Wrong put(std::string_view key, std::string_view bytes)
{
    switch (ganglion::put(key, bytes)) {
    case 0: return nothing_wrong;
    case GANGLION_INVALID: return "not a key: ";
    case GANGLION_LIMIT: return "too large for the store: object ";
    default: return "cannot write object ";
    }
}

/// Decimal numbers with a space between any two.
class Numbers {
public:
    void add(std::uint64_t number)
    {
        char digits[21];
        char* begin = digits;
        if (!text_.empty()) {
            *begin++ = ' ';
        }
        const char* const end = std::to_chars(begin, digits + sizeof digits, number).ptr;
        text_.insert(text_.end(), static_cast<const char*>(digits), end);
    }

    std::string_view text() const { return {text_.data(), text_.size()}; }

private:
    std::vector<char> text_; // (`std::string::append` would bring more of the library)
};

/// Makes the number the output, in decimal.
inline void answer_number(std::uint64_t number)
{
    Numbers numbers;
    numbers.add(number);
    ganglion::set_output(numbers.text());
}

} // namespace ndp

#endif
