// How a merge in one launch is divided over blocks.
#pragma once

#include <algorithm>
#include <cstdint>

#include "launch.h"
#include "token_merge.h"
#include "token_merge_rows.cuh"

namespace segpp::detail {

// About four blocks for each multiprocessor of the largest GPUs. With fewer the rows of a block
// wait for each other; each more reads the rows of all tokens once more.
inline constexpr int kWantedMergeBlocks = 512;

inline bool is_valid_merge(const TokenMergeProblem& problem) noexcept {
  return is_batch(problem.batch) && is_count(problem.num_tokens) && is_count(problem.num_rows) &&
         is_count(problem.channels) && is_count(std::int64_t{problem.num_rows} * problem.channels);
}

// Enough rows for the lanes of kTeams warps, and for no more blocks than are wanted.
template <typename T, bool kVectorized, int kTeams = 1>
MergeShape divide_merge(const TokenMergeProblem& problem) noexcept {
  const int units_per_row = problem.channels / kElementsPerUnit<T, kVectorized>;
  const std::int64_t num_rows = std::int64_t{problem.batch} * problem.num_rows;
  const std::int64_t shared = (num_rows + kWantedMergeBlocks - 1) / kWantedMergeBlocks;
  const std::int64_t wanted = std::max<std::int64_t>(shared, kTeams * kWarpSize / units_per_row);
  return {{problem.num_tokens, problem.num_rows, problem.channels},
          static_cast<int>(std::min<std::int64_t>(wanted, kRowsPerBlock))};
}

}  // namespace segpp::detail
