// How a match is divided over blocks, and when it is one launch.
#pragma once

#include <algorithm>
#include <cstdint>

#include "launch.h"
#include "match_candidate.cuh"
#include "match_rows.cuh"
#include "token_grid.cuh"
#include "token_match.h"

namespace segpp::detail {

inline constexpr int kMostTokensOfOneLaunch = 2048;
inline constexpr int kMostImagesOfOneLaunch = 8;

// About two blocks for each multiprocessor of the largest GPUs.
inline constexpr int kWantedMatchBlocks = 256;
// The selection reads every split, and has one block per image to do so; a block of the match is a
// small one.
inline constexpr int kMaxSplits = 8;
inline constexpr int kMaxSplitsOfOneLaunch = 4;

inline TokenGrid grid_of(const TokenMatchProblem& problem) noexcept {
  return {problem.grid_h,
          problem.grid_w,
          problem.stride_y,
          problem.stride_x,
          problem.grid_h / problem.stride_y,
          problem.grid_w / problem.stride_x};
}

// Whether a launch may count its blocks in the memory of the slot.
inline bool has_counters(const TokenMatchProblem& problem, int slot) noexcept {
  return slot != kNoMatchSlot && problem.batch <= kMostImagesOfOneLaunch;
}

// Whether the last block of each image selects. Its few threads take longer over many tokens than a
// launch does.
inline bool selects_at_end(const TokenMatchProblem& problem, int slot) noexcept {
  return has_counters(problem, slot) && grid_of(problem).num_tokens() <= kMostTokensOfOneLaunch;
}

struct MatchBlocks {
  int tiles;  // of sources
  int splits;
  int tiles_per_split;  // of destinations
};

inline MatchBlocks divide_match(const TokenMatchProblem& problem, int max_splits) noexcept {
  const TokenGrid grid = grid_of(problem);
  const int tiles = divide_up(grid.num_sources(), kTile);
  const int destination_tiles = divide_up(grid.num_destinations(), kTile);
  const int wanted = std::min(max_splits, kWantedMatchBlocks / tiles / problem.batch);
  const int tiles_per_split = divide_up(destination_tiles, std::max(wanted, 1));
  return {tiles, divide_up(destination_tiles, tiles_per_split), tiles_per_split};
}

// The match without the selection: tokens [B, N, C] -> candidates [B, splits, N], in as many splits
// as divide_match says for kMaxSplits. The problem and the type are valid.
cudaError_t find_candidates(const TokenMatchProblem& problem, DataType type, const void* tokens,
                            PackedCandidate* candidates, cudaStream_t stream);

}  // namespace segpp::detail
