// NVIDIA's library, opened at run time: its registry and its logger.
#pragma once

#include <NvInferRuntime.h>

#include <string>
#include <vector>

namespace conformance {

// Prints every message as a line "log <severity> <text>".
class Logger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* message) noexcept override;
};

class Registry {
 public:
  // Opens NVIDIA's library, gives it our logger, lets it load the plugin library; or, where
  // SEGPP_REGISTER_PLUGINS is set, only opens that. Throws std::runtime_error.
  Registry(const std::string& tensorrt_path, const std::string& plugins_path);

  // The creators that the plugin library brought.
  std::vector<nvinfer1::IPluginCreatorV3One*> loaded() const { return loaded_; }

  // Throws std::runtime_error if there is none of this name.
  nvinfer1::IPluginCreatorV3One& creator(const std::string& name, const std::string& version,
                                         const std::string& plugin_namespace) const;

 private:
  Logger logger_;
  nvinfer1::IPluginRegistry* registry_ = nullptr;
  std::vector<nvinfer1::IPluginCreatorV3One*> loaded_;
};

}  // namespace conformance
