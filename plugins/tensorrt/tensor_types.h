// The declaration's element types in TensorRT's terms.
#pragma once

#include <NvInferRuntime.h>

#include <iterator>
#include <string>

#include "../kernels/types.h"
#include "op_declaration.h"

namespace segpp {

constexpr bool is_float(nvinfer1::DataType type) {
  return type == nvinfer1::DataType::kFLOAT || type == nvinfer1::DataType::kHALF;
}

// The type that a tensor has in TensorRT; `float_type` is that of the call's kFloat tensors.
constexpr nvinfer1::DataType tensorrt_type(ElementType type, nvinfer1::DataType float_type) {
  switch (type) {
    case ElementType::kFloat:
      return float_type;
    case ElementType::kFloat32:
      return nvinfer1::DataType::kFLOAT;
    case ElementType::kInt32:
      return nvinfer1::DataType::kINT32;
    case ElementType::kUint8:
      // TensorRT takes no kUINT8 from a plugin, and makes uint8 network outputs by a cast only. It
      // documents that cast from floats; kHALF is the smaller one and holds 0 .. 255 exactly.
      return nvinfer1::DataType::kHALF;
  }
  return float_type;
}

constexpr DataType kernel_type(nvinfer1::DataType float_type) {
  return float_type == nvinfer1::DataType::kHALF ? DataType::kFloat16 : DataType::kFloat32;
}

inline std::string type_name(nvinfer1::DataType type) {
  constexpr const char* kNames[] = {"kFLOAT", "kHALF", "kINT8", "kINT32", "kBOOL", "kUINT8"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(kNames) ? kNames[index] : "type " + std::to_string(index);
}

}  // namespace segpp
