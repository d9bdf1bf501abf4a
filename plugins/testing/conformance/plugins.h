// The plugins that a script created, and what it can do with them.
#pragma once

#include <NvInferRuntime.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "registry.h"
#include "tensors.h"

namespace conformance {

using Words = std::vector<std::string>;

// Every command returns what it prints after "ok", or throws std::runtime_error with the reason.
class Plugins {
 public:
  explicit Plugins(const Registry& registry) : registry_(registry) {}

  std::string list() const;
  std::string create(const Words& words);
  std::string clone(const Words& words);
  std::string attach(const Words& words);
  std::string reload(const Words& words);
  std::string destroy(const Words& words);
  std::string identity(const Words& words);
  std::string fields(const Words& words);
  std::string types(const Words& words);
  std::string shapes(const Words& words);
  std::string formats(const Words& words);
  std::string configure(const Words& words);
  std::string workspace(const Words& words);
  std::string reshape(const Words& words);
  std::string enqueue(const Words& words);
  std::string nulls(const Words& words);

 private:
  // One plugin and its three interfaces.
  struct Held {
    std::unique_ptr<nvinfer1::IPluginV3> plugin;
    nvinfer1::IPluginV3OneCore* core;
    nvinfer1::IPluginV3OneBuild* build;
    nvinfer1::IPluginV3OneRuntime* runtime;
  };

  Held& find(const std::string& id);
  void hold(const std::string& id, nvinfer1::IPluginV3* plugin);

  const Registry& registry_;
  std::map<std::string, Held> held_;
};

}  // namespace conformance
