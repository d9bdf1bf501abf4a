// The race checker against an oracle on random programs: it finds a race exactly where there is
// one.
//
// The oracle keeps for each thread the set of all accesses that come before its next one; a barrier
// unites these sets. No clocks, no epochs.
#include <stdlib.h>

#include <bitset>
#include <random>
#include <string>
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

constexpr int kProgramThreads = 64;
constexpr int kCells = 3;
constexpr int kMaxSteps = 10;

enum class Step { kAccess, kSyncBlock, kSyncWarps };
enum class Access { kNone, kRead, kWrite, kAtomic };

struct Operation {
  Access access = Access::kNone;
  int cell = 0;
  unsigned mask = 0;  // of the thread's __syncwarp
};

struct Program {
  std::vector<Step> steps;
  std::vector<Operation> operations;  // [step][thread]

  const Operation& at(std::size_t step, int thread) const {
    return operations[step * kProgramThreads + static_cast<std::size_t>(thread)];
  }
};

__global__ void run_program_kernel(const Program* program, int* sink) {
  SEGPP_SHARED(int, cells, kCells);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < kCells) cells[thread] = 0;
  __syncthreads();
  for (std::size_t step = 0; step < program->steps.size(); ++step) {
    const Operation& operation = program->at(step, thread);
    if (program->steps[step] == Step::kSyncBlock) __syncthreads();
    if (program->steps[step] == Step::kSyncWarps) __syncwarp(operation.mask);
    if (operation.access == Access::kRead) *sink += cells[operation.cell];
    if (operation.access == Access::kWrite) cells[operation.cell] = thread;
    if (operation.access == Access::kAtomic) atomicAdd(&cells[operation.cell], 1);
  }
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  Program make_program() {
    Program program;
    const int count = below(kMaxSteps) + 1;
    for (int i = 0; i < count; ++i) add_step(program);
    return program;
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  void add_step(Program& program) {
    const Step step = static_cast<Step>(below(3));
    const std::size_t first = program.operations.size();
    program.steps.push_back(step);
    program.operations.resize(first + kProgramThreads);
    Operation* operations = &program.operations[first];
    if (step == Step::kAccess) add_accesses(operations);
    if (step == Step::kSyncWarps) add_masks(operations);
  }

  // Few threads, all in the first lanes, so that many programs have no race.
  void add_accesses(Operation* operations) {
    const int count = below(3) + 1;
    for (int i = 0; i < count; ++i) {
      const int thread = below(4) == 0 ? 32 + below(2) : below(4);
      operations[thread].access = static_cast<Access>(1 + below(3));
      operations[thread].cell = below(kCells);
    }
  }

  // Each warp falls into two groups.
  void add_masks(Operation* operations) {
    unsigned group = 0;
    for (int thread = 0; thread < kProgramThreads; ++thread) {
      if (thread % 32 == 0) group = below(2) == 0 ? ~0u : static_cast<unsigned>(random_());
      const bool inside = (group >> (thread % 32) & 1u) != 0;
      operations[thread].mask = inside ? group : ~group;
    }
  }

  std::mt19937 random_;
};

class Oracle {
 public:
  explicit Oracle(const Program& program) : program_(program), before_(kProgramThreads) {}

  bool has_race() {
    bool race = false;
    for (std::size_t step = 0; step < program_.steps.size(); ++step) {
      if (program_.steps[step] == Step::kAccess) {
        race = race || races_in(step);
      } else {
        unite(step);
      }
    }
    return race;
  }

 private:
  using Events = std::bitset<kMaxSteps * kProgramThreads>;

  static std::size_t event(std::size_t step, int thread) {
    return step * kProgramThreads + static_cast<std::size_t>(thread);
  }

  bool races_in(std::size_t step) {
    bool race = false;
    for (int thread = 0; thread < kProgramThreads; ++thread) {
      for (std::size_t earlier = 0; earlier <= step; ++earlier) {
        for (int other = 0; other < kProgramThreads; ++other) {
          race = race || (conflict(step, thread, earlier, other) &&
                          !before_[static_cast<std::size_t>(thread)][event(earlier, other)]);
        }
      }
    }
    for (int thread = 0; thread < kProgramThreads; ++thread) {
      before_[static_cast<std::size_t>(thread)].set(event(step, thread));
    }
    return race;
  }

  bool conflict(std::size_t step, int thread, std::size_t earlier, int other) const {
    if (thread == other || program_.steps[earlier] != Step::kAccess) return false;
    const Operation& a = program_.at(step, thread);
    const Operation& b = program_.at(earlier, other);
    if (a.access == Access::kNone || b.access == Access::kNone || a.cell != b.cell) return false;
    return a.access != b.access || a.access == Access::kWrite;
  }

  void unite(std::size_t step) {
    const std::vector<Events> old = before_;
    for (int thread = 0; thread < kProgramThreads; ++thread) {
      for (int other = 0; other < kProgramThreads; ++other) {
        const bool meet = program_.steps[step] == Step::kSyncBlock ||
                          (thread / 32 == other / 32 &&
                           (program_.at(step, thread).mask >> (other % 32) & 1u) != 0);
        if (meet) before_[static_cast<std::size_t>(thread)] |= old[static_cast<std::size_t>(other)];
      }
    }
  }

  const Program& program_;
  std::vector<Events> before_;
};

}  // namespace

SIMT_CASE(random_programs) {
  int racing = 0;
  constexpr int kPrograms = 1000;
  for (unsigned number = 0; number < kPrograms; ++number) {
    const Program program = Generator(number).make_program();
    const bool expected = Oracle(program).has_race();
    racing += expected ? 1 : 0;
    setenv("SEGPP_SIMT_SEED", std::to_string(number % 7).c_str(), 1);
    int sink = 0;
    const cudaError_t error =
        SIMT_LAUNCH(run_program_kernel, 1, kProgramThreads, nullptr, &program, &sink);
    EXPECT(error == (expected ? cudaErrorLaunchFailure : cudaSuccess));
  }
  unsetenv("SEGPP_SIMT_SEED");
  EXPECT(racing > kPrograms / 5 && racing < kPrograms * 4 / 5);
}

}  // namespace emulator_tests
