#include <algorithm>

#include "launch.h"
#include "token_match.h"
#include "token_match_kernel.cuh"
#include "token_select_kernel.cuh"

namespace segpp {
namespace {

using detail::MatchShape;
using detail::PackedCandidate;
using detail::TokenGrid;

// About two blocks for each multiprocessor of the largest GPUs.
constexpr int kWantedBlocks = 256;
// The selection reads every split, and has one block per image to do so.
constexpr int kMaxSplits = 8;

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

TokenGrid grid_of(const TokenMatchProblem& problem) noexcept {
  return {problem.grid_h,
          problem.grid_w,
          problem.stride_y,
          problem.stride_x,
          problem.grid_h / problem.stride_y,
          problem.grid_w / problem.stride_x};
}

struct Blocks {
  int tiles;  // of sources
  int splits;
  int tiles_per_split;  // of destinations
};

Blocks divide(const TokenMatchProblem& problem) noexcept {
  const TokenGrid grid = grid_of(problem);
  const int tiles = detail::divide_up(grid.num_sources(), detail::kTile);
  const int destination_tiles = detail::divide_up(grid.num_destinations(), detail::kTile);
  const int wanted = std::min(kMaxSplits, kWantedBlocks / tiles / problem.batch);
  const int tiles_per_split = detail::divide_up(destination_tiles, std::max(wanted, 1));
  return {tiles, detail::divide_up(destination_tiles, tiles_per_split), tiles_per_split};
}

template <typename Products, bool kVectorized>
cudaError_t launch_match(const TokenMatchProblem& problem, const void* tokens,
                         PackedCandidate* candidates, cudaStream_t stream) {
  const Blocks blocks = divide(problem);
  const MatchShape shape = {grid_of(problem), problem.channels, blocks.tiles_per_split};
  const dim3 grid(blocks.tiles, blocks.splits, problem.batch);
  return SEGPP_LAUNCH((detail::match_kernel<Products, kVectorized>), grid,
                      dim3(detail::kMatchThreads), stream, shape,
                      static_cast<const typename Products::Element*>(tokens), candidates);
}

template <typename Products>
cudaError_t launch_match(const TokenMatchProblem& problem, DataType type, const void* tokens,
                         PackedCandidate* candidates, cudaStream_t stream) {
  return detail::can_vectorize(type, problem.channels, tokens)
             ? launch_match<Products, true>(problem, tokens, candidates, stream)
             : launch_match<Products, false>(problem, tokens, candidates, stream);
}

}  // namespace

std::size_t token_match_workspace_size(const TokenMatchProblem& problem) noexcept {
  if (!is_valid(problem)) return 0;
  // A smaller batch has more splits: at least what any of them needs, since TensorRT asks once for
  // the largest batch.
  const TokenGrid grid = grid_of(problem);
  const int tiles = detail::divide_up(grid.num_sources(), detail::kTile);
  const std::int64_t images = std::max<std::int64_t>(
      problem.batch,
      std::min<std::int64_t>(std::int64_t{problem.batch} * kMaxSplits, kWantedBlocks / tiles));
  return detail::align_workspace(static_cast<std::size_t>(images) * grid.num_tokens() *
                                 sizeof(PackedCandidate));
}

cudaError_t token_match(const TokenMatchProblem& problem, DataType type, const void* tokens,
                        std::int32_t* row_of_token, void* workspace, cudaStream_t stream) noexcept {
  if (!is_valid(problem) || !detail::is_known(type) || tokens == nullptr ||
      row_of_token == nullptr || workspace == nullptr) {
    return cudaErrorInvalidValue;
  }
  auto* candidates = static_cast<PackedCandidate*>(workspace);
  const cudaError_t status =
      type == DataType::kFloat16
          ? launch_match<detail::HalfProducts>(problem, type, tokens, candidates, stream)
          : launch_match<detail::FloatProducts>(problem, type, tokens, candidates, stream);
  if (status != cudaSuccess) return status;
  const detail::SelectShape shape = {grid_of(problem), divide(problem).splits, problem.num_removed};
  const auto kernel = shape.grid.num_tokens() <= detail::kMostSharedTokens
                          ? detail::select_kernel<true>
                          : detail::select_kernel<false>;
  return SEGPP_LAUNCH(kernel, dim3(problem.batch), dim3(detail::kSelectThreads), stream, shape,
                      candidates, row_of_token);
}

}  // namespace segpp
