// How blocks that merge wait in the same launch for the one that selects.
#pragma once

#include "../cuda/simt.h"
#include "match_launch.h"
#include "start_order.cuh"
#include "token_merge_rows.cuh"

namespace segpp::detail {

// The merge of a launch that also selects.
struct SelectedMerge {
  MergeShape shape;
  int num_blocks;              // that merge an image
  std::int32_t* row_of_token;  // [B, N]
  float* log_size;             // [B, M]
  int slot;
};

// Of each slot: how many launches and blocks have started.
static __device__ unsigned long long starts[kMatchSlots];
// Of each slot and image: the launch whose rows are there, counted from 1.
static __device__ unsigned long long selected[kMatchSlots * kMostImagesOfOneLaunch];

// For a whole block that has written the rows of an image.
__device__ __forceinline__ void tell_selection(const SelectedMerge& merge, int image,
                                               const Start& start) {
  __syncthreads();
  if (threadIdx.x > 0) return;
  simt::publish(selected + merge.slot * kMostImagesOfOneLaunch + image, start.launch + 1ull);
}

// For a whole block of kWarps, number `block` of those that merge: waits for the rows of its image
// and merges its share. `members` has a word for each token, `part_sums` kPartSums for each team.
template <int kWarps, typename T, bool kVectorized, typename SharedMembers, typename SharedSums>
__device__ __forceinline__ void merge_selected(const SelectedMerge& merge, int block,
                                               const Start& start, const T* tokens, T* merged,
                                               SharedMembers& members, SharedSums& part_sums) {
  const int image = block / merge.num_blocks;
  if (threadIdx.x == 0) {
    simt::wait_until(selected + merge.slot * kMostImagesOfOneLaunch + image, start.launch + 1ull);
  }
  __syncthreads();
  const volatile std::int32_t* const row_of_token = merge.row_of_token;
  merge_rows<kWarps, T, kVectorized, true, unsigned>(
      merge.shape, image, (block - image * merge.num_blocks) * merge.shape.rows_per_block, tokens,
      row_of_token, members, part_sums, merged, merge.log_size);
}

}  // namespace segpp::detail
