#include "explain.h"

#include <cstdio>
#include <cstring>

#include "builtins.h"

namespace simt::host {
namespace {

// The reason that concerns `waiting`, or nothing if all it waits for can still come.
std::string explain_missing_lane(const Block& block, const Thread& waiting) {
  const WarpRequest& request = waiting.request;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if (((request.mask >> lane) & 1u) == 0) continue;
    const Thread& other = block.threads[waiting.warp() * kWarpSize + lane];
    const bool came = other.state == ThreadState::kAtWarpCollective &&
                      other.request.operation == request.operation &&
                      other.request.mask == request.mask;
    const bool same_line =
        request.operation == WarpOperation::kSyncWarp || other.request.site == request.site;
    if (came && same_line) continue;
    return "warp collective without all lanes of its mask: " + name_thread(waiting.number) + " " +
           describe_state(waiting) + ", " + name_thread(other.number) + " " + describe_state(other);
  }
  return {};
}

std::string explain_missing_thread(const Block& block, const Thread& waiting) {
  for (const Thread& other : block.threads) {
    if (other.state == ThreadState::kAtBlockBarrier) continue;
    return "barrier not reached by all threads: " + name_thread(waiting.number) + " " +
           describe_state(waiting) + ", " + name_thread(other.number) + " " + describe_state(other);
  }
  return {};
}

}  // namespace

bool Site::operator==(const Site& other) const {
  return line == other.line && (file == other.file || std::strcmp(file, other.file) == 0);
}

std::string to_string(const Site& site) {
  const char* slash = std::strrchr(site.file, '/');
  return std::string(slash == nullptr ? site.file : slash + 1) + ":" + std::to_string(site.line);
}

std::string name_thread(int number) {
  if (blockDim.y == 1 && blockDim.z == 1) return "thread " + std::to_string(number);
  const uint3& index = current_block().threads[number].index;
  return "thread (" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
         std::to_string(index.z) + ")";
}

std::string name_operation(WarpOperation operation) {
  switch (operation) {
    case WarpOperation::kSyncWarp:
      return "__syncwarp";
    case WarpOperation::kShuffle:
      return "__shfl_sync";
    case WarpOperation::kShuffleUp:
      return "__shfl_up_sync";
    case WarpOperation::kShuffleDown:
      return "__shfl_down_sync";
    case WarpOperation::kShuffleXor:
      return "__shfl_xor_sync";
    case WarpOperation::kBallot:
      return "__ballot_sync";
    case WarpOperation::kAny:
      return "__any_sync";
    case WarpOperation::kAll:
      return "__all_sync";
    case WarpOperation::kMma:
      return "mma";
  }
  return "a collective";
}

std::string name_mask(unsigned mask) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%08x", mask);
  return text;
}

std::string describe_state(const Thread& thread) {
  switch (thread.state) {
    case ThreadState::kReady:
      return "runs";
    case ThreadState::kAtBlockBarrier:
      return "waits at __syncthreads (" + to_string(thread.barrier) + ")";
    case ThreadState::kAtWarpCollective:
      return "waits at " + name_operation(thread.request.operation) + " (" +
             to_string(thread.request.site) + ") with mask " + name_mask(thread.request.mask);
    case ThreadState::kExited:
      return "has exited";
  }
  return {};
}

std::string explain_deadlock(const Block& block) {
  // Lanes that wait for each other explain more than the barrier that they keep waiting.
  for (const Thread& thread : block.threads) {
    if (thread.state != ThreadState::kAtWarpCollective) continue;
    std::string reason = explain_missing_lane(block, thread);
    if (!reason.empty()) return reason;
  }
  for (const Thread& thread : block.threads) {
    if (thread.state == ThreadState::kAtBlockBarrier) return explain_missing_thread(block, thread);
  }
  return "no thread can go on";
}

}  // namespace simt::host
