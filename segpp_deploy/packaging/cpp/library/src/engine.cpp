// The C interface: no exception leaves it.
#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "backend.h"
#include "error.h"
#include "manifest.h"
#include "segpp/segpp.h"

struct segpp_engine {
  segpp::Manifest manifest;
  std::vector<const char*> class_names;
  segpp_contract contract;
  std::unique_ptr<segpp::Backend> backend;
};

namespace segpp {
namespace {

thread_local std::string last_error;

template <typename Work>
int guard(const Work& work) noexcept {
  try {
    work();
    return 0;
  } catch (const std::bad_alloc&) {
    last_error = "There is no memory for it.";
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "An unknown error.";
  }
  return -1;
}

segpp_tensor describe(const TensorSpec& spec) {
  segpp_tensor tensor{};
  tensor.name = spec.name.c_str();
  tensor.type = spec.type;
  tensor.rank = static_cast<std::int32_t>(spec.shape.size());
  const std::vector<std::int64_t> shape = spec.call_shape();
  std::copy(shape.begin(), shape.end(), tensor.shape);
  tensor.bytes = spec.bytes();
  return tensor;
}

void fill_contract(segpp_engine& engine) {
  const Manifest& manifest = engine.manifest;
  for (const std::string& name : manifest.classes) engine.class_names.push_back(name.c_str());
  segpp_contract& contract = engine.contract;
  contract.input = describe(manifest.input);
  contract.input_kind = manifest.input_kind.c_str();
  contract.output_count = static_cast<std::int32_t>(manifest.outputs.size());
  for (std::size_t i = 0; i < manifest.outputs.size(); ++i) {
    contract.outputs[i] = describe(manifest.outputs[i]);
  }
  contract.output_kind = manifest.output_kind.c_str();
  contract.height = manifest.height;
  contract.width = manifest.width;
  contract.class_count = static_cast<std::int32_t>(engine.class_names.size());
  contract.class_names = engine.class_names.data();
  contract.mode = manifest.mode.c_str();
  contract.target = manifest.target.c_str();
  contract.precision = manifest.precision.c_str();
}

std::unique_ptr<Backend> open_backend(const EngineFile& file, const segpp_options& options) {
  const std::string& target = file.manifest.target;
#ifdef SEGPP_WITH_ONNXRUNTIME
  if (target == "cpu") return open_onnxruntime(file, options);
#endif
#ifdef SEGPP_WITH_OPENVINO
  if (target == "openvino") return open_openvino(file, options);
#endif
#ifdef SEGPP_WITH_TENSORRT
  if (target == "tensorrt") return open_tensorrt(file, options);
#endif
  (void)options;
  throw Error("This library was built without what runs engines for " + target +
              ". Expected: an engine for one of:" SEGPP_TARGETS ".");
}

segpp_engine* open(const char* path, const segpp_options& options) {
  EngineFile file = read_engine(path);
  auto engine = std::make_unique<segpp_engine>();
  engine->manifest = file.manifest;
  fill_contract(*engine);
  engine->backend = open_backend(file, options);
  return engine.release();
}

void require_bytes(const TensorSpec& spec, std::size_t bytes) {
  if (bytes != spec.bytes()) {
    throw Error("'" + spec.name + "' has " + std::to_string(bytes) +
                " bytes. Expected: " + std::to_string(spec.bytes()) + ", as segpp_describe says.");
  }
}

}  // namespace

void require_version(const Manifest& manifest, const std::string& runtime,
                     const std::string& version) {
  if (manifest.runtime_version != version) {
    throw Error("The engine was built with " + runtime + " " + manifest.runtime_version +
                ", and here is " + version + ". Build it again with the one that is here.");
  }
}

}  // namespace segpp

int segpp_open(const char* path, const segpp_options* options, segpp_engine** engine) {
  return segpp::guard([&] {
    if (path == nullptr || engine == nullptr) throw segpp::Error("A pointer is null.");
    *engine = nullptr;
    *engine = segpp::open(path, options == nullptr ? segpp_options{} : *options);
  });
}

const segpp_contract* segpp_describe(const segpp_engine* engine) {
  return engine == nullptr ? nullptr : &engine->contract;
}

int segpp_run(segpp_engine* engine, const void* input, size_t input_bytes, void* const* outputs,
              const size_t* output_bytes, int32_t output_count) {
  return segpp::guard([&] {
    if (engine == nullptr || input == nullptr || outputs == nullptr || output_bytes == nullptr) {
      throw segpp::Error("A pointer is null.");
    }
    const segpp::Manifest& manifest = engine->manifest;
    segpp::require_bytes(manifest.input, input_bytes);
    if (output_count != static_cast<std::int32_t>(manifest.outputs.size())) {
      throw segpp::Error("There are " + std::to_string(manifest.outputs.size()) + " outputs, not " +
                         std::to_string(output_count) + ".");
    }
    std::vector<segpp::Buffer> buffers;
    for (std::int32_t i = 0; i < output_count; ++i) {
      if (outputs[i] == nullptr) throw segpp::Error("A pointer is null.");
      segpp::require_bytes(manifest.outputs[static_cast<std::size_t>(i)], output_bytes[i]);
      buffers.push_back({outputs[i], output_bytes[i]});
    }
    engine->backend->run(input, buffers);
  });
}

void segpp_close(segpp_engine* engine) { delete engine; }

const char* segpp_last_error(void) { return segpp::last_error.c_str(); }
