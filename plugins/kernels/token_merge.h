// segpp::TokenMerge: the mean of the tokens of each row; segpp::TokenMergeWithSize: also the
// logarithm of how many they are.
#pragma once

#include "types.h"

namespace segpp {

struct TokenMergeProblem {
  int batch;
  int num_tokens;
  int num_rows;
  int channels;
};

// Bytes of device memory that either op needs, aligned to 256; grows with the batch. 0 where none
// is needed, as for up to 8192 tokens, which are merged in one launch; and for a problem that they
// refuse.
std::size_t token_merge_workspace_size(const TokenMergeProblem& problem) noexcept;

// tokens [B, N, C], row_of_token [B, N] int32 in [0, M) -> merged [B, M, C], summed in float32 in
// an order that depends on row_of_token alone. Values of row_of_token outside [0, M) are ignored; a
// row that no token goes to is zero.
cudaError_t token_merge(const TokenMergeProblem& problem, DataType type, const void* tokens,
                        const std::int32_t* row_of_token, void* merged, void* workspace,
                        cudaStream_t stream) noexcept;

// The same in as many launches, with log_size [B, M] float32: the logarithm of the number of
// tokens, -infinity for a row that no token goes to.
cudaError_t token_merge_with_size(const TokenMergeProblem& problem, DataType type,
                                  const void* tokens, const std::int32_t* row_of_token,
                                  void* merged, float* log_size, void* workspace,
                                  cudaStream_t stream) noexcept;

}  // namespace segpp
