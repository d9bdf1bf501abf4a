// A stack of its own for each emulated thread, and the switch between it and the scheduler.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) || defined(SEGPP_SIMT_UCONTEXT)
#define SEGPP_SIMT_USES_UCONTEXT 1
#include <ucontext.h>
#endif

namespace simt::host {

// Runs jobs one after the other. AddressSanitizer is told of every switch.
class Fiber {
 public:
  using Job = void (*)(void* argument);

  // Stacks of equal alignment would meet in the same few cache sets: `colour` staggers their tops.
  explicit Fiber(int colour);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next resume() calls job(argument). The last job is over, or is dropped where it stands.
  void start(Job job, void* argument);

  // Called by the scheduler: runs the job until it suspends or returns.
  void resume();

  // Called by the job: back to the scheduler.
  void suspend();

 private:
  static void enter();
  [[noreturn]] void run_jobs();
  void prepare_stack();

  char* mapping_;
  char* stack_;
  std::size_t stack_size_;
  Job job_ = nullptr;
  void* argument_ = nullptr;
  bool waits_for_job_ = false;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
#if defined(SEGPP_SIMT_USES_UCONTEXT)
  ucontext_t context_;
#else
  void* stack_pointer_ = nullptr;
#endif
};

}  // namespace simt::host
