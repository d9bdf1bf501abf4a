#include "../kernels/token_merge.h"

#include <string>

#include "errors.h"
#include "op_declarations.h"
#include "operation.h"

namespace segpp {
namespace {

void check_sizes(const Sizes& sizes) {
  if (sizes["num_rows"] > sizes["N"]) {
    throw Refusal("field num_rows is " + std::to_string(sizes["num_rows"]) +
                  ", expected at most N = " + std::to_string(sizes["N"]));
  }
}

TokenMergeProblem problem(const Sizes& sizes) {
  return {sizes["B"], sizes["N"], sizes["num_rows"], sizes["C"]};
}

std::size_t workspace_size(const Sizes& sizes) {
  return token_merge_workspace_size(problem(sizes));
}

cudaError_t launch(const Sizes& sizes, DataType type, const Buffers& buffers, cudaStream_t stream) {
  return token_merge(problem(sizes), type, buffers.input<void>(0), buffers.input<std::int32_t>(1),
                     buffers.output<void>(0), buffers.workspace, stream);
}

cudaError_t launch_with_size(const Sizes& sizes, DataType type, const Buffers& buffers,
                             cudaStream_t stream) {
  return token_merge_with_size(problem(sizes), type, buffers.input<void>(0),
                               buffers.input<std::int32_t>(1), buffers.output<void>(0),
                               buffers.output<float>(1), buffers.workspace, stream);
}

}  // namespace

const Operation kTokenMerge = {&declarations::kTokenMerge, nullptr, check_sizes, workspace_size,
                               launch};

const Operation kTokenMergeWithSize = {&declarations::kTokenMergeWithSize, nullptr, check_sizes,
                                       workspace_size, launch_with_size};

}  // namespace segpp
