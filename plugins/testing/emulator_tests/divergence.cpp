// Control flow that lanes take apart and come together from.
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

// Both halves of a warp shuffle among themselves, at different times.
__global__ void halves_kernel(int* results) {
  const int lane = static_cast<int>(threadIdx.x);
  int value = lane;
  if (lane < 16) {
    value = __shfl_sync(0x0000ffffu, value, 3);
  } else {
    for (int i = 0; i < 4; ++i) value = __shfl_xor_sync(0xffff0000u, value, 1);
    value += __shfl_sync(0xffff0000u, value, 20);
  }
  __syncwarp();
  results[lane] = __shfl_sync(kAll, value, lane ^ 16);
}

// Lanes leave a loop after different numbers of rounds.
__global__ void ragged_loop_kernel(int* results) {
  const int lane = static_cast<int>(threadIdx.x);
  int rounds = 0;
  unsigned active = kAll;
  while (active != 0) {
    active = __ballot_sync(kAll, rounds < lane);
    if (rounds < lane) ++rounds;
  }
  results[lane] = rounds;
}

// __syncwarp is one rendezvous, wherever the lanes stand.
__global__ void syncwarp_in_branches_kernel(int* results) {
  SEGPP_SHARED(int, values, 32);
  const int lane = static_cast<int>(threadIdx.x);
  values[lane] = lane;
  if (lane % 2 == 0) {
    __syncwarp();
  } else {
    __syncwarp();
  }
  results[lane] = values[31 - lane];
}

// Threads may leave after the last barrier.
__global__ void early_exit_kernel(int* results, int count) {
  SEGPP_SHARED(int, values, 96);
  const int thread = static_cast<int>(threadIdx.x);
  values[thread] = thread;
  __syncthreads();
  if (thread >= count) return;
  results[thread] = values[95 - thread];
}

// Warps run on without each other between barriers.
__global__ void ragged_warps_kernel(int* results) {
  SEGPP_SHARED(int, sums, 4);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  int sum = 1;
  for (int i = 0; i < 5 * warp; ++i) sum += __shfl_xor_sync(kAll, sum, 1);
  if (threadIdx.x % 32 == 0) sums[warp] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 0; i < 4; ++i) results[i] = sums[i];
  }
}

__global__ void three_dimensions_kernel(int* results) {
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  const int lane = __shfl_sync(kAll, static_cast<int>(thread % 32), 9);
  results[block * threads + thread] += lane;
}

}  // namespace

SIMT_CASE(halves_of_a_warp) {
  std::vector<int> results(32);
  EXPECT(SIMT_LAUNCH(halves_kernel, 1, 32, nullptr, results.data()) == cudaSuccess);
  for (std::size_t lane = 0; lane < 16; ++lane) {
    EXPECT(results[lane] == static_cast<int>(lane) + 16 + 20);
    EXPECT(results[lane + 16] == 3);
  }
}

SIMT_CASE(loop_with_ragged_ends) {
  std::vector<int> results(32);
  EXPECT(SIMT_LAUNCH(ragged_loop_kernel, 1, 32, nullptr, results.data()) == cudaSuccess);
  for (std::size_t lane = 0; lane < 32; ++lane) EXPECT(results[lane] == static_cast<int>(lane));
}

SIMT_CASE(syncwarp_in_branches) {
  std::vector<int> results(32);
  EXPECT(SIMT_LAUNCH(syncwarp_in_branches_kernel, 1, 32, nullptr, results.data()) == cudaSuccess);
  for (std::size_t lane = 0; lane < 32; ++lane)
    EXPECT(results[lane] == 31 - static_cast<int>(lane));
}

SIMT_CASE(exit_after_the_last_barrier) {
  std::vector<int> results(96, -1);
  EXPECT(SIMT_LAUNCH(early_exit_kernel, 1, 96, nullptr, results.data(), 40) == cudaSuccess);
  EXPECT(results[39] == 56);
  EXPECT(results[40] == -1);
}

SIMT_CASE(warps_of_different_length) {
  std::vector<int> results(4);
  EXPECT(SIMT_LAUNCH(ragged_warps_kernel, 1, 128, nullptr, results.data()) == cudaSuccess);
  for (std::size_t warp = 0; warp < 4; ++warp) EXPECT(results[warp] == 1 << (5 * warp));
}

SIMT_CASE(grid_and_block_of_three_dimensions) {
  const dim3 grid(2, 3, 2);
  const dim3 block(4, 4, 4);
  std::vector<int> results(12 * 64);
  EXPECT(SIMT_LAUNCH(three_dimensions_kernel, grid, block, nullptr, results.data()) == cudaSuccess);
  for (const int result : results) EXPECT(result == 9);
}

}  // namespace emulator_tests
