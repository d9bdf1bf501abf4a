// Launching a kernel on the host: the grid runs to its end before the launch returns.
#pragma once

#include <cuda_runtime_api.h>

#include <string>
#include <tuple>
#include <utility>

// SEGPP_LAUNCH(kernel, grid, block, stream, arguments...)
#define SEGPP_LAUNCH(kernel, ...) ::simt::host::launch(#kernel, true, kernel, __VA_ARGS__)

namespace simt {

// What the checker said of the last launch that returned cudaErrorLaunchFailure; empty before one.
std::string last_finding();

void clear_finding();

// How many there have been.
unsigned long long launches();

namespace host {

struct KernelCall {
  const char* name;
  bool must_wait;                // for prerequisites, before a thread touches global memory or ends
  void (*run)(void* arguments);  // one thread
  void* arguments;
};

// cudaErrorInvalidConfiguration for a grid that no GPU takes, cudaErrorLaunchFailure for a finding.
cudaError_t run_grid(const KernelCall& call, dim3 grid, dim3 block) noexcept;

template <typename... Parameters, typename... Arguments>
cudaError_t launch(const char* name, bool must_wait, void (*kernel)(Parameters...), dim3 grid,
                   dim3 block, cudaStream_t /*stream*/, Arguments&&... arguments) {
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  auto run = [&] { std::apply(kernel, values); };
  return run_grid(
      {name, must_wait, [](void* self) { (*static_cast<decltype(run)*>(self))(); }, &run}, grid,
      block);
}

}  // namespace host
}  // namespace simt
