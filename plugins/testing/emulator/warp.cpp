// Collectives of a warp: nothing happens until every lane of the mask has come with the same
// request.
#include "block.h"
#include "collectives.h"
#include "explain.h"
#include "mma_product.h"
#include "sync.h"

namespace simt::host {
namespace {

Thread* warp_of(const Thread& thread) {
  return &current_block().threads[thread.warp() * kWarpSize];
}

bool names(unsigned mask, int lane) { return ((mask >> lane) & 1u) != 0; }

template <typename Visit>
void for_lanes(unsigned mask, Visit visit) {
  for (unsigned left = mask; left != 0; left &= left - 1) visit(__builtin_ctz(left));
}

// "which" + what of the lane + `lane` + why.
[[noreturn]] void fail_mask(const Thread& thread, const char* what, int lane, const char* why) {
  const WarpRequest& request = thread.request;
  current_block().finding = name_thread(thread.number) + " calls " +
                            name_operation(request.operation) + " (" + to_string(request.site) +
                            ") with mask " + name_mask(request.mask) + ", which " + what +
                            " lane " + std::to_string(lane) + ", " + why;
  end_launch();
}

void check_mask(const Thread& thread) {
  const unsigned mask = thread.request.mask;
  if (!names(mask, thread.lane())) fail_mask(thread, "leaves out", thread.lane(), "its own");
  const unsigned gone = mask & current_block().warps[thread.warp()].gone;
  if (gone == 0) return;
  const int lane = __builtin_ctz(gone);
  const std::size_t number = thread.warp() * kWarpSize + lane;
  const bool exists = number < current_block().threads.size();
  fail_mask(thread, "names", lane, exists ? "which has exited" : "beyond the end of the block");
}

// Lanes may meet at __syncwarp from different lines, at nothing else.
bool match(const WarpRequest& a, const WarpRequest& b) {
  return a.operation == b.operation && a.mask == b.mask &&
         (a.operation == WarpOperation::kSyncWarp || a.site == b.site);
}

bool all_came(const Thread& thread) {
  const unsigned mask = thread.request.mask;
  if ((mask & ~current_block().warps[thread.warp()].waiting) != 0) return false;
  bool all = true;
  for_lanes(mask,
            [&](int lane) { all = all && match(warp_of(thread)[lane].request, thread.request); });
  return all;
}

void order_memory(Thread* warp, unsigned mask) {
  std::array<std::uint32_t, kWarpSize> joined = {};
  for_lanes(mask, [&](int lane) {
    for (int i = 0; i < kWarpSize; ++i) joined[i] = std::max(joined[i], warp[lane].clocks[i]);
  });
  for_lanes(mask, [&](int lane) {
    warp[lane].clocks = joined;
    ++warp[lane].clocks[lane];
  });
}

void exchange(Thread* warp, unsigned mask) {
  std::array<std::uint64_t, kWarpSize> values = {};
  for_lanes(mask, [&](int lane) { values[lane] = warp[lane].request.value; });
  for_lanes(mask, [&](int lane) {
    WarpRequest& request = warp[lane].request;
    if (!names(mask, request.source_lane)) {
      current_block().finding = name_thread(warp[lane].number) + " reads lane " +
                                std::to_string(request.source_lane) + " in " +
                                name_operation(request.operation) + " (" + to_string(request.site) +
                                "), which is not in mask " + name_mask(mask);
      end_launch();
    }
    request.value = values[request.source_lane];
  });
}

void collect_votes(Thread* warp, unsigned mask) {
  unsigned ballot = 0;
  for_lanes(mask,
            [&](int lane) { ballot |= static_cast<unsigned>(warp[lane].request.value) << lane; });
  for_lanes(mask, [&](int lane) { warp[lane].request.value = ballot; });
}

void multiply(Thread* warp) {
  std::array<MmaOperands, kWarpSize> operands;
  for (int lane = 0; lane < kWarpSize; ++lane) operands[lane] = warp[lane].request.mma;
  multiply_fragments(operands);
}

void perform(const WarpRequest& request, Thread* warp) {
  switch (request.operation) {
    case WarpOperation::kSyncWarp:
      return order_memory(warp, request.mask);
    case WarpOperation::kShuffle:
    case WarpOperation::kShuffleUp:
    case WarpOperation::kShuffleDown:
    case WarpOperation::kShuffleXor:
      return exchange(warp, request.mask);
    case WarpOperation::kBallot:
    case WarpOperation::kAny:
    case WarpOperation::kAll:
      return collect_votes(warp, request.mask);
    case WarpOperation::kMma:
      return multiply(warp);
  }
}

std::uint64_t meet(const WarpRequest& request) {
  Thread& thread = *current_block().running;
  unsigned& waiting = current_block().warps[thread.warp()].waiting;
  thread.request = request;
  check_mask(thread);
  thread.state = ThreadState::kAtWarpCollective;
  waiting |= 1u << thread.lane();
  if (all_came(thread)) {
    Thread* warp = warp_of(thread);
    perform(request, warp);
    waiting &= ~request.mask;
    for_lanes(request.mask, [&](int lane) { warp[lane].state = ThreadState::kReady; });
  }
  wait_as(thread.state);
  return thread.request.value;
}

// PTX's rule for shfl: five bits of the operand count, and a lane whose source is outside its
// segment of `width` lanes reads itself.
int source_of(WarpOperation shuffle, int lane, int operand, int width) {
  operand &= kWarpSize - 1;
  const int first = lane & ~(width - 1);
  const int last = first + width - 1;
  if (shuffle == WarpOperation::kShuffle) return first + (operand & (width - 1));
  int source = lane ^ operand;
  if (shuffle == WarpOperation::kShuffleUp) source = lane - operand;
  if (shuffle == WarpOperation::kShuffleDown) source = lane + operand;
  const bool is_up = shuffle == WarpOperation::kShuffleUp;
  return (is_up ? source >= first : source <= last) ? source : lane;
}

}  // namespace

void sync_warp(unsigned mask, const Site& site) {
  WarpRequest request;
  request.mask = mask;
  request.site = site;
  meet(request);
}

std::uint64_t shuffle_bits(WarpOperation shuffle, unsigned mask, std::uint64_t bits, int operand,
                           int width, const Site& site) {
  if (width <= 0 || width > kWarpSize || (width & (width - 1)) != 0) {
    current_block().finding = "the width of a shuffle (" + to_string(site) + ") is " +
                              std::to_string(width) + ", not a power of two up to 32";
    end_launch();
  }
  WarpRequest request;
  request.operation = shuffle;
  request.mask = mask;
  request.site = site;
  request.value = bits;
  request.source_lane = source_of(shuffle, current_block().running->lane(), operand, width);
  return meet(request);
}

unsigned vote(WarpOperation vote, unsigned mask, bool predicate, const Site& site) {
  WarpRequest request;
  request.operation = vote;
  request.mask = mask;
  request.site = site;
  request.value = predicate ? 1 : 0;
  return static_cast<unsigned>(meet(request));
}

void mma(const MmaOperands& operands, const Site& site) {
  WarpRequest request;
  request.operation = WarpOperation::kMma;
  request.mask = kFullMask;
  request.site = site;
  request.mma = operands;
  meet(request);
}

}  // namespace simt::host
