// One block of threads: who runs, and who waits for what.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "launch.h"
#include "operation.h"
#include "order.h"
#include "site.h"

namespace simt::host {

inline constexpr int kWarpSize = 32;
inline constexpr int kMaxThreads = 1024;

enum class ThreadState { kReady, kAtBlockBarrier, kAtWarpCollective, kExited };

struct MmaOperands {
  float* d;           // 4
  const unsigned* a;  // depth / 4
  const unsigned* b;  // depth / 8
  int depth;          // 8 or 16
};

// What a lane brings to a collective, and in `value` what it takes from it.
struct WarpRequest {
  WarpOperation operation = WarpOperation::kSyncWarp;
  unsigned mask = 0;
  Site site;
  std::uint64_t value = 0;
  int source_lane = 0;  // of a shuffle
  MmaOperands mma = {};
};

struct Thread {
  int number = 0;  // in the block
  uint3 index = {};
  ThreadState state = ThreadState::kReady;
  Site barrier;  // the block barrier that it waits at
  bool predicate = false;
  bool has_waited = false;  // for prerequisites
  WarpRequest request;
  // Of each lane of its warp: up to where its accesses come before this thread's next one.
  std::array<std::uint32_t, kWarpSize> clocks = {};

  int warp() const { return number / kWarpSize; }
  int lane() const { return number % kWarpSize; }
};

struct WarpLanes {
  unsigned waiting = 0;  // at a collective
  unsigned gone = 0;     // exited, or beyond the end of the block
};

struct Block {
  KernelCall call = {};
  uint3 index = {};
  std::vector<Thread> threads;
  std::array<WarpLanes, kMaxThreads / kWarpSize> warps = {};
  Thread* running = nullptr;
  int waiting_at_barrier = 0;
  int barrier_count = 0;        // the result of the last block barrier
  std::uint64_t launch = 0;     // serial number
  std::size_t shared_size = 0;  // bytes that this launch declared
  std::uint64_t serial = 0;     // of the block, counted over all launches
  std::uint64_t epoch = 0;      // grows with each block and block barrier, over all launches
  std::string finding;          // of this launch; empty while there is none
};

extern Block* const the_block;  // never deleted: a launch may outlast the static objects

// The one in hand: a mutex lets only one launch run at a time.
inline Block& current_block() { return *the_block; }

// Makes the threads of the launches' blocks. May throw std::bad_alloc.
void prepare_threads(const dim3& size);

// Runs the block `index` until all threads have exited or there is a finding.
void run_block(const uint3& index, Order& order);

// Ends the launch with a finding if the running thread must wait for prerequisites first, and has
// not.
void check_waited(const char* what_it_does);

// Suspends the running thread until another one makes it ready.
void wait_as(ThreadState state);

// Ends the launch after a finding: the running thread doesn't go on. Its stack is dropped, not
// unwound (kernels may be noexcept), so nothing on it may own memory.
[[noreturn]] void end_launch();

}  // namespace simt::host
