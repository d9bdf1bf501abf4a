#include "../kernels/token_match.h"

#include <string>

#include "errors.h"
#include "match_grid.h"
#include "op_declarations.h"
#include "operation.h"

namespace segpp {
namespace {

void check_attributes(const Sizes& sizes) {
  const std::int64_t num_sources = count_sources(sizes);
  if (sizes["num_removed"] > num_sources) {
    throw Refusal("field num_removed is " + std::to_string(sizes["num_removed"]) +
                  ", expected at most " + std::to_string(num_sources) + ", the number of sources");
  }
}

TokenMatchProblem problem(const Sizes& sizes) {
  return {sizes["B"],        sizes["grid_h"],   sizes["grid_w"],     sizes["C"],
          sizes["stride_y"], sizes["stride_x"], sizes["num_removed"]};
}

std::size_t workspace_size(const Sizes& sizes) {
  return token_match_workspace_size(problem(sizes));
}

cudaError_t launch(const Sizes& sizes, DataType type, const Buffers& buffers, cudaStream_t stream) {
  return token_match(problem(sizes), type, buffers.input<void>(0), buffers.output<std::int32_t>(0),
                     buffers.workspace, buffers.slot, stream);
}

}  // namespace

const Operation kTokenMatch = {
    &declarations::kTokenMatch, check_attributes, check_grid, workspace_size, launch, true};

}  // namespace segpp
