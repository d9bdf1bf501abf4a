#include "plugin.h"

#include <utility>

#include "errors.h"
#include "op_declarations.h"
#include "tensor_types.h"

namespace segpp {
namespace {

using nvinfer1::DynamicPluginTensorDesc;
using nvinfer1::PluginTensorDesc;
using nvinfer1::TensorFormat;

constexpr std::int32_t kSuccess = 0;
constexpr std::int32_t kFailure = 1;

template <typename T>
void require(const T* pointer, const char* name) {
  if (pointer == nullptr) throw Refusal(std::string(name) + " is a null pointer");
}

std::int32_t count_required(const OpDeclaration& declaration) {
  std::int32_t count = 0;
  for (const TensorDeclaration& input : declaration.inputs) count += input.is_optional ? 0 : 1;
  return count;
}

// The first input is a kFloat tensor in every op: its type is that of all others.
nvinfer1::DataType float_type_of(const PluginTensorDesc* in) { return in[0].type; }

const nvinfer1::IDimensionExpr* input_extent(const OpDeclaration& declaration,
                                             std::string_view name,
                                             const nvinfer1::DimsExprs* inputs,
                                             std::int32_t num_inputs) {
  for (std::int32_t index = 0; index < num_inputs; ++index) {
    const View<std::string_view>& extents = declaration.inputs[index].extents;
    for (int axis = 0; axis < extents.count; ++axis) {
      if (extents[axis] == name) return inputs[index].d[axis];
    }
  }
  return nullptr;
}

}  // namespace

Plugin::Plugin(const Operation& operation, const char* plugin_namespace,
               std::vector<std::int32_t> attributes)
    : operation_(&operation), namespace_(plugin_namespace), attributes_(std::move(attributes)) {
  const Sizes sizes = attribute_sizes();
  if (operation.check_attributes != nullptr) operation.check_attributes(sizes);
  for (const char* name : declaration().attributes) {
    description_ +=
        (description_.empty() ? "" : " ") + std::string(name) + "=" + std::to_string(sizes[name]);
  }
}

template <typename Result, typename Body>
Result Plugin::guard(const char* method, Result failure, Body&& body) const noexcept {
  return guarded(declaration().name, method, failure, std::forward<Body>(body));
}

nvinfer1::IPluginCapability* Plugin::getCapabilityInterface(
    nvinfer1::PluginCapabilityType type) noexcept {
  switch (type) {
    case nvinfer1::PluginCapabilityType::kCORE:
      return static_cast<nvinfer1::IPluginV3OneCore*>(this);
    case nvinfer1::PluginCapabilityType::kBUILD:
      return static_cast<nvinfer1::IPluginV3OneBuild*>(this);
    case nvinfer1::PluginCapabilityType::kRUNTIME:
      return static_cast<nvinfer1::IPluginV3OneRuntime*>(this);
  }
  return nullptr;
}

nvinfer1::IPluginV3* Plugin::clone() noexcept {
  return guard("clone", static_cast<nvinfer1::IPluginV3*>(nullptr),
               [&]() -> nvinfer1::IPluginV3* { return new Plugin(*this); });
}

const char* Plugin::getPluginName() const noexcept { return declaration().name; }

const char* Plugin::getPluginVersion() const noexcept { return declarations::kPluginVersion; }

const char* Plugin::getPluginNamespace() const noexcept { return namespace_; }

std::int32_t Plugin::configurePlugin(const DynamicPluginTensorDesc* in, std::int32_t num_inputs,
                                     const DynamicPluginTensorDesc* out,
                                     std::int32_t num_outputs) noexcept {
  return guard("configurePlugin", kFailure, [&] {
    check_counts(num_inputs, num_outputs);
    require(in, "in");
    require(out, "out");
    check_largest_call(in, num_inputs);
    return kSuccess;
  });
}

std::int32_t Plugin::getOutputDataTypes(nvinfer1::DataType* output_types, std::int32_t num_outputs,
                                        const nvinfer1::DataType* input_types,
                                        std::int32_t num_inputs) const noexcept {
  return guard("getOutputDataTypes", kFailure, [&] {
    check_counts(num_inputs, num_outputs);
    require(output_types, "outputTypes");
    require(input_types, "inputTypes");
    if (!is_float(input_types[0])) {
      throw Refusal(std::string(declaration().inputs[0].name) + " is " + type_name(input_types[0]) +
                    ", expected kFLOAT or kHALF");
    }
    for (std::int32_t index = 0; index < num_outputs; ++index) {
      output_types[index] = tensorrt_type(declaration().outputs[index].type, input_types[0]);
    }
    return kSuccess;
  });
}

std::int32_t Plugin::getOutputShapes(const nvinfer1::DimsExprs* inputs, std::int32_t num_inputs,
                                     const nvinfer1::DimsExprs*, std::int32_t,
                                     nvinfer1::DimsExprs* outputs, std::int32_t num_outputs,
                                     nvinfer1::IExprBuilder& expressions) noexcept {
  return guard("getOutputShapes", kFailure, [&] {
    check_counts(num_inputs, num_outputs);
    require(inputs, "inputs");
    require(outputs, "outputs");
    for (std::int32_t index = 0; index < num_inputs; ++index) {
      const TensorDeclaration& input = declaration().inputs[index];
      if (inputs[index].nbDims != input.extents.count) {
        throw Refusal(std::string(input.name) + " has " + std::to_string(inputs[index].nbDims) +
                      " dimensions, expected " + std::to_string(input.extents.count));
      }
    }
    const Sizes attributes = attribute_sizes();
    for (std::int32_t index = 0; index < num_outputs; ++index) {
      const View<std::string_view>& extents = declaration().outputs[index].extents;
      outputs[index].nbDims = extents.count;
      for (int axis = 0; axis < extents.count; ++axis) {
        const auto* extent = input_extent(declaration(), extents[axis], inputs, num_inputs);
        outputs[index].d[axis] =
            extent != nullptr ? extent : expressions.constant(attributes[extents[axis]]);
        require(outputs[index].d[axis], "an expression of an output's dimension");
      }
    }
    return kSuccess;
  });
}

bool Plugin::supportsFormatCombination(std::int32_t position, const DynamicPluginTensorDesc* in_out,
                                       std::int32_t num_inputs, std::int32_t num_outputs) noexcept {
  return guard("supportsFormatCombination", false, [&] {
    check_counts(num_inputs, num_outputs);
    require(in_out, "inOut");
    if (position < 0 || position >= num_inputs + num_outputs) {
      throw Refusal("pos is out of range");
    }
    const PluginTensorDesc& tested = in_out[position].desc;
    if (tested.format != TensorFormat::kLINEAR) return false;
    if (position == 0) return is_float(tested.type);
    const TensorDeclaration& tensor = position < num_inputs
                                          ? declaration().inputs[position]
                                          : declaration().outputs[position - num_inputs];
    return tested.type == tensorrt_type(tensor.type, in_out[0].desc.type);
  });
}

std::int32_t Plugin::getNbOutputs() const noexcept { return declaration().outputs.count; }

std::size_t Plugin::getWorkspaceSize(const DynamicPluginTensorDesc* inputs, std::int32_t num_inputs,
                                     const DynamicPluginTensorDesc*,
                                     std::int32_t num_outputs) const noexcept {
  return guard("getWorkspaceSize", std::size_t{0}, [&] {
    check_counts(num_inputs, num_outputs);
    require(inputs, "inputs");
    const Sizes sizes = check_largest_call(inputs, num_inputs);
    return operation_->workspace_size == nullptr ? 0 : operation_->workspace_size(sizes);
  });
}

const char* Plugin::getTimingCacheID() noexcept { return description_.c_str(); }

const char* Plugin::getMetadataString() noexcept { return description_.c_str(); }

std::int32_t Plugin::onShapeChange(const PluginTensorDesc* in, std::int32_t num_inputs,
                                   const PluginTensorDesc* out, std::int32_t num_outputs) noexcept {
  return guard("onShapeChange", kFailure, [&] {
    num_inputs_ = 0;
    check_counts(num_inputs, num_outputs);
    require(in, "in");
    require(out, "out");
    check_call(in, num_inputs, out);
    num_inputs_ = num_inputs;
    return kSuccess;
  });
}

std::int32_t Plugin::enqueue(const PluginTensorDesc* input_desc,
                             const PluginTensorDesc* output_desc, const void* const* inputs,
                             void* const* outputs, void* workspace, cudaStream_t stream) noexcept {
  return guard("enqueue", kFailure, [&] {
    if (num_inputs_ == 0) throw Refusal("called before a successful onShapeChange");
    require(input_desc, "inputDesc");
    require(output_desc, "outputDesc");
    require(inputs, "inputs");
    require(outputs, "outputs");
    for (std::int32_t index = 0; index < num_inputs_; ++index) require(inputs[index], "an input");
    for (std::int32_t index = 0; index < getNbOutputs(); ++index) {
      require(outputs[index], "an output");
    }
    const Sizes sizes = check_call(input_desc, num_inputs_, output_desc);
    if (operation_->workspace_size != nullptr && operation_->workspace_size(sizes) > 0) {
      require(workspace, "workspace");
    }
    const Buffers buffers = {inputs, num_inputs_, outputs, workspace, slot_.index()};
    const DataType type = kernel_type(float_type_of(input_desc));
    const cudaError_t status = operation_->launch(sizes, type, buffers, stream);
    if (status != cudaSuccess) {
      throw Refusal("the launch failed with CUDA error " +
                    std::to_string(static_cast<int>(status)));
    }
    return kSuccess;
  });
}

nvinfer1::IPluginV3* Plugin::attachToContext(nvinfer1::IPluginResourceContext*) noexcept {
  return guard("attachToContext", static_cast<nvinfer1::IPluginV3*>(nullptr),
               [&]() -> nvinfer1::IPluginV3* {
                 auto* const attached = new Plugin(*this);
                 if (operation_->takes_slot) attached->slot_.take();
                 return attached;
               });
}

const nvinfer1::PluginFieldCollection* Plugin::getFieldsToSerialize() noexcept {
  return guard("getFieldsToSerialize", static_cast<nvinfer1::PluginFieldCollection*>(nullptr), [&] {
    fields_.clear();
    for (int index = 0; index < declaration().attributes.count; ++index) {
      fields_.emplace_back(declaration().attributes[index], &attributes_[index],
                           nvinfer1::PluginFieldType::kINT32, 1);
    }
    field_collection_ = {static_cast<std::int32_t>(fields_.size()), fields_.data()};
    return &field_collection_;
  });
}

void Plugin::check_counts(std::int32_t num_inputs, std::int32_t num_outputs) const {
  const std::int32_t required = count_required(declaration());
  if (num_inputs < required || num_inputs > declaration().inputs.count) {
    throw Refusal("got " + std::to_string(num_inputs) + " inputs, expected " +
                  std::to_string(required) + " to " + std::to_string(declaration().inputs.count));
  }
  if (num_outputs != getNbOutputs()) {
    throw Refusal("got " + std::to_string(num_outputs) + " outputs, expected " +
                  std::to_string(getNbOutputs()));
  }
}

void Plugin::check_formats(const PluginTensorDesc* in, std::int32_t num_inputs,
                           const PluginTensorDesc* out) const {
  const nvinfer1::DataType float_type = float_type_of(in);
  if (!is_float(float_type)) {
    throw Refusal(std::string(declaration().inputs[0].name) + " is " + type_name(float_type) +
                  ", expected kFLOAT or kHALF");
  }
  const auto check = [&](const TensorDeclaration& tensor, const PluginTensorDesc& desc) {
    if (desc.format != TensorFormat::kLINEAR ||
        desc.type != tensorrt_type(tensor.type, float_type)) {
      throw Refusal(std::string(tensor.name) + " is " + type_name(desc.type) + " in format " +
                    std::to_string(static_cast<int>(desc.format)) + ", expected " +
                    type_name(tensorrt_type(tensor.type, float_type)) + " in format kLINEAR (0)");
    }
  };
  for (std::int32_t index = 0; index < num_inputs; ++index) {
    check(declaration().inputs[index], in[index]);
  }
  for (std::int32_t index = 0; index < getNbOutputs(); ++index) {
    check(declaration().outputs[index], out[index]);
  }
}

Sizes Plugin::attribute_sizes() const {
  Sizes sizes;
  for (int index = 0; index < declaration().attributes.count; ++index) {
    sizes.add_attribute(declaration().attributes[index],
                        attributes_.at(static_cast<std::size_t>(index)));
  }
  return sizes;
}

Sizes Plugin::check_call(const PluginTensorDesc* in, std::int32_t num_inputs,
                         const PluginTensorDesc* out) const {
  check_formats(in, num_inputs, out);
  Sizes sizes = attribute_sizes();
  for (std::int32_t index = 0; index < num_inputs; ++index) {
    sizes.add_tensor(declaration().inputs[index], in[index].dims);
  }
  if (operation_->check_sizes != nullptr) operation_->check_sizes(sizes);
  for (std::int32_t index = 0; index < getNbOutputs(); ++index) {
    sizes.add_tensor(declaration().outputs[index], out[index].dims);
  }
  return sizes;
}

Sizes Plugin::check_largest_call(const DynamicPluginTensorDesc* in, std::int32_t num_inputs) const {
  Sizes sizes = attribute_sizes();
  for (std::int32_t index = 0; index < num_inputs; ++index) {
    sizes.add_tensor(declaration().inputs[index], in[index].max);
  }
  if (operation_->check_sizes != nullptr) operation_->check_sizes(sizes);
  return sizes;
}

}  // namespace segpp
