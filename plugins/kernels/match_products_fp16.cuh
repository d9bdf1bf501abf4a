// Products of a tile of sources and a tile of destinations: float16 on tensor cores, float32 sums.
//
// The four warps take a quarter of the 64 x 64 tile each: 32 sources x 32 destinations, as 2 x 4
// products of 16 x 8. A thread reads 16 neighbouring bytes of a row and feeds them to the products
// as if they were the columns that the fragment layout asks for. Sources and destinations are
// permuted alike, so the sums are those of the same numbers, and a 128-bit load without bank
// conflicts serves two products of k = 16 (or four of k = 8 on sm_75).
#pragma once

#include "../cuda/simt.h"
#include "match_candidate.cuh"
#include "match_rows.cuh"
#include "warp.cuh"

namespace segpp::detail {

class HalfProducts {
 public:
  using Element = __half;
  static constexpr int kWordsPerRow = kWordsPerStep;
  static constexpr int kRows = 4;              // sources that a thread has products of
  static constexpr int kThreadsPerSource = 4;  // of a warp, neighbours
  static constexpr int kWarpsPerSource = 2;

  Candidate best[kRows];

  static __device__ int source(int row) {
    return warp_of_thread() / 2 * 32 + row * 8 + lane_of_thread() / 4;
  }
  static __device__ int slice() { return warp_of_thread() % 2; }

  __device__ void clear() {
    SEGPP_UNROLL
    for (auto& row : sums_) {
      SEGPP_UNROLL
      for (auto& fragment : row) fragment[0] = fragment[1] = fragment[2] = fragment[3] = 0.0f;
    }
  }

  template <typename Shared>
  __device__ void add(Shared&& tile) {
    const int word = lane_of_thread() % 4 * 4;
    uint4 sources[kRows];
    SEGPP_UNROLL
    for (int row = 0; row < kRows; ++row) {
      sources[row] = simt::load_vec<uint4>(tile, source(row) * kWordsPerRow + word);
    }
    SEGPP_UNROLL
    for (int column = 0; column < kColumns; ++column) {
      const int destination = slice() * 32 + column * 8 + lane_of_thread() / 4;
      const auto b = simt::load_vec<uint4>(tile, (kTile + destination) * kWordsPerRow + word);
      SEGPP_UNROLL
      for (int row = 0; row < kRows; row += 2) {
        const uint4& upper = sources[row];
        const uint4& lower = sources[row + 1];
        simt::mma_m16n8k16(sums_[row / 2][column], {upper.x, lower.x, upper.y, lower.y},
                           {b.x, b.y});
        simt::mma_m16n8k16(sums_[row / 2][column], {upper.z, lower.z, upper.w, lower.w},
                           {b.z, b.w});
      }
    }
  }

  // Destinations come in ascending order, so only a greater similarity replaces the best.
  template <typename Shared>
  __device__ void update_best(Shared&& scale_of_destination, int first_destination) {
    SEGPP_UNROLL
    for (int column = 0; column < kColumns; ++column) {
      SEGPP_UNROLL
      for (int i = 0; i < 2; ++i) {
        const int destination = slice() * 32 + column * 8 + lane_of_thread() % 4 * 2 + i;
        const float scale = scale_of_destination[destination];
        SEGPP_UNROLL
        for (int row = 0; row < kRows; ++row) {
          const float similarity = sums_[row / 2][column][row % 2 * 2 + i] * scale;
          if (similarity > best[row].similarity) {
            best[row] = {similarity, first_destination + destination};
          }
        }
      }
    }
  }

 private:
  static constexpr int kColumns = 4;

  float sums_[kRows / 2][kColumns][4];
};

}  // namespace segpp::detail
