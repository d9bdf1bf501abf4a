// The one plugin class: what all ops have in common, driven by their declarations.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <string>
#include <vector>

#include "match_slot.h"
#include "operation.h"

namespace segpp {

class Plugin final : public nvinfer1::IPluginV3,
                     public nvinfer1::IPluginV3OneCore,
                     public nvinfer1::IPluginV3OneBuild,
                     public nvinfer1::IPluginV3OneRuntime {
 public:
  // `attributes`: values in the order of the declaration. Throws Refusal if no input fits them.
  Plugin(const Operation& operation, const char* plugin_namespace,
         std::vector<std::int32_t> attributes);

  // IPluginV3
  nvinfer1::IPluginCapability* getCapabilityInterface(
      nvinfer1::PluginCapabilityType type) noexcept override;
  nvinfer1::IPluginV3* clone() noexcept override;

  // IPluginV3OneCore
  const char* getPluginName() const noexcept override;
  const char* getPluginVersion() const noexcept override;
  const char* getPluginNamespace() const noexcept override;

  // IPluginV3OneBuild
  std::int32_t configurePlugin(const nvinfer1::DynamicPluginTensorDesc* in, std::int32_t num_inputs,
                               const nvinfer1::DynamicPluginTensorDesc* out,
                               std::int32_t num_outputs) noexcept override;
  std::int32_t getOutputDataTypes(nvinfer1::DataType* output_types, std::int32_t num_outputs,
                                  const nvinfer1::DataType* input_types,
                                  std::int32_t num_inputs) const noexcept override;
  std::int32_t getOutputShapes(const nvinfer1::DimsExprs* inputs, std::int32_t num_inputs,
                               const nvinfer1::DimsExprs* shape_inputs,
                               std::int32_t num_shape_inputs, nvinfer1::DimsExprs* outputs,
                               std::int32_t num_outputs,
                               nvinfer1::IExprBuilder& expressions) noexcept override;
  bool supportsFormatCombination(std::int32_t position,
                                 const nvinfer1::DynamicPluginTensorDesc* in_out,
                                 std::int32_t num_inputs,
                                 std::int32_t num_outputs) noexcept override;
  std::int32_t getNbOutputs() const noexcept override;
  std::size_t getWorkspaceSize(const nvinfer1::DynamicPluginTensorDesc* inputs,
                               std::int32_t num_inputs,
                               const nvinfer1::DynamicPluginTensorDesc* outputs,
                               std::int32_t num_outputs) const noexcept override;
  const char* getTimingCacheID() noexcept override;
  const char* getMetadataString() noexcept override;

  // IPluginV3OneRuntime
  std::int32_t onShapeChange(const nvinfer1::PluginTensorDesc* in, std::int32_t num_inputs,
                             const nvinfer1::PluginTensorDesc* out,
                             std::int32_t num_outputs) noexcept override;
  std::int32_t enqueue(const nvinfer1::PluginTensorDesc* input_desc,
                       const nvinfer1::PluginTensorDesc* output_desc, const void* const* inputs,
                       void* const* outputs, void* workspace,
                       cudaStream_t stream) noexcept override;
  nvinfer1::IPluginV3* attachToContext(nvinfer1::IPluginResourceContext* context) noexcept override;
  const nvinfer1::PluginFieldCollection* getFieldsToSerialize() noexcept override;

 private:
  const OpDeclaration& declaration() const { return *operation_->declaration; }
  void check_counts(std::int32_t num_inputs, std::int32_t num_outputs) const;
  void check_formats(const nvinfer1::PluginTensorDesc* in, std::int32_t num_inputs,
                     const nvinfer1::PluginTensorDesc* out) const;
  Sizes attribute_sizes() const;
  // The sizes of a call that is in order; throws Refusal for any other.
  Sizes check_call(const nvinfer1::PluginTensorDesc* in, std::int32_t num_inputs,
                   const nvinfer1::PluginTensorDesc* out) const;
  // The same for the largest inputs of a profile.
  Sizes check_largest_call(const nvinfer1::DynamicPluginTensorDesc* in,
                           std::int32_t num_inputs) const;

  template <typename Result, typename Body>
  Result guard(const char* method, Result failure, Body&& body) const noexcept;

  const Operation* operation_;
  const char* namespace_;
  std::vector<std::int32_t> attributes_;
  std::string description_;      // "grid_h=8 grid_w=8 .."
  MatchSlot slot_;               // of a plugin that is attached to a context, and so may run
  std::int32_t num_inputs_ = 0;  // of the last shape change; enqueue is not told
  std::vector<nvinfer1::PluginField> fields_;
  nvinfer1::PluginFieldCollection field_collection_;
};

}  // namespace segpp
