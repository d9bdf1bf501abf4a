// What the host build offers beside the kernels' C interface.
#include <string>

#include "launch.h"

#define SEGPP_API extern "C" __attribute__((visibility("default")))

// What the checker of races and barriers found in the last call that returned
// cudaErrorLaunchFailure; valid until the next call.
SEGPP_API const char* segpp_last_finding() noexcept {
  static std::string finding;
  finding = simt::last_finding();
  return finding.c_str();
}

// How many launches there have been.
SEGPP_API unsigned long long segpp_launches() noexcept { return simt::launches(); }
