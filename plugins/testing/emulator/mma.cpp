// Lane layouts from the PTX ISA, "Matrix Fragments for mma.m16n8k8" and "for mma.m16n8k16", .f16:
// a register holds two neighbouring halves, and the second half of k = 16 repeats the first.
#include "mma.h"

#include "builtins.h"
#include "mma_product.h"

namespace simt {
namespace host {
namespace {

constexpr int kRows = 16;
constexpr int kColumns = 8;
constexpr int kStep = 8;  // of the depth, that one register of b covers

float half_of(unsigned packed, int which) {
  __half_raw raw;
  raw.x = static_cast<unsigned short>(packed >> (16 * which));
  return __half2float(__half(raw));
}

void multiply_step(const std::array<MmaOperands, kWarpSize>& operands, int step) {
  float a[kRows][kStep];
  float b[kStep][kColumns];
  float d[kRows][kColumns];
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const int group = lane / 4;
    const int pair = lane % 4 * 2;
    for (int i = 0; i < 2; ++i) {
      a[group][pair + i] = half_of(operands[lane].a[2 * step], i);
      a[group + 8][pair + i] = half_of(operands[lane].a[2 * step + 1], i);
      b[pair + i][group] = half_of(operands[lane].b[step], i);
      d[group][pair + i] = operands[lane].d[i];
      d[group + 8][pair + i] = operands[lane].d[2 + i];
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int k = 0; k < kStep; ++k) {
      for (int column = 0; column < kColumns; ++column) d[row][column] += a[row][k] * b[k][column];
    }
  }
  for (int lane = 0; lane < kWarpSize; ++lane) {
    for (int i = 0; i < 4; ++i)
      operands[lane].d[i] = d[lane / 4 + 8 * (i / 2)][lane % 4 * 2 + i % 2];
  }
}

}  // namespace

void multiply_fragments(const std::array<MmaOperands, kWarpSize>& operands) {
  for (int step = 0; step < operands[0].depth / kStep; ++step) multiply_step(operands, step);
}

}  // namespace host

void mma_m16n8k8(float (&d)[4], const unsigned (&a)[2], const unsigned (&b)[1], const char* file,
                 int line) {
  host::mma({d, a, b, 8}, {file, line});
}

void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file,
                  int line) {
  host::mma({d, a, b, 16}, {file, line});
}

}  // namespace simt
