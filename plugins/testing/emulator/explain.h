// Words for the messages of the checker.
#pragma once

#include <string>

#include "block.h"

namespace simt::host {

std::string name_thread(
    int number);  // "thread 3" or, in blocks of more dimensions, "thread (3,0,0)"
std::string name_operation(WarpOperation operation);  // "__shfl_sync"
std::string name_mask(unsigned mask);                 // "0xffffffff"

// What a thread does or waits for: "waits at __syncthreads (merge.cu:12)".
std::string describe_state(const Thread& thread);

// Why no thread can go on.
std::string explain_deadlock(const Block& block);

}  // namespace simt::host
