// The numbers of one call by the names that the declaration gives them.
#pragma once

#include <NvInferRuntime.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "op_declaration.h"

namespace segpp {

// Attributes and extents, all from 1 to the largest int. Allocates nothing unless it refuses.
class Sizes {
 public:
  // The value of an attribute or extent that was added. Throws std::logic_error for another name.
  int operator[](std::string_view name) const;

  // Throws Refusal if the value is out of range.
  void add_attribute(std::string_view name, std::int64_t value);

  // Adds the extents of a tensor. Throws Refusal if it has another rank than the declaration says,
  // or one of its extents differs from what is known under the same name.
  void add_tensor(const TensorDeclaration& tensor, const nvinfer1::Dims& dims);

 private:
  struct Entry {
    std::string_view name;
    int value;
  };

  const Entry* find(std::string_view name) const;
  void add(std::string_view name, std::int64_t value);

  std::array<Entry, 16> entries_{};
  std::size_t count_ = 0;
};

}  // namespace segpp
