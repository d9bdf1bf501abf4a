// What a custom op states about itself; op_declarations.h holds one for each op.
#pragma once

#include <cstddef>
#include <string_view>

namespace segpp {

// A fixed array with static lifetime.
template <typename T>
struct View {
  const T* items = nullptr;
  int count = 0;

  constexpr View() = default;
  template <std::size_t N>
  constexpr View(const T (&array)[N]) : items(array), count(static_cast<int>(N)) {}  // NOLINT

  constexpr const T* begin() const { return items; }
  constexpr const T* end() const { return items + count; }
  constexpr const T& operator[](int index) const { return items[index]; }
};

enum class ElementType {
  kFloat,  // float32 or float16; all kFloat tensors of a call have the same one
  kFloat32,
  kInt32,
  kUint8,
};

struct TensorDeclaration {
  std::string_view name;
  ElementType type;
  // Names of the extents. One name is one extent in the whole call; the name of an attribute is its
  // value.
  View<std::string_view> extents;
  bool is_optional;
};

struct OpDeclaration {
  const char* name;
  View<TensorDeclaration> inputs;
  View<TensorDeclaration> outputs;
  View<const char*> attributes;  // required integers, at least 1
};

}  // namespace segpp
