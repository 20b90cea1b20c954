// What a C++ guest brings itself instead of taking it from the library: memory, and what happens when it is used up. In the
// library both lead to formatted printing, 20 KiB and two imports in functions that print nothing. It lets a program
// replace them.

#include <__verbose_abort>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unistd.h>

namespace {

/// A line on standard error, and a trap.
[[noreturn]] void die(const char* words)
{
    // Where standard error is gone there is nobody left to tell.
    (void)!write(STDERR_FILENO, words, std::strlen(words));
    __builtin_trap();
}

} // namespace

// The words before they are formatted say enough.
[[noreturn]] void std::__libcpp_verbose_abort(const char* format, ...)
{
    die(format);
}

void* operator new(std::size_t size)
{
    void* memory = std::malloc(size != 0 ? size : 1);
    if (memory == nullptr) {
        die("out of memory (setting limits.memory)\n");
    }
    return memory;
}

void* operator new[](std::size_t size)
{
    return operator new(size);
}

void operator delete(void* memory) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

void operator delete[](void* memory) noexcept
{
    std::free(memory);
}

void operator delete[](void* memory, std::size_t) noexcept
{
    std::free(memory);
}
