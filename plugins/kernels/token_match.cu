#include <algorithm>

#include "launch.h"
#include "match_launch.h"
#include "token_match.h"
#include "token_match_kernel.cuh"
#include "token_select_kernel.cuh"

namespace segpp {
namespace {

using detail::MatchShape;
using detail::PackedCandidate;
using detail::TokenGrid;

bool is_valid(const TokenMatchProblem& problem) noexcept {
  const std::int64_t num_tokens = std::int64_t{problem.grid_h} * problem.grid_w;
  if (!detail::is_batch(problem.batch) || !detail::is_count(problem.channels) ||
      problem.grid_h < 1 || problem.grid_w < 1 || !detail::is_count(num_tokens) ||
      problem.stride_y < 1 || problem.stride_x < 1) {
    return false;
  }
  const std::int64_t num_destinations =
      std::int64_t{problem.grid_h / problem.stride_y} * (problem.grid_w / problem.stride_x);
  return num_destinations >= 1 && problem.num_removed >= 1 &&
         problem.num_removed <= num_tokens - num_destinations;
}

struct Buffers {
  const void* tokens;
  std::int32_t* row_of_token;
  PackedCandidate* candidates;
};

template <typename Products, bool kVectorized, bool kSelects>
cudaError_t launch_match(const TokenMatchProblem& problem, const Buffers& buffers, int slot,
                         cudaStream_t stream) {
  const detail::MatchBlocks blocks =
      detail::divide_match(problem, kSelects ? detail::kMaxSplitsOfOneLaunch : detail::kMaxSplits);
  const MatchShape shape = {detail::grid_of(problem), problem.channels, blocks.splits,
                            blocks.tiles_per_split};
  const detail::SelectAtEnd end = {slot, problem.num_removed, buffers.row_of_token};
  const dim3 grid(blocks.tiles, blocks.splits, problem.batch);
  return SEGPP_LAUNCH((detail::match_kernel<Products, kVectorized, kSelects>), grid,
                      dim3(detail::kMatchThreads), stream, shape,
                      static_cast<const typename Products::Element*>(buffers.tokens),
                      buffers.candidates, end);
}

cudaError_t launch_select(const TokenMatchProblem& problem, const Buffers& buffers,
                          cudaStream_t stream) {
  const int splits = detail::divide_match(problem, detail::kMaxSplits).splits;
  const detail::SelectShape shape = {detail::grid_of(problem), splits, problem.num_removed};
  const dim3 grid(problem.batch);
  const dim3 block(detail::kSelectThreads);
  if (shape.grid.num_tokens() <= detail::kMostHeldTokens) {
    return SEGPP_LAUNCH(detail::select_held_kernel, grid, block, stream, shape, buffers.candidates,
                        buffers.row_of_token);
  }
  return SEGPP_LAUNCH(detail::select_kernel, grid, block, stream, shape, buffers.candidates,
                      buffers.row_of_token);
}

template <bool kSelects, typename Products>
cudaError_t launch_match(const TokenMatchProblem& problem, DataType type, const Buffers& buffers,
                         int slot, cudaStream_t stream) {
  return detail::can_vectorize(type, problem.channels, buffers.tokens)
             ? launch_match<Products, true, kSelects>(problem, buffers, slot, stream)
             : launch_match<Products, false, kSelects>(problem, buffers, slot, stream);
}

template <bool kSelects>
cudaError_t launch_match(const TokenMatchProblem& problem, DataType type, const Buffers& buffers,
                         int slot, cudaStream_t stream) {
  return type == DataType::kFloat16
             ? launch_match<kSelects, detail::HalfProducts>(problem, type, buffers, slot, stream)
             : launch_match<kSelects, detail::FloatProducts>(problem, type, buffers, slot, stream);
}

}  // namespace

cudaError_t detail::find_candidates(const TokenMatchProblem& problem, DataType type,
                                    const void* tokens, PackedCandidate* candidates,
                                    cudaStream_t stream) {
  return launch_match<false>(problem, type, {tokens, nullptr, candidates}, kNoMatchSlot, stream);
}

std::size_t token_match_workspace_size(const TokenMatchProblem& problem) noexcept {
  if (!is_valid(problem)) return 0;
  // A smaller batch has more splits: at least what any of them needs, since TensorRT asks once for
  // the largest batch.
  const TokenGrid grid = detail::grid_of(problem);
  const int tiles = detail::divide_up(grid.num_sources(), detail::kTile);
  const std::int64_t images = std::max<std::int64_t>(
      problem.batch, std::min<std::int64_t>(std::int64_t{problem.batch} * detail::kMaxSplits,
                                            detail::kWantedMatchBlocks / tiles));
  return detail::align_workspace(static_cast<std::size_t>(images) * grid.num_tokens() *
                                 sizeof(PackedCandidate));
}

cudaError_t token_match(const TokenMatchProblem& problem, DataType type, const void* tokens,
                        std::int32_t* row_of_token, void* workspace, int slot,
                        cudaStream_t stream) noexcept {
  if (!is_valid(problem) || !detail::is_known(type) || tokens == nullptr ||
      row_of_token == nullptr || workspace == nullptr || slot < kNoMatchSlot ||
      slot >= kMatchSlots) {
    return cudaErrorInvalidValue;
  }
  const Buffers buffers = {tokens, row_of_token, static_cast<PackedCandidate*>(workspace)};
  if (detail::selects_at_end(problem, slot)) {
    return launch_match<true>(problem, type, buffers, slot, stream);
  }
  const cudaError_t status =
      detail::find_candidates(problem, type, tokens, buffers.candidates, stream);
  return status == cudaSuccess ? launch_select(problem, buffers, stream) : status;
}

}  // namespace segpp
