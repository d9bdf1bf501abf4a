// In which order threads and blocks run: by number, or shuffled anew each time with a seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace simt::host {

// SplitMix64 (Steele et al. 2014): the same orders on every machine and C++ library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

class Order {
 public:
  // Seed 0 leaves the order by number.
  Order(std::uint64_t seed, std::size_t count)
      : random_(seed), shuffles_(seed != 0), order_(count) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }

  const std::vector<std::size_t>& next() {
    if (shuffles_) {
      for (std::size_t i = order_.size(); i > 1; --i) {
        std::swap(order_[i - 1], order_[random_.below(i)]);
      }
    }
    return order_;
  }

 private:
  Random random_;
  bool shuffles_;
  std::vector<std::size_t> order_;
};

}  // namespace simt::host
