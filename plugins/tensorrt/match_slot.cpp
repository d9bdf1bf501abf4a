#include "match_slot.h"

#include <array>
#include <atomic>
#include <cstddef>

namespace segpp {
namespace {

std::array<std::atomic<bool>, kMatchSlots> is_taken{};

}  // namespace

void MatchSlot::take() noexcept {
  for (int index = 0; index < kMatchSlots; ++index) {
    if (is_taken[static_cast<std::size_t>(index)].exchange(true)) continue;
    index_ = index;
    return;
  }
}

MatchSlot::~MatchSlot() {
  if (index_ != kNoMatchSlot) is_taken[static_cast<std::size_t>(index_)].store(false);
}

}  // namespace segpp
