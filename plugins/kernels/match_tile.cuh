// What a block of the match computes: the most similar destination of each source of a tile.
//
// A block takes 64 sources and walks over tiles of 64 destinations. The products stay in registers
// and so does the best one so far: no score is written to memory. Few sources would leave a large
// GPU idle (3840 of them at 1024x1024 in stage 3 make 60 blocks), so destinations are also split
// over blocks.
#pragma once

#include "../cuda/simt.h"
#include "match_candidate.cuh"
#include "match_products_fp16.cuh"
#include "match_products_fp32.cuh"
#include "match_rows.cuh"
#include "token_grid.cuh"

namespace segpp::detail {

struct MatchShape {
  TokenGrid grid;
  int channels;
  int num_splits;       // of the destinations
  int tiles_per_split;  // of destinations
};

struct MatchTile {
  int tile;  // of sources
  int split;
  int image;

  __device__ long long first_token(const TokenGrid& grid) const {
    return static_cast<long long>(image) * grid.num_tokens();
  }
};

// Of shared memory: one tile is filled while the other is multiplied.
template <typename Products>
inline constexpr int kTileWords = 2 * kTile * Products::kWordsPerRow;
template <typename Products>
inline constexpr int kMatchWords = 2 * kTileWords<Products>;

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

// The tokens of a tile, aimed at; none is read yet.
template <typename Products, bool kVectorized>
__device__ __forceinline__ RowStream<typename Products::Element, kVectorized> aim_at_tile(
    const MatchShape& shape, const MatchTile& at, const typename Products::Element* tokens) {
  RowStream<typename Products::Element, kVectorized> rows(
      shape.grid, shape.channels, tokens + at.first_token(shape.grid) * shape.channels);
  rows.aim_at_sources(at.tile * kTile);
  rows.aim_at_destinations(at.split * shape.tiles_per_split * kTile);
  return rows;
}

// For a whole block whose `rows` are aimed at the tile, and fetch step 0: candidates [splits, N] of
// its image, written for the sources of the tile. `tiles` has kMatchWords.
template <typename Products, typename Rows, typename Shared>
__device__ __forceinline__ void match_tile(const MatchShape& shape, const MatchTile& at, Rows& rows,
                                           Shared& tiles, PackedCandidate* candidates) {
  SEGPP_SHARED(float, scale_of_destination, 2 * kTile);
  SEGPP_SHARED(float, scale_of_source, kTile);
  SEGPP_SHARED(float, similarities, Products::kWarpsPerSource* kTile);
  SEGPP_SHARED(int, destinations, Products::kWarpsPerSource* kTile);

  const TokenGrid& grid = shape.grid;
  const int first_tile = at.split * shape.tiles_per_split;
  const int last_tile =
      min(first_tile + shape.tiles_per_split, (grid.num_destinations() + kTile - 1) / kTile);
  const int steps = (shape.channels + Rows::kElementsPerStep - 1) / Rows::kElementsPerStep;

  Products products;
  for (Candidate& best : products.best) best = no_candidate();
  int parity = 0;
  for (int tile = first_tile; tile < last_tile; ++tile) {
    products.clear();
    for (int step = 0; step < steps; ++step, parity ^= 1) {
      const auto words = simt::slice(tiles, parity * kTileWords<Products>, kTileWords<Products>);
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
  const int source = at.tile * kTile + row;
  if (row < kTile && source < grid.num_sources()) {
    Candidate best = {similarities[row], destinations[row]};
    for (int slice = 1; slice < Products::kWarpsPerSource; ++slice) {
      const int entry = slice * kTile + row;
      const Candidate other = {similarities[entry], destinations[entry]};
      if (beats(other, best)) best = other;
    }
    const long long split = static_cast<long long>(at.split) * grid.num_tokens();
    candidates[split + grid.source_token(source)] = pack_candidate(
        best.similarity * scale_of_source[row], grid.destination_token(best.destination));
  }
}

}  // namespace segpp::detail
