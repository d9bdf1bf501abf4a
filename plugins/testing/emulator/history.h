// Who touched an element of shared memory since the last block barrier, and what comes before what.
//
// A block barrier orders all threads, so only accesses of the current epoch can race. Within an
// epoch two warps are never ordered, and two lanes of one warp are by the vector clocks that
// __syncwarp joins.
#pragma once

#include <cstdint>

#include "block.h"

namespace simt::host {

inline constexpr int kNobody = -1;

struct Access {
  std::uint64_t epoch = 0;
  std::uint32_t clock = 0;
  int thread = kNobody;
};

// The threads that touched an element in the same way, in the current epoch.
class AccessSet {
 public:
  void add(const Thread& thread, std::uint64_t epoch);

  // One of them whose access is not ordered before the next one of `thread`, or kNobody.
  int find_unordered(const Thread& thread, std::uint64_t epoch) const;

 private:
  void add_lane(const Thread& thread, std::uint64_t epoch);

  Access first_;
  int other_warp_ = kNobody;  // a thread of another warp than the first
  int lanes_ = kNobody;       // index of the clocks of the first one's warp, if several lanes came
};

struct ElementHistory {
  Access write;
  AccessSet reads;
  AccessSet atomics;
  std::uint64_t initialised_in = 0;  // the serial number of a block
};

inline bool is_ordered(const Access& access, const Thread& thread, std::uint64_t epoch) {
  if (access.epoch != epoch || access.thread == thread.number) return true;
  return access.thread / kWarpSize == thread.warp() &&
         access.clock <= thread.clocks[access.thread % kWarpSize];
}

inline Access access_of(const Thread& thread, std::uint64_t epoch) {
  return {epoch, thread.clocks[thread.lane()], thread.number};
}

}  // namespace simt::host
