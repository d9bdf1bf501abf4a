// Which tokens are destinations: the first token of every whole cell. The others are sources.
#pragma once

#include "../cuda/simt.h"

namespace segpp::detail {

struct TokenGrid {
  int height;
  int width;
  int stride_y;
  int stride_x;
  int cells_y;  // whole cells; rows and columns past them hold only sources
  int cells_x;

  __host__ __device__ int num_tokens() const { return height * width; }
  __host__ __device__ int num_destinations() const { return cells_y * cells_x; }
  __host__ __device__ int num_sources() const { return num_tokens() - num_destinations(); }

  __device__ bool is_destination(int token) const {
    const int y = token / width;
    const int x = token - y * width;
    return y % stride_y == 0 && x % stride_x == 0 && y < cells_y * stride_y &&
           x < cells_x * stride_x;
  }

  __device__ int destination_token(int destination) const {
    const int cell_y = destination / cells_x;
    return cell_y * stride_y * width + (destination - cell_y * cells_x) * stride_x;
  }

  // The token of the source-th source in token order.
  __device__ int source_token(int source) const {
    const int sources_per_band = stride_y * width - cells_x;  // a band is a row of cells
    const int band = min(source / sources_per_band, cells_y);
    const int rest = source - band * sources_per_band;
    const int first = band * stride_y * width;
    const int in_first_row = width - cells_x;
    if (band == cells_y || rest >= in_first_row) {
      return first + rest + (band == cells_y ? 0 : cells_x);
    }
    const int in_cells = cells_x * (stride_x - 1);
    const int skipped = rest < in_cells ? rest / (stride_x - 1) + 1 : cells_x;
    return first + rest + skipped;
  }
};

}  // namespace segpp::detail
