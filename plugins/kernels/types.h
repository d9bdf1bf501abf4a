// What every kernel interface shares: element types and the stream.
//
// Interfaces take raw pointers and a stream. They allocate nothing, wait for nothing and leave
// their results to the stream, so that they can be captured in a CUDA graph. They return
// cudaErrorInvalidValue for a problem they cannot compute, and otherwise what the launch returned.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace segpp {

enum class DataType : int { kFloat32 = 0, kFloat16 = 1 };

}  // namespace segpp
