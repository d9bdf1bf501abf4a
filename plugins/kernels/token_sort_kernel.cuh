// The merge of many tokens, first launch: the tokens of each row, in token order.
//
// A block lists the tokens of 32 rows. It reads the rows of all tokens, which are few bytes, and
// counts those of earlier rows on the way: so it knows where its list starts without waiting for
// another block.
#pragma once

#include "../cuda/simt.h"
#include "token_members.cuh"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kSortThreads = 1024;
inline constexpr int kSortWarps = kSortThreads / kWarpSize;
static_assert(kRowsPerBlock == kSortWarps, "a warp sums the counters of one row, a lane each");

struct SortShape {
  int num_tokens;
  int num_rows;
};

// Where the tokens of an image lie by row: tokens[start_of_row[m]] .. tokens[start_of_row[m + 1] -
// 1].
struct SortedTokens {
  int* tokens;        // [B, N]
  int* start_of_row;  // [B, M + 1]
};

// Counts become positions: tokens go by row, then by warp. Each warp has one row.
template <typename SharedCounters, typename SharedEarlier, typename SharedCounts>
__device__ void sum_counters(const RowRange& range, SharedEarlier& earlier_of_warp,
                             SharedCounters& counters, SharedCounts& count_of_row,
                             int* start_of_row) {
  const int lane = lane_of_thread();
  const int counter = counter_of(lane, static_cast<unsigned>(warp_of_thread()));
  const int count = counters[counter];
  const int before = warp_exclusive_sum(count, lane);
  if (lane == kWarpSize - 1) count_of_row[warp_of_thread()] = before + count;
  const int earlier = warp_sum(static_cast<int>(earlier_of_warp[lane]));
  __syncthreads();
  const int start = earlier + sum_of_earlier_warps(count_of_row);
  counters[counter] = start + before;
  const int row = range.first + warp_of_thread();
  if (lane == 0 && row <= range.end) start_of_row[row] = start;
}

// Grid: groups of rows, one more row than there are, x B.
__global__ void __launch_bounds__(kSortThreads, 1)
    sort_kernel(SortShape shape, const std::int32_t* row_of_token, SortedTokens sorted) {
  SEGPP_SHARED(int, counters, kSortWarps* kCounterStride);
  SEGPP_SHARED(int, earlier_of_warp, kSortWarps);
  SEGPP_SHARED(int, count_of_row, kRowsPerBlock);

  simt::wait_for_prerequisites();
  simt::allow_dependents();
  const long long batch = blockIdx.y;
  row_of_token += batch * shape.num_tokens;
  const RowRange range = {static_cast<int>(blockIdx.x) * kRowsPerBlock, shape.num_rows};
  const Segment segment = segment_of_warp(shape.num_tokens);

  for (int i = static_cast<int>(threadIdx.x); i < kSortWarps * kCounterStride; i += kSortThreads) {
    counters[i] = 0;
  }
  __syncthreads();
  const int earlier = warp_sum(count_rows(range, segment, row_of_token, counters));
  if (lane_of_thread() == 0) earlier_of_warp[warp_of_thread()] = earlier;
  __syncthreads();
  sum_counters(range, earlier_of_warp, counters, count_of_row,
               sorted.start_of_row + batch * (shape.num_rows + 1LL));
  __syncthreads();
  int* const tokens = sorted.tokens + batch * shape.num_tokens;
  place_tokens<int>(range, segment, row_of_token, counters, tokens);
}

}  // namespace segpp::detail
