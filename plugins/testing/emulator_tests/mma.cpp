// The tensor-core products. The layouts are checked from outside, by a table that is not ours: this
// reads the registers of each lane and writes those of the result.
#include <cstdio>
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

struct Registers {
  unsigned a[4];
  unsigned b[2];
  float d[4];
};

__global__ void mma_kernel(int depth, Registers* lanes) {
  Registers& own = lanes[threadIdx.x];
  if (depth == 16) {
    simt::mma_m16n8k16(own.d, own.a, own.b);
  } else {
    simt::mma_m16n8k8(own.d, {own.a[0], own.a[1]}, {own.b[0]});
  }
}

bool read_lane(Registers& lane) {
  int count = 0;
  for (unsigned& word : lane.a) count += std::scanf("%x", &word);
  for (unsigned& word : lane.b) count += std::scanf("%x", &word);
  for (float& value : lane.d) count += std::scanf("%f", &value);
  return count == 10;
}

}  // namespace

// Input: the depth, then of each lane a (4 words), b (2 words) and d (4 numbers); output: the new
// d.
SIMT_CASE_ON_REQUEST(mma_of_input) {
  int depth = 0;
  std::vector<Registers> lanes(kLanes);
  EXPECT(std::scanf("%d", &depth) == 1 && (depth == 8 || depth == 16));
  for (Registers& lane : lanes) EXPECT(read_lane(lane));
  EXPECT(SIMT_LAUNCH(mma_kernel, 1, kLanes, nullptr, depth, lanes.data()) == cudaSuccess);
  for (const Registers& lane : lanes) {
    std::printf("%.9g %.9g %.9g %.9g\n", lane.d[0], lane.d[1], lane.d[2], lane.d[3]);
  }
}

}  // namespace emulator_tests
