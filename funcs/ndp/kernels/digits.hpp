// Numbers out of text. Hexadecimal ones are read eight digits at a time, each byte of a word by itself (after Langdale and Lemire,
// "Parsing gigabytes of JSON per second", 2019).
#ifndef GANGLION_KERNELS_DIGITS_HPP
#define GANGLION_KERNELS_DIGITS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace ganglion::kernels {

namespace digits_detail {

constexpr std::uint64_t every_byte = 0x0101010101010101;

/// Eight bytes of the text, the first of them lowest; zeros behind its end.
inline std::uint64_t word_at(std::string_view text, std::size_t at)
{
    std::uint64_t word = 0;
    if (text.size() - at >= sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
    } else if (at != text.size()) {
        std::memcpy(&word, text.data() + at, text.size() - at);
    }
    return word;
}

/// The highest bit of each byte: whether that is no hexadecimal digit.
inline std::uint64_t no_digits(std::uint64_t text)
{
    const auto from = [](std::uint64_t bytes, std::uint64_t limit) { return bytes + every_byte * (0x80 - limit); };
    const std::uint64_t low = text & every_byte * 0x7f;
    const std::uint64_t small = low | every_byte * 0x20;
    const std::uint64_t digit = from(low, '0') & ~from(low, '9' + 1);
    const std::uint64_t letter = from(small, 'a') & ~from(small, 'f' + 1);
    return (~(digit | letter) | text) & every_byte * 0x80;
}

/// The number of so many hexadecimal digits, from 1 to 8, the first of them lowest.
inline std::uint64_t number_of(std::uint64_t text, unsigned digits)
{
    std::uint64_t number = (text & every_byte * 0x0f) + (text >> 6 & every_byte) * 9;
    number = __builtin_bswap64(number << (64 - 8 * digits));
    number = (number >> 4 | number) & 0x00ff00ff00ff00ff;
    number = (number >> 8 | number) & 0x0000ffff0000ffff;
    return (number >> 16 | number) & 0xffffffff;
}

} // namespace digits_detail

/// The decimal number of at least one digit at `at`, which is moved behind it. Nothing where there is none, or where it has more than
/// 64 bits.
inline std::optional<std::uint64_t> decimal_at(std::string_view text, std::size_t& at)
{
    const std::size_t begin = at;
    std::uint64_t number = 0;
    for (; at != text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        const auto digit = static_cast<std::uint64_t>(text[at] - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return std::nullopt;
        }
        number = number * 10 + digit;
    }
    return at == begin ? std::nullopt : std::optional(number);
}

/// The same for hexadecimal digits.
inline std::optional<std::uint64_t> hexadecimal_at(std::string_view text, std::size_t& at)
{
    const std::size_t begin = at;
    std::uint64_t number = 0;
    for (unsigned digits = 8; digits == 8;) {
        const std::uint64_t word = digits_detail::word_at(text, at);
        const std::uint64_t others = digits_detail::no_digits(word);
        digits = others == 0 ? 8 : static_cast<unsigned>(__builtin_ctzll(others)) / 8;
        if (digits == 0) {
            break;
        }
        if (number >> (64 - 4 * digits) != 0) {
            return std::nullopt;
        }
        number = number << 4 * digits | digits_detail::number_of(word, digits);
        at += digits;
    }
    return at == begin ? std::nullopt : std::optional(number);
}

} // namespace ganglion::kernels

#endif
