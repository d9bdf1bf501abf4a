// The mean of the tokens of a row, by a team of up to eight warps.
//
// A lane sums one unit (16 bytes of channels, or one element) of one row. The warps of a team share
// the same 32 units. There are eight parts: part p is the sum of tokens p, p + 8, .. of the row,
// and the first warp adds the parts in order. Nothing else decides which tokens are in a part, so
// the result is the same from run to run and for any number of warps, and a row of hundreds of
// tokens (mode `fast`) does not wait for one warp.
#pragma once

#include "../cuda/simt.h"
#include "vector.cuh"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kMeanParts = 8;
inline constexpr int kMeanThreads = kMeanParts * kWarpSize;  // of a kernel that only merges

// The teams of a block.
template <int kWarps>
inline constexpr int kTeamWarps = kWarps < kMeanParts ? kWarps : kMeanParts;
template <int kWarps>
inline constexpr int kTeams = kWarps / kTeamWarps<kWarps>;

// Words of shared memory for a team: all parts but the first, which its warp keeps.
template <typename T, bool kVectorized>
inline constexpr int kPartSums = (kMeanParts - 1) * kElementsPerUnit<T, kVectorized> * kWarpSize;

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

// The sum over tokens `part`, part + kMeanParts, .. of `members`.
template <typename T, bool kVectorized, typename Members, int kCount>
__device__ __forceinline__ void sum_part(const T* image, const Members& members,
                                         const MeanUnit& unit, int channels, int part,
                                         float (&sums)[kCount]) {
  SEGPP_UNROLL
  for (float& sum : sums) sum = 0.0f;
  for (int i = part; i < unit.count; i += kMeanParts) {
    const int member = static_cast<int>(members[i]);
    const T* token = image + static_cast<long long>(member) * channels;
    float values[kCount];
    unpack(simt::load_vec<Unit<T, kVectorized>>(token, unit.channel), values);
    SEGPP_UNROLL
    for (int j = 0; j < kCount; ++j) sums[j] += values[j];
  }
}

template <int kCount>
__device__ __forceinline__ int part_sum_of(int part, int element) {
  return ((part - 1) * kCount + element) * kWarpSize + lane_of_thread();
}

// For a whole block of kWarps: leaves the sum over all `members` in the lanes of each team's first
// warp. `part_sums` has kPartSums words of the team's own.
template <int kWarps, typename T, bool kVectorized, typename Members, typename Shared, int kCount>
__device__ __forceinline__ void sum_members(const T* image, const Members& members,
                                            const MeanUnit& unit, int channels, Shared& part_sums,
                                            float (&sums)[kCount]) {
  constexpr int kTeam = kTeamWarps<kWarps>;
  static_assert(kMeanParts % kTeam == 0 && kWarps % kTeam == 0, "warps have as many parts each");
  const int warp = warp_of_thread() % kTeam;
  SEGPP_UNROLL
  for (int turn = kMeanParts / kTeam - 1; turn >= 0; --turn) {  // the first part stays in `sums`
    const int part = turn * kTeam + warp;
    sum_part<T, kVectorized>(image, members, unit, channels, part, sums);
    if (part > 0 && part < unit.count) {
      for (int j = 0; j < kCount; ++j) {
        part_sums[part_sum_of<kCount>(part, j)] = __float_as_uint(sums[j]);
      }
    }
  }
  __syncthreads();
  if (warp > 0) return;
  for (int part = 1; part < min(unit.count, kMeanParts); ++part) {
    SEGPP_UNROLL
    for (int j = 0; j < kCount; ++j) {
      sums[j] += __uint_as_float(part_sums[part_sum_of<kCount>(part, j)]);
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
