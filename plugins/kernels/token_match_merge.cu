#include <algorithm>

#include "launch.h"
#include "match_launch.h"
#include "merge_launch.h"
#include "token_match_merge.h"
#include "token_match_merge_kernel.cuh"
#include "token_select_merge_kernel.cuh"

namespace segpp {
namespace {

using detail::PackedCandidate;
using detail::SelectedMerge;

struct Call {
  const TokenMatchProblem& problem;
  DataType type;
  const void* tokens;
  std::int32_t* row_of_token;
  void* merged;
  float* log_size;
  PackedCandidate* candidates;
  int slot;
  cudaStream_t stream;
};

TokenMergeProblem merge_problem(const TokenMatchProblem& problem) noexcept {
  const int num_tokens = problem.grid_h * problem.grid_w;
  return {problem.batch, num_tokens, num_tokens - problem.num_removed, problem.channels};
}

template <typename T, bool kVectorized, int kThreads>
SelectedMerge divide(const Call& call) {
  constexpr int kTeams = detail::kTeams<kThreads / detail::kWarpSize>;
  const TokenMergeProblem merging = merge_problem(call.problem);
  const detail::MergeShape shape = detail::divide_merge<T, kVectorized, kTeams>(merging);
  return {shape, detail::divide_up(merging.num_rows, shape.rows_per_block), call.row_of_token,
          call.log_size, call.slot};
}

// All in one launch.
struct MatchMerge {
  template <typename Products, bool kVectorized>
  static cudaError_t launch(const Call& call) {
    using Element = typename Products::Element;
    const TokenMatchProblem& problem = call.problem;
    const auto blocks = detail::divide_match(problem, detail::kMaxSplitsOfOneLaunch);
    const detail::MatchMergeShape shape = {
        {detail::grid_of(problem), problem.channels, blocks.splits, blocks.tiles_per_split},
        blocks.tiles * blocks.splits,
        problem.batch,
        problem.num_removed};
    const auto merge = divide<Element, kVectorized, detail::kMatchThreads>(call);
    const dim3 grid((shape.num_match_tiles + merge.num_blocks) * problem.batch);
    return SEGPP_LAUNCH((detail::match_merge_kernel<Products, kVectorized>), grid,
                        dim3(detail::kMatchThreads), call.stream, shape, merge,
                        static_cast<const Element*>(call.tokens), call.candidates,
                        static_cast<Element*>(call.merged));
  }
};

// All but the match, which was the launch before.
struct SelectMerge {
  template <typename Products, bool kVectorized>
  static cudaError_t launch(const Call& call) {
    using Element = typename Products::Element;
    const TokenMatchProblem& problem = call.problem;
    const auto blocks = detail::divide_match(problem, detail::kMaxSplits);
    const detail::SelectShape shape = {detail::grid_of(problem), blocks.splits,
                                       problem.num_removed};
    const auto merge = divide<Element, kVectorized, detail::kSelectMergeThreads>(call);
    const dim3 grid((1 + merge.num_blocks) * problem.batch);
    return SEGPP_LAUNCH((detail::select_merge_kernel<Element, kVectorized>), grid,
                        dim3(detail::kSelectMergeThreads), call.stream, shape, merge, problem.batch,
                        static_cast<const Element*>(call.tokens), call.candidates,
                        static_cast<Element*>(call.merged));
  }
};

template <typename Kernel, typename Products>
cudaError_t launch(const Call& call) {
  return detail::can_vectorize(call.type, call.problem.channels, call.tokens, call.merged)
             ? Kernel::template launch<Products, true>(call)
             : Kernel::template launch<Products, false>(call);
}

template <typename Kernel>
cudaError_t launch(const Call& call) {
  return call.type == DataType::kFloat16 ? launch<Kernel, detail::HalfProducts>(call)
                                         : launch<Kernel, detail::FloatProducts>(call);
}

bool is_one_selection_and_merge(const TokenMatchProblem& problem, int slot) noexcept {
  return detail::has_counters(problem, slot) &&
         problem.grid_h * problem.grid_w <= detail::kMostTokensOfSelectMerge;
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
  const Call call = {problem,
                     type,
                     tokens,
                     row_of_token,
                     merged,
                     log_size,
                     static_cast<PackedCandidate*>(workspace),
                     slot,
                     stream};
  if (detail::selects_at_end(problem, slot)) return launch<MatchMerge>(call);
  const bool is_joined = is_one_selection_and_merge(problem, slot);
  const cudaError_t status =
      is_joined ? detail::find_candidates(problem, type, tokens, call.candidates, stream)
                : token_match(problem, type, tokens, row_of_token, workspace, slot, stream);
  if (status != cudaSuccess) return status;
  if (is_joined) return launch<SelectMerge>(call);
  return token_merge_with_size(merge_problem(problem), type, tokens, row_of_token, merged, log_size,
                               workspace, stream);
}

}  // namespace segpp
