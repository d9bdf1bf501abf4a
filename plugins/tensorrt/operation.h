// What an op adds to its declaration: further conditions, workspace, kernels.
#pragma once

#include <cstddef>

#include "../kernels/types.h"
#include "op_declaration.h"
#include "sizes.h"

namespace segpp {

struct Buffers {
  const void* const* inputs;
  int num_inputs;  // optional inputs at the end may be missing
  void* const* outputs;
  void* workspace;
  int slot;  // of the plugin; kNoMatchSlot: none

  template <typename T>
  const T* input(int index) const {
    return index < num_inputs ? static_cast<const T*>(inputs[index]) : nullptr;
  }
  template <typename T>
  T* output(int index) const {
    return static_cast<T*>(outputs[index]);
  }
};

struct Operation {
  const OpDeclaration* declaration;
  // Throws Refusal for attributes that no input fits; null: every attribute may be any positive
  // number.
  void (*check_attributes)(const Sizes& attributes);
  // Throws Refusal for sizes that it cannot compute; null: what the declaration demands is enough.
  void (*check_sizes)(const Sizes& sizes);
  // Bytes; null: none.
  std::size_t (*workspace_size)(const Sizes& sizes);
  cudaError_t (*launch)(const Sizes& sizes, DataType type, const Buffers& buffers,
                        cudaStream_t stream);
  // Whether launches count their blocks, for which a plugin that may run needs a slot.
  bool takes_slot = false;
};

extern const Operation kTokenMatch;
extern const Operation kTokenMatchMerge;
extern const Operation kTokenMerge;
extern const Operation kTokenMergeWithSize;
extern const Operation kTokenUnmerge;
extern const Operation kUpsampleArgmax;

// All ops.
inline constexpr const Operation* kOperations[] = {&kTokenMatch,   &kTokenMatchMerge,
                                                   &kTokenMerge,   &kTokenMergeWithSize,
                                                   &kTokenUnmerge, &kUpsampleArgmax};

}  // namespace segpp
