// The product behind the mma collectives.
#pragma once

#include <array>

#include "block.h"

namespace simt::host {

// A collective of the full warp: adds the product of all lanes' fragments to their d.
void mma(const MmaOperands& operands, const Site& site);

// The product itself; operands[lane] are of one depth. Products are exact, sums are float32.
void multiply_fragments(const std::array<MmaOperands, kWarpSize>& operands);

}  // namespace simt::host
