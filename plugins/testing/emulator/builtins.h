// The names of CUDA that need no emulation: qualifiers, indices and scalar functions.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include <cmath>
#include <cstdint>
#include <cstring>

// The architecture whose code paths the host runs: 75, 80, ..
#if !defined(SEGPP_HOST_ARCH)
#define SEGPP_HOST_ARCH 80
#endif
#define SEGPP_ARCH SEGPP_HOST_ARCH

#define SEGPP_UNROLL
#define SEGPP_NO_UNROLL

// NVIDIA's headers leave the other qualifiers empty for a host compiler.
#undef __launch_bounds__
#define __launch_bounds__(...)

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
inline constexpr int warpSize = 32;

inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) {
  return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value));
}

namespace simt::host {

template <typename To, typename From>
To bit_cast(const From& value) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}

}  // namespace simt::host

inline unsigned __float_as_uint(float value) { return simt::host::bit_cast<unsigned>(value); }
inline int __float_as_int(float value) { return simt::host::bit_cast<int>(value); }
inline float __uint_as_float(unsigned value) { return simt::host::bit_cast<float>(value); }
inline float __int_as_float(int value) { return simt::host::bit_cast<float>(value); }

// C23 brings rsqrtf to the C library.
#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 42)
inline float rsqrtf(float value) { return 1.0f / std::sqrt(value); }
#endif

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }

inline int min(int a, int b) { return b < a ? b : a; }
inline unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
inline long min(long a, long b) { return b < a ? b : a; }
inline long long min(long long a, long long b) { return b < a ? b : a; }
inline float min(float a, float b) { return std::fmin(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long max(long a, long b) { return a < b ? b : a; }
inline long long max(long long a, long long b) { return a < b ? b : a; }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
