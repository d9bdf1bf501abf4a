// Bugs that sanitizers report: the switching of stacks must not hide them.
#include <climits>
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

// Not inlined: UndefinedBehaviorSanitizer, which knows the size of an array, would be first.
__attribute__((noinline)) int value_at(const int* values, int index) { return values[index]; }

// The stack frame of a thread that has waited is still guarded.
__global__ void local_overflow_kernel(int index, int* out) {
  int values[8];
  for (int i = 0; i < 8; ++i) values[i] = i;
  __syncthreads();
  out[threadIdx.x] = value_at(values, index);
}

__global__ void global_overflow_kernel(const int* in, int* out) {
  __syncthreads();
  out[threadIdx.x] = in[threadIdx.x];
}

__global__ void signed_overflow_kernel(int value, int* out) {
  __syncthreads();
  out[threadIdx.x] = value + static_cast<int>(threadIdx.x);
}

}  // namespace

SIMT_CASE_ON_REQUEST(local_overflow_after_a_barrier) {
  std::vector<int> out(64);
  SIMT_LAUNCH(local_overflow_kernel, 1, 64, nullptr, static_cast<int>(out.size()) / 8, out.data());
}

SIMT_CASE_ON_REQUEST(global_overflow_after_a_barrier) {
  const std::vector<int> in(63);
  std::vector<int> out(64);
  SIMT_LAUNCH(global_overflow_kernel, 1, 64, nullptr, in.data(), out.data());
}

SIMT_CASE_ON_REQUEST(signed_overflow_after_a_barrier) {
  std::vector<int> out(64);
  SIMT_LAUNCH(signed_overflow_kernel, 1, 64, nullptr, INT_MAX - 10, out.data());
}

}  // namespace emulator_tests
