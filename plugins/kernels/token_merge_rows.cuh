// The rows that a block merges: it finds their tokens by itself, and takes the means.
//
// It reads the rows of all tokens, which are few bytes and lie in the L2 cache, and lists in shared
// memory, in token order, those that go to its rows. So no list is written to memory, and no launch
// waits for another that writes it.
#pragma once

#include "../cuda/simt.h"
#include "token_mean.cuh"
#include "token_members.cuh"
#include "vector.cuh"
#include "warp.cuh"

namespace segpp::detail {

struct MergeShape {
  MeanShape mean;
  int rows_per_block;  // 1 .. kRowsPerBlock
};

// For one warp: counts become positions; tokens go by row, then by warp. A lane has one row.
template <int kWarps, typename SharedCounters, typename SharedStarts>
__device__ __forceinline__ void start_rows(SharedCounters& counters, SharedStarts& start_of_row) {
  static_assert(kRowsPerBlock == kWarpSize, "a lane has one row");
  const int lane = lane_of_thread();
  const auto place = static_cast<unsigned>(lane);
  int count = 0;
  SEGPP_UNROLL
  for (int warp = 0; warp < kWarps; ++warp) {
    const int of_warp = counters[counter_of(warp, place)];
    count += of_warp;
  }
  int position = warp_exclusive_sum(count, lane);
  start_of_row[lane] = position;
  if (lane == kWarpSize - 1) start_of_row[kRowsPerBlock] = position + count;
  SEGPP_UNROLL
  for (int warp = 0; warp < kWarps; ++warp) {
    const int of_warp = counters[counter_of(warp, place)];
    counters[counter_of(warp, place)] = position;
    position += of_warp;
  }
}

// Lists the tokens of each row of the range in token order: members[start_of_row[place]] ..
// members[start_of_row[place + 1] - 1].
template <int kWarps, typename Token, typename Rows, typename SharedCounters, typename SharedStarts,
          typename SharedMembers>
__device__ __forceinline__ void list_members(const RowRange& range, int num_tokens,
                                             Rows row_of_token, SharedCounters& counters,
                                             SharedStarts& start_of_row, SharedMembers& members) {
  for (int i = static_cast<int>(threadIdx.x); i < kWarps * kCounterStride;
       i += kWarps * kWarpSize) {
    counters[i] = 0;
  }
  __syncthreads();
  const Segment segment = segment_of_warp(num_tokens);
  count_rows(range, segment, row_of_token, counters);
  __syncthreads();
  if (warp_of_thread() == 0) start_rows<kWarps>(counters, start_of_row);
  __syncthreads();
  place_tokens<Token>(range, segment, row_of_token, counters, members);
  __syncthreads();
}

// For a whole block of kWarps: the means of rows [first_row, first_row + rows_per_block) of one
// image, and if asked for log n of rows of n tokens. `merged` and `log_size` are of all images.
// `members` has a Token for each token, `part_sums` kPartSums words for each team.
template <int kWarps, typename T, bool kVectorized, bool kHasSize, typename Token, typename Rows,
          typename SharedMembers, typename SharedSums>
__device__ __forceinline__ void merge_rows(const MergeShape& shape, long long batch, int first_row,
                                           const T* tokens, Rows row_of_token,
                                           SharedMembers& members, SharedSums& part_sums, T* merged,
                                           float* log_size) {
  constexpr int kCount = kElementsPerUnit<T, kVectorized>;
  SEGPP_SHARED(int, counters, kWarps* kCounterStride);
  SEGPP_SHARED(int, start_of_row, kRowsPerBlock + 1);

  const auto [num_tokens, num_rows, channels] = shape.mean;
  const RowRange range = {first_row, min(first_row + shape.rows_per_block, num_rows)};
  list_members<kWarps, Token>(range, num_tokens, row_of_token + batch * num_tokens, counters,
                              start_of_row, members);

  const T* const image = tokens + batch * num_tokens * channels;
  const int units_per_row = channels / kCount;
  const int num_units = (range.end - range.first) * units_per_row;
  const int team = warp_of_thread() / kTeamWarps<kWarps>;
  const auto sums_of_team =
      simt::slice(part_sums, team * kPartSums<T, kVectorized>, kPartSums<T, kVectorized>);
  for (int first_unit = 0; first_unit < num_units; first_unit += kTeams<kWarps> * kWarpSize) {
    const int number = first_unit + team * kWarpSize + lane_of_thread();
    const bool is_unit = number < num_units;
    const int place = is_unit ? number / units_per_row : 0;
    const int start = start_of_row[place];
    const int end = start_of_row[place + 1];
    const MeanUnit unit = {batch * num_rows + range.first + place,
                           (number - place * units_per_row) * kCount, is_unit ? end - start : 0};
    float sums[kCount];
    sum_members<kWarps, T, kVectorized>(image, simt::slice(members, start, end - start), unit,
                                        channels, sums_of_team, sums);
    if (warp_of_thread() % kTeamWarps<kWarps> == 0 && is_unit) {
      write_mean<T, kVectorized, kHasSize>(unit, channels, sums, merged, log_size);
    }
    __syncthreads();  // the next units' sums take the place of these
  }
}

}  // namespace segpp::detail
