#include "launch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>

#include "block.h"
#include "builtins.h"

namespace simt {
namespace host {
namespace {

constexpr unsigned kMaxGridYz = 65535;
constexpr unsigned kMaxBlockZ = 64;

std::mutex& launch_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::mutex& finding_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::string& kept_finding() {
  static std::string finding;
  return finding;
}

bool is_valid(const dim3& grid, const dim3& block) {
  const auto threads = static_cast<unsigned long long>(block.x) * block.y * block.z;
  const auto blocks = static_cast<unsigned long long>(grid.x) * grid.y * grid.z;
  return threads >= 1 && threads <= kMaxThreads && block.x <= kMaxThreads &&
         block.y <= kMaxThreads && block.z <= kMaxBlockZ && blocks >= 1 && grid.x <= 0x7fffffffu &&
         grid.y <= kMaxGridYz && grid.z <= kMaxGridYz;
}

// Read at each launch, so that a test can change it between two. Keeps `value` where it is not set.
bool read_number(const char* variable, std::uint64_t& value) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return true;
  char* end = nullptr;
  value = std::strtoull(text, &end, 10);
  if (*end == '\0') return true;
  std::fprintf(stderr, "simt: %s is not a whole number\n", variable);
  return false;
}

struct Schedule {
  std::uint64_t seed = 0;      // 0: by number
  std::uint64_t resident = 1;  // blocks that run at the same time, at most
};

void report(const Block& block) {
  const uint3& at = block.index;
  const std::string text = std::string("kernel ") + block.call.name + ", block (" +
                           std::to_string(at.x) + "," + std::to_string(at.y) + "," +
                           std::to_string(at.z) + "): " + block.finding;
  std::fprintf(stderr, "simt: %s\n", text.c_str());
  const std::lock_guard<std::mutex> lock(finding_mutex());
  kept_finding() = text;
}

std::uint64_t num_launches = 0;

// The blocks of a launch: they start in their order as places become free, and take turns in
// running to the next barrier.
class Blocks {
 public:
  Blocks(const KernelCall& call, const dim3& grid, const dim3& size, const Schedule& schedule)
      : grid_(grid),
        free_(prepare_places(std::clamp<std::size_t>(schedule.resident, 1, count(grid)), size)),
        block_order_(schedule.seed, count(grid)),
        thread_order_(schedule.seed, free_.front()->threads.size()),
        random_(schedule.seed),
        is_random_(schedule.seed != 0) {
    for (Block* block : free_) {
      block->call = call;
      block->finding.clear();
      block->shared_size = 0;
      block->launch = num_launches;
    }
  }

  // The block with a finding; null if there is none.
  const Block* run() {
    const std::vector<std::size_t>& numbers = block_order_.next();
    for (auto next = numbers.begin(); next != numbers.end() || !running_.empty();) {
      for (; next != numbers.end() && !free_.empty(); ++next) start(static_cast<unsigned>(*next));
      Block& block = take_next();
      put_back(block, run_round(block, thread_order_.next()));
      if (block.is_stuck && able().empty()) fail_polling(block);
      if (!block.finding.empty()) return &block;
    }
    return nullptr;
  }

 private:
  static std::size_t count(const dim3& grid) { return std::size_t{grid.x} * grid.y * grid.z; }

  void start(unsigned i) {
    start_block(*free_.back(), {i % grid_.x, i / grid_.x % grid_.y, i / grid_.x / grid_.y});
    running_.push_back(free_.back());
    free_.pop_back();
  }

  // Those that do not wait for another block.
  std::vector<std::size_t> able() const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < running_.size(); ++i) {
      if (!running_[i]->is_stuck) found.push_back(i);
    }
    return found;
  }

  Block& take_next() {
    const std::vector<std::size_t> choice = able();
    const std::size_t turn = choice[is_random_ ? random_.below(choice.size()) : 0];
    Block& block = *running_[turn];
    running_.erase(running_.begin() + static_cast<long>(turn));
    return block;
  }

  void put_back(Block& block, Round round) {
    (round == Round::kEnded ? free_ : running_).push_back(&block);
    block.is_stuck = round == Round::kPolled;
    if (block.is_stuck) return;
    for (Block* other : running_) other->is_stuck = false;  // what they wait for may be there
  }

  dim3 grid_;
  std::vector<Block*> free_;  // places
  std::vector<Block*> running_;
  Order block_order_;
  Order thread_order_;
  Random random_;
  bool is_random_;
};

cudaError_t run_blocks(const KernelCall& call, const dim3& grid, const dim3& size,
                       const Schedule& schedule) {
  gridDim = grid;
  blockDim = size;
  ++num_launches;
  const Block* const failed = Blocks(call, grid, size, schedule).run();
  if (failed == nullptr) return cudaSuccess;
  report(*failed);
  return cudaErrorLaunchFailure;
}

}  // namespace

cudaError_t run_grid(const KernelCall& call, dim3 grid, dim3 block) noexcept {
  if (!is_valid(grid, block)) return cudaErrorInvalidConfiguration;
  Schedule schedule;
  if (!read_number("SEGPP_SIMT_SEED", schedule.seed) ||
      !read_number("SEGPP_SIMT_RESIDENT", schedule.resident)) {
    return cudaErrorInvalidValue;
  }
  try {
    const std::lock_guard<std::mutex> lock(launch_mutex());
    return run_blocks(call, grid, block, schedule);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "simt: %s\n", error.what());
    return cudaErrorMemoryAllocation;
  }
}

}  // namespace host

std::string last_finding() {
  const std::lock_guard<std::mutex> lock(host::finding_mutex());
  return host::kept_finding();
}

void clear_finding() {
  const std::lock_guard<std::mutex> lock(host::finding_mutex());
  host::kept_finding().clear();
}

unsigned long long launches() {
  const std::lock_guard<std::mutex> lock(host::launch_mutex());
  return host::num_launches;
}

}  // namespace simt
