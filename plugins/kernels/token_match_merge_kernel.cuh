// Match, selection and merge of few tokens in one launch.
//
// The blocks that start first match, the others merge. The last one of an image to have matched
// selects, and tells those that merge its rows, which wait for that. They are there already, on
// GPUs with room for them: no launch lies between the selection and the means.
#pragma once

#include "../cuda/simt.h"
#include "last_block.cuh"
#include "match_launch.h"
#include "match_tile.cuh"
#include "selection.cuh"
#include "start_order.cuh"
#include "token_select_held.cuh"

namespace segpp::detail {

struct MatchMergeShape {
  MatchShape match;
  int num_match_tiles;  // of an image, with those of all splits
  int num_images;
  int num_removed;
};

// Of each slot and image: blocks that have left their candidates. Zero between launches.
static __device__ unsigned matched[kMatchSlots * kMostImagesOfOneLaunch];

// The work of a block that matches. Tiles of one image are neighbours.
__device__ __forceinline__ MatchTile match_tile_of(const MatchMergeShape& shape, unsigned number) {
  const int tiles = shape.num_match_tiles;
  const int image = static_cast<int>(number) / tiles;
  const int rest = static_cast<int>(number) - image * tiles;
  const int splits = shape.match.num_splits;
  return {rest / splits, rest % splits, image};
}

// tokens [B, N, C] -> row_of_token [B, N], merged [B, M, C], log n [B, M] of rows of n tokens; with
// candidates [B, splits, N] in between. Grid: all that match and all that merge.
template <typename Products, bool kVectorized>
__global__ void __launch_bounds__(kMatchThreads, 3)
    match_merge_kernel(MatchMergeShape shape, SelectedMerge merge,
                       const typename Products::Element* tokens, PackedCandidate* candidates,
                       typename Products::Element* merged) {
  using Element = typename Products::Element;
  constexpr int kSums = kPartSums<Element, kVectorized>;
  SEGPP_SHARED(unsigned, memory, kMatchWords<Products>);
  SEGPP_SHARED(unsigned, decision, 1);
  static_assert(kHeldWords<kMostTokensOfOneLaunch> <= kMatchWords<Products>);
  static_assert(kSums + kMostTokensOfOneLaunch <= kMatchWords<Products>);

  const auto num_matching = static_cast<unsigned>(shape.num_match_tiles * shape.num_images);
  // Blocks start in order nearly always: the first tokens are under way before the number is known.
  const unsigned guess = min(blockIdx.x, num_matching - 1u);
  auto rows = aim_at_tile<Products, kVectorized>(shape.match, match_tile_of(shape, guess), tokens);
  simt::wait_for_prerequisites();
  if (blockIdx.x < num_matching) rows.fetch(0);
  const Start start = count_start(starts + merge.slot, gridDim.x, decision);

  if (start.number >= num_matching) {
    const auto part_sums = simt::slice(memory, 0, kSums);
    const auto members = simt::slice(memory, kSums, kMostTokensOfOneLaunch);
    merge_selected<kMatchThreads / kWarpSize, Element, kVectorized>(
        merge, static_cast<int>(start.number - num_matching), start, tokens, merged, members,
        part_sums);
    return;
  }

  const MatchTile at = match_tile_of(shape, start.number);
  if (start.number != blockIdx.x) {
    rows = aim_at_tile<Products, kVectorized>(shape.match, at, tokens);
    rows.fetch(0);
  }
  const long long image = at.first_token(shape.match.grid);
  candidates += image * shape.match.num_splits;
  match_tile<Products>(shape.match, at, rows, memory, candidates);
  unsigned* const arrived = matched + merge.slot * kMostImagesOfOneLaunch + at.image;
  if (!is_last_block(arrived, static_cast<unsigned>(shape.num_match_tiles), decision)) return;
  const SelectShape select = {shape.match.grid, shape.match.num_splits, shape.num_removed};
  select_held<kMatchThreads, kMostTokensOfOneLaunch>(select, candidates, merge.row_of_token + image,
                                                     memory);
  tell_selection(merge, at.image, start);
}

}  // namespace segpp::detail
