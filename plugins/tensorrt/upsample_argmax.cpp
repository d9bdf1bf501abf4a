#include "../kernels/upsample_argmax.h"

#include <limits>
#include <string>

#include "errors.h"
#include "op_declarations.h"
#include "operation.h"

namespace segpp {
namespace {

constexpr int kMaxClasses = std::numeric_limits<std::uint8_t>::max();

void check_sizes(const Sizes& sizes) {
  if (sizes["K"] > kMaxClasses) {
    throw Refusal("logits has K = " + std::to_string(sizes["K"]) + " classes, expected at most " +
                  std::to_string(kMaxClasses));
  }
}

cudaError_t launch(const Sizes& sizes, DataType type, const Buffers& buffers, cudaStream_t stream) {
  const UpsampleArgmaxProblem problem = {sizes["B"], sizes["K"],      sizes["h"],
                                         sizes["w"], sizes["height"], sizes["width"]};
  return upsample_argmax(problem, type, buffers.input<void>(0), LabelType::kFloat16,
                         buffers.output<void>(0), stream);
}

}  // namespace

const Operation kUpsampleArgmax = {&declarations::kUpsampleArgmax, nullptr, check_sizes, nullptr,
                                   launch};

}  // namespace segpp
