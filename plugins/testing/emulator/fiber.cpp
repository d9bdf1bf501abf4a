#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define SEGPP_SIMT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEGPP_SIMT_ASAN 1
#endif
#endif

#if defined(SEGPP_SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(SEGPP_SIMT_USES_UCONTEXT)
// swapcontext costs two system calls a switch, longjmp makes AddressSanitizer forget the frames of
// suspended threads; this saves what a function call has to keep, and no more.
// clang-format off
asm(R"(
.text
.p2align 4
.type segpp_simt_switch_stack, @function
segpp_simt_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size segpp_simt_switch_stack, .-segpp_simt_switch_stack
)");
// clang-format on
extern "C" __attribute__((visibility("hidden"))) void segpp_simt_switch_stack(void** save,
                                                                              void* load);
#endif

namespace simt::host {
namespace {

constexpr std::size_t kStackSize = 256 * 1024;
constexpr std::size_t kGuardSize = 64 * 1024;  // a multiple of every page size in use
constexpr std::size_t kColours = 32;
constexpr std::size_t kColourStep = 384;

Fiber* entering = nullptr;  // how a first switch tells enter() its fiber

// The stack that resume() was called on.
const void* scheduler_stack = nullptr;
std::size_t scheduler_stack_size = 0;
#if defined(SEGPP_SIMT_USES_UCONTEXT)
ucontext_t scheduler_context;
#else
void* scheduler_stack_pointer = nullptr;
#endif

void before_switch([[maybe_unused]] void** save, [[maybe_unused]] const void* stack,
                   [[maybe_unused]] std::size_t size) {
#if defined(SEGPP_SIMT_ASAN)
  __sanitizer_start_switch_fiber(save, stack, size);
#endif
}

void after_switch([[maybe_unused]] void* saved, [[maybe_unused]] const void** old_stack,
                  [[maybe_unused]] std::size_t* old_size) {
#if defined(SEGPP_SIMT_ASAN)
  __sanitizer_finish_switch_fiber(saved, old_stack, old_size);
#endif
}

}  // namespace

Fiber::Fiber(int colour) : stack_size_(kStackSize) {
  void* mapping = mmap(nullptr, kGuardSize + kStackSize, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<char*>(mapping);
  mprotect(mapping_, kGuardSize, PROT_NONE);  // a stack overflow faults here
  stack_ = mapping_ + kGuardSize;
  stack_size_ -= static_cast<std::size_t>(colour) % kColours * kColourStep;
}

Fiber::~Fiber() { munmap(mapping_, kGuardSize + kStackSize); }

void Fiber::start(Job job, void* argument) {
  job_ = job;
  argument_ = argument;
  if (!waits_for_job_) prepare_stack();
}

void Fiber::prepare_stack() {
#if defined(SEGPP_SIMT_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(stack_, stack_size_);  // what a dropped job left
#endif
  fake_stack_ = nullptr;
#if defined(SEGPP_SIMT_USES_UCONTEXT)
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_;
  context_.uc_stack.ss_size = stack_size_;
  context_.uc_link = nullptr;
  makecontext(&context_, &Fiber::enter, 0);
#else
  constexpr int kSavedRegisters = 6;
  void** top = reinterpret_cast<void**>(stack_ + stack_size_);
  *--top = nullptr;  // the return address of enter(), which doesn't return
  *--top = reinterpret_cast<void*>(&Fiber::enter);
  for (int i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  stack_pointer_ = top;
#endif
}

void Fiber::resume() {
  entering = this;
  void* own_fake_stack = nullptr;
  before_switch(&own_fake_stack, stack_, stack_size_);
#if defined(SEGPP_SIMT_USES_UCONTEXT)
  swapcontext(&scheduler_context, &context_);
#else
  segpp_simt_switch_stack(&scheduler_stack_pointer, stack_pointer_);
#endif
  after_switch(own_fake_stack, nullptr, nullptr);
}

void Fiber::suspend() {
  before_switch(&fake_stack_, scheduler_stack, scheduler_stack_size);
#if defined(SEGPP_SIMT_USES_UCONTEXT)
  swapcontext(&context_, &scheduler_context);
#else
  segpp_simt_switch_stack(&stack_pointer_, scheduler_stack_pointer);
#endif
  after_switch(fake_stack_, &scheduler_stack, &scheduler_stack_size);
}

void Fiber::enter() {
  after_switch(nullptr, &scheduler_stack, &scheduler_stack_size);
  entering->run_jobs();
}

void Fiber::run_jobs() {
  for (;;) {
    waits_for_job_ = false;
    job_(argument_);
    waits_for_job_ = true;
    suspend();
  }
}

}  // namespace simt::host
