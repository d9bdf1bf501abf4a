#include "registry.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace conformance {
namespace {

template <typename Function>
Function* find_function(void* library, const char* name) {
  void* const symbol = dlsym(library, name);
  if (symbol == nullptr) throw std::runtime_error(std::string("no symbol ") + name);
  return reinterpret_cast<Function*>(symbol);
}

std::vector<nvinfer1::IPluginCreatorInterface*> list_creators(
    const nvinfer1::IPluginRegistry& registry) {
  std::int32_t count = 0;
  auto* const* const creators = registry.getAllCreators(&count);
  return {creators, creators + count};
}

nvinfer1::IPluginCreatorV3One& as_creator_v3_one(nvinfer1::IPluginCreatorInterface& creator) {
  if (std::string(creator.getInterfaceInfo().kind) != "PLUGIN CREATOR_V3ONE") {
    throw std::runtime_error("a creator is not an IPluginCreatorV3One");
  }
  return static_cast<nvinfer1::IPluginCreatorV3One&>(creator);
}

}  // namespace

void Logger::log(Severity severity, const char* message) noexcept {
  if (severity > Severity::kWARNING) return;
  std::string line = message;
  for (char& character : line) character = character == '\n' ? ' ' : character;
  std::printf("log %d %s\n", static_cast<int>(severity), line.c_str());
}

Registry::Registry(const std::string& tensorrt_path, const std::string& plugins_path) {
  void* const library = dlopen(tensorrt_path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  auto* version = find_function<std::int32_t()>(library, "getInferLibVersion");
  // A builder is never used, but the first one makes our logger the library's.
  auto* create_builder =
      find_function<void*(void*, std::int32_t)>(library, "createInferBuilder_INTERNAL");
  if (create_builder(&logger_, version()) == nullptr) {
    throw std::runtime_error("the library did not take a logger");
  }
  registry_ = find_function<nvinfer1::IPluginRegistry*()>(library, "getPluginRegistry")();
  if (registry_ == nullptr) throw std::runtime_error("the library has no plugin registry");
  const auto own = list_creators(*registry_);
  const bool registers_itself = std::getenv("SEGPP_REGISTER_PLUGINS") != nullptr;
  void* const plugins = registers_itself ? dlopen(plugins_path.c_str(), RTLD_LAZY)
                                         : registry_->loadLibrary(plugins_path.c_str());
  if (plugins == nullptr) throw std::runtime_error(plugins_path + " was not loaded");
  for (nvinfer1::IPluginCreatorInterface* const creator : list_creators(*registry_)) {
    if (std::find(own.begin(), own.end(), creator) == own.end()) {
      loaded_.push_back(&as_creator_v3_one(*creator));
    }
  }
}

nvinfer1::IPluginCreatorV3One& Registry::creator(const std::string& name,
                                                 const std::string& version,
                                                 const std::string& plugin_namespace) const {
  auto* const found =
      registry_->getCreator(name.c_str(), version.c_str(), plugin_namespace.c_str());
  if (found == nullptr) throw std::runtime_error("no creator of " + name);
  return as_creator_v3_one(*found);
}

}  // namespace conformance
