// What the lanes of a warp do together.
#pragma once

namespace simt::host {

enum class WarpOperation {
  kSyncWarp,
  kShuffle,
  kShuffleUp,
  kShuffleDown,
  kShuffleXor,
  kBallot,
  kAny,
  kAll,
  kMma
};

}  // namespace simt::host
