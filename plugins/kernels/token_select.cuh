// What the selections of few and of many tokens share: a radix select in the counters of a block.
//
// It finds the order of the last source that merges, 8 bits at a time from the top. No token is
// moved; sums of counts are all that threads exchange, so the result cannot depend on timing.
#pragma once

#include "../cuda/simt.h"
#include "match_candidate.cuh"
#include "token_grid.cuh"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kDigitBits = 8;
inline constexpr int kDigits = 1 << kDigitBits;

struct SelectShape {
  TokenGrid grid;
  int num_splits;
  int num_removed;
};

// Sources of order above `order` merge, and the first `num_equal` tokens of those that have it.
struct Cut {
  unsigned order;
  int num_equal;
};

// Adds the digits of a warp. Similarities of one image share their first digit more often than not:
// the lanes that agree with the first one are added at once instead of queueing for one counter.
template <typename Shared>
__device__ __forceinline__ void count_digit(Shared& counts, bool is_counted, unsigned digit) {
  const unsigned counted = __ballot_sync(kFullMask, is_counted);
  if (counted == 0) return;
  const int leader = __ffs(static_cast<int>(counted)) - 1;
  const unsigned first_digit = __shfl_sync(kFullMask, digit, leader);
  const bool follows = is_counted && digit == first_digit;
  const unsigned followers = __ballot_sync(kFullMask, follows);
  if (lane_of_thread() == leader) {
    atomicAdd(&counts[digit], static_cast<unsigned>(__popc(followers)));
  } else if (is_counted && !follows) {
    atomicAdd(&counts[digit], 1u);
  }
}

// For one warp: the digit of the `rank`-th largest (from 1), and the rank among those with that
// digit.
template <typename SharedCounts, typename SharedCut>
__device__ __forceinline__ void find_digit(SharedCounts& counts, int rank, SharedCut& cut) {
  constexpr int kPerLane = kDigits / kWarpSize;
  const int lane = lane_of_thread();
  const int highest = kDigits - 1 - lane * kPerLane;  // the first lane has the largest digits
  int of_digit[kPerLane];
  int sum = 0;
  SEGPP_UNROLL
  for (int i = 0; i < kPerLane; ++i) {
    const unsigned count = counts[highest - i];
    of_digit[i] = static_cast<int>(count);
    sum += of_digit[i];
  }
  int above = warp_exclusive_sum(sum, lane);
  SEGPP_UNROLL
  for (int i = 0; i < kPerLane; ++i) {
    if (rank > above && rank <= above + of_digit[i]) {
      cut[0] = static_cast<unsigned>(highest - i);
      cut[1] = static_cast<unsigned>(rank - above);
    }
    above += of_digit[i];
  }
}

// `count_digits(cut, shift)` adds, with count_digit, the digits of all tokens whose higher bits are
// those of the cut so far.
template <typename CountDigits, typename SharedCounts, typename SharedCut>
__device__ __forceinline__ Cut find_cut(int num_removed, SharedCounts& counts, SharedCut& found,
                                        const CountDigits& count_digits) {
  Cut cut = {0, num_removed};
  for (int shift = 32 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    for (int digit = static_cast<int>(threadIdx.x); digit < kDigits; digit += num_threads()) {
      counts[digit] = 0u;
    }
    __syncthreads();
    count_digits(cut, shift);
    __syncthreads();
    if (warp_of_thread() == 0) find_digit(counts, cut.num_equal, found);
    __syncthreads();
    const unsigned digit = found[0];
    const unsigned rank = found[1];
    cut = {cut.order << kDigitBits | digit, static_cast<int>(rank)};
  }
  return cut;
}

// Whether the bits above the digit are those of the cut. A 64-bit shift: the first digit has none.
__device__ __forceinline__ bool is_prefix_equal(unsigned order, const Cut& cut, int shift) {
  return static_cast<unsigned long long>(order) >> (shift + kDigitBits) == cut.order;
}

__device__ __forceinline__ unsigned digit_of(unsigned order, int shift) {
  return order >> shift & (kDigits - 1);
}

// The number of a token that stays, in token order; of one that merges the complement of its
// destination's token, a negative number.
__device__ __forceinline__ int number_token(int token, PackedCandidate candidate, const Cut& cut,
                                            int above_before, int equal_before) {
  const unsigned order = order_of(candidate);
  const bool is_merged = order > cut.order || (order == cut.order && equal_before < cut.num_equal);
  return is_merged ? ~destination_of(candidate)
                   : token - above_before - min(equal_before, cut.num_equal);
}

}  // namespace segpp::detail
