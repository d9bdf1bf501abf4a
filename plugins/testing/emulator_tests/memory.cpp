// Shared memory used in ways that it can't be.
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

__global__ void index_kernel(int index, int* out) {
  SEGPP_SHARED(int, values, 10);
  if (threadIdx.x != 0) return;
  for (int i = 0; i < 10; ++i) values[i] = i;
  *out = values[index];
}

__global__ void write_kernel(int index) {
  SEGPP_SHARED(int, values, 10);
  values[index] = 1;
}

__global__ void slice_kernel(int first, int count, int index) {
  SEGPP_SHARED(int, values, 10);
  simt::slice(values, first, count)[index] = 1;
}

__global__ void shared_vector_kernel(int index, bool stores, unsigned* out) {
  SEGPP_SHARED(unsigned, words, 12);
  for (int i = 0; i < 12; ++i) words[i] = 0u;
  if (stores) {
    simt::store_vec(words, index, make_uint4(1, 2, 3, 4));
  } else {
    *out = simt::load_vec<uint4>(words, index).x;
  }
}

__global__ void global_vector_kernel(const unsigned* words, unsigned* out) {
  *out = simt::load_vec<uint4>(words, 0).w;
}

__global__ void uninitialised_kernel(int written, int read, int* out) {
  SEGPP_SHARED(int, values, 10);
  for (int i = 0; i < written; ++i) values[i] = i;
  *out = values[read];
}

__global__ void uninitialised_vector_kernel(unsigned* out) {
  SEGPP_SHARED(unsigned, words, 4);
  for (int i = 0; i < 3; ++i) words[i] = 0u;
  *out = simt::load_vec<uint4>(words, 0).x;
}

__global__ void uninitialised_atomic_kernel() {
  SEGPP_SHARED(int, counter, 1);
  atomicAdd(&counter[0], 1);
}

// Shared memory starts anew in each block.
__global__ void left_by_last_block_kernel(int* out) {
  SEGPP_SHARED(int, values, 1);
  if (blockIdx.x == 0) values[0] = 1;
  *out = values[0];
}

__global__ void too_much_kernel() {
  SEGPP_SHARED(float, first, 8 * 1024);
  SEGPP_SHARED(float, second, 4 * 1024 + 1);
  first[0] = 0.0f;
  second[0] = 0.0f;
}

__global__ void element_operators_kernel(int* out) {
  SEGPP_SHARED(int, values, 3);
  values[0] = 5;
  values[1] = values[0];
  values[0] += 3;
  values[0] -= 1;
  values[0] *= 10;
  values[0] |= 0x100;
  values[0] &= 0x1ff;
  values[2] = values[1]++;
  ++values[2];
  for (int i = 0; i < 3; ++i) out[i] = values[i];
  out[3] = values[0] + values[1] * 2;
  out[4] = values[1] == values[2] ? 1 : 0;
  out[5] = max(values[0], 1000);
  out[6] = values[1] > 3 ? values[1] : values[0];
}

cudaError_t read_at(int index) {
  int out = 0;
  return SIMT_LAUNCH(index_kernel, 1, 32, nullptr, index, &out);
}

cudaError_t slice_at(int first, int count, int index) {
  return SIMT_LAUNCH(slice_kernel, 1, 1, nullptr, first, count, index);
}

cudaError_t vector_at(int index, bool stores) {
  unsigned out = 0;
  return SIMT_LAUNCH(shared_vector_kernel, 1, 1, nullptr, index, stores, &out);
}

cudaError_t read_after(int written, int read) {
  int out = 0;
  return SIMT_LAUNCH(uninitialised_kernel, 1, 1, nullptr, written, read, &out);
}

}  // namespace

SIMT_CASE(index_out_of_bounds) {
  EXPECT(read_at(9) == cudaSuccess);
  EXPECT_FINDING(read_at(10), "out of bounds", "'values'[10]", "memory.cpp:", "thread 0");
  EXPECT_FINDING(read_at(-1), "out of bounds", "'values'[-1]");
  EXPECT_FINDING(SIMT_LAUNCH(write_kernel, 1, 1, nullptr, 1000000), "out of bounds",
                 "'values'[1000000]");
}

SIMT_CASE(slice_out_of_bounds) {
  EXPECT(slice_at(2, 8, 7) == cudaSuccess);
  EXPECT_FINDING(slice_at(2, 4, 4), "out of bounds", "'values'[6]", "the slice");
  EXPECT_FINDING(slice_at(2, 4, -1), "out of bounds", "'values'[1]", "begins at [2]");
  EXPECT_FINDING(slice_at(2, 9, 0), "out of bounds", "'values'[10]");
  EXPECT_FINDING(slice_at(-1, 4, 0), "out of bounds", "'values'[-1]");
}

SIMT_CASE(vector_out_of_bounds_or_misaligned) {
  for (const bool stores : {false, true}) {
    EXPECT(vector_at(8, stores) == cudaSuccess);
    EXPECT_FINDING(vector_at(12, stores), "out of bounds", "'words'[15]");
    EXPECT_FINDING(vector_at(6, stores), "misaligned", "16 bytes", "'words'[6]");
  }
}

SIMT_CASE(misaligned_global_vector) {
  std::vector<uint4> words(2, make_uint4(1, 2, 3, 4));
  const auto* first = reinterpret_cast<const unsigned*>(words.data());
  unsigned out = 0;
  EXPECT(SIMT_LAUNCH(global_vector_kernel, 1, 1, nullptr, first, &out) == cudaSuccess);
  EXPECT(out == 4);
  EXPECT_FINDING(SIMT_LAUNCH(global_vector_kernel, 1, 1, nullptr, first + 1, &out), "misaligned",
                 "global memory");
}

SIMT_CASE(uninitialised_read) {
  EXPECT(read_after(4, 3) == cudaSuccess);
  EXPECT_FINDING(read_after(4, 4), "uninitialised read", "'values'[4]", "thread 0");
}

SIMT_CASE(uninitialised_read_of_a_vector) {
  unsigned out = 0;
  EXPECT_FINDING(SIMT_LAUNCH(uninitialised_vector_kernel, 1, 1, nullptr, &out),
                 "uninitialised read", "'words'[3]");
}

SIMT_CASE(uninitialised_atomic) {
  EXPECT_FINDING(SIMT_LAUNCH(uninitialised_atomic_kernel, 1, 1, nullptr), "uninitialised read",
                 "'counter'[0]");
}

SIMT_CASE(uninitialised_in_the_next_block) {
  int out = 0;
  EXPECT(SIMT_LAUNCH(left_by_last_block_kernel, 1, 1, nullptr, &out) == cudaSuccess);
  EXPECT_FINDING(SIMT_LAUNCH(left_by_last_block_kernel, 2, 1, nullptr, &out), "uninitialised read",
                 "block (1,0,0)");
}

SIMT_CASE(too_much_shared_memory) {
  for (int launch = 0; launch < 2; ++launch) {
    EXPECT_FINDING(SIMT_LAUNCH(too_much_kernel, 1, 1, nullptr), "49156 bytes");
  }
}

SIMT_CASE(operators_of_an_element) {
  std::vector<int> out(7);
  EXPECT(SIMT_LAUNCH(element_operators_kernel, 1, 1, nullptr, out.data()) == cudaSuccess);
  EXPECT(out == (std::vector<int>{0x146, 6, 6, 0x146 + 12, 1, 1000, 6}));
}

}  // namespace emulator_tests
