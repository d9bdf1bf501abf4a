// First launch of the merge: the tokens of each row, in token order.
//
// A block lists the tokens of 32 rows. It reads the rows of all tokens, which are few bytes, and
// counts those of earlier rows on the way: so it knows where its list starts without waiting for
// another block. Every warp keeps counters of its own for a run of tokens, so that tokens keep
// their order without waiting for each other.
#pragma once

#include "../cuda/simt.h"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kSortThreads = 1024;
inline constexpr int kSortWarps = kSortThreads / kWarpSize;
inline constexpr int kRowBits = 5;
inline constexpr int kRowsPerBlock = 1 << kRowBits;
inline constexpr int kCounterStride = kRowsPerBlock + 1;  // no bank conflicts down a column
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

// The rows of one block.
struct RowRange {
  int first;
  int num_rows;  // of the image

  // Number of a row within the range; one past the end for the others.
  __device__ unsigned place_of(std::int32_t row) const {
    const auto place = static_cast<unsigned>(row) - static_cast<unsigned>(first);
    return row < num_rows && place < kRowsPerBlock ? place : kRowsPerBlock;
  }
  __device__ bool is_earlier(std::int32_t row) const { return row >= 0 && row < first; }
};

// The lanes of `mask` that have the same place as this one.
__device__ __forceinline__ unsigned lanes_at_place(unsigned mask, unsigned place) {
  SEGPP_UNROLL
  for (int bit = 0; bit < kRowBits; ++bit) {
    const bool is_set = (place >> bit & 1u) != 0;
    const unsigned set = __ballot_sync(kFullMask, is_set);
    mask &= is_set ? set : ~set;
  }
  return mask;
}

__device__ __forceinline__ int counter_of(int warp, unsigned place) {
  return warp * kCounterStride + static_cast<int>(place);
}

// Counts the tokens of a warp's segment by row; returns how many of this lane's are in earlier
// rows.
template <typename Shared>
__device__ __forceinline__ int count_rows(const RowRange& range, const Segment& segment,
                                          const std::int32_t* row_of_token, Shared& counters) {
  int earlier = 0;
  for (int i = segment.first + lane_of_thread(); i < segment.last; i += kWarpSize) {
    const std::int32_t row = row_of_token[i];
    const unsigned place = range.place_of(row);
    if (place < kRowsPerBlock) atomicAdd(&counters[counter_of(warp_of_thread(), place)], 1);
    earlier += range.is_earlier(row) ? 1 : 0;
  }
  return earlier;
}

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
  if (lane == 0 && row <= range.num_rows) start_of_row[row] = start;
}

template <typename Shared>
__device__ __forceinline__ void place_tokens(const RowRange& range, const Segment& segment,
                                             const std::int32_t* row_of_token, Shared& counters,
                                             int* tokens) {
  const int lane = lane_of_thread();
  for (int first = segment.first; first < segment.last; first += kWarpSize) {
    const int token = first + lane;
    const unsigned place =
        token < segment.last ? range.place_of(row_of_token[token]) : kRowsPerBlock;
    const bool is_here = place < kRowsPerBlock;
    const unsigned here = __ballot_sync(kFullMask, is_here);
    if (here == 0) continue;
    const unsigned same = lanes_at_place(here, place);
    const int counter = counter_of(warp_of_thread(), is_here ? place : 0u);
    const int position = counters[counter];
    __syncwarp();
    if (is_here) {
      const int before = count_before(same, lane);
      tokens[position + before] = token;
      if (before == 0) counters[counter] = position + __popc(same);
    }
    __syncwarp();
  }
}

// Grid: groups of rows, one more row than there are, x B.
__global__ void __launch_bounds__(kSortThreads, 1)
    sort_kernel(SortShape shape, const std::int32_t* __restrict__ row_of_token,
                SortedTokens sorted) {
  SEGPP_SHARED(int, counters, kSortWarps* kCounterStride);
  SEGPP_SHARED(int, earlier_of_warp, kSortWarps);
  SEGPP_SHARED(int, count_of_row, kRowsPerBlock);

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
  place_tokens(range, segment, row_of_token, counters, sorted.tokens + batch * shape.num_tokens);
}

}  // namespace segpp::detail
