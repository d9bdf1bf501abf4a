#include "kernels.h"

namespace {

segpp::DataType data_type(int type) noexcept { return static_cast<segpp::DataType>(type); }

}  // namespace

std::size_t segpp_token_match_workspace_size(const segpp::TokenMatchProblem* problem) noexcept {
  return segpp::token_match_workspace_size(*problem);
}

int segpp_token_match(const segpp::TokenMatchProblem* problem, int type, const void* tokens,
                      std::int32_t* row_of_token, void* workspace, int slot,
                      cudaStream_t stream) noexcept {
  return segpp::token_match(*problem, data_type(type), tokens, row_of_token, workspace, slot,
                            stream);
}

std::size_t segpp_token_match_merge_workspace_size(
    const segpp::TokenMatchProblem* problem) noexcept {
  return segpp::token_match_merge_workspace_size(*problem);
}

int segpp_token_match_merge(const segpp::TokenMatchProblem* problem, int type, const void* tokens,
                            std::int32_t* row_of_token, void* merged, float* log_size,
                            void* workspace, int slot, cudaStream_t stream) noexcept {
  return segpp::token_match_merge(*problem, data_type(type), tokens, row_of_token, merged, log_size,
                                  workspace, slot, stream);
}

std::size_t segpp_token_merge_workspace_size(const segpp::TokenMergeProblem* problem) noexcept {
  return segpp::token_merge_workspace_size(*problem);
}

int segpp_token_merge(const segpp::TokenMergeProblem* problem, int type, const void* tokens,
                      const std::int32_t* row_of_token, void* merged, void* workspace,
                      cudaStream_t stream) noexcept {
  return segpp::token_merge(*problem, data_type(type), tokens, row_of_token, merged, workspace,
                            stream);
}

std::size_t segpp_token_merge_with_size_workspace_size(
    const segpp::TokenMergeProblem* problem) noexcept {
  return segpp::token_merge_workspace_size(*problem);
}

int segpp_token_merge_with_size(const segpp::TokenMergeProblem* problem, int type,
                                const void* tokens, const std::int32_t* row_of_token, void* merged,
                                float* log_size, void* workspace, cudaStream_t stream) noexcept {
  return segpp::token_merge_with_size(*problem, data_type(type), tokens, row_of_token, merged,
                                      log_size, workspace, stream);
}

int segpp_token_unmerge(const segpp::TokenUnmergeProblem* problem, int type, const void* rows,
                        const std::int32_t* row_of_token, const void* residual, void* restored,
                        cudaStream_t stream) noexcept {
  return segpp::token_unmerge(*problem, data_type(type), rows, row_of_token, residual, restored,
                              stream);
}

int segpp_upsample_argmax(const segpp::UpsampleArgmaxProblem* problem, int type, const void* logits,
                          int label_type, void* labels, cudaStream_t stream) noexcept {
  return segpp::upsample_argmax(*problem, data_type(type), logits,
                                static_cast<segpp::LabelType>(label_type), labels, stream);
}
