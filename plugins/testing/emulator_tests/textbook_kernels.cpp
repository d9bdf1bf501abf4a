// Correct kernels of the common kinds: right results, and nothing for the checker to find.
#include <numeric>
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

constexpr int kThreads = 128;

// Each block sums its part: a tree in shared memory, then shuffles.
__global__ void __launch_bounds__(kThreads) reduce_kernel(const int* input, int* sums) {
  SEGPP_SHARED(int, partial, kThreads);
  const int thread = static_cast<int>(threadIdx.x);
  partial[thread] = input[blockIdx.x * kThreads + threadIdx.x];
  __syncthreads();
  for (int half = kThreads / 2; half >= 32; half /= 2) {
    if (thread < half) partial[thread] += partial[thread + half];
    __syncthreads();
  }
  if (thread >= 32) return;
  int sum = partial[thread];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(kAll, sum, offset);
  if (thread == 0) sums[blockIdx.x] = sum;
}

// Inclusive scan of one block: within warps by shuffles, across warps in shared memory.
__global__ void __launch_bounds__(kThreads) scan_kernel(const int* input, int* output) {
  SEGPP_SHARED(int, sum_of_warp, kThreads / 32);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp = thread / 32;
  int sum = input[thread];
  for (int offset = 1; offset < 32; offset *= 2) {
    const int before = __shfl_up_sync(kAll, sum, static_cast<unsigned>(offset));
    if (lane >= offset) sum += before;
  }
  if (lane == 31) sum_of_warp[warp] = sum;
  __syncthreads();
  for (int i = 0; i < warp; ++i) sum += sum_of_warp[i];
  output[thread] = sum;
}

// A warp scans in shared memory with no barrier but __syncwarp.
__global__ void warp_scan_kernel(const int* input, int* output) {
  SEGPP_SHARED(int, sums, kThreads);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const auto own = simt::slice(sums, thread - lane, 32);
  own[lane] = input[thread];
  for (int offset = 1; offset < 32; offset *= 2) {
    __syncwarp();
    const int before = lane >= offset ? own[lane - offset] : 0;
    __syncwarp();
    own[lane] += before;
  }
  output[thread] = own[lane];
}

constexpr int kTile = 16;

__global__ void transpose_kernel(const float* input, float* output, int rows, int columns) {
  SEGPP_SHARED(float, tile, kTile*(kTile + 1));
  const int x = static_cast<int>(threadIdx.x);
  const int y = static_cast<int>(threadIdx.y);
  const int first_row = static_cast<int>(blockIdx.y) * kTile;
  const int first_column = static_cast<int>(blockIdx.x) * kTile;
  if (first_row + y < rows && first_column + x < columns) {
    tile[y * (kTile + 1) + x] = input[(first_row + y) * columns + first_column + x];
  }
  __syncthreads();
  if (first_column + y < columns && first_row + x < rows) {
    output[(first_column + y) * rows + first_row + x] = tile[x * (kTile + 1) + y];
  }
}

constexpr int kBins = 16;

__global__ void histogram_kernel(const unsigned char* input, int count, unsigned* bins) {
  SEGPP_SHARED(unsigned, counts, kBins);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < kBins) counts[thread] = 0;
  __syncthreads();
  for (int i = thread; i < count; i += kThreads) atomicAdd(&counts[input[i] % kBins], 1u);
  __syncthreads();
  if (thread < kBins) atomicAdd(&bins[thread], counts[thread]);
}

// Copies through shared memory in vectors, two elements of which a thread reads one by one.
__global__ void vector_kernel(const unsigned short* input, unsigned short* output) {
  SEGPP_SHARED(unsigned short, tile, kThreads * 8);
  const int thread = static_cast<int>(threadIdx.x);
  simt::store_vec(tile, 8 * thread, simt::load_vec<uint4>(input, 8 * thread));
  __syncthreads();
  const int other = kThreads - 1 - thread;
  simt::store_vec(output, 8 * thread, simt::load_vec<uint4>(tile, 8 * other));
  const unsigned first = tile[8 * other];
  const unsigned second = tile[8 * other + 1];
  output[8 * thread] = static_cast<unsigned short>(first + second);
}

// Two instantiations of one function have an array each.
template <int kStart>
__device__ int last_of_own_array(int thread) {
  SEGPP_SHARED(int, values, kThreads);
  values[thread] = kStart + thread;
  __syncthreads();
  return values[kThreads - 1];
}

__global__ void instantiations_kernel(int* output) {
  const int thread = static_cast<int>(threadIdx.x);
  const int low = last_of_own_array<0>(thread);
  const int high = last_of_own_array<1000>(thread);
  output[thread] = high - low;
}

std::vector<int> make_numbers(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  unsigned state = 1;
  for (int& number : numbers) {
    state = state * 1664525u + 1013904223u;
    number = static_cast<int>(state >> 20);
  }
  return numbers;
}

}  // namespace

SIMT_CASE(block_reduction) {
  const std::vector<int> input = make_numbers(3 * kThreads);
  std::vector<int> sums(3);
  EXPECT(SIMT_LAUNCH(reduce_kernel, 3, kThreads, nullptr, input.data(), sums.data()) ==
         cudaSuccess);
  for (int block = 0; block < 3; ++block) {
    const auto first = input.begin() + block * kThreads;
    EXPECT(sums[static_cast<std::size_t>(block)] == std::accumulate(first, first + kThreads, 0));
  }
}

SIMT_CASE(block_scan) {
  const std::vector<int> input = make_numbers(kThreads);
  std::vector<int> output(kThreads);
  std::vector<int> expected(kThreads);
  EXPECT(SIMT_LAUNCH(scan_kernel, 1, kThreads, nullptr, input.data(), output.data()) ==
         cudaSuccess);
  std::partial_sum(input.begin(), input.end(), expected.begin());
  EXPECT(output == expected);
}

SIMT_CASE(warp_scan_in_shared_memory) {
  const std::vector<int> input = make_numbers(kThreads);
  std::vector<int> output(kThreads);
  std::vector<int> expected(kThreads);
  EXPECT(SIMT_LAUNCH(warp_scan_kernel, 1, kThreads, nullptr, input.data(), output.data()) ==
         cudaSuccess);
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    const auto first = input.begin() + 32 * warp;
    std::partial_sum(first, first + 32, expected.begin() + 32 * warp);
  }
  EXPECT(output == expected);
}

SIMT_CASE(transposition) {
  const int rows = 37;
  const int columns = 50;
  const std::vector<int> numbers = make_numbers(rows * columns);
  const std::vector<float> input(numbers.begin(), numbers.end());
  std::vector<float> output(input.size());
  const dim3 grid((columns + kTile - 1) / kTile, (rows + kTile - 1) / kTile);
  EXPECT(SIMT_LAUNCH(transpose_kernel, grid, dim3(kTile, kTile), nullptr, input.data(),
                     output.data(), rows, columns) == cudaSuccess);
  bool all_equal = true;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      all_equal = all_equal && output[column * rows + row] == input[row * columns + column];
    }
  }
  EXPECT(all_equal);
}

SIMT_CASE(histogram) {
  const std::vector<int> numbers = make_numbers(1000);
  const std::vector<unsigned char> input(numbers.begin(), numbers.end());
  std::vector<unsigned> bins(kBins);
  std::vector<unsigned> expected(kBins);
  for (const unsigned char value : input) expected[value % kBins] += 2;
  EXPECT(SIMT_LAUNCH(histogram_kernel, 2, kThreads, nullptr, input.data(), 1000, bins.data()) ==
         cudaSuccess);
  EXPECT(bins == expected);
}

SIMT_CASE(vectors_through_shared_memory) {
  std::vector<unsigned short> input(kThreads * 8);
  std::iota(input.begin(), input.end(), static_cast<unsigned short>(0));
  // 16-byte aligned, as device memory is
  std::vector<uint4> in(kThreads);
  std::vector<uint4> out(kThreads);
  std::memcpy(static_cast<void*>(in.data()), input.data(), kThreads * sizeof(uint4));
  EXPECT(SIMT_LAUNCH(vector_kernel, 1, kThreads, nullptr,
                     reinterpret_cast<const unsigned short*>(in.data()),
                     reinterpret_cast<unsigned short*>(out.data())) == cudaSuccess);
  std::vector<unsigned short> output(kThreads * 8);
  std::memcpy(output.data(), out.data(), kThreads * sizeof(uint4));
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    const std::size_t other = kThreads - 1 - thread;
    EXPECT(output[8 * thread] == 16 * other + 1);
    EXPECT(output[8 * thread + 7] == 8 * other + 7);
  }
}

SIMT_CASE(instantiations_have_own_arrays) {
  std::vector<int> output(kThreads);
  EXPECT(SIMT_LAUNCH(instantiations_kernel, 1, kThreads, nullptr, output.data()) == cudaSuccess);
  EXPECT(output == std::vector<int>(kThreads, 1000));
}

}  // namespace emulator_tests
