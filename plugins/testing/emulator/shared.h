// Shared memory of a block, each access of which the race checker sees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

// Each instantiation of a template has its own static object, so its own array, as in CUDA.
#define SEGPP_SHARED(T, name, count)                                                              \
  static constexpr ::simt::host::SharedDeclaration name##_declaration{#name, __FILE__, __LINE__}; \
  const ::simt::host::SharedArray<T, (count)> name(name##_declaration)

namespace simt::host {

// Its address tells declarations apart.
struct SharedDeclaration {
  const char* name;
  const char* file;
  int line;
};

class SharedMemory;  // the bytes and access history of one declared array

SharedMemory& find_shared(const SharedDeclaration& declaration, std::size_t element_size,
                          std::size_t count);
void* shared_bytes(SharedMemory& memory);

// Each says that the running thread touches elements [first, first + count).
void claim_read(SharedMemory& memory, long long first, long long count);
void claim_write(SharedMemory& memory, long long first, long long count);
void claim_atomic(SharedMemory& memory, long long index);

// Each ends the launch with a finding. `index` counts from `first` of a view with `count` elements.
[[noreturn]] void fail_bounds(const SharedMemory& memory, long long first, long long count,
                              long long index);
[[noreturn]] void fail_alignment(const SharedMemory& memory, long long index,
                                 std::size_t vector_size);

// The running thread touches this many bytes of global memory at once.
void claim_global(const void* address, std::size_t size);

// &array[i]: what atomics take.
template <typename T>
class SharedPointer {
 public:
  SharedPointer(SharedMemory& memory, T* bytes, long long index)
      : memory_(&memory), data_(bytes), index_(index) {}

  T* claim_atomic() const {
    host::claim_atomic(*memory_, index_);
    return data_ + index_;
  }

 private:
  SharedMemory* memory_;
  T* data_;
  long long index_;
};

// array[i]. Only temporaries convert: `auto x = array[i]` would defer the read, so using x is an
// error.
template <typename T>
class SharedElement {
 public:
  SharedElement(SharedMemory& memory, T* data, long long index)
      : memory_(memory), data_(data), index_(index) {}
  SharedElement(const SharedElement&) = delete;

  operator T() && { return read(); }  // NOLINT: an element reads like a T
  SharedPointer<T> operator&() && { return {memory_, data_, index_}; }

  const T& operator=(const T& value) && { return write(value); }
  T operator=(SharedElement&& other) && { return write(other.read()); }

  template <typename Value>
  T operator+=(Value&& value) && {
    return write(static_cast<T>(read() + std::forward<Value>(value)));
  }
  template <typename Value>
  T operator-=(Value&& value) && {
    return write(static_cast<T>(read() - std::forward<Value>(value)));
  }
  template <typename Value>
  T operator*=(Value&& value) && {
    return write(static_cast<T>(read() * std::forward<Value>(value)));
  }
  template <typename Value>
  T operator|=(Value&& value) && {
    return write(static_cast<T>(read() | std::forward<Value>(value)));
  }
  template <typename Value>
  T operator&=(Value&& value) && {
    return write(static_cast<T>(read() & std::forward<Value>(value)));
  }
  T operator++() && { return write(static_cast<T>(read() + T(1))); }
  T operator++(int) && {
    const T old = read();
    write(static_cast<T>(old + T(1)));
    return old;
  }

 private:
  T read() {
    claim_read(memory_, index_, 1);
    return data_[index_];
  }
  const T& write(const T& value) {
    claim_write(memory_, index_, 1);
    data_[index_] = value;
    return value;
  }

  SharedMemory& memory_;
  T* data_;
  long long index_;
};

// A range of a shared array. Copies are views of the same memory, as pointers are in CUDA.
template <typename T>
class SharedView {
 public:
  SharedView(SharedMemory& memory, long long first, long long count)
      : memory_(&memory),
        data_(static_cast<T*>(shared_bytes(memory))),
        first_(first),
        count_(count) {}

  template <typename Index>
  SharedElement<T> operator[](Index index) const {
    static_assert(std::is_integral_v<Index>, "an index is a whole number");
    const auto wide = static_cast<long long>(index);
    check(wide, 1);
    return {*memory_, data_, first_ + wide};
  }

  SharedView slice(long long first, long long count) const {
    check(first, count);
    return {*memory_, first_ + first, count};
  }

  template <typename Vector>
  Vector load(long long index) const {
    prepare<Vector>(index);
    claim_read(*memory_, first_ + index, kElements<Vector>);
    Vector value;
    std::memcpy(&value, data_ + first_ + index, sizeof(Vector));
    return value;
  }

  template <typename Vector>
  void store(long long index, const Vector& value) const {
    prepare<Vector>(index);
    claim_write(*memory_, first_ + index, kElements<Vector>);
    std::memcpy(static_cast<void*>(data_ + first_ + index), &value, sizeof(Vector));
  }

 private:
  template <typename Vector>
  static constexpr long long kElements = sizeof(Vector) / sizeof(T);

  void check(long long index, long long elements) const {
    if (index < 0 || elements < 0) fail_bounds(*memory_, first_, count_, index);
    if (index > count_ - elements) fail_bounds(*memory_, first_, count_, index + elements - 1);
  }

  template <typename Vector>
  void prepare(long long index) const {
    static_assert(sizeof(Vector) % sizeof(T) == 0, "a vector holds whole elements");
    check(index, kElements<Vector>);
    if ((first_ + index) * static_cast<long long>(sizeof(T)) % sizeof(Vector) != 0) {
      fail_alignment(*memory_, first_ + index, sizeof(Vector));
    }
  }

  SharedMemory* memory_;
  T* data_;
  long long first_;
  long long count_;
};

template <typename T, int kCount>
class SharedArray : public SharedView<T> {
 public:
  static_assert(std::is_trivially_copyable_v<T>, "shared memory holds plain data");
  static_assert(kCount > 0 && kCount * sizeof(T) <= 48 * 1024, "static shared memory is 48 KiB");

  explicit SharedArray(const SharedDeclaration& declaration)
      : SharedView<T>(find_shared(declaration, sizeof(T), kCount), 0, kCount) {}
};

}  // namespace simt::host

namespace simt {

// One vector that starts at array[index], an array of T in shared memory.
template <typename Vector, typename T>
Vector load_vec(const host::SharedView<T>& array, int index) {
  return array.template load<Vector>(index);
}

template <typename Vector, typename T>
void store_vec(const host::SharedView<T>& array, int index, const Vector& value) {
  array.store(index, value);
}

// The same in global memory.
template <typename Vector, typename T>
Vector load_vec(const T* array, int index) {
  host::claim_global(array + index, sizeof(Vector));
  Vector value;
  std::memcpy(&value, array + index, sizeof(Vector));
  return value;
}

template <typename Vector, typename T>
void store_vec(T* array, int index, const Vector& value) {
  host::claim_global(array + index, sizeof(Vector));
  std::memcpy(static_cast<void*>(array + index), &value, sizeof(Vector));
}

// The part of a shared array that starts at `first`; the host checks that accesses stay in `count`.
template <typename T>
host::SharedView<T> slice(const host::SharedView<T>& array, int first, int count) {
  return array.slice(first, count);
}

}  // namespace simt
