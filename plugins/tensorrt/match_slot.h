// The slot of a plugin that matches: see kMatchSlots.
#pragma once

#include "../kernels/token_match.h"

namespace segpp {

// Copies have none, until they take one: two plugins may run at the same time.
class MatchSlot {
 public:
  MatchSlot() = default;
  MatchSlot(const MatchSlot&) noexcept {}
  MatchSlot& operator=(const MatchSlot&) = delete;
  ~MatchSlot();

  // Takes a free one; keeps none where all are taken. At most once.
  void take() noexcept;

  int index() const noexcept { return index_; }

 private:
  int index_ = kNoMatchSlot;
};

}  // namespace segpp
