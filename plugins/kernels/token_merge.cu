#include "launch.h"
#include "token_mean_kernel.cuh"
#include "token_merge.h"
#include "token_sort_kernel.cuh"

namespace segpp {
namespace {

using detail::SortedTokens;

bool is_valid(const TokenMergeProblem& problem) noexcept {
  return detail::is_batch(problem.batch) && detail::is_count(problem.num_tokens) &&
         detail::is_count(problem.num_rows) && detail::is_count(problem.channels) &&
         detail::is_count(std::int64_t{problem.num_rows} * problem.channels);
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

template <typename T, bool kVectorized>
cudaError_t launch_mean(const TokenMergeProblem& problem, const void* tokens,
                        const SortedTokens& sorted, void* merged, cudaStream_t stream) {
  const int units =
      problem.num_rows * (problem.channels / detail::kElementsPerUnit<T, kVectorized>);
  const dim3 grid(detail::divide_up(units, detail::kWarpSize), problem.batch);
  const detail::MeanShape shape = {problem.num_tokens, problem.num_rows, problem.channels};
  return SEGPP_LAUNCH((detail::mean_kernel<T, kVectorized>), grid, dim3(detail::kMeanThreads),
                      stream, shape, static_cast<const T*>(tokens), sorted.tokens,
                      sorted.start_of_row, static_cast<T*>(merged));
}

template <typename T>
cudaError_t launch_mean(const TokenMergeProblem& problem, DataType type, const void* tokens,
                        const SortedTokens& sorted, void* merged, cudaStream_t stream) {
  return detail::can_vectorize(type, problem.channels, tokens, merged)
             ? launch_mean<T, true>(problem, tokens, sorted, merged, stream)
             : launch_mean<T, false>(problem, tokens, sorted, merged, stream);
}

}  // namespace

std::size_t token_merge_workspace_size(const TokenMergeProblem& problem) noexcept {
  return is_valid(problem) ? token_bytes(problem) + start_bytes(problem) : 0;
}

cudaError_t token_merge(const TokenMergeProblem& problem, DataType type, const void* tokens,
                        const std::int32_t* row_of_token, void* merged, void* workspace,
                        cudaStream_t stream) noexcept {
  if (!is_valid(problem) || !detail::is_known(type) || tokens == nullptr ||
      row_of_token == nullptr || merged == nullptr || workspace == nullptr) {
    return cudaErrorInvalidValue;
  }
  const SortedTokens sorted = divide_workspace(problem, workspace);
  const cudaError_t status = launch_sort(problem, row_of_token, sorted, stream);
  if (status != cudaSuccess) return status;
  return type == DataType::kFloat16
             ? launch_mean<__half>(problem, type, tokens, sorted, merged, stream)
             : launch_mean<float>(problem, type, tokens, sorted, merged, stream);
}

}  // namespace segpp
