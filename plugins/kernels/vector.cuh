// Elements in memory, and what they are computed as: float32.
#pragma once

#include <type_traits>

#include "../cuda/simt.h"

namespace segpp::detail {

// What a thread reads or writes at once: 16 bytes where rows are aligned to that, else one element.
template <typename T, bool kVectorized>
using Unit = std::conditional_t<kVectorized, uint4, T>;

template <typename T, bool kVectorized>
inline constexpr int kElementsPerUnit = sizeof(Unit<T, kVectorized>) / sizeof(T);

__device__ __forceinline__ float half_bits_to_float(unsigned bits) {
  __half_raw raw;
  raw.x = static_cast<unsigned short>(bits);
  return __half2float(__half(raw));
}

__device__ __forceinline__ unsigned bits_of(__half value) {
  return static_cast<__half_raw>(value).x;
}

__device__ __forceinline__ unsigned bits_of(float value) { return __float_as_uint(value); }

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(__half value) { return __half2float(value); }

__device__ __forceinline__ void unpack(float unit, float (&values)[1]) { values[0] = unit; }

__device__ __forceinline__ void unpack(__half unit, float (&values)[1]) {
  values[0] = __half2float(unit);
}

__device__ __forceinline__ void unpack(const uint4& unit, float (&values)[4]) {
  values[0] = __uint_as_float(unit.x);
  values[1] = __uint_as_float(unit.y);
  values[2] = __uint_as_float(unit.z);
  values[3] = __uint_as_float(unit.w);
}

__device__ __forceinline__ void unpack(const uint4& unit, float (&values)[8]) {
  const unsigned words[4] = {unit.x, unit.y, unit.z, unit.w};
  SEGPP_UNROLL
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = half_bits_to_float(words[i] & 0xffffu);
    values[2 * i + 1] = half_bits_to_float(words[i] >> 16);
  }
}

__device__ __forceinline__ void pack(const float (&values)[1], float& unit) { unit = values[0]; }

__device__ __forceinline__ void pack(const float (&values)[1], __half& unit) {
  unit = __float2half_rn(values[0]);
}

__device__ __forceinline__ void pack(const float (&values)[4], uint4& unit) {
  unit = {__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]),
          __float_as_uint(values[3])};
}

__device__ __forceinline__ void pack(const float (&values)[8], uint4& unit) {
  unsigned words[4];
  SEGPP_UNROLL
  for (int i = 0; i < 4; ++i) {
    words[i] = bits_of(__float2half_rn(values[2 * i])) | bits_of(__float2half_rn(values[2 * i + 1]))
                                                             << 16;
  }
  unit = {words[0], words[1], words[2], words[3]};
}

}  // namespace segpp::detail
