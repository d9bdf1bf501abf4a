// The lanes of a warp and the warps of a block.
#pragma once

#include "../cuda/simt.h"

namespace segpp::detail {

inline constexpr int kWarpSize = 32;
inline constexpr unsigned kFullMask = 0xffffffffu;

__device__ __forceinline__ int lane_of_thread() {
  return static_cast<int>(threadIdx.x) % kWarpSize;
}
__device__ __forceinline__ int warp_of_thread() {
  return static_cast<int>(threadIdx.x) / kWarpSize;
}

// Of a block, which has one dimension.
__device__ __forceinline__ int num_threads() { return static_cast<int>(blockDim.x); }

// How many lanes before this one are in `mask`.
__device__ __forceinline__ int count_before(unsigned mask, int lane) {
  return __popc(mask & ((1u << lane) - 1u));
}

// The sum over all lanes, in every lane.
__device__ __forceinline__ int warp_sum(int value) {
  SEGPP_UNROLL
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kFullMask, value, offset);
  }
  return value;
}

// The sum of the earlier lanes.
__device__ __forceinline__ int warp_exclusive_sum(int value, int lane) {
  int sum = value;
  SEGPP_UNROLL
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const int other = __shfl_up_sync(kFullMask, sum, offset);
    if (lane >= offset) sum += other;
  }
  return sum - value;
}

// The sum of the values of earlier warps; `of_warp` holds one per warp, at most 32.
template <typename Shared>
__device__ __forceinline__ int sum_of_earlier_warps(Shared& of_warp) {
  const int lane = lane_of_thread();
  return warp_sum(lane < warp_of_thread() ? static_cast<int>(of_warp[lane]) : 0);
}

// A run of tokens, a multiple of the warp size except for the last, for each warp of a block.
struct Segment {
  int first;
  int last;  // past the end
};

__device__ __forceinline__ Segment segment_of_warp(int num_tokens) {
  const int num_warps = static_cast<int>(blockDim.x) / kWarpSize;
  const int batches = (num_tokens + kWarpSize - 1) / kWarpSize;
  const int length = (batches + num_warps - 1) / num_warps * kWarpSize;
  // In 64 bits: the segments of the last warps may lie far past the end.
  const long long first = static_cast<long long>(warp_of_thread()) * length;
  const long long last = first + length;
  return {static_cast<int>(first < num_tokens ? first : num_tokens),
          static_cast<int>(last < num_tokens ? last : num_tokens)};
}

}  // namespace segpp::detail
