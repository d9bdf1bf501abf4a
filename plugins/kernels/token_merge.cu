#include "launch.h"
#include "merge_launch.h"
#include "token_mean_kernel.cuh"
#include "token_merge.h"
#include "token_merge_kernel.cuh"
#include "token_sort_kernel.cuh"

namespace segpp {
namespace {

using detail::MeanShape;
using detail::SortedTokens;

// Whether a block can list the tokens of its rows by itself.
bool is_one_launch(const TokenMergeProblem& problem) noexcept {
  return problem.num_tokens <= detail::kMostListedTokens;
}

std::size_t token_bytes(const TokenMergeProblem& problem) noexcept {
  return detail::align_workspace(std::size_t{sizeof(int)} * problem.batch * problem.num_tokens);
}

std::size_t start_bytes(const TokenMergeProblem& problem) noexcept {
  return detail::align_workspace(sizeof(int) * problem.batch * (std::size_t{1} + problem.num_rows));
}

SortedTokens divide_workspace(const TokenMergeProblem& problem, void* workspace) noexcept {
  auto* bytes = static_cast<char*>(workspace);
  return {reinterpret_cast<int*>(bytes), reinterpret_cast<int*>(bytes + token_bytes(problem))};
}

cudaError_t launch_sort(const TokenMergeProblem& problem, const std::int32_t* row_of_token,
                        const SortedTokens& sorted, cudaStream_t stream) {
  const dim3 grid(detail::divide_up(problem.num_rows + 1, detail::kRowsPerBlock), problem.batch);
  const detail::SortShape shape = {problem.num_tokens, problem.num_rows};
  return SEGPP_LAUNCH(detail::sort_kernel, grid, dim3(detail::kSortThreads), stream, shape,
                      row_of_token, sorted);
}

struct Tensors {
  const void* tokens;
  const std::int32_t* row_of_token;
  void* merged;
  float* log_size;  // null: not asked for
};

template <typename T, bool kVectorized, bool kHasSize>
cudaError_t launch_merge(const TokenMergeProblem& problem, const Tensors& tensors,
                         cudaStream_t stream) {
  const detail::MergeShape shape = detail::divide_merge<T, kVectorized>(problem);
  const dim3 grid(detail::divide_up(problem.num_rows, shape.rows_per_block), problem.batch);
  return SEGPP_LAUNCH((detail::merge_kernel<T, kVectorized, kHasSize>), grid,
                      dim3(detail::kMeanThreads), stream, shape,
                      static_cast<const T*>(tensors.tokens), tensors.row_of_token,
                      static_cast<T*>(tensors.merged), tensors.log_size);
}

template <typename T, bool kVectorized, bool kHasSize>
cudaError_t launch_mean(const TokenMergeProblem& problem, const Tensors& tensors,
                        const SortedTokens& sorted, cudaStream_t stream) {
  const int units =
      problem.num_rows * (problem.channels / detail::kElementsPerUnit<T, kVectorized>);
  const dim3 grid(detail::divide_up(units, detail::kWarpSize), problem.batch);
  const MeanShape shape = {problem.num_tokens, problem.num_rows, problem.channels};
  return SEGPP_LAUNCH((detail::mean_kernel<T, kVectorized, kHasSize>), grid,
                      dim3(detail::kMeanThreads), stream, shape,
                      static_cast<const T*>(tensors.tokens), sorted.tokens, sorted.start_of_row,
                      static_cast<T*>(tensors.merged), tensors.log_size);
}

template <typename T, bool kVectorized, bool kHasSize>
cudaError_t launch(const TokenMergeProblem& problem, const Tensors& tensors, void* workspace,
                   cudaStream_t stream) {
  if (is_one_launch(problem)) {
    return launch_merge<T, kVectorized, kHasSize>(problem, tensors, stream);
  }
  const SortedTokens sorted = divide_workspace(problem, workspace);
  const cudaError_t status = launch_sort(problem, tensors.row_of_token, sorted, stream);
  if (status != cudaSuccess) return status;
  return launch_mean<T, kVectorized, kHasSize>(problem, tensors, sorted, stream);
}

template <typename T, bool kVectorized>
cudaError_t launch(const TokenMergeProblem& problem, const Tensors& tensors, void* workspace,
                   cudaStream_t stream) {
  return tensors.log_size != nullptr
             ? launch<T, kVectorized, true>(problem, tensors, workspace, stream)
             : launch<T, kVectorized, false>(problem, tensors, workspace, stream);
}

template <typename T>
cudaError_t launch(const TokenMergeProblem& problem, DataType type, const Tensors& tensors,
                   void* workspace, cudaStream_t stream) {
  return detail::can_vectorize(type, problem.channels, tensors.tokens, tensors.merged)
             ? launch<T, true>(problem, tensors, workspace, stream)
             : launch<T, false>(problem, tensors, workspace, stream);
}

cudaError_t merge(const TokenMergeProblem& problem, DataType type, const Tensors& tensors,
                  void* workspace, cudaStream_t stream) {
  if (!detail::is_valid_merge(problem) || !detail::is_known(type) || tensors.tokens == nullptr ||
      tensors.row_of_token == nullptr || tensors.merged == nullptr ||
      (workspace == nullptr && !is_one_launch(problem))) {
    return cudaErrorInvalidValue;
  }
  return type == DataType::kFloat16 ? launch<__half>(problem, type, tensors, workspace, stream)
                                    : launch<float>(problem, type, tensors, workspace, stream);
}

}  // namespace

std::size_t token_merge_workspace_size(const TokenMergeProblem& problem) noexcept {
  if (!detail::is_valid_merge(problem) || is_one_launch(problem)) return 0;
  return token_bytes(problem) + start_bytes(problem);
}

cudaError_t token_merge(const TokenMergeProblem& problem, DataType type, const void* tokens,
                        const std::int32_t* row_of_token, void* merged, void* workspace,
                        cudaStream_t stream) noexcept {
  return merge(problem, type, {tokens, row_of_token, merged, nullptr}, workspace, stream);
}

cudaError_t token_merge_with_size(const TokenMergeProblem& problem, DataType type,
                                  const void* tokens, const std::int32_t* row_of_token,
                                  void* merged, float* log_size, void* workspace,
                                  cudaStream_t stream) noexcept {
  if (log_size == nullptr) return cudaErrorInvalidValue;
  return merge(problem, type, {tokens, row_of_token, merged, log_size}, workspace, stream);
}

}  // namespace segpp
