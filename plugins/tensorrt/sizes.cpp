#include "sizes.h"

#include <limits>
#include <stdexcept>
#include <string>

#include "errors.h"

namespace segpp {
namespace {

std::string describe(const TensorDeclaration& tensor, const nvinfer1::Dims& dims) {
  std::string text = std::string(tensor.name) + " has the shape [";
  for (int axis = 0; axis < dims.nbDims && axis < nvinfer1::Dims::MAX_DIMS; ++axis) {
    text += (axis == 0 ? "" : ", ") + std::to_string(dims.d[axis]);
  }
  text += "], expected [";
  for (int axis = 0; axis < tensor.extents.count; ++axis) {
    text += (axis == 0 ? "" : ", ") + std::string(tensor.extents[axis]);
  }
  return text + "]";
}

}  // namespace

int Sizes::operator[](std::string_view name) const {
  const Entry* const entry = find(name);
  if (entry == nullptr) throw std::logic_error("no size is named " + std::string(name));
  return entry->value;
}

void Sizes::add_attribute(std::string_view name, std::int64_t value) {
  if (value < 1 || value > std::numeric_limits<int>::max()) {
    throw Refusal("field " + std::string(name) + " is " + std::to_string(value) +
                  ", expected a positive 32-bit integer");
  }
  add(name, value);
}

void Sizes::add_tensor(const TensorDeclaration& tensor, const nvinfer1::Dims& dims) {
  if (dims.nbDims != tensor.extents.count) throw Refusal(describe(tensor, dims));
  for (int axis = 0; axis < dims.nbDims; ++axis) {
    const std::string_view name = tensor.extents[axis];
    const std::int64_t extent = dims.d[axis];
    if (extent < 1 || extent > std::numeric_limits<int>::max())
      throw Refusal(describe(tensor, dims));
    const Entry* const known = find(name);
    if (known == nullptr) {
      add(name, extent);
    } else if (known->value != extent) {
      throw Refusal(describe(tensor, dims) + " with " + std::string(name) + " = " +
                    std::to_string(known->value));
    }
  }
}

const Sizes::Entry* Sizes::find(std::string_view name) const {
  for (std::size_t index = 0; index < count_; ++index) {
    if (entries_[index].name == name) return &entries_[index];
  }
  return nullptr;
}

void Sizes::add(std::string_view name, std::int64_t value) {
  if (count_ == entries_.size()) throw std::logic_error("an op has more than 16 sizes");
  entries_[count_++] = {name, static_cast<int>(value)};
}

}  // namespace segpp
