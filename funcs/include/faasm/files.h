/* Whole files. */
#ifndef FAASM_FILES_H
#define FAASM_FILES_H

#ifdef __cplusplus

#include <cstdio>
#include <string>

namespace faasm {

/// The file's contents; empty where it cannot be read.
inline std::string readFileToString(const char* path)
{
    std::string contents;
    std::FILE* const file = std::fopen(path, "rb");
    if (file == nullptr) {
        return contents;
    }
    char part[4096];
    for (std::size_t size = 0; (size = std::fread(part, 1, sizeof part, file)) != 0;) {
        contents.append(part, size);
    }
    std::fclose(file);
    return contents;
}

/// The file's size in bytes; 0 where it cannot be read.
inline long getFileLength(const char* path)
{
    return static_cast<long>(readFileToString(path).size());
}

} // namespace faasm

#endif

#endif
