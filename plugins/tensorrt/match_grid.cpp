#include "match_grid.h"

#include <string>

#include "errors.h"

namespace segpp {

std::int64_t count_tokens(const Sizes& attributes) {
  return std::int64_t{attributes["grid_h"]} * attributes["grid_w"];
}

std::int64_t count_sources(const Sizes& attributes) {
  const std::int64_t num_destinations =
      std::int64_t{attributes["grid_h"] / attributes["stride_y"]} *
      (attributes["grid_w"] / attributes["stride_x"]);
  if (num_destinations < 1) throw Refusal("the grid is smaller than a cell");
  return count_tokens(attributes) - num_destinations;
}

void check_grid(const Sizes& sizes) {
  if (sizes["N"] != count_tokens(sizes)) {
    throw Refusal("tokens has N = " + std::to_string(sizes["N"]) +
                  ", expected grid_h * grid_w = " + std::to_string(count_tokens(sizes)));
  }
}

}  // namespace segpp
