// TensorRT on NVIDIA GPUs: one stream, buffers on the device, copies in and out.
#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>

#include "backend.h"
#include "error.h"

namespace segpp {
namespace {

class Logger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* text) noexcept override {
    if (severity <= Severity::kERROR) std::fprintf(stderr, "TensorRT: %s\n", text);
  }
};

Logger& logger() {
  static Logger instance;
  return instance;
}

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw Error(std::string(what) + ": " + cudaGetErrorString(status));
}

struct DeviceMemory {
  explicit DeviceMemory(std::size_t size) : bytes(size) {
    check(cudaMalloc(&data, size), "No memory on the GPU");
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(data); }

  void* data = nullptr;
  std::size_t bytes;
};

struct Stream {
  Stream() { check(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "No stream"); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { cudaStreamDestroy(handle); }

  cudaStream_t handle = nullptr;
};

std::string version_here() {
  const int version = getInferLibVersion();
  const int major = version >= 100000 ? version / 10000 : version / 1000;
  const int minor = version >= 100000 ? version / 100 % 100 : version / 100 % 10;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(version % 100);
}

// Releases of one version differ in a fourth number, which TensorRT itself does not compare.
std::string first_three(const std::string& version) {
  std::size_t end = 0;
  for (int part = 0; part < 3 && end != std::string::npos; ++part) end = version.find('.', end + 1);
  return version.substr(0, end);
}

void require_device(const Manifest& manifest) {
  int major = 0;
  int minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "No GPU");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0), "No GPU");
  const std::string here = std::to_string(major) + "." + std::to_string(minor);
  const auto& wanted = manifest.compute_capabilities;
  if (std::find(wanted.begin(), wanted.end(), here) == wanted.end()) {
    throw Error("The engine was built for another GPU; this one has compute capability " + here +
                ". Build it again here.");
  }
}

class TensorRtBackend final : public Backend {
 public:
  TensorRtBackend(const EngineFile& file, const segpp_options& options) : spec_(file.manifest) {
    Manifest rounded = spec_;
    rounded.runtime_version = first_three(spec_.runtime_version);
    require_version(rounded, "TensorRT", version_here());
    require_device(spec_);
    load_plugins(options);
    runtime_.reset(nvinfer1::createInferRuntime(logger()));
    if (!runtime_) throw Error("TensorRT does not start.");
    engine_.reset(runtime_->deserializeCudaEngine(file.content.data(), file.content.size()));
    if (!engine_) throw Error("TensorRT cannot load the engine.");
    context_.reset(engine_->createExecutionContext());
    if (!context_) throw Error("There is no memory for the engine on the GPU.");
    bind(spec_.input);
    for (const TensorSpec& output : spec_.outputs) bind(output);
  }

  void run(const void* input, const std::vector<Buffer>& outputs) override {
    const DeviceMemory& first = *memory_.front();
    check(cudaMemcpyAsync(first.data, input, first.bytes, cudaMemcpyHostToDevice, stream_.handle),
          "The picture cannot be copied");
    if (!context_->enqueueV3(stream_.handle)) throw Error("TensorRT failed to run the engine.");
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      check(cudaMemcpyAsync(outputs[i].data, memory_[i + 1]->data, outputs[i].bytes,
                            cudaMemcpyDeviceToHost, stream_.handle),
            "A result cannot be copied");
    }
    check(cudaStreamSynchronize(stream_.handle), "The engine failed on the GPU");
  }

 private:
  // Plugins stay loaded: their creators are registered for the whole process.
  void load_plugins(const segpp_options& options) {
    if (!spec_.plugin_sha256) return;
    if (options.plugin_library == nullptr) {
      throw Error("The engine needs our plugins. Name their library in segpp_options.");
    }
    if (dlopen(options.plugin_library, RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      throw Error(std::string("The plugins cannot be loaded: ") + dlerror());
    }
  }

  void bind(const TensorSpec& spec) {
    const char* const name = spec.name.c_str();
    if (engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kNONE) {
      throw Error("The engine has no tensor '" + spec.name + "', which its record lists.");
    }
    const bool is_input = engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
    if (is_input && spec.shape.front() < 0) {
      nvinfer1::Dims shape{};
      shape.nbDims = static_cast<std::int32_t>(spec.shape.size());
      std::copy(spec.shape.begin(), spec.shape.end(), shape.d);
      shape.d[0] = 1;
      if (!context_->setInputShape(name, shape)) throw Error("The engine takes no single picture.");
    }
    memory_.push_back(std::make_unique<DeviceMemory>(spec.bytes()));
    if (!context_->setTensorAddress(name, memory_.back()->data)) {
      throw Error("The engine's tensor '" + spec.name + "' cannot be bound.");
    }
  }

  Manifest spec_;
  Stream stream_;
  std::vector<std::unique_ptr<DeviceMemory>> memory_;  // the input, and then the outputs
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::unique_ptr<nvinfer1::ICudaEngine> engine_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
};

}  // namespace

std::unique_ptr<Backend> open_tensorrt(const EngineFile& file, const segpp_options& options) {
  return std::make_unique<TensorRtBackend>(file, options);
}

}  // namespace segpp
