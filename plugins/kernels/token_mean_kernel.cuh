// Second launch of the merge: the mean of the tokens of each row.
//
// A lane sums one unit (16 bytes of channels, or one element) of one row. The eight warps of a
// block share the same 32 units: warp w sums tokens w, w + 8, .. of the row, and the first warp
// adds the eight sums in that order. Which tokens a warp takes depends on nothing else, so the
// result is the same from run to run, and a row of hundreds of tokens (mode `fast`) does not wait
// for one warp.
#pragma once

#include "../cuda/simt.h"
#include "vector.cuh"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kMeanWarps = 8;
inline constexpr int kMeanThreads = kMeanWarps * kWarpSize;

struct MeanShape {
  int num_tokens;
  int num_rows;
  int channels;
};

// The sum over tokens part, part + kMeanWarps, .. of `tokens`.
template <typename T, bool kVectorized, int kCount>
__device__ __forceinline__ void sum_part(const T* __restrict__ image, const int* tokens,
                                         int num_tokens, int channels, int channel,
                                         float (&sums)[kCount]) {
  SEGPP_UNROLL
  for (float& sum : sums) sum = 0.0f;
  for (int i = warp_of_thread(); i < num_tokens; i += kMeanWarps) {
    const T* token = image + static_cast<long long>(tokens[i]) * channels;
    float values[kCount];
    unpack(simt::load_vec<Unit<T, kVectorized>>(token, channel), values);
    SEGPP_UNROLL
    for (int j = 0; j < kCount; ++j) sums[j] += values[j];
  }
}

// tokens [B, N, C] -> merged [B, M, C] and, if asked for, log n [B, M] of rows of n tokens. Grid:
// groups of 32 units x B.
template <typename T, bool kVectorized, bool kHasSize>
__global__ void __launch_bounds__(kMeanThreads, 4)
    mean_kernel(MeanShape shape, const T* __restrict__ tokens,
                const int* __restrict__ sorted_tokens, const int* __restrict__ start_of_row,
                T* __restrict__ merged, float* __restrict__ log_size) {
  constexpr int kCount = kElementsPerUnit<T, kVectorized>;
  SEGPP_SHARED(float, part_sums, (kMeanWarps - 1) * kCount * kWarpSize);

  const int lane = lane_of_thread();
  const int warp = warp_of_thread();
  const unsigned units_per_row = static_cast<unsigned>(shape.channels / kCount);
  const unsigned unit = blockIdx.x * kWarpSize + static_cast<unsigned>(lane);
  const unsigned row = unit / units_per_row;
  const int channel = static_cast<int>(unit - row * units_per_row) * kCount;
  const bool is_in_image = row < static_cast<unsigned>(shape.num_rows);

  const long long batch = blockIdx.y;
  start_of_row += batch * (shape.num_rows + 1LL);
  const int first = is_in_image ? start_of_row[row] : 0;
  const int count = is_in_image ? start_of_row[row + 1] - first : 0;
  float sums[kCount];
  sum_part<T, kVectorized>(tokens + batch * shape.num_tokens * shape.channels,
                           sorted_tokens + batch * shape.num_tokens + first, count, shape.channels,
                           channel, sums);
  if (warp > 0 && warp < count) {
    for (int j = 0; j < kCount; ++j) {
      part_sums[((warp - 1) * kCount + j) * kWarpSize + lane] = sums[j];
    }
  }
  __syncthreads();
  if (warp > 0 || !is_in_image) return;
  for (int part = 1; part < min(count, kMeanWarps); ++part) {
    SEGPP_UNROLL
    for (int j = 0; j < kCount; ++j) {
      sums[j] += part_sums[((part - 1) * kCount + j) * kWarpSize + lane];
    }
  }
  const float divisor = static_cast<float>(max(count, 1));
  SEGPP_UNROLL
  for (float& sum : sums) sum /= divisor;
  Unit<T, kVectorized> mean;
  pack(sums, mean);
  simt::store_vec(merged + (batch * shape.num_rows + row) * shape.channels, channel, mean);
  if constexpr (kHasSize) {
    if (channel == 0) log_size[batch * shape.num_rows + row] = logf(static_cast<float>(count));
  }
}

}  // namespace segpp::detail
