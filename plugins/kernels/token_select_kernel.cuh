// Second launch of the match: which sources merge, and the row of every token. One block per image.
//
// A radix select finds the order of the last source that merges, 8 bits at a time from the top. No
// token is moved; sums of counts are all that threads exchange, so the result cannot depend on
// timing. What is read again and again lies in shared memory as far as it fits.
#pragma once

#include "../cuda/simt.h"
#include "match_candidate.cuh"
#include "token_grid.cuh"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kSelectThreads = 1024;
inline constexpr int kMostSharedTokens = 8192;  // 32 KiB
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

// The orders of all candidates, in shared memory or where the candidates are.
template <bool kShared, typename SharedValues>
class Orders {
 public:
  __device__ Orders(const PackedCandidate* candidates, SharedValues& values)
      : candidates_(candidates), values_(values) {}

  __device__ unsigned operator[](int token) const {
    if constexpr (kShared) {
      return values_[token];
    } else {
      return order_of(candidates_[token]);
    }
  }

 private:
  const PackedCandidate* candidates_;
  SharedValues& values_;
};

// Leaves the best of all splits in the first one, and its order in `values`.
template <bool kShared, typename SharedValues>
__device__ __forceinline__ void combine_splits(const SelectShape& shape,
                                               PackedCandidate* candidates, SharedValues& values) {
  const int num_tokens = shape.grid.num_tokens();
  for (int token = static_cast<int>(threadIdx.x); token < num_tokens; token += kSelectThreads) {
    PackedCandidate best = kNotASource;
    if (!shape.grid.is_destination(token)) {
      for (int split = 0; split < shape.num_splits; ++split) {
        const auto other = candidates[static_cast<long long>(split) * num_tokens + token];
        if (other > best) best = other;
      }
    }
    candidates[token] = best;
    if constexpr (kShared) values[token] = order_of(best);
  }
}

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
  int sum = 0;
  for (int i = 0; i < kPerLane; ++i) sum += static_cast<int>(counts[highest - i]);
  int above = warp_exclusive_sum(sum, lane);
  if (rank <= above || rank > above + sum) return;
  for (int digit = highest;; --digit) {
    const int count = static_cast<int>(counts[digit]);
    if (rank <= above + count) {
      cut[0] = static_cast<unsigned>(digit);
      cut[1] = static_cast<unsigned>(rank - above);
      return;
    }
    above += count;
  }
}

template <typename OrdersOfTokens, typename SharedCounts, typename SharedCut>
__device__ Cut find_cut(const OrdersOfTokens& orders, int num_tokens, int num_removed,
                        SharedCounts& counts, SharedCut& found) {
  Cut cut = {0, num_removed};
  for (int shift = 32 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    if (threadIdx.x < kDigits) counts[threadIdx.x] = 0u;
    __syncthreads();
    for (int first = 0; first < num_tokens; first += kSelectThreads) {  // whole warps vote
      const int token = first + static_cast<int>(threadIdx.x);
      const unsigned order = token < num_tokens ? orders[token] : 0u;
      // A 64-bit shift: the first digit has nothing above it.
      const bool is_prefix_equal =
          static_cast<unsigned long long>(order) >> (shift + kDigitBits) == cut.order;
      count_digit(counts, token < num_tokens && is_prefix_equal, order >> shift & (kDigits - 1));
    }
    __syncthreads();
    if (warp_of_thread() == 0) find_digit(counts, cut.num_equal, found);
    __syncthreads();
    const unsigned digit = found[0];
    cut = {cut.order << kDigitBits | digit, static_cast<int>(static_cast<unsigned>(found[1]))};
  }
  return cut;
}

// How many tokens of a segment lie above the cut and on it.
struct CutCounts {
  int above;
  int equal;
};

template <typename OrdersOfTokens>
__device__ __forceinline__ CutCounts count_segment(const OrdersOfTokens& orders,
                                                   const Segment& segment, const Cut& cut) {
  CutCounts counts = {0, 0};
  for (int token = segment.first + lane_of_thread(); token < segment.last; token += kWarpSize) {
    const unsigned order = orders[token];
    counts.above += order > cut.order;
    counts.equal += order == cut.order;
  }
  return {warp_sum(counts.above), warp_sum(counts.equal)};
}

// Numbers the tokens that stay in token order; those that merge get the complement of their
// destination's token, a negative number. `before` counts what lies before the segment.
template <typename OrdersOfTokens, typename Write>
__device__ __forceinline__ void number_segment(const PackedCandidate* candidates,
                                               const OrdersOfTokens& orders, const Segment& segment,
                                               const Cut& cut, CutCounts before,
                                               const Write& write) {
  const int lane = lane_of_thread();
  for (int first = segment.first; first < segment.last; first += kWarpSize) {
    const int token = first + lane;
    const bool is_token = token < segment.last;
    const unsigned order = is_token ? orders[token] : order_of(kNotASource);
    const unsigned above = __ballot_sync(kFullMask, order > cut.order);
    const unsigned equal = __ballot_sync(kFullMask, order == cut.order);
    const int equal_before = before.equal + count_before(equal, lane);
    const int merged_before =
        before.above + count_before(above, lane) + min(equal_before, cut.num_equal);
    const bool is_merged =
        (above >> lane & 1u) != 0 || ((equal >> lane & 1u) != 0 && equal_before < cut.num_equal);
    if (is_token) {
      write(token, is_merged ? ~destination_of(candidates[token]) : token - merged_before);
    }
    before.above += __popc(above);
    before.equal += __popc(equal);
  }
}

// candidates [B, splits, N] (overwritten) -> row_of_token [B, N]. Grid: B.
template <bool kShared>
__global__ void __launch_bounds__(kSelectThreads, 1)
    select_kernel(SelectShape shape, PackedCandidate* candidates, std::int32_t* row_of_token) {
  SEGPP_SHARED(unsigned, values, kShared ? kMostSharedTokens : 1);
  SEGPP_SHARED(unsigned, counts, kDigits);
  SEGPP_SHARED(unsigned, found, 2);
  SEGPP_SHARED(int, above_of_warp, kSelectThreads / kWarpSize);
  SEGPP_SHARED(int, equal_of_warp, kSelectThreads / kWarpSize);

  const int num_tokens = shape.grid.num_tokens();
  const long long image = static_cast<long long>(blockIdx.x) * num_tokens;
  candidates += image * shape.num_splits;
  row_of_token += image;

  combine_splits<kShared>(shape, candidates, values);
  __syncthreads();
  const Orders<kShared, decltype(values)> orders(candidates, values);
  const Cut cut = find_cut(orders, num_tokens, shape.num_removed, counts, found);

  const Segment segment = segment_of_warp(num_tokens);
  const CutCounts in_segment = count_segment(orders, segment, cut);
  if (lane_of_thread() == 0) {
    above_of_warp[warp_of_thread()] = in_segment.above;
    equal_of_warp[warp_of_thread()] = in_segment.equal;
  }
  __syncthreads();
  const CutCounts before = {sum_of_earlier_warps(above_of_warp),
                            sum_of_earlier_warps(equal_of_warp)};
  // In shared memory a token's number takes the place of its order, which is not read again.
  number_segment(candidates, orders, segment, cut, before, [&](int token, int row) {
    if constexpr (kShared) {
      values[token] = static_cast<unsigned>(row);
    } else {
      row_of_token[token] = row;
    }
  });
  __syncthreads();
  const auto row_at = [&](int token) -> std::int32_t {
    if constexpr (kShared) {
      return static_cast<std::int32_t>(static_cast<unsigned>(values[token]));
    } else {
      return row_of_token[token];
    }
  };
  for (int token = static_cast<int>(threadIdx.x); token < num_tokens; token += kSelectThreads) {
    const std::int32_t row = row_at(token);
    if (kShared || row < 0)
      row_of_token[token] = row < 0 ? row_at(~row) : row;  // destinations stay
  }
}

}  // namespace segpp::detail
