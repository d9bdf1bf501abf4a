// segpp::TokenMatchMerge: TokenMatch, and TokenMergeWithSize of the same tokens by its map.
#pragma once

#include "token_match.h"
#include "token_merge.h"

namespace segpp {

// Bytes of device memory that token_match_merge needs, aligned to 256; enough for smaller batches
// too. 0 for a problem that token_match_merge refuses.
std::size_t token_match_merge_workspace_size(const TokenMatchProblem& problem) noexcept;

// tokens [B, N, C] -> row_of_token [B, N], merged [B, M, C], log_size [B, M] float32, M = N -
// num_removed: the bits that token_match and token_merge_with_size give one after the other. With a
// slot and up to 8 images one launch for up to 2048 tokens, two for up to 4096; as many as theirs
// otherwise.
cudaError_t token_match_merge(const TokenMatchProblem& problem, DataType type, const void* tokens,
                              std::int32_t* row_of_token, void* merged, float* log_size,
                              void* workspace, int slot, cudaStream_t stream) noexcept;

}  // namespace segpp
