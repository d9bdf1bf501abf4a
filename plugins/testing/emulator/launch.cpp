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
  std::uint64_t resident = 1;  // blocks that run at the same time
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

// Whose turn it is: of the blocks that do not wait for another one's.
std::size_t choose(const std::vector<Block*>& running, Random& random, bool at_random) {
  std::vector<std::size_t> able;
  for (std::size_t i = 0; i < running.size(); ++i) {
    if (!running[i]->is_stuck) able.push_back(i);
  }
  return able[at_random ? random.below(able.size()) : 0];
}

// Blocks start in their order as places become free, and take turns in running to the next barrier.
cudaError_t run_blocks(const KernelCall& call, const dim3& grid, const dim3& size,
                       const Schedule& schedule) {
  gridDim = grid;
  blockDim = size;
  const std::size_t num_blocks = std::size_t{grid.x} * grid.y * grid.z;
  const std::size_t resident = std::max<std::uint64_t>(schedule.resident, 1);
  std::vector<Block*> free = prepare_places(std::min(resident, num_blocks), size);
  ++num_launches;
  for (Block* block : free) {
    block->call = call;
    block->finding.clear();
    block->shared_size = 0;
    block->launch = num_launches;
  }
  Order thread_order(schedule.seed, free.front()->threads.size());
  Order block_order(schedule.seed, num_blocks);
  Random random(schedule.seed);
  std::vector<Block*> running;
  const std::vector<std::size_t>& numbers = block_order.next();
  for (std::size_t started = 0; started < num_blocks || !running.empty();) {
    while (started < num_blocks && !free.empty()) {
      const auto i = static_cast<unsigned>(numbers[started++]);
      start_block(*free.back(), {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y});
      running.push_back(free.back());
      free.pop_back();
    }
    const std::size_t turn = choose(running, random, schedule.seed != 0);
    Block& block = *running[turn];
    running.erase(running.begin() + static_cast<long>(turn));
    const Round round = run_round(block, thread_order.next());
    block.is_stuck = round == Round::kPolled;
    if (round == Round::kEnded) {
      free.push_back(&block);
    } else {
      running.push_back(&block);
    }
    if (!block.is_stuck) {
      for (Block* other : running) other->is_stuck = false;
    } else if (std::all_of(running.begin(), running.end(), [](Block* b) { return b->is_stuck; })) {
      fail_polling(block);
    }
    if (block.finding.empty()) continue;
    report(block);
    return cudaErrorLaunchFailure;
  }
  return cudaSuccess;
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
