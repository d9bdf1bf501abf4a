// How a block of the match streams its tokens: global memory -> registers -> shared memory.
//
// A step brings 64 bytes of every token of a tile: 16 floats or 32 halves. Each token is read by
// four neighbouring threads, 16 bytes each. While a step is being multiplied, the next one is under
// way to registers; this needs no instruction that sm_75 lacks.
#pragma once

#include "../cuda/simt.h"
#include "token_grid.cuh"
#include "vector.cuh"

namespace segpp::detail {

inline constexpr int kMatchThreads = 128;
inline constexpr int kTile = 64;          // sources of a block; destinations of a tile
inline constexpr int kWordsPerStep = 16;  // 32-bit words of each token
inline constexpr int kThreadsPerRow = 4;  // 16 bytes each
inline constexpr int kRowsPerPass = kMatchThreads / kThreadsPerRow;
inline constexpr int kPasses =
    2 * kTile / kRowsPerPass;  // first the sources, then the destinations
inline constexpr int kSourcePasses = kPasses / 2;

// As the PyTorch reference bounds it, so that a zero token is similar to nothing instead of NaN.
inline constexpr float kNormEpsilon = 1e-12f;

template <typename T, bool kVectorized>
class RowStream {
 public:
  static constexpr int kElementsPerLoad = 16 / sizeof(T);
  static constexpr int kElementsPerStep = kThreadsPerRow * kElementsPerLoad;

  __device__ RowStream(const TokenGrid& grid, int channels, const T* image)
      : grid_(grid), channels_(channels), image_(image) {}

  __device__ void aim_at_sources(int first) {
    SEGPP_UNROLL
    for (int pass = 0; pass < kSourcePasses; ++pass) {
      const int source = first + row_of_pass(pass);
      aim(pass, source < grid_.num_sources() ? grid_.source_token(source) : kNone);
    }
  }

  __device__ void aim_at_destinations(int first) {
    SEGPP_UNROLL
    for (int pass = kSourcePasses; pass < kPasses; ++pass) {
      const int destination = first + row_of_pass(pass) - kTile;
      aim(pass,
          destination < grid_.num_destinations() ? grid_.destination_token(destination) : kNone);
    }
  }

  // Starts to read a step of every row.
  __device__ void fetch(int step) {
    const int channel = step * kElementsPerStep + unit() * kElementsPerLoad;
    SEGPP_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) units_[pass] = read(token_[pass], channel);
  }

  // Hands the step fetched last to the block, and adds it to the squared norms.
  template <typename Shared>
  __device__ void store(Shared&& tile, int words_per_row, bool with_sources) {
    SEGPP_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) {
      simt::store_vec<uint4>(tile, row_of_pass(pass) * words_per_row + 4 * unit(), units_[pass]);
      if (with_sources || pass >= kSourcePasses) add_squares(pass);
    }
  }

  // 1 / norm of each row read so far. NaN past the last destination: such products beat nothing.
  template <typename SharedSources, typename SharedDestinations>
  __device__ void store_scales(SharedSources&& of_source, SharedDestinations&& of_destination) {
    SEGPP_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) {
      const float scale = 1.0f / fmaxf(sqrtf(sum_over_row(squares_[pass])), kNormEpsilon);
      if (unit() != 0) continue;
      const int row = row_of_pass(pass);
      if (pass < kSourcePasses) {
        of_source[row] = scale;
      } else {
        of_destination[row - kTile] = token_[pass] == kNone ? NAN : scale;
      }
    }
  }

 private:
  static constexpr int kNone = -1;

  static __device__ int unit() { return static_cast<int>(threadIdx.x) % kThreadsPerRow; }
  static __device__ int row_of_pass(int pass) {
    return pass * kRowsPerPass + static_cast<int>(threadIdx.x) / kThreadsPerRow;
  }

  __device__ void aim(int pass, int token) {
    token_[pass] = token;
    squares_[pass] = 0.0f;
  }

  __device__ uint4 read(int token, int channel) const {
    if (token == kNone || channel >= channels_) return {0, 0, 0, 0};
    const T* row = image_ + static_cast<long long>(token) * channels_;
    if constexpr (kVectorized) {
      return simt::load_vec<uint4>(row, channel);
    } else {
      return read_elements(row, channel);
    }
  }

  __device__ uint4 read_elements(const T* row, int channel) const {
    constexpr int kPerWord = 4 / sizeof(T);
    unsigned words[4] = {0, 0, 0, 0};
    SEGPP_UNROLL
    for (int i = 0; i < kElementsPerLoad; ++i) {
      if (channel + i < channels_) {
        words[i / kPerWord] |= bits_of(row[channel + i]) << (i % kPerWord * 8 * sizeof(T));
      }
    }
    return {words[0], words[1], words[2], words[3]};
  }

  __device__ void add_squares(int pass) {
    float values[kElementsPerLoad];
    unpack(units_[pass], values);
    SEGPP_UNROLL
    for (int i = 0; i < kElementsPerLoad; ++i) {
      squares_[pass] = fmaf(values[i], values[i], squares_[pass]);
    }
  }

  // The same sum to the last bit in all threads of a row, wherever in the tile the row lies.
  static __device__ float sum_over_row(float value) {
    SEGPP_UNROLL
    for (int offset = 1; offset < kThreadsPerRow; offset *= 2) {
      value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    return value;
  }

  TokenGrid grid_;
  int channels_;
  const T* image_;
  int token_[kPasses];
  float squares_[kPasses];
  uint4 units_[kPasses];
};

}  // namespace segpp::detail
