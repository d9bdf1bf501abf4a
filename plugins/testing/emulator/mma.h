// Tensor-core products of a warp, exact to PTX's lane layouts.
#pragma once

#include "builtins.h"
#include "site.h"

namespace simt {

// d += a * b for one warp; a is 16x8 row-major, b 8x8 column-major, both half; d is 16x8 float.
void mma_m16n8k8(float (&d)[4], const unsigned (&a)[2], const unsigned (&b)[1], SEGPP_SIMT_CALLER);

// d += a * b for one warp; a is 16x16, b 16x8. Two steps of k = 8 with SEGPP_HOST_ARCH=75.
void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], SEGPP_SIMT_CALLER);

}  // namespace simt
