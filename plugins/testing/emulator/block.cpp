#include "block.h"

#include "builtins.h"
#include "explain.h"
#include "sync.h"

uint3 threadIdx = {};
uint3 blockIdx = {};
dim3 blockDim;
dim3 gridDim;

namespace simt::host {
namespace {

// Of the running block.
Fiber& fiber_of(const Thread& thread) { return *current_block().fibers[thread.number]; }

// Never deleted either.
std::vector<Block*>& places() {
  static auto* all = new std::vector<Block*>{the_block};
  return *all;
}

void run_thread(void* argument) {
  auto* thread = static_cast<Thread*>(argument);
  const KernelCall& call = current_block().call;
  bool threw = false;
  try {
    call.run(call.arguments);
  } catch (...) {
    threw = true;
  }
  if (threw) {
    current_block().finding = name_thread(thread->number) + " threw a C++ exception";
    end_launch();
  }
  check_waited("ends");
  thread->state = ThreadState::kExited;
  current_block().warps[thread->warp()].gone |= 1u << thread->lane();
}

void resume(Thread& thread) {
  Block& block = current_block();
  block.running = &thread;
  thread.is_polling = false;
  threadIdx = thread.index;
  fiber_of(thread).resume();
  block.running = nullptr;
}

void start_threads() {
  Block& block = current_block();
  block.warps.fill({0, ~0u});
  for (Thread& thread : block.threads) {
    block.warps[thread.warp()].gone &= ~(1u << thread.lane());
    thread.state = ThreadState::kReady;
    thread.has_waited = false;
    thread.clocks[thread.lane()] = 1;
    fiber_of(thread).start(run_thread, &thread);
  }
}

void leave_barrier() {
  Block& block = current_block();
  block.barrier_count = 0;
  for (Thread& thread : block.threads) {
    thread.state = ThreadState::kReady;
    block.barrier_count += thread.predicate ? 1 : 0;
  }
  block.waiting_at_barrier = 0;
  ++block.epoch;
}

}  // namespace

Block* the_block = new Block(0);

std::vector<Block*> prepare_places(std::size_t count, const dim3& size) {
  while (places().size() < count) places().push_back(new Block(places().size()));
  const unsigned num_threads = size.x * size.y * size.z;
  std::vector<Block*> prepared(places().begin(), places().begin() + static_cast<long>(count));
  for (Block* block : prepared) {
    while (block->fibers.size() < num_threads) {
      block->fibers.push_back(std::make_unique<Fiber>(static_cast<int>(block->fibers.size())));
    }
    block->threads.assign(num_threads, Thread{});
    for (unsigned i = 0; i < num_threads; ++i) {
      block->threads[i].number = static_cast<int>(i);
      block->threads[i].index = {i % size.x, i / size.x % size.y, i / size.x / size.y};
    }
  }
  return prepared;
}

void start_block(Block& block, const uint3& index) {
  the_block = &block;
  block.index = index;
  block.waiting_at_barrier = 0;
  block.is_stuck = false;
  ++block.serial;
  ++block.epoch;
  start_threads();
}

Round run_round(Block& block, const std::vector<std::size_t>& order) {
  the_block = &block;
  blockIdx = block.index;
  bool any_ready = false;
  bool any_ran = false;
  for (const std::size_t number : order) {
    Thread& thread = block.threads[number];
    if (thread.state != ThreadState::kReady) continue;
    any_ready = true;
    resume(thread);
    if (!block.finding.empty()) return Round::kEnded;
    any_ran |= !thread.is_polling;
  }
  if (any_ready) return any_ran ? Round::kRan : Round::kPolled;
  for (const Thread& thread : block.threads) {
    if (thread.state == ThreadState::kExited) continue;
    block.finding = explain_deadlock(block);
    break;
  }
  return Round::kEnded;
}

void fail_polling(Block& block) {
  for (const Thread& thread : block.threads) {
    if (!thread.is_polling) continue;
    block.finding = name_thread(thread.number) + " waits for what no block writes";
    return;
  }
}

void check_waited(const char* what_it_does) {
  Block& block = current_block();
  if (block.running->has_waited || !block.call.must_wait) return;
  block.finding = name_thread(block.running->number) + " " + what_it_does +
                  " before simt::wait_for_prerequisites";
  end_launch();
}

void wait_as(ThreadState state) {
  Thread& thread = *current_block().running;
  thread.state = state;
  fiber_of(thread).suspend();
}

void poll() {
  Thread& thread = *current_block().running;
  thread.is_polling = true;
  fiber_of(thread).suspend();
}

void end_launch() {
  for (;;) fiber_of(*current_block().running).suspend();  // and it is not resumed
}

void note_wait() { current_block().running->has_waited = true; }

int sync_block(bool predicate, const Site& site) {
  Block& block = current_block();
  Thread& thread = *block.running;
  thread.predicate = predicate;
  thread.barrier = site;
  for (const Thread& other : block.threads) {
    if (other.state != ThreadState::kAtBlockBarrier) continue;
    if (other.barrier == site) break;
    current_block().finding =
        "threads of one block at different barriers: " + name_thread(thread.number) + " at " +
        to_string(site) + ", " + name_thread(other.number) + " " + describe_state(other);
    end_launch();
  }
  thread.state = ThreadState::kAtBlockBarrier;
  if (++block.waiting_at_barrier == static_cast<int>(block.threads.size())) leave_barrier();
  wait_as(thread.state);
  return block.barrier_count;
}

}  // namespace simt::host
