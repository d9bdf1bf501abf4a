// What the launch functions share: checks and sizes on the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "types.h"

namespace segpp::detail {

// Batches and rows of blocks are the second and third dimension of a grid.
inline constexpr int kMaxGridYz = 65535;

// Leaves room for the last block to count past the end.
inline constexpr int kMaxCount = std::numeric_limits<int>::max() - 4096;

inline constexpr std::size_t kWorkspaceAlignment = 256;

constexpr int divide_up(int count, int by) noexcept { return (count + by - 1) / by; }

constexpr std::size_t align_workspace(std::size_t bytes) noexcept {
  return (bytes + kWorkspaceAlignment - 1) / kWorkspaceAlignment * kWorkspaceAlignment;
}

constexpr bool is_known(DataType type) noexcept {
  return type == DataType::kFloat32 || type == DataType::kFloat16;
}

constexpr bool is_batch(int batch) noexcept { return batch >= 1 && batch <= kMaxGridYz; }

constexpr bool is_count(std::int64_t count) noexcept { return count >= 1 && count <= kMaxCount; }

constexpr int elements_per_vector(DataType type) noexcept {
  return type == DataType::kFloat16 ? 8 : 4;
}

// Whether rows of `channels` elements can be read as 16-byte vectors. A null pointer is aligned.
template <typename... Pointers>
bool can_vectorize(DataType type, int channels, Pointers... pointers) noexcept {
  const std::uintptr_t bits = (reinterpret_cast<std::uintptr_t>(pointers) | ...);
  return channels % elements_per_vector(type) == 0 && bits % 16 == 0;
}

}  // namespace segpp::detail
