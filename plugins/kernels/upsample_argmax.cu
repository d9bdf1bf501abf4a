#include "launch.h"
#include "upsample_argmax.h"
#include "vector.cuh"

namespace segpp {
namespace {

constexpr int kMaxClasses = 255;
constexpr int kBlockWidth = 32;  // pixels: a warp takes a piece of a row
constexpr int kBlockWarps = 4;
constexpr int kPixelsPerThread = 4;  // one below the other: they share most of what they read
constexpr int kBlockHeight = kBlockWarps * kPixelsPerThread;

// The two neighbours of an output pixel along one axis, half-pixel centres, and the weight of the
// second.
struct Neighbours {
  int first;
  int second;
  float weight;
};

// Where PyTorch samples (align_corners = false). `scale` is in / out.
__device__ __forceinline__ Neighbours neighbours_of(int pixel, float scale, int size) {
  const float position = fmaxf(fmaf(static_cast<float>(pixel) + 0.5f, scale, -0.5f), 0.0f);
  const int first = min(static_cast<int>(position), size - 1);
  return {first, min(first + 1, size - 1), fminf(position - static_cast<float>(first), 1.0f)};
}

__device__ __forceinline__ float interpolate(float first, float second, float weight) {
  return fmaf(weight, second, (1.0f - weight) * first);
}

// The interpolation between two columns of one input row.
template <typename T>
__device__ __forceinline__ float sample_row(const T* plane, int y, int width,
                                            const Neighbours& columns) {
  const T* row = plane + static_cast<long long>(y) * width;
  return interpolate(detail::to_float(row[columns.first]), detail::to_float(row[columns.second]),
                     columns.weight);
}

template <typename T>
class PixelColumn {
 public:
  __device__ PixelColumn(const UpsampleArgmaxProblem& shape, int x, int first_y)
      : width_(shape.in_width),
        columns_(neighbours_of(x, static_cast<float>(shape.in_width) / shape.out_width,
                               shape.in_width)) {
    const float scale = static_cast<float>(shape.in_height) / shape.out_height;
    SEGPP_UNROLL
    for (int i = 0; i < kPixelsPerThread; ++i) {
      rows_[i] = neighbours_of(min(first_y + i, shape.out_height - 1), scale, shape.in_height);
      best_[i] = -INFINITY;
      label_[i] = 0;
    }
  }

  // Classes come in ascending order, so only a greater value replaces the best. NaN is never
  // greater.
  __device__ void compare(const T* plane, int label) {
    float first = sample_row(plane, rows_[0].first, width_, columns_);
    float second = sample_row(plane, rows_[0].second, width_, columns_);
    SEGPP_UNROLL
    for (int i = 0; i < kPixelsPerThread; ++i) {
      if (i > 0 && rows_[i].first != rows_[i - 1].first) {  // the same in all lanes of a warp
        first = rows_[i].first == rows_[i - 1].second
                    ? second
                    : sample_row(plane, rows_[i].first, width_, columns_);
        second = sample_row(plane, rows_[i].second, width_, columns_);
      }
      const float value = interpolate(first, second, rows_[i].weight);
      if (value > best_[i]) {
        best_[i] = value;
        label_[i] = label;
      }
    }
  }

  __device__ int label(int i) const { return label_[i]; }

 private:
  int width_;
  Neighbours columns_;
  Neighbours rows_[kPixelsPerThread];
  float best_[kPixelsPerThread];
  int label_[kPixelsPerThread];
};

__device__ __forceinline__ void write_label(int label, std::uint8_t& written) {
  written = static_cast<std::uint8_t>(label);
}

__device__ __forceinline__ void write_label(int label, __half& written) {
  written = __float2half_rn(static_cast<float>(label));
}

// Grid: tiles along a row x tiles along a column x B.
template <typename T, typename Label>
__global__ void __launch_bounds__(kBlockWidth* kBlockWarps, 4)
    upsample_argmax_kernel(UpsampleArgmaxProblem shape, const T* logits, Label* labels) {
  simt::wait_for_prerequisites();
  const int thread = static_cast<int>(threadIdx.x);
  const int x = static_cast<int>(blockIdx.x) * kBlockWidth + thread % kBlockWidth;
  const int first_y =
      static_cast<int>(blockIdx.y) * kBlockHeight + thread / kBlockWidth * kPixelsPerThread;
  if (x >= shape.out_width) return;

  const long long plane_size = static_cast<long long>(shape.in_height) * shape.in_width;
  const T* plane = logits + blockIdx.z * shape.classes * plane_size;
  PixelColumn<T> pixels(shape, x, first_y);
  for (int label = 0; label < shape.classes; ++label, plane += plane_size) {
    pixels.compare(plane, label);
  }
  Label* image = labels + static_cast<long long>(blockIdx.z) * shape.out_height * shape.out_width;
  SEGPP_UNROLL
  for (int i = 0; i < kPixelsPerThread; ++i) {
    if (first_y + i >= shape.out_height) return;
    write_label(pixels.label(i), image[static_cast<long long>(first_y + i) * shape.out_width + x]);
  }
}

bool is_valid(const UpsampleArgmaxProblem& problem) noexcept {
  return detail::is_batch(problem.batch) && problem.classes >= 1 &&
         problem.classes <= kMaxClasses && detail::is_count(problem.in_height) &&
         detail::is_count(problem.in_width) && detail::is_count(problem.out_height) &&
         detail::is_count(problem.out_width) &&
         detail::divide_up(problem.out_height, kBlockHeight) <= detail::kMaxGridYz;
}

bool is_known(LabelType type) noexcept {
  return type == LabelType::kUint8 || type == LabelType::kFloat16;
}

template <typename T, typename Label>
cudaError_t launch(const UpsampleArgmaxProblem& problem, const void* logits, void* labels,
                   cudaStream_t stream) {
  const dim3 grid(detail::divide_up(problem.out_width, kBlockWidth),
                  detail::divide_up(problem.out_height, kBlockHeight), problem.batch);
  return SEGPP_LAUNCH((upsample_argmax_kernel<T, Label>), grid, dim3(kBlockWidth * kBlockWarps),
                      stream, problem, static_cast<const T*>(logits), static_cast<Label*>(labels));
}

template <typename T>
cudaError_t launch(const UpsampleArgmaxProblem& problem, const void* logits, LabelType label_type,
                   void* labels, cudaStream_t stream) {
  return label_type == LabelType::kFloat16
             ? launch<T, __half>(problem, logits, labels, stream)
             : launch<T, std::uint8_t>(problem, logits, labels, stream);
}

}  // namespace

cudaError_t upsample_argmax(const UpsampleArgmaxProblem& problem, DataType type, const void* logits,
                            LabelType label_type, void* labels, cudaStream_t stream) noexcept {
  if (!is_valid(problem) || !detail::is_known(type) || !is_known(label_type) || logits == nullptr ||
      labels == nullptr) {
    return cudaErrorInvalidValue;
  }
  return type == DataType::kFloat16 ? launch<__half>(problem, logits, label_type, labels, stream)
                                    : launch<float>(problem, logits, label_type, labels, stream);
}

}  // namespace segpp
