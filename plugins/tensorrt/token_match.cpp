#include "../kernels/token_match.h"

#include <cstdint>
#include <string>

#include "errors.h"
#include "op_declarations.h"
#include "operation.h"

namespace segpp {
namespace {

void check_attributes(const Sizes& sizes) {
  const std::int64_t num_tokens = std::int64_t{sizes["grid_h"]} * sizes["grid_w"];
  const std::int64_t num_destinations =
      std::int64_t{sizes["grid_h"] / sizes["stride_y"]} * (sizes["grid_w"] / sizes["stride_x"]);
  if (num_destinations < 1) throw Refusal("the grid is smaller than a cell");
  const std::int64_t num_sources = num_tokens - num_destinations;
  if (sizes["num_removed"] > num_sources) {
    throw Refusal("field num_removed is " + std::to_string(sizes["num_removed"]) +
                  ", expected at most " + std::to_string(num_sources) + ", the number of sources");
  }
}

void check_sizes(const Sizes& sizes) {
  const std::int64_t num_tokens = std::int64_t{sizes["grid_h"]} * sizes["grid_w"];
  if (sizes["N"] != num_tokens) {
    throw Refusal("tokens has N = " + std::to_string(sizes["N"]) +
                  ", expected grid_h * grid_w = " + std::to_string(num_tokens));
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

const Operation kTokenMatch = {&declarations::kTokenMatch, check_attributes, check_sizes,
                               workspace_size, launch};

}  // namespace segpp
