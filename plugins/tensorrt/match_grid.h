// What the ops that match demand of their grid.
#pragma once

#include <cstdint>

#include "sizes.h"

namespace segpp {

std::int64_t count_tokens(const Sizes& attributes);

// Tokens that may merge. Throws Refusal for a grid that holds no cell.
std::int64_t count_sources(const Sizes& attributes);

// Throws Refusal unless the grid is that of the tokens.
void check_grid(const Sizes& sizes);

}  // namespace segpp
