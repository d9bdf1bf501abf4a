// Launching: configurations, seeds, order, what a finding leaves behind, threads of the caller.
#include <stdlib.h>

#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

__global__ void empty_kernel() {}

__global__ void order_kernel(int* next, int* order) {
  order[blockIdx.x * blockDim.x + threadIdx.x] = (*next)++;
}

__global__ void throwing_kernel() { throw std::runtime_error("no device code does this"); }

__global__ void waiting_kernel(bool fails) {
  SEGPP_SHARED(int, values, 64);
  values[threadIdx.x] = 1;
  __syncthreads();
  if (fails && threadIdx.x == 5) values[0] = values[64];
  __syncthreads();
}

__global__ void conversions_kernel(float number, const float* pointer, float* out) {
  *out = number + (pointer == nullptr ? 1.0f : *pointer);
}

__global__ void barriers_kernel(int count) {
  for (int i = 0; i < count; ++i) __syncthreads();
}

__global__ void deep_kernel(int depth, int* out) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(depth);
  __syncthreads();
  if (depth > 0) deep_kernel(depth - 1, out);
  out[threadIdx.x] += frame[0] == static_cast<char>(depth) ? 1 : 0;
}

enum class Early { kNothing, kStore, kAtomic, kEndOfOneThread };

__global__ void dependent_kernel(Early early, unsigned* counters) {
  if (early == Early::kStore) simt::store_vec<unsigned>(counters, threadIdx.x, 0u);
  if (early == Early::kAtomic) atomicAdd(&counters[threadIdx.x], 1u);
  if (early == Early::kEndOfOneThread && threadIdx.x == 3) return;
  simt::wait_for_prerequisites();
  simt::allow_dependents();
  atomicAdd(&counters[threadIdx.x], 1u);
}

cudaError_t launch_dependent(Early early) {
  std::vector<unsigned> counters(64);
  return SEGPP_LAUNCH(dependent_kernel, 2, 64, nullptr, early, counters.data());
}

class Seed {
 public:
  explicit Seed(const char* seed) { setenv("SEGPP_SIMT_SEED", seed, 1); }
  ~Seed() { unsetenv("SEGPP_SIMT_SEED"); }
};

std::vector<int> order_with(const char* seed) {
  const Seed set(seed);
  int next = 0;
  std::vector<int> order(4 * 64);
  EXPECT(SIMT_LAUNCH(order_kernel, 4, 64, nullptr, &next, order.data()) == cudaSuccess);
  return order;
}

}  // namespace

SIMT_CASE(invalid_configurations) {
  EXPECT(SIMT_LAUNCH(empty_kernel, 1, 1024, nullptr) == cudaSuccess);
  for (const dim3& block : {dim3(0), dim3(1025), dim3(32, 33), dim3(1, 1, 65)}) {
    EXPECT(SIMT_LAUNCH(empty_kernel, 1, block, nullptr) == cudaErrorInvalidConfiguration);
  }
  for (const dim3& grid : {dim3(0), dim3(1, 0), dim3(1, 65536), dim3(1, 1, 65536)}) {
    EXPECT(SIMT_LAUNCH(empty_kernel, grid, 1, nullptr) == cudaErrorInvalidConfiguration);
  }
}

SIMT_CASE(launches_are_counted) {
  const auto before = simt::launches();
  EXPECT(SIMT_LAUNCH(empty_kernel, 1, dim3(0), nullptr) == cudaErrorInvalidConfiguration);
  EXPECT(simt::launches() == before);
  EXPECT(SIMT_LAUNCH(empty_kernel, 3, 2, nullptr) == cudaSuccess);
  EXPECT(simt::launches() == before + 1);
}

SIMT_CASE(seeds_decide_the_order) {
  std::vector<int> by_number(4 * 64);
  std::iota(by_number.begin(), by_number.end(), 0);
  EXPECT(order_with("") == by_number);
  EXPECT(order_with("0") == by_number);
  EXPECT(order_with("1") != by_number);
  EXPECT(order_with("1") == order_with("1"));
  EXPECT(order_with("1") != order_with("2"));
  const std::vector<int> shuffled = order_with("7");
  bool blocks_shuffled = false;
  for (std::size_t i = 0; i < 64; ++i) blocks_shuffled = blocks_shuffled || shuffled[i] >= 64;
  EXPECT(blocks_shuffled);
}

SIMT_CASE(invalid_seed) {
  const Seed set("seven");
  EXPECT(SIMT_LAUNCH(empty_kernel, 1, 1, nullptr) == cudaErrorInvalidValue);
}

SIMT_CASE(launches_after_a_finding) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_FINDING(SIMT_LAUNCH(waiting_kernel, 2, 64, nullptr, true), "thread 5", "'values'[64]");
    EXPECT(SIMT_LAUNCH(waiting_kernel, 2, 64, nullptr, false) == cudaSuccess);
    EXPECT(simt::last_finding().empty());
  }
}

SIMT_CASE(every_thread_waits_for_prerequisites) {
  EXPECT(launch_dependent(Early::kNothing) == cudaSuccess);
  EXPECT_FINDING(launch_dependent(Early::kStore), "thread 0 touches global memory before",
                 "wait_for_prerequisites");
  EXPECT_FINDING(launch_dependent(Early::kAtomic), "thread 0 touches global memory before");
  EXPECT_FINDING(launch_dependent(Early::kEndOfOneThread), "thread 3 ends before");
}

SIMT_CASE(exception_in_a_kernel) {
  EXPECT_FINDING(SIMT_LAUNCH(throwing_kernel, 1, 4, nullptr), "threw");
}

SIMT_CASE(arguments_convert) {
  float out = 0.0f;
  EXPECT(SIMT_LAUNCH(conversions_kernel, 1, 1, nullptr, 2, nullptr, &out) == cudaSuccess);
  EXPECT(out == 3.0f);
}

SIMT_CASE(deep_stacks) {
  std::vector<int> out(64);
  EXPECT(SIMT_LAUNCH(deep_kernel, 1, 64, nullptr, 20, out.data()) == cudaSuccess);
  EXPECT(out == std::vector<int>(64, 21));
}

SIMT_CASE(launches_from_two_threads) {
  std::vector<int> orders[2];
  std::vector<std::thread> callers;
  for (std::vector<int>& order : orders) {
    callers.emplace_back([&order] {
      for (int i = 0; i < 20; ++i) {
        int next = 0;
        order.assign(4 * 64, -1);
        EXPECT(SIMT_LAUNCH(order_kernel, 4, 64, nullptr, &next, order.data()) == cudaSuccess);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT(orders[0] == orders[1]);
  EXPECT(orders[0].back() == 4 * 64 - 1);
}

// A millisecond on an idle machine; the bound is for a busy one under sanitizers.
SIMT_CASE(barriers_are_fast) {
  auto best = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT(SIMT_LAUNCH(barriers_kernel, 1, 128, nullptr, 100) == cudaSuccess);
    best = std::min(best, std::chrono::steady_clock::now() - start);
  }
  EXPECT(best < std::chrono::milliseconds(100));
}

}  // namespace emulator_tests
