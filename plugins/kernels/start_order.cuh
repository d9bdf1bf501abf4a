// Blocks numbered in the order in which they start, so that one may wait for another.
//
// CUDA does not say in which order it starts the blocks of a grid, nor that all have room at once.
// A block may therefore wait only for blocks that have started: those run to their end whatever
// waits beside them. Their numbers here come from one counter, so a block waits for lower numbers.
#pragma once

#include "../cuda/simt.h"

namespace segpp::detail {

inline constexpr int kStartBits = 20;  // of a counter: how many blocks have started

struct Start {
  unsigned number;            // of the block in its launch
  unsigned long long launch;  // how many launches came before at this counter; known to thread 0
};

// For a whole block, once. A launch at the same counter comes after this one has ended; so the
// block that starts last leaves the counter at the next launch's first block.
template <typename Shared>
__device__ __forceinline__ Start count_start(unsigned long long* counter, unsigned num_blocks,
                                             Shared& number) {
  Start start = {0, 0};
  if (threadIdx.x == 0) {
    const unsigned long long before = atomicAdd(counter, 1ull);
    start.launch = before >> kStartBits;
    start.number = static_cast<unsigned>(before) & ((1u << kStartBits) - 1u);
    number[0] = start.number;
    if (start.number + 1u == num_blocks) *counter = (start.launch + 1ull) << kStartBits;
  }
  __syncthreads();
  start.number = number[0];
  return start;
}

}  // namespace segpp::detail
