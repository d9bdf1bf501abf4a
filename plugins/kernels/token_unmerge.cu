#include "launch.h"
#include "token_unmerge.h"
#include "vector.cuh"

namespace segpp {
namespace {

constexpr int kThreads = 256;

struct UnmergeShape {
  int num_tokens;
  int num_rows;
  int channels;
};

// What PyTorch computes: the sum in float32, rounded once.
template <int kCount, typename Unit>
__device__ __forceinline__ Unit add(const Unit& one, const Unit& other) {
  float sums[kCount];
  float addends[kCount];
  detail::unpack(one, sums);
  detail::unpack(other, addends);
  SEGPP_UNROLL
  for (int i = 0; i < kCount; ++i) sums[i] += addends[i];
  Unit unit;
  detail::pack(sums, unit);
  return unit;
}

// A thread copies one unit: 16 bytes of channels, or one element. Grid: groups of units x B.
template <typename T, bool kVectorized, bool kHasResidual>
__global__ void __launch_bounds__(kThreads)
    unmerge_kernel(UnmergeShape shape, const T* rows, const std::int32_t* row_of_token,
                   const T* residual, T* restored) {
  simt::wait_for_prerequisites();
  using Unit = detail::Unit<T, kVectorized>;
  constexpr int kCount = detail::kElementsPerUnit<T, kVectorized>;
  const unsigned units_per_token = static_cast<unsigned>(shape.channels / kCount);
  const unsigned index = blockIdx.x * kThreads + threadIdx.x;
  const unsigned token = index / units_per_token;
  const int channel = static_cast<int>(index - token * units_per_token) * kCount;
  if (token >= static_cast<unsigned>(shape.num_tokens)) return;

  const long long batch = blockIdx.y;
  const long long token_in_batch = batch * shape.num_tokens + token;
  const std::int32_t row = row_of_token[token_in_batch];
  Unit unit{};
  if (row >= 0 && row < shape.num_rows) {
    unit = simt::load_vec<Unit>(rows + (batch * shape.num_rows + row) * shape.channels, channel);
  }
  if constexpr (kHasResidual) {
    const T* addend = residual + token_in_batch * shape.channels;
    unit = add<kCount>(unit, simt::load_vec<Unit>(addend, channel));
  }
  simt::store_vec(restored + token_in_batch * shape.channels, channel, unit);
}

struct Tensors {
  const void* rows;
  const std::int32_t* row_of_token;
  const void* residual;
  void* restored;
};

bool is_valid(const TokenUnmergeProblem& problem) noexcept {
  return detail::is_batch(problem.batch) && detail::is_count(problem.num_tokens) &&
         detail::is_count(problem.num_rows) && detail::is_count(problem.channels) &&
         detail::is_count(std::int64_t{problem.num_tokens} * problem.channels);
}

template <typename T, bool kVectorized, bool kHasResidual>
cudaError_t launch(const TokenUnmergeProblem& problem, const Tensors& tensors,
                   cudaStream_t stream) {
  const int units =
      problem.num_tokens * (problem.channels / detail::kElementsPerUnit<T, kVectorized>);
  const dim3 grid(detail::divide_up(units, kThreads), problem.batch);
  const UnmergeShape shape = {problem.num_tokens, problem.num_rows, problem.channels};
  return SEGPP_LAUNCH((unmerge_kernel<T, kVectorized, kHasResidual>), grid, dim3(kThreads), stream,
                      shape, static_cast<const T*>(tensors.rows), tensors.row_of_token,
                      static_cast<const T*>(tensors.residual), static_cast<T*>(tensors.restored));
}

template <typename T, bool kVectorized>
cudaError_t launch(const TokenUnmergeProblem& problem, const Tensors& tensors,
                   cudaStream_t stream) {
  return tensors.residual != nullptr ? launch<T, kVectorized, true>(problem, tensors, stream)
                                     : launch<T, kVectorized, false>(problem, tensors, stream);
}

template <typename T>
cudaError_t launch(const TokenUnmergeProblem& problem, DataType type, const Tensors& tensors,
                   cudaStream_t stream) {
  return detail::can_vectorize(type, problem.channels, tensors.rows, tensors.residual,
                               tensors.restored)
             ? launch<T, true>(problem, tensors, stream)
             : launch<T, false>(problem, tensors, stream);
}

}  // namespace

cudaError_t token_unmerge(const TokenUnmergeProblem& problem, DataType type, const void* rows,
                          const std::int32_t* row_of_token, const void* residual, void* restored,
                          cudaStream_t stream) noexcept {
  if (!is_valid(problem) || !detail::is_known(type) || rows == nullptr || row_of_token == nullptr ||
      restored == nullptr) {
    return cudaErrorInvalidValue;
  }
  const Tensors tensors = {rows, row_of_token, residual, restored};
  return type == DataType::kFloat16 ? launch<__half>(problem, type, tensors, stream)
                                    : launch<float>(problem, type, tensors, stream);
}

}  // namespace segpp
