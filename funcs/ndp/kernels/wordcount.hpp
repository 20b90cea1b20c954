// How often each word occurs. Pure: bytes in, text out.
//
// The table is open: a slot is 24 bytes and holds a word's first eight bytes itself, so that short words, which are most
// words, are compared without a look at the text. It doubles when it is three quarters full. When all is counted the used
// slots are moved together and sorted where they are.
#ifndef GANGLION_KERNELS_WORDCOUNT_HPP
#define GANGLION_KERNELS_WORDCOUNT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "whitespace.hpp"

namespace ganglion::kernels {

/// Words of one text of less than 4 GiB, with their counts.
class WordTable {
public:
    WordTable(const std::uint8_t* bytes, std::size_t size)
        : bytes_(bytes)
        , size_(size)
        , slots_(std::size_t{1} << initial_bits)
    {
    }

    /// Counts the word at `[begin, end)` once more, or so often.
    void add(std::size_t begin, std::size_t end, std::uint64_t times = 1)
    {
        const std::size_t length = end - begin;
        const std::uint64_t head = head_of(begin, length);
        std::size_t at = hash_of(head, begin, length) >> shift_;
        for (;; at = (at + 1) & (slots_.size() - 1)) {
            Slot& slot = slots_[at];
            if (slot.head == head && slot.length == length && same_tail(slot.begin, begin, length)) {
                slot.count += times;
                return;
            }
            if (slot.count == 0) {
                slot = {head, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(length), times};
                used_ += 1;
                if (used_ * 4 > slots_.size() * 3) {
                    grow();
                }
                return;
            }
        }
    }

    /// `word\tcount\n` for each word, in the order of the words' bytes. The table is empty afterwards.
    std::vector<char> into_text()
    {
        const std::vector<Slot> words = into_sorted();
        std::size_t text_bytes = 0;
        for (const Slot& word : words) {
            text_bytes += word.length + 1 + decimal_digits(word.count) + 1;
        }
        std::vector<char> text(text_bytes);
        char* at = text.data();
        for (const Slot& word : words) {
            std::memcpy(at, bytes_ + word.begin, word.length);
            at += word.length;
            *at++ = '\t';
            at = write_decimal(at, word.count);
            *at++ = '\n';
        }
        return text;
    }

private:
    struct Slot {
        std::uint64_t head;   // the first eight bytes, the first of them lowest; zeros behind a shorter word
        std::uint32_t begin;  // offset in the text
        std::uint32_t length; // in bytes; 0 in a free slot
        std::uint64_t count;  // 0 in a free slot
    };

    static constexpr unsigned initial_bits = 8; // 6 KiB, so that a small object dirties few pages

    std::uint64_t load(std::size_t at) const
    {
        std::uint64_t word;
        std::memcpy(&word, bytes_ + at, sizeof word);
        return word;
    }

    std::uint64_t head_of(std::size_t begin, std::size_t length) const
    {
        if (length >= 8) {
            return load(begin);
        }
        const unsigned unused_bits = 64 - 8 * static_cast<unsigned>(length);
        if (size_ - begin >= 8) {
            return load(begin) << unused_bits >> unused_bits;
        }
        // The last bytes of the text: nothing may be read behind it. A text of less than eight bytes has nothing before it.
        std::uint64_t head = 0;
        std::memcpy(&head, bytes_ + begin, length);
        return head;
    }

    static std::uint64_t mix(std::uint64_t value)
    {
        value *= 0x9e3779b97f4a7c15; // 2^64 divided by the golden ratio: spreads into the high bits, which choose the slot
        return value ^ value >> 32;
    }

    std::uint64_t hash_of(std::uint64_t head, std::size_t begin, std::size_t length) const
    {
        std::uint64_t hash = mix(head ^ std::uint64_t{length} << 56);
        if (length > 8) {
            for (std::size_t done = 8; done + 8 < length; done += 8) {
                hash = mix(hash ^ load(begin + done));
            }
            hash = mix(hash ^ load(begin + length - 8));
        }
        return hash * 0xd6e8feb86659fd93;
    }

    /// Whether two words of this length that agree in their heads agree in the rest.
    bool same_tail(std::size_t left, std::size_t right, std::size_t length) const
    {
        if (length <= 8) {
            return true;
        }
        for (std::size_t done = 8; done + 8 < length; done += 8) {
            if (load(left + done) != load(right + done)) {
                return false;
            }
        }
        return load(left + length - 8) == load(right + length - 8);
    }

    void grow()
    {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        shift_ -= 1;
        for (const Slot& slot : old) {
            if (slot.count != 0) {
                std::size_t at = hash_of(slot.head, slot.begin, slot.length) >> shift_;
                while (slots_[at].count != 0) {
                    at = (at + 1) & (slots_.size() - 1);
                }
                slots_[at] = slot;
            }
        }
    }

    std::vector<Slot> into_sorted()
    {
        const auto free = [](const Slot& slot) { return slot.count == 0; };
        slots_.erase(std::remove_if(slots_.begin(), slots_.end(), free), slots_.end());
        for (Slot& slot : slots_) {
            slot.head = __builtin_bswap64(slot.head); // first byte highest: numbers now compare as the bytes do
        }
        std::sort(slots_.begin(), slots_.end(), [this](const Slot& left, const Slot& right) {
            return left.head != right.head ? left.head < right.head : tail_before(left, right);
        });
        return std::move(slots_);
    }

    /// Whether `left` comes before `right` when their heads are the same. A shorter word whose head is filled with zeros
    /// against the other's own zeros is its beginning, and comes first.
    bool tail_before(const Slot& left, const Slot& right) const
    {
        const std::size_t common = std::min(left.length, right.length);
        if (common > 8) {
            const int order = std::memcmp(bytes_ + left.begin + 8, bytes_ + right.begin + 8, common - 8);
            if (order != 0) {
                return order < 0;
            }
        }
        return left.length < right.length;
    }

    static std::size_t decimal_digits(std::uint64_t number)
    {
        std::size_t digits = 1;
        for (; number >= 10; number /= 10) {
            digits += 1;
        }
        return digits;
    }

    static char* write_decimal(char* begin, std::uint64_t number)
    {
        char* const end = begin + decimal_digits(number);
        for (char* at = end; at != begin; number /= 10) {
            *--at = static_cast<char>('0' + number % 10);
        }
        return end;
    }

    const std::uint8_t* bytes_;
    std::size_t size_;
    std::vector<Slot> slots_; // a power of two of them
    unsigned shift_ = 64 - initial_bits;
    std::size_t used_ = 0;
};

/// `word\tcount\n` for each different word of a text of less than 4 GiB, in the order of the words' bytes. A word is a maximal
/// run of bytes that are not ASCII whitespace.
inline std::vector<char> wordcount(const std::uint8_t* bytes, std::size_t size)
{
    WordTable table(bytes, size);
    for_each_word(bytes, size, [&table](std::size_t begin, std::size_t end) { table.add(begin, end); });
    return table.into_text();
}

/// What `wordcount` gives of several texts together, from what it gives of each: one behind the other, in any order. Words hold no
/// whitespace, so words and counts take turns. Nothing where they do not.
inline std::optional<std::vector<char>> combined_wordcounts(const std::uint8_t* bytes, std::size_t size)
{
    WordTable table(bytes, size);
    std::size_t word_begin = 0;
    std::size_t word_end = 0;
    bool is_count = false;
    bool all_count = true;
    for_each_word(bytes, size, [&](std::size_t begin, std::size_t end) {
        if (is_count) {
            std::uint64_t count = 0;
            for (std::size_t at = begin; at != end; ++at) {
                const unsigned digit = bytes[at] - unsigned{'0'};
                all_count &= digit <= 9 && count <= (UINT64_MAX - 9) / 10;
                count = count * 10 + digit;
            }
            table.add(word_begin, word_end, count);
        } else {
            word_begin = begin;
            word_end = end;
        }
        is_count = !is_count;
    });
    return all_count && !is_count ? std::optional(table.into_text()) : std::nullopt;
}

} // namespace ganglion::kernels

#endif
