// segpp::UpsampleArgmax: class logits to full-size labels without writing the full-size logits.
#pragma once

#include "types.h"

namespace segpp {

struct UpsampleArgmaxProblem {
  int batch;
  int classes;  // at most 255
  int in_height;
  int in_width;
  int out_height;
  int out_width;
};

// What labels are written as. TensorRT takes no uint8 from a plugin; float16 holds every class
// exactly.
enum class LabelType : int { kUint8 = 0, kFloat16 = 1 };

// logits [B, K, h, w] -> labels [B, H, W] of `label_type`: bilinear resize (align_corners = false)
// in float32, then argmax, ties to the lowest class. NaN is never the largest; where every class is
// NaN, the label is 0.
cudaError_t upsample_argmax(const UpsampleArgmaxProblem& problem, DataType type, const void* logits,
                            LabelType label_type, void* labels, cudaStream_t stream) noexcept;

}  // namespace segpp
