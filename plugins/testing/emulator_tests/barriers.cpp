// Barriers and collectives that not all threads reach.
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

__global__ void barrier_in_branch_kernel(int count) {
  if (static_cast<int>(threadIdx.x) < count) __syncthreads();
}

__global__ void two_barriers_kernel(int count) {
  if (static_cast<int>(threadIdx.x) < count) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void return_before_barrier_kernel(int count, int* out) {
  if (static_cast<int>(threadIdx.x) >= count) return;
  *out = 1;
  __syncthreads();
}

__global__ void ragged_barriers_kernel() {
  for (unsigned i = 0; i <= threadIdx.x / 32; ++i) __syncthreads();
}

__global__ void barrier_against_shuffle_kernel() {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __shfl_sync(kAll, 1, 0);
  }
}

__global__ void missing_lane_kernel(unsigned mask) {
  if (threadIdx.x % 32 != 7) __ballot_sync(mask, 1);
}

__global__ void exited_lane_kernel(int* out) {
  if (threadIdx.x == 9) return;
  __syncthreads();
  *out = __shfl_sync(kAll, 1, 0);
}

__global__ void late_exit_kernel() {
  if (threadIdx.x == 31) return;
  __syncwarp();
}

__global__ void partial_warp_kernel() { __syncwarp(); }

__global__ void other_mask_kernel() { __syncwarp(threadIdx.x == 0 ? 0x3u : kAll); }

__global__ void not_in_mask_kernel() { __syncwarp(0xfffffffeu); }

__global__ void source_not_in_mask_kernel() {
  if (threadIdx.x < 16) __shfl_sync(0xffffu, 1, 20);
}

__global__ void wrong_width_kernel(int width) { __shfl_sync(kAll, 1, 0, width); }

__global__ void different_collectives_kernel(int* out) {
  out[threadIdx.x] = threadIdx.x == 4 ? __any_sync(kAll, 1) : __all_sync(kAll, 1);
}

__global__ void different_lines_kernel(int* out) {
  if (threadIdx.x == 4) {
    out[threadIdx.x] = __any_sync(kAll, 1);
  } else {
    out[threadIdx.x] = __any_sync(kAll, 1);
  }
}

__global__ void mma_in_half_a_warp_kernel() {
  float d[4] = {};
  if (threadIdx.x < 16) simt::mma_m16n8k8(d, {0u, 0u}, {0u});
}

__global__ void two_dimensions_kernel() {
  if (threadIdx.y == 1) __syncthreads();
}

}  // namespace

SIMT_CASE(barrier_in_a_branch) {
  EXPECT_FINDING(SIMT_LAUNCH(barrier_in_branch_kernel, 1, 64, nullptr, 50), "barrier",
                 "__syncthreads (barriers.cpp:", "thread 0 waits", "thread 50 has exited");
  EXPECT(SIMT_LAUNCH(barrier_in_branch_kernel, 1, 64, nullptr, 64) == cudaSuccess);
}

SIMT_CASE(barriers_of_two_branches) {
  EXPECT_FINDING(SIMT_LAUNCH(two_barriers_kernel, 1, 64, nullptr, 50), "different barriers",
                 "barriers.cpp:");
  EXPECT(SIMT_LAUNCH(two_barriers_kernel, 1, 64, nullptr, 0) == cudaSuccess);
}

SIMT_CASE(exit_before_a_barrier) {
  int out = 0;
  EXPECT_FINDING(SIMT_LAUNCH(return_before_barrier_kernel, 1, 64, nullptr, 63, &out),
                 "not reached by all", "thread 63 has exited");
}

SIMT_CASE(barrier_in_a_ragged_loop) {
  EXPECT_FINDING(SIMT_LAUNCH(ragged_barriers_kernel, 1, 64, nullptr), "not reached by all",
                 "thread 0 has exited", "thread 32 waits");
}

SIMT_CASE(barrier_against_a_shuffle) {
  EXPECT_FINDING(SIMT_LAUNCH(barrier_against_shuffle_kernel, 1, 32, nullptr),
                 "without all lanes of its mask", "thread 16 waits at __shfl_sync",
                 "thread 0 waits at __syncthreads");
}

SIMT_CASE(collective_without_a_lane) {
  EXPECT_FINDING(SIMT_LAUNCH(missing_lane_kernel, 1, 64, nullptr, kAll), "__ballot_sync",
                 "0xffffffff", "exited");
  EXPECT(SIMT_LAUNCH(missing_lane_kernel, 1, 64, nullptr, ~(1u << 7)) == cudaSuccess);
}

SIMT_CASE(collective_with_a_lane_that_exited) {
  int out = 0;
  EXPECT(SIMT_LAUNCH(exited_lane_kernel, 1, 32, nullptr, &out) == cudaErrorLaunchFailure);
  EXPECT_FINDING(SIMT_LAUNCH(late_exit_kernel, 1, 32, nullptr), "__syncwarp", "exited");
}

SIMT_CASE(collective_of_a_partial_warp) {
  EXPECT_FINDING(SIMT_LAUNCH(partial_warp_kernel, 1, 40, nullptr), "lane 8",
                 "beyond the end of the block");
}

SIMT_CASE(collective_with_two_masks) {
  EXPECT_FINDING(SIMT_LAUNCH(other_mask_kernel, 1, 32, nullptr), "without all lanes of its mask",
                 "mask 0x00000003", "mask 0xffffffff");
}

SIMT_CASE(mask_without_the_lane_itself) {
  EXPECT_FINDING(SIMT_LAUNCH(not_in_mask_kernel, 1, 32, nullptr), "thread 0 calls __syncwarp",
                 "leaves out lane 0");
}

SIMT_CASE(shuffle_from_outside_the_mask) {
  EXPECT_FINDING(SIMT_LAUNCH(source_not_in_mask_kernel, 1, 32, nullptr), "reads lane 20",
                 "not in mask 0x0000ffff");
}

SIMT_CASE(shuffle_of_a_wrong_width) {
  EXPECT_FINDING(SIMT_LAUNCH(wrong_width_kernel, 1, 32, nullptr, 12), "width", "12");
  EXPECT_FINDING(SIMT_LAUNCH(wrong_width_kernel, 1, 32, nullptr, 64), "width", "64");
  EXPECT(SIMT_LAUNCH(wrong_width_kernel, 1, 32, nullptr, 16) == cudaSuccess);
}

SIMT_CASE(different_collectives) {
  std::vector<int> out(32);
  EXPECT_FINDING(SIMT_LAUNCH(different_collectives_kernel, 1, 32, nullptr, out.data()),
                 "without all lanes of its mask", "__any_sync", "__all_sync");
  EXPECT_FINDING(SIMT_LAUNCH(different_lines_kernel, 1, 32, nullptr, out.data()),
                 "without all lanes of its mask", "thread 4 waits at __any_sync");
}

SIMT_CASE(mma_in_half_a_warp) {
  EXPECT(SIMT_LAUNCH(mma_in_half_a_warp_kernel, 1, 32, nullptr) == cudaErrorLaunchFailure);
  EXPECT(simt::last_finding().find("mma") != std::string::npos);
}

SIMT_CASE(threads_of_two_dimensions_are_named) {
  EXPECT_FINDING(SIMT_LAUNCH(two_dimensions_kernel, 1, dim3(8, 4), nullptr), "thread (0,1,0)",
                 "thread (0,0,0) has exited");
}

}  // namespace emulator_tests
