// The selection and the merge of some thousand tokens in one launch, behind a match.
//
// The block of an image that starts first selects; the others merge and wait for that.
#pragma once

#include "../cuda/simt.h"
#include "selection.cuh"
#include "start_order.cuh"
#include "token_select_held.cuh"

namespace segpp::detail {

// A selection wants many threads, which share the merge as two teams.
inline constexpr int kSelectMergeThreads = 512;
inline constexpr int kMostTokensOfSelectMerge = 4096;

// tokens [B, N, C], candidates [B, splits, N] -> row_of_token [B, N], merged [B, M, C], log n [B,
// M] of rows of n tokens. Grid: a block for each image, and all that merge.
template <typename T, bool kVectorized>
__global__ void __launch_bounds__(kSelectMergeThreads, 2)
    select_merge_kernel(SelectShape shape, SelectedMerge merge, int num_images, const T* tokens,
                        const PackedCandidate* candidates, T* merged) {
  constexpr int kWarps = kSelectMergeThreads / kWarpSize;
  constexpr int kSums = kTeams<kWarps> * kPartSums<T, kVectorized>;
  constexpr int kSelectWords = kHeldWords<kMostTokensOfSelectMerge>;
  constexpr int kMergeWords = kSums + kMostTokensOfSelectMerge;
  SEGPP_SHARED(unsigned, memory, kSelectWords > kMergeWords ? kSelectWords : kMergeWords);
  SEGPP_SHARED(unsigned, decision, 1);

  simt::wait_for_prerequisites();
  const Start start = count_start(starts + merge.slot, gridDim.x, decision);
  const int number = static_cast<int>(start.number);
  if (number < num_images) {
    const long long image = static_cast<long long>(number) * shape.grid.num_tokens();
    select_held<kSelectMergeThreads, kMostTokensOfSelectMerge>(
        shape, candidates + image * shape.num_splits, merge.row_of_token + image, memory);
    tell_selection(merge, number, start);
    return;
  }
  const auto part_sums = simt::slice(memory, 0, kSums);
  const auto members = simt::slice(memory, kSums, kMostTokensOfSelectMerge);
  merge_selected<kWarps, T, kVectorized>(merge, number - num_images, start, tokens, merged, members,
                                         part_sums);
}

}  // namespace segpp::detail
