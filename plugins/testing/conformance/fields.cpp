#include "fields.h"

#include <cstring>

#include "text.h"

namespace conformance {
namespace {

template <typename T>
void append(std::vector<std::uint8_t>& bytes, T value) {
  const std::size_t offset = bytes.size();
  bytes.resize(offset + sizeof(T));
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

std::vector<std::uint8_t> to_bytes(const std::string& values, nvinfer1::PluginFieldType type) {
  std::vector<std::uint8_t> bytes;
  for (const std::string& value : split(values, ',')) {
    if (type == nvinfer1::PluginFieldType::kINT64) {
      append<std::int64_t>(bytes, std::stoll(value));
    } else if (type == nvinfer1::PluginFieldType::kFLOAT32) {
      append<float>(bytes, std::stof(value));
    } else {
      append<std::int32_t>(bytes, static_cast<std::int32_t>(std::stol(value)));
    }
  }
  return bytes;
}

}  // namespace

Fields::Fields(const std::vector<std::string>& tokens) {
  if (tokens.size() == 1 && tokens[0] == "null") {
    is_null_ = true;
  } else if (tokens.size() == 1 && tokens[0] == "broken") {
    collection_ = {1, nullptr};
  } else {
    for (const std::string& token : tokens) add(token);
    collection_ = {static_cast<std::int32_t>(fields_.size()), fields_.data()};
  }
}

void Fields::add(const std::string& token) {
  std::vector<std::string> parts = split(token, ':');
  parts.resize(3);
  const auto type = static_cast<nvinfer1::PluginFieldType>(std::stoi(parts[1]));
  names_.push_back(parts[0]);
  const char* const name = parts[0] == "~" ? nullptr : names_.back().c_str();
  if (parts[2] == "~") {
    fields_.emplace_back(name, nullptr, type, 1);
    return;
  }
  values_.push_back(to_bytes(parts[2], type));
  const auto length = static_cast<std::int32_t>(split(parts[2], ',').size());
  fields_.emplace_back(name, values_.back().data(), type, length);
}

std::string describe(const nvinfer1::PluginFieldCollection& collection) {
  std::string text;
  for (std::int32_t index = 0; index < collection.nbFields; ++index) {
    const nvinfer1::PluginField& field = collection.fields[index];
    text += (index == 0 ? "" : " ") + std::string(field.name) + ":" +
            std::to_string(static_cast<int>(field.type)) + ":";
    if (field.data == nullptr) {
      text += "~";
      continue;
    }
    for (std::int32_t entry = 0; entry < field.length; ++entry) {
      text += (entry == 0 ? "" : ",") +
              std::to_string(static_cast<const std::int32_t*>(field.data)[entry]);
    }
  }
  return text;
}

}  // namespace conformance
