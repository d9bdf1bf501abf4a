// Tensors from the text of a script, as descriptions and as host buffers.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <string>
#include <vector>

namespace conformance {

// "type.format:2x64x32" or "type.format:2x64x32:file": type and format as TensorRT's numbers.
struct Tensor {
  nvinfer1::PluginTensorDesc desc;
  std::string file;

  // As a tensor whose first extent is dynamic, from 1 to what the token says.
  nvinfer1::DynamicPluginTensorDesc dynamic_desc() const;
  std::size_t size_bytes() const;
};

Tensor parse_tensor(const std::string& token);

// Host memory with a margin on both sides that must stay as it is.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::size_t size);

  void read(const std::string& file);
  void write(const std::string& file) const;
  void* data() { return bytes_.data() + offset_; }
  bool is_intact() const;

 private:
  std::size_t size_;
  std::vector<std::uint8_t> bytes_;
  std::size_t offset_;
};

}  // namespace conformance
