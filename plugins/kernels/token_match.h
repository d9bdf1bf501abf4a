// segpp::TokenMatch: which row of the merged sequence each token goes to.
#pragma once

#include "types.h"

namespace segpp {

struct TokenMatchProblem {
  int batch;
  int grid_h;
  int grid_w;
  int channels;
  int stride_y;
  int stride_x;
  int num_removed;  // 1 .. number of sources
};

// A call with a slot may select in the launch that compares, counting blocks in memory of the
// library that belongs to the slot. Calls that may run at the same time on one GPU need different
// slots.
inline constexpr int kMatchSlots = 4096;
inline constexpr int kNoMatchSlot = -1;  // the selection is a launch of its own

// Bytes of device memory that token_match needs, aligned to 256; enough for smaller batches too.
// 0 for a problem that token_match refuses.
std::size_t token_match_workspace_size(const TokenMatchProblem& problem) noexcept;

// tokens [B, N, C], N = grid_h * grid_w -> row_of_token [B, N] int32 in [0, N - num_removed).
// Cosine similarity with float32 accumulation; the nearest destination, ties to the lowest one; the
// num_removed most similar sources merge, ties to the lowest token; tokens that stay are numbered
// in token order. A similarity that is NaN is less than any other. One launch with a slot, up to
// 2048 tokens and 8 images; two otherwise. The result is the same.
cudaError_t token_match(const TokenMatchProblem& problem, DataType type, const void* tokens,
                        std::int32_t* row_of_token, void* workspace, int slot,
                        cudaStream_t stream) noexcept;

}  // namespace segpp
