// The same kernels for the machine itself, as a shared library, to measure the guests against:
//
//     c++ -O3 -std=c++17 -shared -fPIC native.cpp -o libganglion_kernels.so

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "scan.hpp"
#include "wordcount.hpp"

/// Counts words. Returns the length of the text, and in `*text` a copy of it that ganglion_text_free takes back. Returns
/// UINT64_MAX, and NULL in `*text`, for a text of 4 GiB or more, or when there is no memory for the copy.
extern "C" std::uint64_t ganglion_wordcount(const std::uint8_t* bytes, std::size_t size, char** text)
{
    *text = nullptr;
    if (size > UINT32_MAX) {
        return UINT64_MAX;
    }
    const std::vector<char> counted = ganglion::kernels::wordcount(bytes, size);
    *text = static_cast<char*>(std::malloc(counted.size() + 1)); // one more, as none would be NULL
    if (*text == nullptr) {
        return UINT64_MAX;
    }
    std::copy(counted.begin(), counted.end(), *text);
    return counted.size();
}

extern "C" void ganglion_text_free(char* text)
{
    std::free(text);
}

/// How often `wanted` occurs among the bytes.
extern "C" std::uint64_t ganglion_scan(const std::uint8_t* bytes, std::size_t size, std::uint8_t wanted)
{
    return ganglion::kernels::count_byte(bytes, size, wanted);
}
