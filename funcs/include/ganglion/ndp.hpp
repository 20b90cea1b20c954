// Objects, and work that runs beside them, in C++17. The meaning of each call is in ndp.h.
#ifndef GANGLION_NDP_HPP
#define GANGLION_NDP_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../faasm/core.h"
#include "ndp.h"

#ifndef __wasm__
#include <vector>
#endif

namespace ganglion {

/// The whole input, which may hold any bytes.
inline std::string input()
{
    std::string bytes(static_cast<std::size_t>(faasmGetInputSize()), '\0');
    faasmGetInput(reinterpret_cast<std::uint8_t*>(&bytes[0]), static_cast<long>(bytes.size()));
    return bytes;
}

/// Makes these bytes the output; a later call replaces them.
inline void set_output(std::string_view bytes)
{
    faasmSetOutput(bytes.data(), static_cast<long>(bytes.size()));
}

/// The bytes of an object, or of a range of it, for as long as this lives. False where it could not be opened.
class Object {
public:
    /// Opens `[offset, offset + length_max)`, as far as the object reaches; by default all of it.
    static Object open(std::string_view key, std::int64_t offset = 0,
                       std::int64_t length_max = std::numeric_limits<std::int64_t>::max())
    {
        Object object;
        object.bytes_ =
            __faasmndp_getMmap(key.data(), static_cast<std::int32_t>(key.size()), offset, length_max, &object.length_);
        return object;
    }

    Object(Object&& other) noexcept
        : bytes_(std::exchange(other.bytes_, nullptr))
        , length_(std::exchange(other.length_, 0))
    {
    }

    Object& operator=(Object&& other) noexcept
    {
        std::swap(bytes_, other.bytes_);
        std::swap(length_, other.length_);
        return *this;
    }

    ~Object()
    {
        if (bytes_ != nullptr) {
            __faasmndp_unmap(bytes_, static_cast<std::int32_t>(length_));
        }
    }

    explicit operator bool() const { return bytes_ != nullptr; }
    const std::uint8_t* data() const { return bytes_; }
    std::size_t size() const { return length_; }
    bool empty() const { return length_ == 0; }
    const std::uint8_t* begin() const { return bytes_; }
    const std::uint8_t* end() const { return bytes_ + length_; }
    std::uint8_t operator[](std::size_t at) const { return bytes_[at]; }
    std::string_view text() const { return {reinterpret_cast<const char*>(bytes_), length_}; }

private:
    Object() = default;

    std::uint8_t* bytes_ = nullptr;
    std::uint32_t length_ = 0;
};

/// Writes the whole object. Returns 0 or a code of ndp.h.
inline std::int32_t put(std::string_view key, std::string_view bytes)
{
    if (bytes.size() > UINT32_MAX) {
        return GANGLION_LIMIT;
    }
    return __faasmndp_put(key.data(), static_cast<std::uint32_t>(key.size()),
                          reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<std::uint32_t>(bytes.size()));
}

/// How a closure's address gets through a storage call, whose arguments are numbers of 32 bits.
class Passed {
public:
#ifdef __wasm__
    explicit Passed(void* closure)
        : number(static_cast<std::int32_t>(reinterpret_cast<std::uintptr_t>(closure)))
    {
    }

    static void* closure(std::int32_t number) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number)); }
#else
    explicit Passed(void* closure)
        : number(static_cast<std::int32_t>(open().size()))
    {
        open().push_back(closure);
    }

    Passed(const Passed&) = delete;
    Passed& operator=(const Passed&) = delete;
    ~Passed() { open().pop_back(); }

    static void* closure(std::int32_t number) { return open()[static_cast<std::size_t>(number)]; }

private:
    // Those of the storage calls that are under way, the innermost last.
    static std::vector<void*>& open()
    {
        static std::vector<void*> closures;
        return closures;
    }

public:
#endif
    const std::int32_t number;
};

/// Runs `work()` where the object is, or here. It may read and write whatever it captures by reference. Returns what it
/// returns (0 when that is void; else let it be 0 or more), or GANGLION_INVALID when it was not run.
template <class Work>
std::int32_t on_storage(std::string_view key, Work&& work)
{
    using Closure = std::remove_reference_t<Work>;
    const auto enter = [](std::int32_t number) -> std::int32_t {
        auto& closure = *static_cast<Closure*>(Passed::closure(number));
        if constexpr (std::is_void_v<std::invoke_result_t<Closure&>>) {
            closure();
            return 0;
        } else {
            return closure();
        }
    };
    const Passed passed(const_cast<void*>(static_cast<const void*>(&work)));
    return __faasmndp_storageCallAndAwait1(key.data(), static_cast<std::uint32_t>(key.size()), enter, passed.number);
}

} // namespace ganglion

#endif
