// The match: the most similar destination of every source, and of few tokens also the selection.
//
// The last block of an image to end selects what merges, where a launch for that alone takes longer
// than the work of one small block.
#pragma once

#include "../cuda/simt.h"
#include "last_block.cuh"
#include "match_launch.h"
#include "match_tile.cuh"
#include "token_select_held.cuh"

namespace segpp::detail {

// What the last block of an image selects with.
struct SelectAtEnd {
  int slot;
  int num_removed;
  std::int32_t* row_of_token;  // [B, N]
};

// How many blocks of each image have left their candidates, for each slot. Zero between launches.
static __device__ unsigned arrivals[kMatchSlots * kMostImagesOfOneLaunch];

// tokens [B, N, C] -> candidates [B, splits, N], written for sources only; with kSelects also
// row_of_token. Grid: tiles of sources x splits x B.
template <typename Products, bool kVectorized, bool kSelects>
__global__ void __launch_bounds__(kMatchThreads, 3)
    match_kernel(MatchShape shape, const typename Products::Element* tokens,
                 PackedCandidate* candidates, SelectAtEnd end) {
  SEGPP_SHARED(unsigned, memory, kMatchWords<Products>);

  const MatchTile at = {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y),
                        static_cast<int>(blockIdx.z)};
  const long long image = at.first_token(shape.grid);
  candidates += image * shape.num_splits;
  auto rows = aim_at_tile<Products, kVectorized>(shape, at, tokens);
  simt::wait_for_prerequisites();  // all before it is arithmetic
  simt::allow_dependents();
  rows.fetch(0);
  match_tile<Products>(shape, at, rows, memory, candidates);
  if constexpr (kSelects) {
    SEGPP_SHARED(unsigned, is_last, 1);
    static_assert(kHeldWords<kMostTokensOfOneLaunch> <= kMatchWords<Products>);
    unsigned* const arrived = arrivals + end.slot * kMostImagesOfOneLaunch + at.image;
    if (!is_last_block(arrived, gridDim.x * gridDim.y, is_last)) return;
    const SelectShape select = {shape.grid, shape.num_splits, end.num_removed};
    select_held<kMatchThreads, kMostTokensOfOneLaunch>(select, candidates, end.row_of_token + image,
                                                       memory);
  }
}

}  // namespace segpp::detail
