// segpp::TokenUnmerge: every token takes the value of its row, plus an optional residual.
#pragma once

#include "types.h"

namespace segpp {

struct TokenUnmergeProblem {
  int batch;
  int num_tokens;
  int num_rows;
  int channels;
};

// rows [B, M, C], row_of_token [B, N] int32, residual [B, N, C] or null -> restored [B, N, C].
// Values of row_of_token outside [0, M) read as zero rows.
cudaError_t token_unmerge(const TokenUnmergeProblem& problem, DataType type, const void* rows,
                          const std::int32_t* row_of_token, const void* residual, void* restored,
                          cudaStream_t stream) noexcept;

}  // namespace segpp
