#include "../kernels/token_match_merge.h"

#include <string>

#include "errors.h"
#include "match_grid.h"
#include "op_declarations.h"
#include "operation.h"

namespace segpp {
namespace {

void check_attributes(const Sizes& sizes) {
  const std::int64_t num_tokens = count_tokens(sizes);
  const std::int64_t num_sources = count_sources(sizes);
  if (num_sources < 1) throw Refusal("the grid has no sources");
  if (sizes["num_rows"] < num_tokens - num_sources || sizes["num_rows"] >= num_tokens) {
    throw Refusal("field num_rows is " + std::to_string(sizes["num_rows"]) + ", expected " +
                  std::to_string(num_tokens - num_sources) + ", the number of destinations, to " +
                  std::to_string(num_tokens - 1));
  }
}

TokenMatchProblem problem(const Sizes& sizes) {
  return {sizes["B"],
          sizes["grid_h"],
          sizes["grid_w"],
          sizes["C"],
          sizes["stride_y"],
          sizes["stride_x"],
          static_cast<int>(count_tokens(sizes)) - sizes["num_rows"]};
}

std::size_t workspace_size(const Sizes& sizes) {
  return token_match_merge_workspace_size(problem(sizes));
}

cudaError_t launch(const Sizes& sizes, DataType type, const Buffers& buffers, cudaStream_t stream) {
  return token_match_merge(problem(sizes), type, buffers.input<void>(0),
                           buffers.output<std::int32_t>(0), buffers.output<void>(1),
                           buffers.output<float>(2), buffers.workspace, buffers.slot, stream);
}

}  // namespace

const Operation kTokenMatchMerge = {
    &declarations::kTokenMatchMerge, check_attributes, check_grid, workspace_size, launch, true};

}  // namespace segpp
