// The merge of up to 8192 tokens in one launch.
#pragma once

#include "../cuda/simt.h"
#include "token_merge_rows.cuh"

namespace segpp::detail {

inline constexpr int kMostListedTokens = 8192;  // 16 KiB
using ListedToken = unsigned short;

// tokens [B, N, C], row_of_token [B, N] -> merged [B, M, C] and, if asked for, log n [B, M] of rows
// of n tokens. Grid: groups of rows x B.
template <typename T, bool kVectorized, bool kHasSize>
__global__ void __launch_bounds__(kMeanThreads, 4)
    merge_kernel(MergeShape shape, const T* tokens, const std::int32_t* row_of_token, T* merged,
                 float* log_size) {
  SEGPP_SHARED(unsigned, part_sums, (kPartSums<T, kVectorized>));
  SEGPP_SHARED(ListedToken, members, kMostListedTokens);

  simt::wait_for_prerequisites();
  merge_rows<kMeanParts, T, kVectorized, kHasSize, ListedToken>(
      shape, blockIdx.y, static_cast<int>(blockIdx.x) * shape.rows_per_block, tokens, row_of_token,
      members, part_sums, merged, log_size);
}

}  // namespace segpp::detail
