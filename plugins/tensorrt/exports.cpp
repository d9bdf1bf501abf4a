// What TensorRT looks up in a plugin library that it loads.
#include <NvInferRuntime.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "creator.h"
#include "errors.h"
#include "logger.h"
#include "op_declarations.h"
#include "operation.h"

#define SEGPP_EXPORT extern "C" __attribute__((visibility("default")))

namespace segpp {
namespace {

// ONNX parsers look in the namespace that a node names; those before TensorRT 10.10, and users who
// add plugins by hand, may name none.
constexpr const char* kNamespaces[] = {"", declarations::kDomain};

struct Creators {
  std::vector<std::unique_ptr<Creator>> owned;
  std::vector<nvinfer1::IPluginCreatorInterface*> listed;

  Creators() {
    for (const char* plugin_namespace : kNamespaces) {
      for (const Operation* operation : kOperations) {
        owned.push_back(std::make_unique<Creator>(*operation, plugin_namespace));
        listed.push_back(owned.back().get());
      }
    }
  }
};

}  // namespace
}  // namespace segpp

// Returns all plugin creators and their number; null and 0 on failure.
SEGPP_EXPORT nvinfer1::IPluginCreatorInterface* const* getCreators(std::int32_t& count) {
  count = 0;
  return segpp::guarded("plugins", "getCreators",
                        static_cast<nvinfer1::IPluginCreatorInterface* const*>(nullptr),
                        [&]() -> nvinfer1::IPluginCreatorInterface* const* {
                          static const segpp::Creators creators;
                          count = static_cast<std::int32_t>(creators.listed.size());
                          return creators.listed.data();
                        });
}

// Tells the plugins where to find the logger. The finder must outlive them.
SEGPP_EXPORT void setLoggerFinder(nvinfer1::ILoggerFinder* finder) {
  segpp::logger_finder().store(finder);
}
