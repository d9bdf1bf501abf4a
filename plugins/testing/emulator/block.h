// Blocks of threads: who runs, and who waits for what.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fiber.h"
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
  bool is_polling = false;  // ready, for another block may have written what it waits for
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

// A place for a block, on the one emulated multiprocessor, and the block that is there.
struct Block {
  explicit Block(std::size_t its_place) : place(its_place) {}

  const std::size_t place;
  KernelCall call = {};
  uint3 index = {};
  std::vector<Thread> threads;
  // Kept from launch to launch: mapping a stack costs more than running on it.
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::array<WarpLanes, kMaxThreads / kWarpSize> warps = {};
  Thread* running = nullptr;
  int waiting_at_barrier = 0;
  int barrier_count = 0;        // the result of the last block barrier
  std::uint64_t launch = 0;     // serial number
  std::size_t shared_size = 0;  // bytes that this launch declared
  std::uint64_t serial = 0;     // of the block, counted over all launches at this place
  std::uint64_t epoch = 0;      // grows with each block and block barrier, likewise
  std::string finding;          // of this launch; empty while there is none
  bool is_stuck = false;        // all its threads poll, and no other block has run since
};

extern Block* the_block;  // never deleted: a launch may outlast the static objects

// The one in hand: a mutex lets only one launch run at a time.
inline Block& current_block() { return *the_block; }

// Makes places for `count` blocks of a launch, and their threads. May throw std::bad_alloc.
std::vector<Block*> prepare_places(std::size_t count, const dim3& size);

// Lets the block `index` take the place `block`.
void start_block(Block& block, const uint3& index);

enum class Round { kEnded, kRan, kPolled };

// Runs each ready thread of the block once, in this order; kPolled: all of them did nothing but
// look whether what they wait for was written. May leave a finding.
Round run_round(Block& block, const std::vector<std::size_t>& order);

// Ends the launch with a finding: all blocks in place poll, and none is left to start.
void fail_polling(Block& block);

// Ends the launch with a finding if the running thread must wait for prerequisites first, and has
// not.
void check_waited(const char* what_it_does);

// Suspends the running thread until another one makes it ready.
void wait_as(ThreadState state);

// Ends the launch after a finding: the running thread doesn't go on. Its stack is dropped, not
// unwound (kernels may be noexcept), so nothing on it may own memory.
[[noreturn]] void end_launch();

}  // namespace simt::host
