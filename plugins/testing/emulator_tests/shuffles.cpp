// Shuffles and votes against plain loops over the lanes, written from CUDA's programming guide.
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

enum class Kind { kIndex, kUp, kDown, kXor };

__host__ __device__ int value_of(int lane) { return 1000 + 7 * lane; }

__global__ void shuffle_kernel(Kind kind, int operand, int width, int* results) {
  const int lane = static_cast<int>(threadIdx.x);
  const int value = value_of(lane);
  switch (kind) {
    case Kind::kIndex:
      results[lane] = __shfl_sync(kAll, value, operand, width);
      break;
    case Kind::kUp:
      results[lane] = __shfl_up_sync(kAll, value, static_cast<unsigned>(operand), width);
      break;
    case Kind::kDown:
      results[lane] = __shfl_down_sync(kAll, value, static_cast<unsigned>(operand), width);
      break;
    case Kind::kXor:
      results[lane] = __shfl_xor_sync(kAll, value, operand, width);
      break;
  }
}

// "Each subsection behaves as a separate entity with a starting logical lane ID of 0."
int expected_source(Kind kind, int lane, int operand, int width) {
  const int section = lane / width;
  const int logical = lane % width;
  switch (kind) {
    case Kind::kIndex:
      return section * width + ((operand % width) + width) % width;
    case Kind::kUp:
      return logical < operand ? lane : lane - operand;
    case Kind::kDown:
      return logical + operand >= width ? lane : lane + operand;
    case Kind::kXor:  // groups that come later can't be read, earlier ones can
      return (lane ^ operand) / width > section ? lane : lane ^ operand;
  }
  return -1;
}

bool shuffles_like_the_loop(Kind kind, int operand, int width) {
  std::vector<int> results(kLanes, -1);
  if (SIMT_LAUNCH(shuffle_kernel, 1, kLanes, nullptr, kind, operand, width, results.data()) !=
      cudaSuccess) {
    return false;
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    const int source = expected_source(kind, lane, operand, width);
    if (results[static_cast<std::size_t>(lane)] != value_of(source)) return false;
  }
  return true;
}

void try_all_operands(Kind kind) {
  for (int width = 1; width <= kLanes; width *= 2) {
    for (int operand = 0; operand < kLanes; ++operand) {
      EXPECT(shuffles_like_the_loop(kind, operand, width));
    }
  }
}

// Every lane votes with the bit of `pattern`, in two groups that vote on their own.
__global__ void vote_kernel(unsigned pattern, unsigned group, unsigned* ballots, int* any,
                            int* all) {
  const unsigned lane = threadIdx.x;
  const int predicate = static_cast<int>(pattern >> lane & 1u);
  const unsigned mask = (group >> lane & 1u) != 0 ? group : ~group;
  ballots[lane] = __ballot_sync(mask, predicate);
  any[lane] = __any_sync(mask, predicate);
  all[lane] = __all_sync(mask, predicate);
}

void try_votes(unsigned pattern, unsigned group) {
  std::vector<unsigned> ballots(kLanes);
  std::vector<int> any(kLanes);
  std::vector<int> all(kLanes);
  EXPECT(SIMT_LAUNCH(vote_kernel, 1, kLanes, nullptr, pattern, group, ballots.data(), any.data(),
                     all.data()) == cudaSuccess);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const bool in_group = (group >> lane & 1u) != 0;
    unsigned expected = 0;
    bool expected_any = false;
    bool expected_all = true;
    for (unsigned other = 0; other < kLanes; ++other) {
      if (((group >> other & 1u) != 0) != in_group) continue;
      const bool vote = (pattern >> other & 1u) != 0;
      if (vote) expected += 1u << other;
      expected_any = expected_any || vote;
      expected_all = expected_all && vote;
    }
    EXPECT(ballots[lane] == expected);
    EXPECT(any[lane] == (expected_any ? 1 : 0));
    EXPECT(all[lane] == (expected_all ? 1 : 0));
  }
}

template <typename T>
__global__ void typed_shuffle_kernel(const T* input, T* output) {
  output[threadIdx.x] = __shfl_xor_sync(kAll, input[threadIdx.x], 1);
}

template <typename T>
void try_type() {
  std::vector<T> input;
  for (int lane = 0; lane < kLanes; ++lane) input.push_back(static_cast<T>(lane - 5.0f));
  std::vector<T> output(kLanes);
  EXPECT(SIMT_LAUNCH(typed_shuffle_kernel<T>, 1, kLanes, nullptr, input.data(), output.data()) ==
         cudaSuccess);
  for (std::size_t lane = 0; lane < kLanes; ++lane) EXPECT(output[lane] == input[lane ^ 1u]);
}

}  // namespace

SIMT_CASE(shuffle_by_index) { try_all_operands(Kind::kIndex); }
SIMT_CASE(shuffle_up) { try_all_operands(Kind::kUp); }
SIMT_CASE(shuffle_down) { try_all_operands(Kind::kDown); }
SIMT_CASE(shuffle_xor) { try_all_operands(Kind::kXor); }

// PTX takes five bits of the operand.
SIMT_CASE(shuffle_operands_wrap) {
  for (const Kind kind : {Kind::kUp, Kind::kDown, Kind::kXor}) {
    for (const int operand : {32, 35, 63}) {
      std::vector<int> results(kLanes, -1);
      EXPECT(SIMT_LAUNCH(shuffle_kernel, 1, kLanes, nullptr, kind, operand, 32, results.data()) ==
             cudaSuccess);
      for (int lane = 0; lane < kLanes; ++lane) {
        const int source = expected_source(kind, lane, operand - 32, 32);
        EXPECT(results[static_cast<std::size_t>(lane)] == value_of(source));
      }
    }
  }
}

SIMT_CASE(shuffle_of_each_type) {
  try_type<int>();
  try_type<long long>();
  try_type<float>();
  try_type<double>();
}

SIMT_CASE(votes) {
  for (const unsigned group : {0xffffffffu, 0x0000ffffu, 0x55555555u, 0x00000001u}) {
    if (~group == 0) {
      try_votes(0u, group);
      try_votes(0xffffffffu, group);
    }
    try_votes(0x80000001u, group);
    try_votes(0x0000ffffu, group);
    try_votes(0x12345678u, group);
  }
}

}  // namespace emulator_tests
