// The most similar destination of a source, and its 64-bit form whose order is the order of
// merging.
#pragma once

#include "../cuda/simt.h"

namespace segpp::detail {

struct Candidate {
  float similarity;
  int destination;
};

// Every similarity beats this; the destination is one that exists, whatever NaNs the tokens hold.
__device__ __forceinline__ Candidate no_candidate() { return {-INFINITY, 0}; }

// NaN beats nothing; of equal similarities the lower destination wins.
__device__ __forceinline__ bool beats(const Candidate& one, const Candidate& other) {
  return one.similarity > other.similarity ||
         (one.similarity == other.similarity && one.destination < other.destination);
}

// Larger is more similar; -0 and +0 are equal; NaN is the least similar. Never 0.
__device__ __forceinline__ unsigned order_of(float similarity) {
  if (!(similarity >= -INFINITY)) similarity = -INFINITY;
  const unsigned bits = __float_as_uint(similarity + 0.0f);  // the sum makes +0 of -0
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// The larger one is the more similar, then the one with the lower destination.
using PackedCandidate = unsigned long long;

inline constexpr PackedCandidate kNotASource = 0;  // less than any source

__device__ __forceinline__ PackedCandidate pack_candidate(float similarity, int destination) {
  return static_cast<PackedCandidate>(order_of(similarity)) << 32 |
         ~static_cast<unsigned>(destination);
}

__device__ __forceinline__ unsigned order_of(PackedCandidate candidate) {
  return static_cast<unsigned>(candidate >> 32);
}

__device__ __forceinline__ int destination_of(PackedCandidate candidate) {
  return static_cast<int>(~static_cast<unsigned>(candidate));
}

}  // namespace segpp::detail
