#include "launch.h"

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

// Read at each launch, so that a test can change it between two.
bool read_seed(std::uint64_t& seed) {
  const char* text = std::getenv("SEGPP_SIMT_SEED");
  seed = 0;
  if (text == nullptr || *text == '\0') return true;
  char* end = nullptr;
  seed = std::strtoull(text, &end, 10);
  return *end == '\0';
}

void report(const Block& block) {
  const uint3& at = block.index;
  const std::string text = std::string("kernel ") + block.call.name + ", block (" +
                           std::to_string(at.x) + "," + std::to_string(at.y) + "," +
                           std::to_string(at.z) + "): " + block.finding;
  std::fprintf(stderr, "simt: %s\n", text.c_str());
  const std::lock_guard<std::mutex> lock(finding_mutex());
  kept_finding() = text;
}

cudaError_t run_blocks(const KernelCall& call, const dim3& grid, const dim3& size,
                       std::uint64_t seed) {
  Block& block = current_block();
  block.call = call;
  block.finding.clear();
  block.shared_size = 0;
  ++block.launch;
  gridDim = grid;
  blockDim = size;
  prepare_threads(size);
  Order thread_order(seed, block.threads.size());
  Order block_order(seed, std::size_t{grid.x} * grid.y * grid.z);
  for (const std::size_t number : block_order.next()) {
    const auto i = static_cast<unsigned>(number);
    run_block({i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y}, thread_order);
    if (block.finding.empty()) continue;
    report(block);
    return cudaErrorLaunchFailure;
  }
  return cudaSuccess;
}

}  // namespace

cudaError_t run_grid(const KernelCall& call, dim3 grid, dim3 block) noexcept {
  if (!is_valid(grid, block)) return cudaErrorInvalidConfiguration;
  std::uint64_t seed = 0;
  if (!read_seed(seed)) {
    std::fprintf(stderr, "simt: SEGPP_SIMT_SEED is not a whole number\n");
    return cudaErrorInvalidValue;
  }
  try {
    const std::lock_guard<std::mutex> lock(launch_mutex());
    return run_blocks(call, grid, block, seed);
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
  return host::current_block().launch;
}

}  // namespace simt
