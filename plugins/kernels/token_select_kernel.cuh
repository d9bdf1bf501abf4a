// The selection of the match in a launch of its own: which sources merge, and the row of every
// token. One block per image.
#pragma once

#include "../cuda/simt.h"
#include "match_candidate.cuh"
#include "token_select.cuh"
#include "token_select_held.cuh"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kSelectThreads = 1024;
inline constexpr int kMostHeldTokens = 8192;

// candidates [B, splits, N] -> row_of_token [B, N] with N up to kMostHeldTokens. Grid: B.
__global__ void __launch_bounds__(kSelectThreads, 1)
    select_held_kernel(SelectShape shape, const PackedCandidate* candidates,
                       std::int32_t* row_of_token) {
  SEGPP_SHARED(unsigned, memory, kHeldWords<kMostHeldTokens>);

  simt::wait_for_prerequisites();
  simt::allow_dependents();
  const long long image = static_cast<long long>(blockIdx.x) * shape.grid.num_tokens();
  select_held<kSelectThreads, kMostHeldTokens>(shape, candidates + image * shape.num_splits,
                                               row_of_token + image, memory);
}

// Leaves the best of all splits in the first one. So many tokens have one or a few.
__device__ __forceinline__ void combine_splits(const SelectShape& shape,
                                               PackedCandidate* candidates) {
  const int num_tokens = shape.grid.num_tokens();
  for (int token = static_cast<int>(threadIdx.x); token < num_tokens; token += kSelectThreads) {
    PackedCandidate best = kNotASource;
    if (!shape.grid.is_destination(token)) {
      SEGPP_NO_UNROLL
      for (int split = 0; split < shape.num_splits; ++split) {
        const auto other = candidates[static_cast<long long>(split) * num_tokens + token];
        if (other > best) best = other;
      }
    }
    candidates[token] = best;
  }
}

// How many tokens of a segment lie above the cut and on it.
struct CutCounts {
  int above;
  int equal;
};

__device__ __forceinline__ CutCounts count_segment(const PackedCandidate* candidates,
                                                   const Segment& segment, const Cut& cut) {
  CutCounts counts = {0, 0};
  for (int token = segment.first + lane_of_thread(); token < segment.last; token += kWarpSize) {
    const unsigned order = order_of(candidates[token]);
    counts.above += order > cut.order;
    counts.equal += order == cut.order;
  }
  return {warp_sum(counts.above), warp_sum(counts.equal)};
}

// Numbers the tokens of a segment. `before` counts what lies before it.
__device__ __forceinline__ void number_segment(const PackedCandidate* candidates,
                                               const Segment& segment, const Cut& cut,
                                               CutCounts before, std::int32_t* row_of_token) {
  const int lane = lane_of_thread();
  for (int first = segment.first; first < segment.last; first += kWarpSize) {
    const int token = first + lane;
    const bool is_token = token < segment.last;
    const PackedCandidate candidate = is_token ? candidates[token] : kNotASource;
    const unsigned above = __ballot_sync(kFullMask, order_of(candidate) > cut.order);
    const unsigned equal = __ballot_sync(kFullMask, order_of(candidate) == cut.order);
    if (is_token) {
      row_of_token[token] =
          number_token(token, candidate, cut, before.above + count_before(above, lane),
                       before.equal + count_before(equal, lane));
    }
    before.above += __popc(above);
    before.equal += __popc(equal);
  }
}

// candidates [B, splits, N] (overwritten) -> row_of_token [B, N]. Grid: B.
__global__ void __launch_bounds__(kSelectThreads, 1)
    select_kernel(SelectShape shape, PackedCandidate* candidates, std::int32_t* row_of_token) {
  SEGPP_SHARED(unsigned, digits, kDigits);
  SEGPP_SHARED(unsigned, found, 2);
  SEGPP_SHARED(int, above_of_warp, kSelectThreads / kWarpSize);
  SEGPP_SHARED(int, equal_of_warp, kSelectThreads / kWarpSize);

  simt::wait_for_prerequisites();
  simt::allow_dependents();
  const int num_tokens = shape.grid.num_tokens();
  const long long image = static_cast<long long>(blockIdx.x) * num_tokens;
  candidates += image * shape.num_splits;
  row_of_token += image;

  combine_splits(shape, candidates);
  __syncthreads();
  const Cut cut = find_cut(shape.num_removed, digits, found, [&](const Cut& prefix, int shift) {
    for (int first = 0; first < num_tokens; first += kSelectThreads) {  // whole warps vote
      const int token = first + static_cast<int>(threadIdx.x);
      const unsigned order = token < num_tokens ? order_of(candidates[token]) : 0u;
      const bool is_counted = token < num_tokens && is_prefix_equal(order, prefix, shift);
      count_digit(digits, is_counted, digit_of(order, shift));
    }
  });

  const Segment segment = segment_of_warp(num_tokens);
  const CutCounts in_segment = count_segment(candidates, segment, cut);
  if (lane_of_thread() == 0) {
    above_of_warp[warp_of_thread()] = in_segment.above;
    equal_of_warp[warp_of_thread()] = in_segment.equal;
  }
  __syncthreads();
  const CutCounts before = {sum_of_earlier_warps(above_of_warp),
                            sum_of_earlier_warps(equal_of_warp)};
  number_segment(candidates, segment, cut, before, row_of_token);
  __syncthreads();
  for (int token = static_cast<int>(threadIdx.x); token < num_tokens; token += kSelectThreads) {
    const std::int32_t row = row_of_token[token];
    if (row < 0) row_of_token[token] = row_of_token[~row];  // destinations stay
  }
}

}  // namespace segpp::detail
