// The selection of up to some thousand tokens, by a block that holds all candidates in registers:
// thread t those of tokens t, t + kThreads, .. So they are read once, and what follows waits for
// barriers only.
#pragma once

#include "../cuda/simt.h"
#include "match_candidate.cuh"
#include "token_select.cuh"
#include "warp.cuh"

namespace segpp::detail {

// Words of shared memory that select_held needs: rows, digits, a cut, a word for each warp of
// tokens.
template <int kMostTokens>
inline constexpr int kHeldWords = kMostTokens + kDigits + 2 + kMostTokens / kWarpSize;

// Whether each token is a source, 1 or 0.
template <typename Shared>
__device__ __forceinline__ void mark_sources(const TokenGrid& grid, Shared& marks) {
  for (int token = static_cast<int>(threadIdx.x); token < grid.num_tokens();
       token += num_threads()) {
    marks[token] = 1u;
  }
  __syncthreads();
  const int num_destinations = grid.num_destinations();
  for (int i = static_cast<int>(threadIdx.x); i < num_destinations; i += num_threads()) {
    marks[grid.destination_token(i)] = 0u;
  }
  __syncthreads();
}

// The best of all splits. Other blocks may have written them in this very launch: last_block.cuh
// says why the loads are volatile. All loads of a split are under way at once.
template <int kThreads, int kPerThread, typename Shared>
__device__ __forceinline__ void hold_best(const SelectShape& shape,
                                          const volatile PackedCandidate* candidates,
                                          Shared& is_source, PackedCandidate (&best)[kPerThread]) {
  const int num_tokens = shape.grid.num_tokens();
  bool is_held[kPerThread];
  SEGPP_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    const int token = static_cast<int>(threadIdx.x) + i * kThreads;
    unsigned mark = 0;
    if (token < num_tokens) mark = is_source[token];
    is_held[i] = mark != 0;
    best[i] = kNotASource;
  }
  for (int split = 0; split < shape.num_splits; ++split, candidates += num_tokens) {
    PackedCandidate others[kPerThread];
    SEGPP_UNROLL
    for (int i = 0; i < kPerThread; ++i) {
      const int token = static_cast<int>(threadIdx.x) + i * kThreads;
      others[i] = is_held[i] ? candidates[token] : kNotASource;
    }
    SEGPP_UNROLL
    for (int i = 0; i < kPerThread; ++i) {
      if (others[i] > best[i]) best[i] = others[i];
    }
  }
}

// For one warp: sums of the earlier entries take the place of kCount entries.
template <int kCount, typename Shared>
__device__ __forceinline__ void sum_earlier(Shared& entries) {
  static_assert(kCount % kWarpSize == 0, "each lane has as many");
  constexpr int kPerLane = kCount / kWarpSize;
  const int first = lane_of_thread() * kPerLane;
  int sum = 0;
  for (int i = 0; i < kPerLane; ++i) {
    const unsigned entry = entries[first + i];
    sum += static_cast<int>(entry);
  }
  int before = warp_exclusive_sum(sum, lane_of_thread());
  for (int i = 0; i < kPerLane; ++i) {
    const unsigned entry = entries[first + i];
    entries[first + i] = static_cast<unsigned>(before);
    before += static_cast<int>(entry);
  }
}

// For a whole block of kThreads: candidates [splits, N] -> row_of_token [N] of one image with at
// most kMostTokens. `memory` has kHeldWords.
template <int kThreads, int kMostTokens, typename Memory>
__device__ __forceinline__ void select_held(const SelectShape& shape,
                                            const PackedCandidate* candidates,
                                            std::int32_t* row_of_token, Memory& memory) {
  constexpr int kPerThread = kMostTokens / kThreads;
  constexpr int kWarps = kThreads / kWarpSize;
  static_assert(kMostTokens % kThreads == 0 && kMostTokens < (1 << 15), "two sums fit in a word");
  const auto rows = simt::slice(memory, 0, kMostTokens);
  const auto digits = simt::slice(memory, kMostTokens, kDigits);
  const auto found = simt::slice(memory, kMostTokens + kDigits, 2);
  const auto counts = simt::slice(memory, kMostTokens + kDigits + 2, kMostTokens / kWarpSize);
  const int num_tokens = shape.grid.num_tokens();
  const int lane = lane_of_thread();

  mark_sources(shape.grid, rows);
  PackedCandidate best[kPerThread];
  hold_best<kThreads>(shape, candidates, rows, best);
  const Cut cut = find_cut(shape.num_removed, digits, found, [&](const Cut& prefix, int shift) {
    SEGPP_UNROLL
    for (int i = 0; i < kPerThread; ++i) {
      const unsigned order = order_of(best[i]);
      const bool is_counted = best[i] != kNotASource && is_prefix_equal(order, prefix, shift);
      count_digit(digits, is_counted, digit_of(order, shift));
    }
  });

  // Tokens go by i, then by warp, then by lane.
  unsigned above[kPerThread];
  unsigned equal[kPerThread];
  SEGPP_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    above[i] = __ballot_sync(kFullMask, order_of(best[i]) > cut.order);
    equal[i] = __ballot_sync(kFullMask, order_of(best[i]) == cut.order);
    if (lane == 0) {
      counts[i * kWarps + warp_of_thread()] =
          static_cast<unsigned>(__popc(equal[i]) << 16 | __popc(above[i]));
    }
  }
  __syncthreads();
  if (warp_of_thread() == 0) sum_earlier<kMostTokens / kWarpSize>(counts);
  __syncthreads();
  SEGPP_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    const int token = static_cast<int>(threadIdx.x) + i * kThreads;
    const unsigned before = counts[i * kWarps + warp_of_thread()];
    const int above_before = static_cast<int>(before & 0xffffu) + count_before(above[i], lane);
    const int equal_before = static_cast<int>(before >> 16) + count_before(equal[i], lane);
    if (token < num_tokens) {
      rows[token] =
          static_cast<unsigned>(number_token(token, best[i], cut, above_before, equal_before));
    }
  }
  __syncthreads();
  for (int token = static_cast<int>(threadIdx.x); token < num_tokens; token += kThreads) {
    const unsigned number = rows[token];
    const auto row = static_cast<std::int32_t>(number);
    unsigned of_destination = number;
    if (row < 0) of_destination = rows[~row];  // destinations stay
    row_of_token[token] = static_cast<std::int32_t>(of_destination);
  }
}

}  // namespace segpp::detail
