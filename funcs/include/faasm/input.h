/* Input and output as values of C++, under Faasm's names. Input with NULs in it is for ganglion::input(). */
#ifndef FAASM_INPUT_H
#define FAASM_INPUT_H

#include "core.h"

#ifdef __cplusplus

#include <cstring>
#include <string>
#include <string_view>

namespace faasm {

/// The input, which ends in NUL there, or `fallback` when the call has none. It lives as long as the call.
inline const char* getStringInput(const char* fallback)
{
    const long size = faasmGetInputSize();
    if (size == 0) {
        return fallback;
    }
    static std::string input;
    input.resize(static_cast<std::size_t>(size));
    faasmGetInput(reinterpret_cast<uint8_t*>(&input[0]), size);
    return input.c_str();
}

/// The input's first bytes as a `T`, or `fallback` when it is empty.
template <typename T>
T getTypedInput(T fallback)
{
    if (faasmGetInputSize() == 0) {
        return fallback;
    }
    T input{};
    faasmGetInput(BYTES(&input), sizeof input);
    return input;
}

/// Makes `text` the output of the call, as faasmSetOutput.
inline void setStringOutput(std::string_view text)
{
    faasmSetOutput(text.data(), static_cast<long>(text.size()));
}

/// The first `expected` numbers of a text with white space between them, in memory that the caller deletes; 0 for those that are missing.
inline int* parseStringToIntArray(const char* text, int expected)
{
    int* const numbers = new int[static_cast<std::size_t>(expected)]();
    char* end = const_cast<char*>(text);
    for (int i = 0; i < expected && *end != '\0'; ++i) {
        numbers[i] = static_cast<int>(std::strtol(end, &end, 10));
    }
    return numbers;
}

} // namespace faasm

#endif

#endif
