/* Input and output as C++ strings. They may hold any bytes. */
#ifndef FAASM_INPUT_H
#define FAASM_INPUT_H

#include "core.h"

#ifdef __cplusplus

#include <string>
#include <string_view>

namespace faasm {

/* The whole input, or `fallback` when the call has none. */
inline std::string getStringInput(std::string_view fallback)
{
    const long size = faasmGetInputSize();
    if (size == 0) {
        return std::string(fallback);
    }
    std::string input(static_cast<std::size_t>(size), '\0');
    faasmGetInput(reinterpret_cast<uint8_t*>(input.data()), size);
    return input;
}

/* Makes `text` the output of the call, as faasmSetOutput. */
inline void setStringOutput(std::string_view text)
{
    faasmSetOutput(text.data(), static_cast<long>(text.size()));
}

} // namespace faasm

#endif

#endif
