#include "tensors.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "text.h"

namespace conformance {
namespace {

constexpr std::size_t kMargin = 512;
constexpr std::size_t kAlignment = 256;  // what TensorRT promises of a workspace
constexpr std::uint8_t kFill = 0xA5;

std::size_t element_size(nvinfer1::DataType type) {
  switch (type) {
    case nvinfer1::DataType::kFLOAT:
    case nvinfer1::DataType::kINT32:
      return 4;
    case nvinfer1::DataType::kHALF:
      return 2;
    default:
      return 1;
  }
}

}  // namespace

nvinfer1::DynamicPluginTensorDesc Tensor::dynamic_desc() const {
  nvinfer1::DynamicPluginTensorDesc dynamic{};
  dynamic.desc = desc;
  dynamic.min = dynamic.opt = dynamic.max = desc.dims;
  if (desc.dims.nbDims > 0) {
    dynamic.desc.dims.d[0] = -1;
    dynamic.min.d[0] = dynamic.opt.d[0] = 1;
  }
  return dynamic;
}

std::size_t Tensor::size_bytes() const {
  std::size_t size = element_size(desc.type);
  for (std::int32_t axis = 0; axis < desc.dims.nbDims; ++axis) {
    size *= static_cast<std::size_t>(std::max<std::int64_t>(desc.dims.d[axis], 0));
  }
  return size;
}

Tensor parse_tensor(const std::string& token) {
  std::vector<std::string> parts = split(token, ':');
  parts.resize(3);
  const std::vector<std::string> kind = split(parts[0], '.');
  Tensor tensor{};
  tensor.desc.type = static_cast<nvinfer1::DataType>(std::stoi(kind.at(0)));
  tensor.desc.format = static_cast<nvinfer1::TensorFormat>(std::stoi(kind.at(1)));
  tensor.desc.scale = -1.0F;
  for (const std::string& extent : split(parts[1], 'x')) {
    tensor.desc.dims.d[tensor.desc.dims.nbDims++] = std::stoll(extent);
  }
  tensor.file = parts[2];
  return tensor;
}

GuardedBuffer::GuardedBuffer(std::size_t size)
    : size_(size), bytes_(size + 2 * kMargin + kAlignment, kFill) {
  const auto start = reinterpret_cast<std::uintptr_t>(bytes_.data()) + kMargin;
  offset_ = kMargin + (kAlignment - start % kAlignment) % kAlignment;
}

void GuardedBuffer::read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  stream.read(static_cast<char*>(data()), static_cast<std::streamsize>(size_));
  if (!stream || stream.peek() != std::ifstream::traits_type::eof()) {
    throw std::runtime_error(file + " does not hold " + std::to_string(size_) + " bytes");
  }
}

void GuardedBuffer::write(const std::string& file) const {
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes_.data() + offset_),
               static_cast<std::streamsize>(size_));
  if (!stream) throw std::runtime_error("cannot write " + file);
}

bool GuardedBuffer::is_intact() const {
  const auto is_fill = [](std::uint8_t byte) { return byte == kFill; };
  const auto begin = bytes_.begin();
  const auto start = begin + static_cast<std::ptrdiff_t>(offset_);
  return std::all_of(begin, start, is_fill) &&
         std::all_of(start + static_cast<std::ptrdiff_t>(size_), bytes_.end(), is_fill);
}

}  // namespace conformance
