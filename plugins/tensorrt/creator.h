// Creates the plugin of one op in one namespace.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <vector>

#include "operation.h"

namespace segpp {

class Creator final : public nvinfer1::IPluginCreatorV3One {
 public:
  Creator(const Operation& operation, const char* plugin_namespace);

  nvinfer1::IPluginV3* createPlugin(const char* name, const nvinfer1::PluginFieldCollection* fields,
                                    nvinfer1::TensorRTPhase phase) noexcept override;
  const nvinfer1::PluginFieldCollection* getFieldNames() noexcept override;
  const char* getPluginName() const noexcept override;
  const char* getPluginVersion() const noexcept override;
  const char* getPluginNamespace() const noexcept override;

 private:
  const Operation* operation_;
  const char* namespace_;
  std::vector<nvinfer1::PluginField> fields_;
  nvinfer1::PluginFieldCollection field_collection_;
};

}  // namespace segpp
