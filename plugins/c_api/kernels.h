// The kernels behind a C interface: raw pointers and a stream, neither TensorRT nor PyTorch.
//
// Python loads it with ctypes: on a GPU, where nvcc compiled it, and in the host build, where
// pointers are of the host and the stream is ignored. Functions return a cudaError_t.
#pragma once

#include "../kernels/token_match.h"
#include "../kernels/token_match_merge.h"
#include "../kernels/token_merge.h"
#include "../kernels/token_unmerge.h"
#include "../kernels/upsample_argmax.h"

#define SEGPP_API extern "C" __attribute__((visibility("default")))

SEGPP_API std::size_t segpp_token_match_workspace_size(
    const segpp::TokenMatchProblem* problem) noexcept;
SEGPP_API int segpp_token_match(const segpp::TokenMatchProblem* problem, int type,
                                const void* tokens, std::int32_t* row_of_token, void* workspace,
                                int slot, cudaStream_t stream) noexcept;

SEGPP_API std::size_t segpp_token_match_merge_workspace_size(
    const segpp::TokenMatchProblem* problem) noexcept;
SEGPP_API int segpp_token_match_merge(const segpp::TokenMatchProblem* problem, int type,
                                      const void* tokens, std::int32_t* row_of_token, void* merged,
                                      float* log_size, void* workspace, int slot,
                                      cudaStream_t stream) noexcept;

SEGPP_API std::size_t segpp_token_merge_workspace_size(
    const segpp::TokenMergeProblem* problem) noexcept;
SEGPP_API int segpp_token_merge(const segpp::TokenMergeProblem* problem, int type,
                                const void* tokens, const std::int32_t* row_of_token, void* merged,
                                void* workspace, cudaStream_t stream) noexcept;

SEGPP_API std::size_t segpp_token_merge_with_size_workspace_size(
    const segpp::TokenMergeProblem* problem) noexcept;
SEGPP_API int segpp_token_merge_with_size(const segpp::TokenMergeProblem* problem, int type,
                                          const void* tokens, const std::int32_t* row_of_token,
                                          void* merged, float* log_size, void* workspace,
                                          cudaStream_t stream) noexcept;

SEGPP_API int segpp_token_unmerge(const segpp::TokenUnmergeProblem* problem, int type,
                                  const void* rows, const std::int32_t* row_of_token,
                                  const void* residual, void* restored,
                                  cudaStream_t stream) noexcept;

SEGPP_API int segpp_upsample_argmax(const segpp::UpsampleArgmaxProblem* problem, int type,
                                    const void* logits, int label_type, void* labels,
                                    cudaStream_t stream) noexcept;
