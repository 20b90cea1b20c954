/* A value of state as an array that several calls change at once. */
#ifndef FAASM_ARRAY_H
#define FAASM_ARRAY_H

#include "state.h"

#ifdef __cplusplus

namespace faasm {

/// So many `T` at a key. Pull it before the first look at it; push sends the elements that were touched.
template <typename T>
class AsyncArray {
public:
    AsyncArray(const char* key, size_t count)
        : key_(key)
        , bytes_(static_cast<long>(count * sizeof(T)))
    {
    }

    void zero()
    {
        zeroState(key_, static_cast<size_t>(bytes_));
        pullLazy();
    }

    /// That element, which counts as changed from now on.
    T& operator[](int index)
    {
        faasmFlagStateOffsetDirty(key_, bytes_, index * static_cast<long>(sizeof(T)), sizeof(T));
        return elements_[index];
    }

    /// What this node has.
    void pullLazy() { elements_ = reinterpret_cast<T*>(faasmReadStatePtr(key_, bytes_)); }

    /// What was last pushed.
    void pull()
    {
        faasmPullState(key_, bytes_);
        pullLazy();
    }

    void push() { faasmPushStatePartial(key_); }

    T* data() { return elements_; }

private:
    const char* key_;
    long bytes_;
    T* elements_ = nullptr;
};

} // namespace faasm

#endif

#endif
