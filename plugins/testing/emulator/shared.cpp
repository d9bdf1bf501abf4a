#include "shared.h"

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "block.h"
#include "explain.h"
#include "history.h"

namespace simt::host {
namespace {

constexpr std::size_t kSharedLimit = 48 * 1024;  // of static shared memory in one kernel
constexpr std::size_t kAlignment = 128;

struct FreeAligned {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t{kAlignment}); }
};

}  // namespace

// Accesses cover whole elements, so the history is one of elements.
class SharedMemory {
 public:
  SharedMemory(const SharedDeclaration& declared, std::size_t element_size, std::size_t count,
               std::size_t its_place)
      : declaration(declared),
        place(its_place),
        size(element_size * count),
        bytes(::operator new(size, std::align_val_t{kAlignment})),
        history(count) {}

  const SharedDeclaration& declaration;
  const std::size_t place;  // of the blocks that it belongs to
  const std::size_t size;
  std::uint64_t launch = 0;  // the last one that used it
  std::unique_ptr<void, FreeAligned> bytes;
  std::vector<ElementHistory> history;
};

namespace {

std::string name_element(const SharedMemory& memory, long long index) {
  const SharedDeclaration& at = memory.declaration;
  return std::string("shared array '") + at.name + "'[" + std::to_string(index) + "] (" +
         to_string({at.file, at.line}) + ")";
}

const Thread& running_thread() { return *current_block().running; }

[[noreturn]] void fail_race(const SharedMemory& memory, long long index, const char* before,
                            int other, const char* now) {
  current_block().finding = "race on " + name_element(memory, index) + ": " + before + " by " +
                            name_thread(other) + " and " + now + " by " +
                            name_thread(running_thread().number) +
                            " without a barrier between them";
  end_launch();
}

void check_initialised(const SharedMemory& memory, long long index) {
  if (memory.history[index].initialised_in == current_block().serial) return;
  current_block().finding = "uninitialised read of " + name_element(memory, index) + " by " +
                            name_thread(running_thread().number);
  end_launch();
}

void check_against_writes(const SharedMemory& memory, long long index, const char* now) {
  const Access& write = memory.history[index].write;
  if (is_ordered(write, running_thread(), current_block().epoch)) return;
  fail_race(memory, index, "written", write.thread, now);
}

void check_against(const SharedMemory& memory, long long index, const AccessSet& others,
                   const char* before, const char* now) {
  const int other = others.find_unordered(running_thread(), current_block().epoch);
  if (other != kNobody) fail_race(memory, index, before, other, now);
}

// Kept from launch to launch: what earlier blocks left in them is told by its serial numbers.
std::vector<std::unique_ptr<SharedMemory>>& all_memories() {
  static std::vector<std::unique_ptr<SharedMemory>> all;
  return all;
}

SharedMemory& find_or_create(const SharedDeclaration& declaration, std::size_t element_size,
                             std::size_t count) {
  const std::size_t place = current_block().place;
  for (const auto& memory : all_memories()) {
    if (&memory->declaration == &declaration && memory->place == place) return *memory;
  }
  all_memories().push_back(std::make_unique<SharedMemory>(declaration, element_size, count, place));
  return *all_memories().back();
}

}  // namespace

SharedMemory& find_shared(const SharedDeclaration& declaration, std::size_t element_size,
                          std::size_t count) {
  SharedMemory& memory = find_or_create(declaration, element_size, count);
  Block& block = current_block();
  if (memory.launch != block.launch) {
    memory.launch = block.launch;
    block.shared_size += memory.size;
    if (block.shared_size > kSharedLimit) {
      current_block().finding = "the shared arrays of this kernel take " +
                                std::to_string(block.shared_size) + " bytes, more than " +
                                std::to_string(kSharedLimit);
      end_launch();
    }
  }
  return memory;
}

void* shared_bytes(SharedMemory& memory) { return memory.bytes.get(); }

void claim_read(SharedMemory& memory, long long first, long long count) {
  for (long long i = first; i < first + count; ++i) {
    ElementHistory& history = memory.history[i];
    check_initialised(memory, i);
    check_against_writes(memory, i, "read");
    check_against(memory, i, history.atomics, "changed atomically", "read");
    history.reads.add(running_thread(), current_block().epoch);
  }
}

void claim_write(SharedMemory& memory, long long first, long long count) {
  for (long long i = first; i < first + count; ++i) {
    ElementHistory& history = memory.history[i];
    check_against_writes(memory, i, "written");
    check_against(memory, i, history.reads, "read", "written");
    check_against(memory, i, history.atomics, "changed atomically", "written");
    history.write = access_of(running_thread(), current_block().epoch);
    history.initialised_in = current_block().serial;
  }
}

void claim_atomic(SharedMemory& memory, long long index) {
  ElementHistory& history = memory.history[index];
  check_initialised(memory, index);
  check_against_writes(memory, index, "changed atomically");
  check_against(memory, index, history.reads, "read", "changed atomically");
  history.atomics.add(running_thread(), current_block().epoch);
}

void fail_bounds(const SharedMemory& memory, long long first, long long count, long long index) {
  const bool whole = first == 0 && count == static_cast<long long>(memory.history.size());
  current_block().finding = "index out of bounds: " + name_element(memory, first + index) + " by " +
                            name_thread(running_thread().number) + "; " +
                            (whole ? "the array" : "the slice") + " ends before [" +
                            std::to_string(first + count) + "]" +
                            (first == 0 ? "" : " and begins at [" + std::to_string(first) + "]");
  end_launch();
}

void fail_alignment(const SharedMemory& memory, long long index, std::size_t vector_size) {
  current_block().finding = "misaligned vector of " + std::to_string(vector_size) + " bytes at " +
                            name_element(memory, index) + " by " +
                            name_thread(running_thread().number);
  end_launch();
}

void claim_global(const void* address, std::size_t size) {
  check_waited("touches global memory");
  if (reinterpret_cast<std::uintptr_t>(address) % size == 0) return;
  current_block().finding = "misaligned vector of " + std::to_string(size) +
                            " bytes in global memory by " + name_thread(running_thread().number);
  end_launch();
}

}  // namespace simt::host
