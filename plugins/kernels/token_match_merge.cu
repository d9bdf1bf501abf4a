#include <algorithm>

#include "launch.h"
#include "match_launch.h"
#include "merge_launch.h"
#include "token_match_merge.h"
#include "token_match_merge_kernel.cuh"

namespace segpp {
namespace {

using detail::PackedCandidate;

struct Tensors {
  const void* tokens;
  std::int32_t* row_of_token;
  void* merged;
  float* log_size;
};

TokenMergeProblem merge_problem(const TokenMatchProblem& problem) noexcept {
  const int num_tokens = problem.grid_h * problem.grid_w;
  return {problem.batch, num_tokens, num_tokens - problem.num_removed, problem.channels};
}

template <typename Products, bool kVectorized>
cudaError_t launch(const TokenMatchProblem& problem, const Tensors& tensors,
                   PackedCandidate* candidates, int slot, cudaStream_t stream) {
  using Element = typename Products::Element;
  const detail::MatchBlocks blocks = detail::divide_match(problem, detail::kMaxSplitsOfOneLaunch);
  const detail::MatchShape match = {detail::grid_of(problem), problem.channels, blocks.splits,
                                    blocks.tiles_per_split};
  const TokenMergeProblem merging = merge_problem(problem);
  const detail::MergeShape merge = detail::divide_merge<Element, kVectorized>(merging);
  const detail::MatchMergeShape shape = {match, blocks.tiles * blocks.splits, merge,
                                         detail::divide_up(merging.num_rows, merge.rows_per_block),
                                         problem.batch};
  const dim3 grid((shape.num_match_tiles + shape.num_merge_blocks) * problem.batch);
  const detail::MatchMergeOutputs outputs = {tensors.row_of_token, tensors.log_size};
  return SEGPP_LAUNCH((detail::match_merge_kernel<Products, kVectorized>), grid,
                      dim3(detail::kMatchThreads), stream, shape,
                      static_cast<const Element*>(tensors.tokens), candidates,
                      static_cast<Element*>(tensors.merged), outputs, slot);
}

template <typename Products>
cudaError_t launch(const TokenMatchProblem& problem, DataType type, const Tensors& tensors,
                   void* workspace, int slot, cudaStream_t stream) {
  auto* candidates = static_cast<PackedCandidate*>(workspace);
  return detail::can_vectorize(type, problem.channels, tensors.tokens, tensors.merged)
             ? launch<Products, true>(problem, tensors, candidates, slot, stream)
             : launch<Products, false>(problem, tensors, candidates, slot, stream);
}

}  // namespace

std::size_t token_match_merge_workspace_size(const TokenMatchProblem& problem) noexcept {
  const std::size_t of_match = token_match_workspace_size(problem);
  if (of_match == 0 || !detail::is_valid_merge(merge_problem(problem))) return 0;
  return std::max(of_match, token_merge_workspace_size(merge_problem(problem)));
}

cudaError_t token_match_merge(const TokenMatchProblem& problem, DataType type, const void* tokens,
                              std::int32_t* row_of_token, void* merged, float* log_size,
                              void* workspace, int slot, cudaStream_t stream) noexcept {
  if (token_match_merge_workspace_size(problem) == 0 || !detail::is_known(type) ||
      tokens == nullptr || row_of_token == nullptr || merged == nullptr || log_size == nullptr ||
      workspace == nullptr || slot < kNoMatchSlot || slot >= kMatchSlots) {
    return cudaErrorInvalidValue;
  }
  if (detail::selects_at_end(problem, slot)) {
    const Tensors tensors = {tokens, row_of_token, merged, log_size};
    return type == DataType::kFloat16
               ? launch<detail::HalfProducts>(problem, type, tensors, workspace, slot, stream)
               : launch<detail::FloatProducts>(problem, type, tensors, workspace, slot, stream);
  }
  const cudaError_t status =
      token_match(problem, type, tokens, row_of_token, workspace, slot, stream);
  if (status != cudaSuccess) return status;
  return token_merge_with_size(merge_problem(problem), type, tokens, row_of_token, merged, log_size,
                               workspace, stream);
}

}  // namespace segpp
