// Plugin fields from the text of a script.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace conformance {

// Fields "name:type:value,value.."; the name "~" and the value "~" stand for null pointers. A
// single "null" is a null collection, a single "broken" one that has a field but no array.
class Fields {
 public:
  explicit Fields(const std::vector<std::string>& tokens);

  const nvinfer1::PluginFieldCollection* get() const { return is_null_ ? nullptr : &collection_; }

 private:
  void add(const std::string& token);

  bool is_null_ = false;
  std::deque<std::string> names_;
  std::deque<std::vector<std::uint8_t>> values_;
  std::vector<nvinfer1::PluginField> fields_;
  nvinfer1::PluginFieldCollection collection_;
};

// "name:type:value,value.." of each field, separated by spaces.
std::string describe(const nvinfer1::PluginFieldCollection& collection);

}  // namespace conformance
