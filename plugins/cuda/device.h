// The CUDA side of simt.h: thin wrappers that cost nothing.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <atomic>
#include <cstring>
#include <utility>

// 75, 80, .. in device code; 0 where the host half of a translation unit is compiled.
#if defined(__CUDA_ARCH__)
#define SEGPP_ARCH (__CUDA_ARCH__ / 10)
#else
#define SEGPP_ARCH 0
#endif

#define SEGPP_UNROLL _Pragma("unroll")
#define SEGPP_NO_UNROLL _Pragma("unroll 1")

// Aligned for 128-bit accesses whatever T is.
#define SEGPP_SHARED(T, name, count) __shared__ __align__(16) T name[count]

// SEGPP_LAUNCH(kernel, grid, block, stream, arguments...)
#define SEGPP_LAUNCH(...) ::simt::launch(__VA_ARGS__)

namespace simt {

// Whether launches may start before earlier ones have ended, which their kernels then wait for:
// those compiled for sm_90 or newer do, those of older PTX do not, whatever GPU runs them. All
// kernels of a library are compiled alike, so any one tells. Graphs hold such launches since
// CUDA 12.3.
inline bool may_start_early(const void* kernel) {
  constexpr int kMostDevices = 64;
  static std::atomic<int> answers[kMostDevices];  // 0: not asked yet
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || device >= kMostDevices) return false;
  int answer = answers[device].load(std::memory_order_relaxed);
  if (answer == 0) {
    cudaFuncAttributes attributes = {};
    int driver = 0;
    if (cudaFuncGetAttributes(&attributes, kernel) != cudaSuccess ||
        cudaDriverGetVersion(&driver) != cudaSuccess) {
      return false;
    }
    answer = attributes.ptxVersion >= 90 && driver >= 12030 ? 1 : -1;
    answers[device].store(answer, std::memory_order_relaxed);
  }
  return answer > 0;
}

// The error is that of this launch alone: cudaGetLastError would also report, and clear, older
// ones.
template <typename... Parameters, typename... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream,
                   Arguments&&... arguments) {
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = may_start_early(reinterpret_cast<const void*>(kernel)) ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

// Waits until the launches before this one in its stream have ended and what they wrote is there.
// Where blocks start before that, nothing of it may be read, and nothing that those may read
// written.
__device__ __forceinline__ void wait_for_prerequisites() {
#if SEGPP_ARCH >= 90
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Lets the next launch of the stream take its places on the GPU as soon as all blocks came here; it
// waits there for this one to end. For kernels that one of ours follows.
__device__ __forceinline__ void allow_dependents() {
#if SEGPP_ARCH >= 90
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// Tells blocks of this launch that wait for this value, and that saw an older one before. What the
// thread's block wrote before a barrier is there for them, if they read it by loads that no L1
// cache answers.
__device__ __forceinline__ void publish(unsigned long long* word, unsigned long long value) {
  __threadfence();
  *static_cast<volatile unsigned long long*>(word) = value;
}

// Waits until another block has published this value: one that has started, whatever else waits.
__device__ __forceinline__ void wait_until(const unsigned long long* word,
                                           unsigned long long value) {
  while (*static_cast<const volatile unsigned long long*>(word) != value) __nanosleep(20);
  __threadfence();
}

// One vector that starts at array[index], an array of T in shared or global memory.
template <typename Vector, typename T>
__device__ __forceinline__ Vector load_vec(const T* array, int index) {
  return *reinterpret_cast<const Vector*>(array + index);
}

template <typename Vector, typename T>
__device__ __forceinline__ void store_vec(T* array, int index, const Vector& value) {
  *reinterpret_cast<Vector*>(array + index) = value;
}

// The part of a shared array that starts at `first` (the host checks that accesses stay in
// `count`).
template <typename T>
__device__ __forceinline__ T* slice(T* array, int first, int /*count*/) {
  return array + first;
}

// d += a * b for one warp; a is 16x8 row-major, b 8x8 column-major, both half; d is 16x8 float.
__device__ __forceinline__ void mma_m16n8k8(float (&d)[4], const unsigned (&a)[2],
                                            const unsigned (&b)[1]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b[0]));
}

// d += a * b for one warp; a is 16x16, b 16x8. Two steps of k = 8 where the GPU has no k = 16
// (sm_75).
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4],
                                             const unsigned (&b)[2]) {
#if SEGPP_ARCH >= 80
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  mma_m16n8k8(d, {a[0], a[1]}, {b[0]});
  mma_m16n8k8(d, {a[2], a[3]}, {b[1]});
#endif
}

}  // namespace simt
