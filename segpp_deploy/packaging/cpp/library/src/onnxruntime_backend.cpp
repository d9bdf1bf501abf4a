// ONNX Runtime on CPUs, set up as `segpp_deploy.runtimes.onnxruntime` sets it up.
#define ORT_API_MANUAL_INIT  // or a library older than the headers would crash when it is loaded
#include <onnxruntime_cxx_api.h>

#include <fstream>

#include "backend.h"
#include "error.h"

namespace segpp {
namespace {

constexpr int kExtendAsRequested = 1;

ONNXTensorElementDataType element_type(segpp_type type) {
  switch (type) {
    case SEGPP_UINT8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case SEGPP_INT32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case SEGPP_INT64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case SEGPP_FLOAT32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  throw Error("a type is unknown");
}

// Whether the CPU sums products of bytes in 32 bits (VNNI); unknown counts as no.
bool has_byte_products() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    line += ' ';
    return line.find(" avx512_vnni ") != std::string::npos ||
           line.find(" avx_vnni ") != std::string::npos;
  }
  return false;
}

// Sessions of one process share a memory arena that grows by what is asked for: the default one
// doubles each time.
Ort::Env make_environment() {
  Ort::Env environment(ORT_LOGGING_LEVEL_FATAL, "segpp");
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  try {
    environment.CreateAndRegisterAllocator(memory, Ort::ArenaCfg(0, kExtendAsRequested, -1, -1));
  } catch (const Ort::Exception&) {
    // The program around us registered one of its own, which serves as well.
  }
  return environment;
}

Ort::Env& environment() {
  static Ort::Env instance = make_environment();
  return instance;
}

// Comes before all else: even what is empty asks the interface for its release.
void start(const Manifest& manifest) {
  const OrtApiBase* const base = OrtGetApiBase();
  require_version(manifest, "ONNX Runtime", base->GetVersionString());
  const OrtApi* const api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw Error("This library was compiled with headers newer than the ONNX Runtime that is here.");
  }
  Ort::InitApi(api);
}

Ort::SessionOptions session_options(const Manifest& manifest, const segpp_options& options) {
  Ort::SessionOptions result;
  result.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);  // what fails is thrown anyway
  result.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
  result.SetIntraOpNumThreads(options.threads > 0 ? options.threads : manifest.threads.value_or(0));
  result.DisableMemPattern();
  result.AddConfigEntry("session.use_env_allocators", "1");
  // Without VNNI, sums of int8 products saturate in the kernels that are taken otherwise.
  if (!has_byte_products()) result.AddConfigEntry("session.x64quantprecision", "1");
  return result;
}

// Checked here once: ONNX Runtime writes into the caller's memory whatever type its graph has.
void require_tensor(const TensorSpec& spec, const char* name, const Ort::TypeInfo& type) {
  if (spec.name != name || type.GetONNXType() != ONNX_TYPE_TENSOR ||
      type.GetTensorTypeAndShapeInfo().GetElementType() != element_type(spec.type)) {
    throw Error("The engine's tensor '" + std::string(name) + "' is not the '" + spec.name +
                "' that its record lists.");
  }
}

class OnnxRuntimeBackend final : public Backend {
 public:
  OnnxRuntimeBackend(const EngineFile& file, const segpp_options& options)
      : spec_(file.manifest),
        memory_(Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault)),
        session_(environment(), file.content.data(), file.content.size(),
                 session_options(spec_, options)) {
    if (session_.GetInputCount() != 1 || session_.GetOutputCount() != spec_.outputs.size()) {
      throw Error("The engine's graph does not have the tensors that its record lists.");
    }
    const Ort::AllocatorWithDefaultOptions allocator;
    require_tensor(spec_.input, session_.GetInputNameAllocated(0, allocator).get(),
                   session_.GetInputTypeInfo(0));
    for (std::size_t i = 0; i < spec_.outputs.size(); ++i) {
      require_tensor(spec_.outputs[i], session_.GetOutputNameAllocated(i, allocator).get(),
                     session_.GetOutputTypeInfo(i));
      output_names_.push_back(spec_.outputs[i].name.c_str());
    }
  }

  void run(const void* input, const std::vector<Buffer>& outputs) override {
    // Pictures are read, and labels written, in place; the interface takes no constant memory.
    const Ort::Value picture = wrap(spec_.input, const_cast<void*>(input));
    std::vector<Ort::Value> results;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      results.push_back(wrap(spec_.outputs[i], outputs[i].data));
    }
    const char* const name = spec_.input.name.c_str();
    session_.Run(Ort::RunOptions(nullptr), &name, &picture, 1, output_names_.data(), results.data(),
                 results.size());
  }

 private:
  Ort::Value wrap(const TensorSpec& spec, void* data) const {
    const std::vector<std::int64_t> shape = spec.call_shape();
    return Ort::Value::CreateTensor(memory_, data, spec.bytes(), shape.data(), shape.size(),
                                    element_type(spec.type));
  }

  Manifest spec_;
  std::vector<const char*> output_names_;
  Ort::MemoryInfo memory_;
  Ort::Session session_;
};

}  // namespace

std::unique_ptr<Backend> open_onnxruntime(const EngineFile& file, const segpp_options& options) {
  start(file.manifest);
  return std::make_unique<OnnxRuntimeBackend>(file, options);
}

}  // namespace segpp
