// Several blocks at a time: what each of them has of its own, and how one waits for another.
#include <stdlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

using Word = unsigned long long;

// Each block fills its shared memory and reads it after others have had their turns.
__global__ void own_memory_kernel(int rounds, int* wrong) {
  SEGPP_SHARED(int, values, 64);
  const int thread = static_cast<int>(threadIdx.x);
  for (int round = 0; round < rounds; ++round) {
    values[thread] = static_cast<int>(blockIdx.x) * 1000 + round;
    __syncthreads();
    const int other = values[63 - thread];
    if (other != static_cast<int>(blockIdx.x) * 1000 + round) ++*wrong;
    __syncthreads();
  }
}

// The lanes that a warp barrier orders are those of its own block.
__global__ void own_order_kernel(int rounds) {
  SEGPP_SHARED(int, values, 32);
  values[threadIdx.x] = 0;
  for (int round = 0; round < rounds; ++round) {
    __syncwarp();
    const int other = values[(threadIdx.x + 1) % 32];
    __syncwarp();
    values[threadIdx.x] = other + 1;
  }
}

__global__ void race_kernel() {
  SEGPP_SHARED(int, value, 1);
  __syncthreads();
  if (blockIdx.x == 2) value[0] = static_cast<int>(threadIdx.x);
}

// Blocks pass a number on in the order of their numbers, or in the opposite one.
__global__ void relay_kernel(Word* word, bool is_reversed, Word* order) {
  simt::wait_for_prerequisites();
  const unsigned number = is_reversed ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
  if (threadIdx.x == 0) {
    simt::wait_until(word, number);
    order[number] = number + 1;
    simt::publish(word, number + 1);
  }
  __syncthreads();
}

// The blocks that start first are those that the others wait for.
__global__ void start_order_kernel(Word* started, Word* word) {
  SEGPP_SHARED(unsigned, number, 1);
  simt::wait_for_prerequisites();
  if (threadIdx.x == 0) number[0] = static_cast<unsigned>(atomicAdd(started, Word{1}));
  __syncthreads();
  const unsigned own = number[0];
  __syncthreads();
  if (threadIdx.x == 0) {
    simt::wait_until(word, own);
    simt::publish(word, own + 1);
  }
}

class Variables {
 public:
  Variables(int seed, int resident) {
    setenv("SEGPP_SIMT_SEED", std::to_string(seed).c_str(), 1);
    setenv("SEGPP_SIMT_RESIDENT", std::to_string(resident).c_str(), 1);
  }
  ~Variables() {
    unsetenv("SEGPP_SIMT_SEED");
    unsetenv("SEGPP_SIMT_RESIDENT");
  }
};

template <typename Run>
void in_every_order(Run run) {
  for (int seed = 0; seed < 4; ++seed) {
    for (const int resident : {1, 2, 3, 20}) {
      const Variables set(seed, resident);
      run(seed, resident);
    }
  }
}

cudaError_t launch_relay(bool is_reversed) {
  Word word = 0;
  std::vector<Word> order(7);
  const cudaError_t error =
      SEGPP_LAUNCH(relay_kernel, 7, 32, nullptr, &word, is_reversed, order.data());
  EXPECT(error != cudaSuccess || std::is_sorted(order.begin(), order.end()));
  EXPECT(error != cudaSuccess || word == 7);
  return error;
}

}  // namespace

SIMT_CASE(blocks_have_memory_of_their_own) {
  in_every_order([](int, int) {
    int wrong = 0;
    EXPECT(SIMT_LAUNCH(own_memory_kernel, 7, 64, nullptr, 5, &wrong) == cudaSuccess);
    EXPECT(wrong == 0);
  });
}

SIMT_CASE(blocks_have_an_order_of_their_own) {
  in_every_order(
      [](int, int) { EXPECT(SIMT_LAUNCH(own_order_kernel, 7, 32, nullptr, 9) == cudaSuccess); });
}

SIMT_CASE(races_are_found_beside_other_blocks) {
  in_every_order([](int, int) {
    const cudaError_t error = SIMT_LAUNCH(race_kernel, 4, 64, nullptr);
    EXPECT_FINDING(error, "race_kernel", "block (2,0,0)", "race on shared array 'value'");
  });
}

SIMT_CASE(a_block_waits_for_one_that_started) {
  in_every_order([](int, int) {
    Word started = 0;
    Word word = 0;
    EXPECT(SEGPP_LAUNCH(start_order_kernel, 9, 64, nullptr, &started, &word) == cudaSuccess);
    EXPECT(word == 9);
  });
}

SIMT_CASE(all_blocks_at_once_may_wait_for_any_other) {
  for (const bool is_reversed : {false, true}) {
    for (int seed = 0; seed < 3; ++seed) {
      const Variables set(seed, 7);
      EXPECT(launch_relay(is_reversed) == cudaSuccess);
    }
  }
}

SIMT_CASE(waiting_for_a_block_that_has_no_place_is_found) {
  const Variables set(0, 6);
  EXPECT(launch_relay(false) == cudaSuccess);
  EXPECT_FINDING(launch_relay(true), "relay_kernel", "thread 0 waits for what no block writes");
  EXPECT(launch_relay(false) == cudaSuccess);
}

}  // namespace emulator_tests
