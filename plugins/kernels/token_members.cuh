// The tokens of some rows, in token order: how a block counts and places them.
//
// Every warp goes over a run of tokens and keeps counters of its own, so that tokens keep their
// order without waiting for each other.
#pragma once

#include "../cuda/simt.h"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kRowBits = 5;
inline constexpr int kRowsPerBlock = 1 << kRowBits;       // at most
inline constexpr int kCounterStride = kRowsPerBlock + 1;  // no bank conflicts down a column

// Neighbouring rows, at most kRowsPerBlock.
struct RowRange {
  int first;
  int end;  // this row and later ones are not in the range

  // Number of a row within the range; kRowsPerBlock for the others.
  __device__ unsigned place_of(std::int32_t row) const {
    const auto place = static_cast<unsigned>(row) - static_cast<unsigned>(first);
    return row < end && place < kRowsPerBlock ? place : kRowsPerBlock;
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

// Each lane's rows of the next tokens of its warp: as many loads are under way at once. `Rows` is a
// pointer, to volatile where this launch wrote them (last_block.cuh says why).
inline constexpr int kRowsAtOnce = 8;
inline constexpr int kTokensAtOnce = kRowsAtOnce * kWarpSize;

template <typename Rows>
__device__ __forceinline__ void load_rows(const Segment& segment, int first, Rows row_of_token,
                                          std::int32_t (&rows)[kRowsAtOnce]) {
  SEGPP_UNROLL
  for (int i = 0; i < kRowsAtOnce; ++i) {
    const int token = first + i * kWarpSize + lane_of_thread();
    rows[i] = token < segment.last ? row_of_token[token] : -1;  // which is in no range
  }
}

// Counts the tokens of a warp's segment by row; returns how many of this lane's are in earlier
// rows.
template <typename Rows, typename Shared>
__device__ __forceinline__ int count_rows(const RowRange& range, const Segment& segment,
                                          Rows row_of_token, Shared& counters) {
  int earlier = 0;
  for (int first = segment.first; first < segment.last; first += kTokensAtOnce) {
    std::int32_t rows[kRowsAtOnce];
    load_rows(segment, first, row_of_token, rows);
    SEGPP_UNROLL
    for (const std::int32_t row : rows) {
      const unsigned place = range.place_of(row);
      if (place < kRowsPerBlock) atomicAdd(&counters[counter_of(warp_of_thread(), place)], 1);
      earlier += range.is_earlier(row) ? 1 : 0;
    }
  }
  return earlier;
}

// Writes the tokens of a warp's segment to `tokens`, an array of Token, where `counters` says.
template <typename Token, typename Rows, typename Shared, typename Tokens>
__device__ __forceinline__ void place_tokens(const RowRange& range, const Segment& segment,
                                             Rows row_of_token, Shared& counters, Tokens& tokens) {
  const int lane = lane_of_thread();
  for (int first = segment.first; first < segment.last; first += kTokensAtOnce) {
    std::int32_t rows[kRowsAtOnce];
    load_rows(segment, first, row_of_token, rows);
    SEGPP_UNROLL
    for (int i = 0; i < kRowsAtOnce; ++i) {
      const unsigned place = range.place_of(rows[i]);
      const bool is_here = place < kRowsPerBlock;
      const unsigned here = __ballot_sync(kFullMask, is_here);
      if (here == 0) continue;
      const unsigned same = lanes_at_place(here, place);
      const int counter = counter_of(warp_of_thread(), is_here ? place : 0u);
      const int position = counters[counter];
      __syncwarp();
      if (is_here) {
        const int before = count_before(same, lane);
        tokens[position + before] = static_cast<Token>(first + i * kWarpSize + lane);
        if (before == 0) counters[counter] = position + __popc(same);
      }
      __syncwarp();
    }
  }
}

}  // namespace segpp::detail
