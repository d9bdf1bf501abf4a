// Planted races: each is found, and its twin with the right barrier is not.
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

enum class Barrier { kNone, kWarp, kBlock, kShuffle };

__device__ void wait_at(Barrier barrier) {
  if (barrier == Barrier::kWarp) __syncwarp();
  if (barrier == Barrier::kBlock) __syncthreads();
  if (barrier == Barrier::kShuffle) __shfl_sync(0xffffffffu, 0, 0);
}

// Thread `writer` writes, after the barrier thread `reader` reads.
__global__ void write_then_read_kernel(int writer, int reader, Barrier barrier, int* out) {
  SEGPP_SHARED(int, mailbox, 4);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 2) mailbox[1] = 5;
  __syncthreads();
  if (thread == writer) mailbox[1] = 6;
  wait_at(barrier);
  if (thread == reader) *out = mailbox[1];
}

__global__ void read_then_write_kernel(int readers, int writer, Barrier barrier, int* out) {
  SEGPP_SHARED(int, mailbox, 4);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 2) mailbox[1] = 5;
  __syncthreads();
  if (thread < readers) out[thread] = mailbox[1];
  wait_at(barrier);
  if (thread == writer) mailbox[1] = 6;
}

__global__ void two_writes_kernel(int first, int second, Barrier barrier) {
  SEGPP_SHARED(int, mailbox, 4);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == first) mailbox[3] = 5;
  wait_at(barrier);
  if (thread == second) mailbox[3] = 5;
}

__global__ void atomic_kernel(Barrier before, Barrier after, int* out) {
  SEGPP_SHARED(int, counter, 1);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) counter[0] = 0;
  wait_at(before);
  atomicAdd(&counter[0], 1);
  wait_at(after);
  if (thread == 40) *out = counter[0];
}

// Lane 0 hands to 1, 1 to 2: ordered by a chain of barriers, neither of which has both 0 and 2.
__global__ void chain_kernel(bool complete, int* out) {
  SEGPP_SHARED(int, mailbox, 1);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) mailbox[0] = 1;
  if (thread < 2) __syncwarp(0x3u);
  if (thread == 1 || thread == 2) __syncwarp(complete ? 0x6u : 1u << thread);
  if (thread == 2) *out = mailbox[0];
}

// Of two lanes that read only one waits for the lane that writes.
__global__ void one_reader_waits_kernel(int waiting, int* out) {
  SEGPP_SHARED(int, mailbox, 1);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) mailbox[0] = 1;
  __syncwarp();
  if (thread == 3 || thread == 4) out[thread] = mailbox[0];
  if (thread == waiting || thread == 5) __syncwarp(1u << waiting | 1u << 5);
  if (thread == 5) mailbox[0] = 2;
}

// Vectors overlap with single elements.
__global__ void vector_overlap_kernel() {
  SEGPP_SHARED(unsigned short, tile, 16);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) simt::store_vec<uint4>(tile, 8, make_uint4(1, 2, 3, 4));
  if (thread == 33) tile[13] = static_cast<unsigned short>(1);
}

__global__ void no_overlap_kernel() {
  SEGPP_SHARED(unsigned char, bytes, 64);
  bytes[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);  // neighbours in one word
}

// A block leaves the array as the next one finds it: that is no race between the two.
__global__ void race_in_one_block_kernel(unsigned racing) {
  SEGPP_SHARED(int, mailbox, 1);
  if (threadIdx.x == 0) mailbox[0] = 1;
  if (blockIdx.x == racing && threadIdx.x == 32) mailbox[0] = 2;
}

cudaError_t write_then_read(int writer, int reader, Barrier barrier) {
  int out = 0;
  return SIMT_LAUNCH(write_then_read_kernel, 1, 64, nullptr, writer, reader, barrier, &out);
}

cudaError_t read_then_write(int readers, int writer, Barrier barrier) {
  std::vector<int> out(64);
  return SIMT_LAUNCH(read_then_write_kernel, 1, 64, nullptr, readers, writer, barrier, out.data());
}

}  // namespace

SIMT_CASE(race_of_a_write_and_a_read) {
  EXPECT_FINDING(write_then_read(3, 40, Barrier::kNone), "write_then_read_kernel", "block (0,0,0)",
                 "race", "'mailbox'[1]", "races.cpp:", "thread 3", "thread 40");
  EXPECT(write_then_read(3, 40, Barrier::kBlock) == cudaSuccess);
  EXPECT(write_then_read(3, 3, Barrier::kNone) == cudaSuccess);
}

SIMT_CASE(race_within_a_warp) {
  EXPECT_FINDING(write_then_read(3, 4, Barrier::kNone), "race", "thread 3", "thread 4");
  EXPECT(write_then_read(3, 4, Barrier::kWarp) == cudaSuccess);
  EXPECT(write_then_read(3, 4, Barrier::kBlock) == cudaSuccess);
}

SIMT_CASE(race_that_syncwarp_does_not_order) {
  EXPECT_FINDING(write_then_read(3, 40, Barrier::kWarp), "race", "thread 3", "thread 40");
}

SIMT_CASE(race_that_a_shuffle_does_not_order) {
  EXPECT_FINDING(write_then_read(3, 4, Barrier::kShuffle), "race", "thread 3", "thread 4");
}

SIMT_CASE(race_of_a_read_and_a_write) {
  EXPECT_FINDING(read_then_write(1, 40, Barrier::kNone), "race", "'mailbox'[1]", "thread 0",
                 "thread 40");
  EXPECT_FINDING(read_then_write(1, 5, Barrier::kNone), "race", "thread 0", "thread 5");
  EXPECT(read_then_write(1, 5, Barrier::kWarp) == cudaSuccess);
  EXPECT(read_then_write(64, 40, Barrier::kBlock) == cudaSuccess);
}

SIMT_CASE(race_with_many_readers) {
  EXPECT_FINDING(read_then_write(32, 5, Barrier::kNone), "race", "thread 5");
  EXPECT(read_then_write(32, 5, Barrier::kWarp) == cudaSuccess);
  EXPECT_FINDING(read_then_write(64, 5, Barrier::kWarp), "race", "thread 5");
  EXPECT_FINDING(read_then_write(33, 5, Barrier::kWarp), "race", "thread 32", "thread 5");
  EXPECT_FINDING(read_then_write(32, 40, Barrier::kWarp), "race", "thread 40");
}

SIMT_CASE(race_of_two_writes) {
  EXPECT_FINDING(SIMT_LAUNCH(two_writes_kernel, 1, 64, nullptr, 0, 1, Barrier::kNone), "race",
                 "'mailbox'[3]", "written by thread", "thread 0", "thread 1");
  EXPECT(SIMT_LAUNCH(two_writes_kernel, 1, 64, nullptr, 0, 1, Barrier::kWarp) == cudaSuccess);
  EXPECT(SIMT_LAUNCH(two_writes_kernel, 1, 64, nullptr, 0, 0, Barrier::kNone) == cudaSuccess);
}

SIMT_CASE(race_of_an_atomic_and_a_plain_access) {
  int out = 0;
  EXPECT(SIMT_LAUNCH(atomic_kernel, 1, 64, nullptr, Barrier::kBlock, Barrier::kBlock, &out) ==
         cudaSuccess);
  EXPECT(out == 64);
  EXPECT_FINDING(SIMT_LAUNCH(atomic_kernel, 1, 64, nullptr, Barrier::kBlock, Barrier::kNone, &out),
                 "race", "'counter'[0]", "atomically", "thread 40");
  EXPECT_FINDING(SIMT_LAUNCH(atomic_kernel, 1, 64, nullptr, Barrier::kBlock, Barrier::kWarp, &out),
                 "race", "'counter'[0]", "atomically", "thread 40");
  EXPECT(SIMT_LAUNCH(atomic_kernel, 1, 64, nullptr, Barrier::kNone, Barrier::kBlock, &out) ==
         cudaErrorLaunchFailure);
}

SIMT_CASE(race_in_a_chain_of_barriers) {
  int out = 0;
  EXPECT(SIMT_LAUNCH(chain_kernel, 1, 32, nullptr, true, &out) == cudaSuccess);
  EXPECT(out == 1);
  EXPECT(SIMT_LAUNCH(chain_kernel, 1, 32, nullptr, false, &out) == cudaErrorLaunchFailure);
}

SIMT_CASE(race_with_a_reader_that_does_not_wait) {
  std::vector<int> out(32);
  EXPECT_FINDING(SIMT_LAUNCH(one_reader_waits_kernel, 1, 32, nullptr, 3, out.data()), "race",
                 "thread 4", "thread 5");
  EXPECT_FINDING(SIMT_LAUNCH(one_reader_waits_kernel, 1, 32, nullptr, 4, out.data()), "race",
                 "thread 3", "thread 5");
}

SIMT_CASE(race_of_a_vector_and_an_element) {
  EXPECT_FINDING(SIMT_LAUNCH(vector_overlap_kernel, 1, 64, nullptr), "race", "'tile'[13]",
                 "thread 0", "thread 33");
  EXPECT(SIMT_LAUNCH(no_overlap_kernel, 1, 64, nullptr) == cudaSuccess);
}

SIMT_CASE(race_in_one_block_of_many) {
  EXPECT_FINDING(SIMT_LAUNCH(race_in_one_block_kernel, 5, 64, nullptr, 3u), "block (3,0,0)", "race",
                 "'mailbox'[0]");
  EXPECT(SIMT_LAUNCH(race_in_one_block_kernel, 5, 64, nullptr, 5u) == cudaSuccess);
}

}  // namespace emulator_tests
