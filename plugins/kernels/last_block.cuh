// The last block of a launch to come to a place: what the others wrote before is there for it.
#pragma once

#include "../cuda/simt.h"

namespace segpp::detail {

// Whether all other blocks, of `num_blocks`, have been here; the same in all threads. `arrived` is
// zero before the launch and again after it.
//
// As in CUDA's own barrier of a grid: the first barrier puts the writes of all threads before the
// fence of thread 0, and that fence puts them before the count, for the whole GPU. The second fence
// puts the count before all that the last block reads. It must read what others wrote by volatile
// loads, which no L1 cache answers.
template <typename Shared>
__device__ __forceinline__ bool is_last_block(unsigned* arrived, unsigned num_blocks,
                                              Shared& is_last) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    is_last[0] = atomicAdd(arrived, 1u) + 1u == num_blocks ? 1u : 0u;
    __threadfence();
  }
  __syncthreads();
  const unsigned result = is_last[0];
  if (result == 0u) return false;
  if (threadIdx.x == 0) *arrived = 0u;  // no block is left to count; the next launch comes later
  return true;
}

}  // namespace segpp::detail
