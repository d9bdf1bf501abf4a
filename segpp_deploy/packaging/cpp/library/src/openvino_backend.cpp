// OpenVINO on CPUs, set up as `segpp_deploy.runtimes.openvino` sets it up.
#include <algorithm>
#include <cstring>
#include <openvino/openvino.hpp>

#include "backend.h"
#include "error.h"

namespace segpp {
namespace {

constexpr const char* kDevice = "CPU";

ov::element::Type element_type(segpp_type type) {
  switch (type) {
    case SEGPP_UINT8:
      return ov::element::u8;
    case SEGPP_INT32:
      return ov::element::i32;
    case SEGPP_INT64:
      return ov::element::i64;
    case SEGPP_FLOAT32:
      return ov::element::f32;
  }
  throw Error("a type is unknown");
}

// The version without the build and the branch, which follow a dash.
std::string version_here() {
  const std::string version = ov::get_openvino_version().buildNumber;
  return version.substr(0, version.find('-'));
}

bool computes_bf16(ov::Core& core) {
  const auto able = core.get_property(kDevice, ov::device::capabilities);
  return std::find(able.begin(), able.end(), ov::device::capability::BF16) != able.end();
}

// Always said: left to itself, OpenVINO computes float32 graphs in bfloat16 wherever the CPU can.
ov::element::Type inference_precision(ov::Core& core, const std::string& precision) {
  if (precision == "fp32") return ov::element::f32;
  if (precision == "bf16") {
    if (!computes_bf16(core)) throw Error("This CPU cannot compute in bfloat16.");
    return ov::element::bf16;
  }
  if (precision == "int8") return computes_bf16(core) ? ov::element::bf16 : ov::element::f32;
  throw Error("OpenVINO engines of precision " + precision + " are unknown.");
}

class OpenVinoBackend final : public Backend {
 public:
  OpenVinoBackend(const EngineFile& file, const segpp_options& options) : spec_(file.manifest) {
    require_version(spec_, "OpenVINO", version_here());
    ov::AnyMap settings = {
        ov::hint::inference_precision(inference_precision(core_, spec_.precision)),
        ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY)};
    const int threads = options.threads > 0 ? options.threads : spec_.threads.value_or(0);
    if (threads > 0) settings.insert(ov::inference_num_threads(threads));
    const auto model = core_.read_model(file.content, ov::Tensor());
    auto compiled = core_.compile_model(model, kDevice, settings);
    if (compiled.inputs().size() != 1 || compiled.outputs().size() != spec_.outputs.size()) {
      throw Error("The engine's graph does not have the tensors that its record lists.");
    }
    request_ = compiled.create_infer_request();
  }

  void run(const void* input, const std::vector<Buffer>& outputs) override {
    // OpenVINO reads the picture in place; the interface takes no constant memory.
    const std::vector<std::int64_t> shape = spec_.input.call_shape();
    request_.set_input_tensor(ov::Tensor(element_type(spec_.input.type),
                                         ov::Shape(shape.begin(), shape.end()),
                                         const_cast<void*>(input)));
    request_.infer();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const ov::Tensor result = request_.get_output_tensor(i);
      const TensorSpec& spec = spec_.outputs[i];
      if (result.get_element_type() != element_type(spec.type) ||
          result.get_byte_size() != outputs[i].bytes) {
        throw Error("The output " + spec.name + " is not what the engine's record lists.");
      }
      std::memcpy(outputs[i].data, result.data(), outputs[i].bytes);
    }
  }

 private:
  Manifest spec_;
  ov::Core core_;
  ov::InferRequest request_;
};

}  // namespace

std::unique_ptr<Backend> open_openvino(const EngineFile& file, const segpp_options& options) {
  return std::make_unique<OpenVinoBackend>(file, options);
}

}  // namespace segpp
