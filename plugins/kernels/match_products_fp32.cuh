// Products of a tile of sources and a tile of destinations: float32, one multiply-add after the
// other.
//
// A thread has 8 sources x 4 destinations in registers; the 16 threads of half a warp share their
// sources. Four unused words at the end of each row keep 128-bit loads free of bank conflicts.
#pragma once

#include "../cuda/simt.h"
#include "match_candidate.cuh"
#include "match_rows.cuh"
#include "warp.cuh"

namespace segpp::detail {

class FloatProducts {
 public:
  using Element = float;
  static constexpr int kWordsPerRow = kWordsPerStep + 4;
  static constexpr int kRows = 8;               // sources that a thread has products of
  static constexpr int kThreadsPerSource = 16;  // of a warp, neighbours
  static constexpr int kWarpsPerSource = 1;

  Candidate best[kRows];

  static __device__ int source(int row) {
    return row * 8 + static_cast<int>(threadIdx.x) / kThreadsPerSource;
  }
  static __device__ int slice() { return 0; }

  __device__ void clear() {
    SEGPP_UNROLL
    for (auto& row : sums_) {
      SEGPP_UNROLL
      for (float& sum : row) sum = 0.0f;
    }
  }

  template <typename Shared>
  __device__ void add(Shared&& tile) {
    for (int word = 0; word < kWordsPerStep; word += 4) {
      float4 b[kColumns];
      SEGPP_UNROLL
      for (int column = 0; column < kColumns; ++column) {
        const int row = kTile + destination(column);
        b[column] = simt::load_vec<float4>(tile, row * kWordsPerRow + word);
      }
      SEGPP_UNROLL
      for (int row = 0; row < kRows; ++row) {
        const auto a = simt::load_vec<float4>(tile, source(row) * kWordsPerRow + word);
        SEGPP_UNROLL
        for (int column = 0; column < kColumns; ++column) {
          float& sum = sums_[row][column];
          sum = fmaf(a.x, b[column].x, sum);
          sum = fmaf(a.y, b[column].y, sum);
          sum = fmaf(a.z, b[column].z, sum);
          sum = fmaf(a.w, b[column].w, sum);
        }
      }
    }
  }

  // Destinations come in ascending order, so only a greater similarity replaces the best.
  template <typename Shared>
  __device__ void update_best(Shared&& scale_of_destination, int first_destination) {
    SEGPP_UNROLL
    for (int column = 0; column < kColumns; ++column) {
      const float scale = scale_of_destination[destination(column)];
      SEGPP_UNROLL
      for (int row = 0; row < kRows; ++row) {
        const float similarity = sums_[row][column] * scale;
        if (similarity > best[row].similarity) {
          best[row] = {similarity, first_destination + destination(column)};
        }
      }
    }
  }

 private:
  static constexpr int kColumns = 4;

  static __device__ int destination(int column) {
    return column * kThreadsPerSource + static_cast<int>(threadIdx.x) % kThreadsPerSource;
  }

  float sums_[kRows][kColumns];
};

}  // namespace segpp::detail
