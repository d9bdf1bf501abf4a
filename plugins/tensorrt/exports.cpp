// What TensorRT looks up in a plugin library that it loads; and for programs that only load one,
// such as Triton's TensorRT backend, the registration of its plugins.
#include <NvInferRuntime.h>
#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
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

const Creators& creators() {
  static const Creators made;
  return made;
}

struct LoadedLibrary {
  std::string name;  // the beginning of its file's name
  std::string path;  // empty until it is found
};

int visit_loaded(dl_phdr_info* info, std::size_t, void* data) {
  auto& wanted = *static_cast<LoadedLibrary*>(data);
  const std::string path = info->dlpi_name;
  const std::string file = path.substr(path.rfind('/') + 1);
  if (file.compare(0, wanted.name.size(), wanted.name) == 0) wanted.path = path;
  return wanted.path.empty() ? 0 : 1;
}

nvinfer1::IPluginRegistry& find_registry(const char* library_name) {
  LoadedLibrary wanted{library_name, {}};
  dl_iterate_phdr(visit_loaded, &wanted);
  if (wanted.path.empty()) throw Refusal(wanted.name + " is not loaded");
  void* const library = dlopen(wanted.path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  void* const symbol = library == nullptr ? nullptr : dlsym(library, "getPluginRegistry");
  if (symbol == nullptr) throw Refusal(wanted.path + " has no plugin registry");
  return *reinterpret_cast<nvinfer1::IPluginRegistry* (*)()>(symbol)();
}

// Such programs open the library with dlopen, and no function of it is called. TensorRT's own
// loadLibrary asks getCreators instead, and would find every plugin registered already: so this is
// done only where the variable names the library that holds the registry, as "libnvinfer.so".
__attribute__((constructor)) void register_when_loaded() {
  const char* const library_name = std::getenv("SEGPP_REGISTER_PLUGINS");
  if (library_name == nullptr || *library_name == '\0') return;
  guarded("plugins", "register_when_loaded", false, [&] {
    nvinfer1::IPluginRegistry& registry = find_registry(library_name);
    for (const auto& creator : creators().owned) {
      if (!registry.registerCreator(*creator, creator->getPluginNamespace())) {
        throw Refusal(std::string("TensorRT did not take ") + creator->getPluginName());
      }
    }
    return true;
  });
}

}  // namespace
}  // namespace segpp

// Returns all plugin creators and their number; null and 0 on failure.
SEGPP_EXPORT nvinfer1::IPluginCreatorInterface* const* getCreators(std::int32_t& count) {
  count = 0;
  return segpp::guarded("plugins", "getCreators",
                        static_cast<nvinfer1::IPluginCreatorInterface* const*>(nullptr),
                        [&]() -> nvinfer1::IPluginCreatorInterface* const* {
                          const auto& listed = segpp::creators().listed;
                          count = static_cast<std::int32_t>(listed.size());
                          return listed.data();
                        });
}

// Tells the plugins where to find the logger. The finder must outlive them.
SEGPP_EXPORT void setLoggerFinder(nvinfer1::ILoggerFinder* finder) {
  segpp::logger_finder().store(finder);
}
