// Shuffles and votes of a warp.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "operation.h"
#include "site.h"

namespace simt::host {

// The bits that the selected lane gave; `operand` is CUDA's srcLane, delta or laneMask.
std::uint64_t shuffle_bits(WarpOperation shuffle, unsigned mask, std::uint64_t bits, int operand,
                           int width, const Site& site);

// The predicates of the lanes of `mask`, one bit a lane.
unsigned vote(WarpOperation vote, unsigned mask, bool predicate, const Site& site);

template <typename T>
inline constexpr bool kIsShuffled =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, long> ||
    std::is_same_v<T, unsigned long> || std::is_same_v<T, long long> ||
    std::is_same_v<T, unsigned long long> || std::is_same_v<T, float> ||
    std::is_same_v<T, double> || std::is_same_v<T, __half> || std::is_same_v<T, __half2>;

template <typename T>
T shuffle(WarpOperation operation, unsigned mask, T value, int operand, int width,
          const Site& site) {
  static_assert(kIsShuffled<T>, "CUDA has no shuffle for this type");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = shuffle_bits(operation, mask, bits, operand, width, site);
  std::memcpy(static_cast<void*>(&value), &bits, sizeof(T));
  return value;
}

}  // namespace simt::host

template <typename T>
T __shfl_sync(unsigned mask, T value, int source_lane, int width = 32, SEGPP_SIMT_CALLER) {
  return simt::host::shuffle(simt::host::WarpOperation::kShuffle, mask, value, source_lane, width,
                             {file, line});
}

template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SEGPP_SIMT_CALLER) {
  return simt::host::shuffle(simt::host::WarpOperation::kShuffleUp, mask, value,
                             static_cast<int>(delta), width, {file, line});
}

template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SEGPP_SIMT_CALLER) {
  return simt::host::shuffle(simt::host::WarpOperation::kShuffleDown, mask, value,
                             static_cast<int>(delta), width, {file, line});
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, SEGPP_SIMT_CALLER) {
  return simt::host::shuffle(simt::host::WarpOperation::kShuffleXor, mask, value, lane_mask, width,
                             {file, line});
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SEGPP_SIMT_CALLER) {
  return simt::host::vote(simt::host::WarpOperation::kBallot, mask, predicate != 0, {file, line});
}

inline int __any_sync(unsigned mask, int predicate, SEGPP_SIMT_CALLER) {
  return simt::host::vote(simt::host::WarpOperation::kAny, mask, predicate != 0, {file, line}) != 0;
}

inline int __all_sync(unsigned mask, int predicate, SEGPP_SIMT_CALLER) {
  return simt::host::vote(simt::host::WarpOperation::kAll, mask, predicate != 0, {file, line}) ==
         mask;
}
