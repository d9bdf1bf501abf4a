// First launch of the merge: the tokens of each row, in token order. One block per image.
//
// A stable counting sort of row_of_token, 8 bits at a time from the bottom. Every warp keeps
// counters of its own for a run of tokens, so that tokens keep their order without waiting for each
// other.
#pragma once

#include "../cuda/simt.h"
#include "warp.cuh"

namespace segpp::detail {

inline constexpr int kSortThreads = 1024;
inline constexpr int kSortWarps = kSortThreads / kWarpSize;
inline constexpr int kSortDigitBits = 8;
inline constexpr int kSortDigits = 1 << kSortDigitBits;

struct SortShape {
  int num_tokens;
  int num_rows;
  int num_passes;
};

// Where the tokens of an image lie by row: tokens[start_of_row[m]] .. tokens[start_of_row[m + 1] -
// 1].
struct SortedTokens {
  int* tokens;        // [B, N], the last pass wrote it
  int* other_tokens;  // [B, N], the pass before
  int* start_of_row;  // [B, M + 1]
};

// What tokens are sorted by; those without a row come last.
__device__ __forceinline__ unsigned row_or_last(std::int32_t row, int num_rows) {
  return static_cast<unsigned>(row) < static_cast<unsigned>(num_rows)
             ? static_cast<unsigned>(row)
             : static_cast<unsigned>(num_rows);
}

// The lanes of `mask` that have the same digit as this one.
__device__ __forceinline__ unsigned lanes_with_digit(unsigned mask, unsigned digit) {
  SEGPP_UNROLL
  for (int bit = 0; bit < kSortDigitBits; ++bit) {
    const bool is_set = (digit >> bit & 1u) != 0;
    const unsigned set = __ballot_sync(kFullMask, is_set);
    mask &= is_set ? set : ~set;
  }
  return mask;
}

// One pass of the sort, for one thread.
class SortPass {
 public:
  // `from` is null for the first pass, which takes the tokens as they are.
  __device__ SortPass(const SortShape& shape, int pass, const std::int32_t* row_of_token,
                      const int* from, int* to)
      : shape_(shape),
        shift_(pass * kSortDigitBits),
        row_of_token_(row_of_token),
        from_(from),
        to_(to) {}

  template <typename Shared>
  __device__ void count(const Segment& segment, Shared& counters) const {
    for (int i = segment.first + lane_of_thread(); i < segment.last; i += kWarpSize) {
      atomicAdd(&counters[warp_of_thread() * kSortDigits + digit_of(token_at(i))], 1);
    }
  }

  template <typename Shared>
  __device__ void place(const Segment& segment, Shared& counters) const {
    const int lane = lane_of_thread();
    for (int first = segment.first; first < segment.last; first += kWarpSize) {
      const bool is_token = first + lane < segment.last;
      const int token = is_token ? token_at(first + lane) : 0;
      const unsigned digit = is_token ? digit_of(token) : 0u;
      const unsigned tokens = __ballot_sync(kFullMask, is_token);
      const unsigned same = lanes_with_digit(tokens, digit);
      const int counter = warp_of_thread() * kSortDigits + static_cast<int>(digit);
      const int position = counters[counter];
      __syncwarp();
      if (is_token) {
        const int before = count_before(same, lane);
        to_[position + before] = token;
        if (before == 0) counters[counter] = position + __popc(same);
      }
      __syncwarp();
    }
  }

 private:
  __device__ int token_at(int i) const { return from_ == nullptr ? i : from_[i]; }
  __device__ unsigned digit_of(int token) const {
    return row_or_last(row_of_token_[token], shape_.num_rows) >> shift_ & (kSortDigits - 1);
  }

  const SortShape& shape_;
  int shift_;
  const std::int32_t* row_of_token_;
  const int* from_;
  int* to_;
};

// Counts become positions: tokens go by digit, then by warp.
template <typename SharedCounters, typename SharedSums>
__device__ void sum_counters(SharedCounters& counters, SharedSums& sum_of_warp) {
  constexpr int kPerThread = kSortWarps * kSortDigits / kSortThreads;
  constexpr int kThreadsPerDigit = kSortThreads / kSortDigits;
  const int thread = static_cast<int>(threadIdx.x);
  const int digit = thread / kThreadsPerDigit;
  const int first_warp = thread % kThreadsPerDigit * kPerThread;
  int sum = 0;
  for (int i = 0; i < kPerThread; ++i) {
    sum += static_cast<int>(counters[(first_warp + i) * kSortDigits + digit]);
  }
  const int lane = lane_of_thread();
  const int before = warp_exclusive_sum(sum, lane);
  if (lane == kWarpSize - 1) sum_of_warp[warp_of_thread()] = before + sum;
  __syncthreads();
  int position = before + sum_of_earlier_warps(sum_of_warp);
  for (int i = 0; i < kPerThread; ++i) {
    const int counter = (first_warp + i) * kSortDigits + digit;
    const int count = counters[counter];
    counters[counter] = position;
    position += count;
  }
}

// A row starts where the sorted tokens reach it or a later one.
__device__ __forceinline__ void find_starts(const SortShape& shape,
                                            const std::int32_t* row_of_token, const int* tokens,
                                            int* start_of_row) {
  const auto row_at = [&](int i) {
    return static_cast<int>(row_or_last(row_of_token[tokens[i]], shape.num_rows));
  };
  for (int i = static_cast<int>(threadIdx.x); i < shape.num_tokens; i += kSortThreads) {
    const int last = row_at(i);
    for (int row = i == 0 ? 0 : row_at(i - 1) + 1; row <= last; ++row) start_of_row[row] = i;
  }
  const int first_unreached = row_at(shape.num_tokens - 1) + 1;
  for (int row = first_unreached + static_cast<int>(threadIdx.x); row <= shape.num_rows;
       row += kSortThreads) {
    start_of_row[row] = shape.num_tokens;
  }
}

__global__ void __launch_bounds__(kSortThreads, 1)
    sort_kernel(SortShape shape, const std::int32_t* __restrict__ row_of_token,
                SortedTokens sorted) {
  SEGPP_SHARED(int, counters, kSortWarps* kSortDigits);
  SEGPP_SHARED(int, sum_of_warp, kSortWarps);

  const long long image = static_cast<long long>(blockIdx.x) * shape.num_tokens;
  row_of_token += image;
  int* const last = sorted.tokens + image;
  int* const other = sorted.other_tokens + image;

  const Segment segment = segment_of_warp(shape.num_tokens);
  const int* from = nullptr;
  for (int pass = 0; pass < shape.num_passes; ++pass) {
    int* const to = (shape.num_passes - pass) % 2 == 1 ? last : other;
    const SortPass sort(shape, pass, row_of_token, from, to);
    for (int i = static_cast<int>(threadIdx.x); i < kSortWarps * kSortDigits; i += kSortThreads) {
      counters[i] = 0;
    }
    __syncthreads();
    sort.count(segment, counters);
    __syncthreads();
    sum_counters(counters, sum_of_warp);
    __syncthreads();
    sort.place(segment, counters);
    __syncthreads();
    from = to;
  }
  find_starts(shape, row_of_token, last,
              sorted.start_of_row + static_cast<long long>(blockIdx.x) * (shape.num_rows + 1LL));
}

}  // namespace segpp::detail
