#include "history.h"

#include <array>
#include <vector>

namespace simt::host {
namespace {

using LaneClocks = std::array<std::uint32_t, kWarpSize>;  // 0 for a lane without an access

// Indices into it live no longer than an epoch.
class LaneClocksPool {
 public:
  int allocate(std::uint64_t epoch) {
    if (epoch != epoch_) {
      epoch_ = epoch;
      all_.clear();
    }
    all_.emplace_back(LaneClocks{});
    return static_cast<int>(all_.size()) - 1;
  }

  LaneClocks& operator[](int index) { return all_[index]; }

 private:
  std::uint64_t epoch_ = 0;
  std::vector<LaneClocks> all_;
};

// Of the running block's place: blocks at others are in epochs of their own.
LaneClocksPool& pool() {
  static std::vector<LaneClocksPool> pools;
  const std::size_t place = current_block().place;
  if (pools.size() <= place) pools.resize(place + 1);
  return pools[place];
}

}  // namespace

void AccessSet::add(const Thread& thread, std::uint64_t epoch) {
  if (first_.epoch != epoch) {
    first_ = access_of(thread, epoch);
    other_warp_ = kNobody;
    lanes_ = kNobody;
  } else if (first_.thread / kWarpSize != thread.warp()) {
    other_warp_ = thread.number;
  } else if (first_.thread == thread.number && lanes_ == kNobody) {
    first_.clock = thread.clocks[thread.lane()];
  } else {
    add_lane(thread, epoch);
  }
}

void AccessSet::add_lane(const Thread& thread, std::uint64_t epoch) {
  if (lanes_ == kNobody) {
    lanes_ = pool().allocate(epoch);
    pool()[lanes_][first_.thread % kWarpSize] = first_.clock;
  }
  pool()[lanes_][thread.lane()] = thread.clocks[thread.lane()];
}

int AccessSet::find_unordered(const Thread& thread, std::uint64_t epoch) const {
  if (first_.epoch != epoch) return kNobody;
  const int warp = first_.thread / kWarpSize;
  if (warp != thread.warp()) return first_.thread;
  if (other_warp_ != kNobody) return other_warp_;
  if (lanes_ == kNobody) return is_ordered(first_, thread, epoch) ? kNobody : first_.thread;
  const LaneClocks& clocks = pool()[lanes_];
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if (lane != thread.lane() && clocks[lane] > thread.clocks[lane]) return warp * kWarpSize + lane;
  }
  return kNobody;
}

}  // namespace simt::host
