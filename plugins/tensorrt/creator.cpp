#include "creator.h"

#include <limits>
#include <optional>
#include <string>

#include "errors.h"
#include "op_declarations.h"
#include "plugin.h"

namespace segpp {
namespace {

using nvinfer1::PluginField;
using nvinfer1::PluginFieldCollection;
using nvinfer1::PluginFieldType;

std::int32_t read_integer(const PluginField& field) {
  const std::string name = field.name;
  if (field.data == nullptr || field.length != 1) {
    throw Refusal("field " + name + " has " + std::to_string(field.data ? field.length : 0) +
                  " values, expected 1");
  }
  std::int64_t value = 0;
  if (field.type == PluginFieldType::kINT32) {
    value = *static_cast<const std::int32_t*>(field.data);
  } else if (field.type == PluginFieldType::kINT64) {
    value = *static_cast<const std::int64_t*>(field.data);
  } else {
    throw Refusal("field " + name + " has type " + std::to_string(static_cast<int>(field.type)) +
                  ", expected kINT32 or kINT64");
  }
  Sizes range;
  range.add_attribute(name, value);
  return static_cast<std::int32_t>(value);
}

int find_attribute(const OpDeclaration& declaration, const PluginField& field) {
  if (field.name == nullptr) throw Refusal("a field has no name");
  for (int index = 0; index < declaration.attributes.count; ++index) {
    if (std::string_view(declaration.attributes[index]) == field.name) return index;
  }
  throw Refusal("there is no field " + std::string(field.name));
}

std::vector<std::int32_t> read_attributes(const OpDeclaration& declaration,
                                          const PluginFieldCollection* collection) {
  std::vector<std::optional<std::int32_t>> found(
      static_cast<std::size_t>(declaration.attributes.count));
  const std::int32_t num_fields = collection == nullptr ? 0 : collection->nbFields;
  if (num_fields < 0 || (num_fields > 0 && collection->fields == nullptr)) {
    throw Refusal("the collection of fields is broken");
  }
  for (std::int32_t index = 0; index < num_fields; ++index) {
    const PluginField& field = collection->fields[index];
    auto& value = found[static_cast<std::size_t>(find_attribute(declaration, field))];
    if (value.has_value()) throw Refusal("field " + std::string(field.name) + " is given twice");
    value = read_integer(field);
  }
  std::vector<std::int32_t> values;
  for (std::size_t index = 0; index < found.size(); ++index) {
    if (!found[index].has_value()) {
      const char* const name = declaration.attributes[static_cast<int>(index)];
      throw Refusal("field " + std::string(name) + " is missing");
    }
    values.push_back(*found[index]);
  }
  return values;
}

}  // namespace

Creator::Creator(const Operation& operation, const char* plugin_namespace)
    : operation_(&operation), namespace_(plugin_namespace) {
  for (const char* name : operation.declaration->attributes) {
    fields_.emplace_back(name, nullptr, PluginFieldType::kINT32, 1);
  }
  field_collection_ = {static_cast<std::int32_t>(fields_.size()), fields_.data()};
}

nvinfer1::IPluginV3* Creator::createPlugin(const char*, const PluginFieldCollection* fields,
                                           nvinfer1::TensorRTPhase) noexcept {
  return guarded(operation_->declaration->name, "createPlugin",
                 static_cast<nvinfer1::IPluginV3*>(nullptr), [&]() -> nvinfer1::IPluginV3* {
                   return new Plugin(*operation_, namespace_,
                                     read_attributes(*operation_->declaration, fields));
                 });
}

const PluginFieldCollection* Creator::getFieldNames() noexcept { return &field_collection_; }

const char* Creator::getPluginName() const noexcept { return operation_->declaration->name; }

const char* Creator::getPluginVersion() const noexcept { return declarations::kPluginVersion; }

const char* Creator::getPluginNamespace() const noexcept { return namespace_; }

}  // namespace segpp
