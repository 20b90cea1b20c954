// Objects, and work that runs beside them, in C++17. The meaning of each call is in ndp.h.
#ifndef GANGLION_NDP_HPP
#define GANGLION_NDP_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ndp.h"

namespace ganglion {

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
    return __faasmndp_put(key.data(), static_cast<std::uint32_t>(key.size()),
                          reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<std::uint32_t>(bytes.size()));
}

/// Runs `work()` where the object is, or here. It may read and write whatever it captures by reference. Returns what it
/// returns (0 when that is void; else let it be 0 or more), or GANGLION_INVALID when it was not run.
template <class Work>
std::int32_t on_storage(std::string_view key, Work&& work)
{
    using Closure = std::remove_reference_t<Work>;
    const auto enter = [](std::int32_t address) -> std::int32_t {
        auto& closure = *reinterpret_cast<Closure*>(static_cast<std::uintptr_t>(address));
        if constexpr (std::is_void_v<std::invoke_result_t<Closure&>>) {
            closure();
            return 0;
        } else {
            return closure();
        }
    };
    return __faasmndp_storageCallAndAwait1(key.data(), static_cast<std::uint32_t>(key.size()), enter,
                                           static_cast<std::int32_t>(reinterpret_cast<std::uintptr_t>(&work)));
}

} // namespace ganglion

#endif
