// What the host build offers beside the kernels' C interface.
#include <string>

#include "launch.h"

// What the checker of races and barriers found in the last call that returned
// cudaErrorLaunchFailure; valid until the next call.
extern "C" __attribute__((visibility("default"))) const char* segpp_last_finding() noexcept {
  static std::string finding;
  finding = simt::last_finding();
  return finding.c_str();
}
