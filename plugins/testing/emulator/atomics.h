// Integer atomics: on shared memory seen by the race checker, on global memory plain (one OS
// thread).
#pragma once

#include <type_traits>

#include "shared.h"

namespace simt::host {

template <typename T>
inline constexpr bool kIsAtomic =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;

template <typename T, typename Change>
T change(T* address, Change to) {
  static_assert(kIsAtomic<T>, "only integers: the sum of floats would depend on the order");
  const T old = *address;
  *address = to(old);
  return old;
}

template <typename T, typename Change>
T change_atomically(T* address, Change to) {
  claim_global(address, sizeof(T));
  return change(address, to);
}

template <typename T, typename Change>
T change_atomically(const SharedPointer<T>& pointer, Change to) {
  return change(pointer.claim_atomic(), to);
}

template <typename Pointer>
struct Pointee;
template <typename T>
struct Pointee<T*> {
  using Type = T;
};
template <typename T>
struct Pointee<SharedPointer<T>> {
  using Type = T;
};

// Not deduced: as in CUDA the value converts to the type of the address.
template <typename Pointer>
using PointeeOf = typename Pointee<Pointer>::Type;

}  // namespace simt::host

template <typename Pointer, typename T = simt::host::PointeeOf<Pointer>>
T atomicAdd(Pointer address, simt::host::PointeeOf<Pointer> value) {
  using Unsigned = std::make_unsigned_t<T>;  // wraps without undefined behaviour, as the GPU does
  return simt::host::change_atomically(address, [&](T old) {
    return static_cast<T>(static_cast<Unsigned>(old) + static_cast<Unsigned>(value));
  });
}

template <typename Pointer, typename T = simt::host::PointeeOf<Pointer>>
T atomicMax(Pointer address, simt::host::PointeeOf<Pointer> value) {
  return simt::host::change_atomically(address, [&](T old) { return old < value ? value : old; });
}

template <typename Pointer, typename T = simt::host::PointeeOf<Pointer>>
T atomicMin(Pointer address, simt::host::PointeeOf<Pointer> value) {
  return simt::host::change_atomically(address, [&](T old) { return value < old ? value : old; });
}

template <typename Pointer, typename T = simt::host::PointeeOf<Pointer>>
T atomicOr(Pointer address, simt::host::PointeeOf<Pointer> value) {
  return simt::host::change_atomically(address, [&](T old) { return old | value; });
}

template <typename Pointer, typename T = simt::host::PointeeOf<Pointer>>
T atomicAnd(Pointer address, simt::host::PointeeOf<Pointer> value) {
  return simt::host::change_atomically(address, [&](T old) { return old & value; });
}
