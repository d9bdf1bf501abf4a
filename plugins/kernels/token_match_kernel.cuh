// The match: the most similar destination of every source, and of few tokens also the selection.
//
// A block takes 64 sources and walks over tiles of 64 destinations. The products stay in registers
// and so does the best one so far: no score is written to memory. Few sources would leave a large
// GPU idle (3840 of them at 1024x1024 in stage 3 make 60 blocks), so destinations are also split
// over blocks. The last block of an image to end selects what merges, where a launch for that alone
// takes longer than the work of one small block.
#pragma once

#include "../cuda/simt.h"
#include "last_block.cuh"
#include "match_candidate.cuh"
#include "match_products_fp16.cuh"
#include "match_products_fp32.cuh"
#include "match_rows.cuh"
#include "token_grid.cuh"
#include "token_match.h"
#include "token_select_held.cuh"

namespace segpp::detail {

struct MatchShape {
  TokenGrid grid;
  int channels;
  int tiles_per_split;  // of destinations
};

inline constexpr int kMostTokensOfOneLaunch = 2048;
inline constexpr int kMostImagesOfOneLaunch = 8;

// What the last block of an image selects with.
struct SelectAtEnd {
  int slot;
  int num_removed;
  std::int32_t* row_of_token;  // [B, N]
};

// How many blocks of each image have left their candidates, for each slot. Zero between launches.
static __device__ unsigned arrivals[kMatchSlots * kMostImagesOfOneLaunch];

// The best over the neighbouring threads that share a source, in all of them.
template <int kThreads>
__device__ __forceinline__ Candidate best_of_neighbours(Candidate best) {
  SEGPP_UNROLL
  for (int offset = 1; offset < kThreads; offset *= 2) {
    const Candidate other = {__shfl_xor_sync(0xffffffffu, best.similarity, offset),
                             __shfl_xor_sync(0xffffffffu, best.destination, offset)};
    if (beats(other, best)) best = other;
  }
  return best;
}

// Leaves the best destination of each source of the tile to the threads of the block.
template <typename Products, typename SharedFloats, typename SharedInts>
__device__ void share_best(const Products& products, SharedFloats& similarities,
                           SharedInts& destinations) {
  SEGPP_UNROLL
  for (int row = 0; row < Products::kRows; ++row) {
    const auto best = best_of_neighbours<Products::kThreadsPerSource>(products.best[row]);
    if (threadIdx.x % Products::kThreadsPerSource == 0) {
      const int entry = Products::slice() * kTile + Products::source(row);
      similarities[entry] = best.similarity;
      destinations[entry] = best.destination;
    }
  }
  __syncthreads();
}

// tokens [B, N, C] -> candidates [B, splits, N], written for sources only; with kSelects also
// row_of_token. Grid: tiles of sources x splits x B.
template <typename Products, bool kVectorized, bool kSelects>
__global__ void __launch_bounds__(kMatchThreads, 3)
    match_kernel(MatchShape shape, const typename Products::Element* tokens,
                 PackedCandidate* candidates, SelectAtEnd end) {
  constexpr int kTileWords = 2 * kTile * Products::kWordsPerRow;
  SEGPP_SHARED(unsigned, tiles, 2 * kTileWords);  // one is filled while the other is multiplied
  SEGPP_SHARED(float, scale_of_destination, 2 * kTile);
  SEGPP_SHARED(float, scale_of_source, kTile);
  SEGPP_SHARED(float, similarities, Products::kWarpsPerSource* kTile);
  SEGPP_SHARED(int, destinations, Products::kWarpsPerSource* kTile);

  const TokenGrid& grid = shape.grid;
  const long long image = static_cast<long long>(blockIdx.z) * grid.num_tokens();
  const int first_source = static_cast<int>(blockIdx.x) * kTile;
  const int first_tile = static_cast<int>(blockIdx.y) * shape.tiles_per_split;
  const int last_tile =
      min(first_tile + shape.tiles_per_split, (grid.num_destinations() + kTile - 1) / kTile);

  using Rows = RowStream<typename Products::Element, kVectorized>;
  const int steps = (shape.channels + Rows::kElementsPerStep - 1) / Rows::kElementsPerStep;
  Rows rows(grid, shape.channels, tokens + image * shape.channels);
  rows.aim_at_sources(first_source);
  rows.aim_at_destinations(first_tile * kTile);
  simt::wait_for_prerequisites();  // all before it is arithmetic
  simt::allow_dependents();
  rows.fetch(0);

  Products products;
  for (Candidate& best : products.best) best = no_candidate();
  int parity = 0;
  for (int tile = first_tile; tile < last_tile; ++tile) {
    products.clear();
    for (int step = 0; step < steps; ++step, parity ^= 1) {
      const auto words = simt::slice(tiles, parity * kTileWords, kTileWords);
      const auto scales = simt::slice(scale_of_destination, parity * kTile, kTile);
      const bool is_last_step = step + 1 == steps;
      rows.store(words, Products::kWordsPerRow, tile == first_tile);
      if (is_last_step) rows.store_scales(scale_of_source, scales);
      if (!is_last_step) {
        rows.fetch(step + 1);
      } else if (tile + 1 < last_tile) {
        rows.aim_at_destinations((tile + 1) * kTile);
        rows.fetch(0);
      }
      // The one barrier of a step: the other half of `tiles` is not written again before the next.
      __syncthreads();
      products.add(words);
      if (is_last_step) products.update_best(scales, tile * kTile);
    }
  }

  share_best(products, similarities, destinations);
  const int row = static_cast<int>(threadIdx.x);
  const int source = first_source + row;
  const long long of_image = image * gridDim.y;
  if (row < kTile && source < grid.num_sources()) {
    Candidate best = {similarities[row], destinations[row]};
    for (int slice = 1; slice < Products::kWarpsPerSource; ++slice) {
      const int entry = slice * kTile + row;
      const Candidate other = {similarities[entry], destinations[entry]};
      if (beats(other, best)) best = other;
    }
    const long long split = static_cast<long long>(blockIdx.y) * grid.num_tokens();
    candidates[of_image + split + grid.source_token(source)] = pack_candidate(
        best.similarity * scale_of_source[row], grid.destination_token(best.destination));
  }
  if constexpr (kSelects) {
    SEGPP_SHARED(unsigned, is_last, 1);
    static_assert(kHeldWords<kMostTokensOfOneLaunch> <= 2 * kTileWords);
    unsigned* const arrived = arrivals + end.slot * kMostImagesOfOneLaunch + blockIdx.z;
    if (!is_last_block(arrived, gridDim.x * gridDim.y, is_last)) return;
    const SelectShape select = {grid, static_cast<int>(gridDim.y), end.num_removed};
    select_held<kMatchThreads, kMostTokensOfOneLaunch>(select, candidates + of_image,
                                                       end.row_of_token + image, tiles);
  }
}

}  // namespace segpp::detail
