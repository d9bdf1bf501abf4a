// The merge of many tokens, second launch: the mean of the tokens of each row.
#pragma once

#include "../cuda/simt.h"
#include "token_mean.cuh"
#include "vector.cuh"
#include "warp.cuh"

namespace segpp::detail {

// tokens [B, N, C] -> merged [B, M, C] and, if asked for, log n [B, M] of rows of n tokens. Grid:
// groups of 32 units x B.
template <typename T, bool kVectorized, bool kHasSize>
__global__ void __launch_bounds__(kMeanThreads, 4)
    mean_kernel(MeanShape shape, const T* tokens, const int* sorted_tokens, const int* start_of_row,
                T* merged, float* log_size) {
  constexpr int kCount = kElementsPerUnit<T, kVectorized>;
  SEGPP_SHARED(unsigned, part_sums, (kPartSums<T, kVectorized>));

  simt::wait_for_prerequisites();
  const unsigned units_per_row = static_cast<unsigned>(shape.channels / kCount);
  const unsigned number = blockIdx.x * kWarpSize + static_cast<unsigned>(lane_of_thread());
  const unsigned row = number / units_per_row;
  const bool is_in_image = row < static_cast<unsigned>(shape.num_rows);

  const long long batch = blockIdx.y;
  start_of_row += batch * (shape.num_rows + 1LL);
  const int first = is_in_image ? start_of_row[row] : 0;
  const MeanUnit unit = {batch * shape.num_rows + row,
                         static_cast<int>(number - row * units_per_row) * kCount,
                         is_in_image ? start_of_row[row + 1] - first : 0};
  const int* const members = sorted_tokens + batch * shape.num_tokens + first;
  float sums[kCount];
  sum_members<kMeanParts, T, kVectorized>(tokens + batch * shape.num_tokens * shape.channels,
                                          members, unit, shape.channels, part_sums, sums);
  if (warp_of_thread() > 0 || !is_in_image) return;
  write_mean<T, kVectorized, kHasSize>(unit, shape.channels, sums, merged, log_size);
}

}  // namespace segpp::detail
