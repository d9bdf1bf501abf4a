#include "../kernels/token_unmerge.h"

#include "op_declarations.h"
#include "operation.h"

namespace segpp {
namespace {

cudaError_t launch(const Sizes& sizes, DataType type, const Buffers& buffers, cudaStream_t stream) {
  const TokenUnmergeProblem problem = {sizes["B"], sizes["N"], sizes["M"], sizes["C"]};
  return token_unmerge(problem, type, buffers.input<void>(0), buffers.input<std::int32_t>(1),
                       buffers.input<void>(2), buffers.output<void>(0), stream);
}

}  // namespace

const Operation kTokenUnmerge = {&declarations::kTokenUnmerge, nullptr, nullptr, nullptr, launch};

}  // namespace segpp
