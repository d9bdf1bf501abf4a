// One kernel that uses everything simt.h promises: nvcc compiles it too, so the two sides stay
// alike.
#pragma once

#include "../../cuda/simt.h"

namespace emulator_tests {

struct ContractResults {
  int threads;         // of the block, counted by atomics
  int odd_threads;     // by __syncthreads_count
  int any_odd;         // by __syncthreads_or
  int all_in_block;    // by __syncthreads_and
  unsigned odd_lanes;  // by __ballot_sync
  int any_lane, all_lanes;
  int largest, smallest;
  unsigned bits_or, bits_and;
  int below, above, across, from_five;
  int population, first_set, leading_zeros;
  float reciprocal_root, logarithm, fused, rounded;
  unsigned one_bits;
  float one;
  int smaller, larger;
  float smaller_float;
  float slice_sum;
  float half_sum;
  float product;  // of mma
  unsigned long long word;
  int arch;
};

// Shared arrays pass as a template parameter.
template <typename Shared>
__device__ __forceinline__ float sum_of(const Shared& values, int count) {
  float sum = 0.0f;
  SEGPP_UNROLL
  for (int i = 0; i < count; ++i) sum += __half2float(values[i]);
  return sum;
}

template <typename T, int kThreads>
__global__ void __launch_bounds__(kThreads)
    contract_kernel(const T* input, ContractResults* results) {
  SEGPP_SHARED(T, tile, kThreads * 4);
  SEGPP_SHARED(int, counts, 4);
  SEGPP_SHARED(unsigned, bits, 2);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % warpSize;
  const unsigned all = 0xffffffffu;
  const bool odd = thread % 2 == 1;

  simt::wait_for_prerequisites();
  simt::allow_dependents();
  const auto quad = simt::load_vec<uint2>(input, 4 * thread);
  simt::store_vec<uint2>(tile, 4 * thread, quad);
  if (thread == 0) {
    counts[0] = 0;
    counts[1] = -1;
    counts[2] = kThreads;
    counts[3] = 7;
    counts[3] += 1;
    bits[0] = 0u;
    bits[1] = all;
  }
  __syncthreads();
  atomicAdd(&counts[0], 1);
  atomicMax(&counts[1], thread);
  atomicMin(&counts[2], thread);
  atomicOr(&bits[0], 1u << lane);
  atomicAnd(&bits[1], ~(1u << lane));
  __threadfence();
  const int odd_threads = __syncthreads_count(odd);
  const int any_odd = __syncthreads_or(odd);
  const int all_in_block = __syncthreads_and(thread < kThreads);

  const unsigned odd_lanes = __ballot_sync(all, odd);
  const int any_lane = __any_sync(all, lane == 3);
  const int all_lanes = __all_sync(all, lane < 31);
  const int below = __shfl_up_sync(all, thread, 1);
  const int above = __shfl_down_sync(all, thread, 1);
  const int across = __shfl_xor_sync(all, thread, 4, 8);
  const int from_five = __shfl_sync(all, thread, 5);
  __syncwarp();

  const auto fragment = simt::load_vec<uint4>(tile, 8 * (lane % 4));
  float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  simt::mma_m16n8k16(sums, {fragment.x, fragment.y, fragment.z, fragment.w},
                     {fragment.x, fragment.y});
  simt::mma_m16n8k8(sums, {fragment.x, fragment.y}, {fragment.z});

  if (thread != 0) return;
  results->threads = counts[0];
  results->largest = counts[1];
  results->smallest = counts[2];
  results->bits_or = bits[0];
  results->bits_and = bits[1];
  results->odd_threads = odd_threads;
  results->any_odd = any_odd;
  results->all_in_block = all_in_block;
  results->odd_lanes = odd_lanes;
  results->any_lane = any_lane;
  results->all_lanes = all_lanes;
  results->below = below;
  results->above = above;
  results->across = across;
  results->from_five = from_five;
  results->population = __popc(odd_lanes);
  results->first_set = __ffs(8);
  results->leading_zeros = __clz(1);
  results->reciprocal_root = rsqrtf(4.0f);
  results->logarithm = logf(1.0f);
  results->fused = fmaf(2.0f, 3.0f, 4.0f);
  results->rounded = __fadd_rn(__fmul_rn(2.0f, 3.0f), 1.0f);
  results->one_bits = __float_as_uint(1.0f);
  results->one = __uint_as_float(0x3f800000u);
  results->smaller = min(counts[1], 2);
  results->larger = max(counts[1], 2);
  results->smaller_float = min(2.0f, 1.0f);
  results->slice_sum = sum_of(simt::slice(tile, 4, 8), 8);
  results->half_sum = sum_of(tile, 2);
  results->product = sums[0];
  results->arch = SEGPP_ARCH;
  simt::publish(&results->word, 6ull);
  atomicAdd(&results->word, 1ull);
  simt::wait_until(&results->word, 7ull);
}

template <typename T, int kThreads>
cudaError_t launch_contract(const T* input, ContractResults* results, cudaStream_t stream) {
  return SEGPP_LAUNCH((contract_kernel<T, kThreads>), 1, kThreads, stream, input, results);
}

}  // namespace emulator_tests
