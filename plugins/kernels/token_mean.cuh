// The mean of the tokens of a row, by a block of eight warps.
//
// A lane sums one unit (16 bytes of channels, or one element) of one row. The warps of a block
// share the same 32 units: warp w sums tokens w, w + 8, .. of the row, and the first warp adds the
// eight sums in that order. Which tokens a warp takes depends on nothing else, so the result is the
// same from run to run, and a row of hundreds of tokens (mode `fast`) does not wait for one warp.
#pragma once

#include "../cuda/simt.h"
#include "vector.cuh"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kMeanWarps = 8;
inline constexpr int kMeanThreads = kMeanWarps * kWarpSize;

template <typename T, bool kVectorized>
inline constexpr int kPartSums = (kMeanWarps - 1) * kElementsPerUnit<T, kVectorized> * kWarpSize;

struct MeanShape {
  int num_tokens;
  int num_rows;
  int channels;
};

// What a lane sums and writes.
struct MeanUnit {
  long long row;  // of all images
  int channel;    // the first of the unit
  int count;      // tokens of the row; 0 for a lane without a row
};

// The sum over tokens w, w + kMeanWarps, .. of `members` for warp w.
template <typename T, bool kVectorized, typename Members, int kCount>
__device__ __forceinline__ void sum_part(const T* image, const Members& members,
                                         const MeanUnit& unit, int channels,
                                         float (&sums)[kCount]) {
  SEGPP_UNROLL
  for (float& sum : sums) sum = 0.0f;
  for (int i = warp_of_thread(); i < unit.count; i += kMeanWarps) {
    const int member = members[i];
    const T* token = image + static_cast<long long>(member) * channels;
    float values[kCount];
    unpack(simt::load_vec<Unit<T, kVectorized>>(token, unit.channel), values);
    SEGPP_UNROLL
    for (int j = 0; j < kCount; ++j) sums[j] += values[j];
  }
}

// For a whole block: leaves the sum over all `members` in the lanes of the first warp.
template <typename T, bool kVectorized, typename Members, typename Shared, int kCount>
__device__ __forceinline__ void sum_members(const T* image, const Members& members,
                                            const MeanUnit& unit, int channels, Shared& part_sums,
                                            float (&sums)[kCount]) {
  const int lane = lane_of_thread();
  const int warp = warp_of_thread();
  sum_part<T, kVectorized>(image, members, unit, channels, sums);
  if (warp > 0 && warp < unit.count) {
    for (int j = 0; j < kCount; ++j) {
      part_sums[((warp - 1) * kCount + j) * kWarpSize + lane] = sums[j];
    }
  }
  __syncthreads();
  if (warp > 0) return;
  for (int part = 1; part < min(unit.count, kMeanWarps); ++part) {
    SEGPP_UNROLL
    for (int j = 0; j < kCount; ++j) {
      sums[j] += part_sums[((part - 1) * kCount + j) * kWarpSize + lane];
    }
  }
}

template <typename T, bool kVectorized, bool kHasSize, int kCount>
__device__ __forceinline__ void write_mean(const MeanUnit& unit, int channels,
                                           float (&sums)[kCount], T* merged, float* log_size) {
  const float divisor = static_cast<float>(max(unit.count, 1));
  SEGPP_UNROLL
  for (float& sum : sums) sum /= divisor;
  Unit<T, kVectorized> mean;
  pack(sums, mean);
  simt::store_vec(merged + unit.row * channels, unit.channel, mean);
  if constexpr (kHasSize) {
    if (unit.channel == 0) log_size[unit.row] = logf(static_cast<float>(unit.count));
  }
}

}  // namespace segpp::detail
