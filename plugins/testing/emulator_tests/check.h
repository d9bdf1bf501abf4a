// Named cases and their checks. `emulator_tests NAME..` runs these, without a name all that need no
// help.
#pragma once

#include <cuda_runtime_api.h>

#include <initializer_list>

#define SIMT_CASE(name)                                                       \
  static void name();                                                         \
  static const ::emulator_tests::Registration name##_registered(#name, name); \
  static void name()

// Runs by its name alone: it reads input, or is meant to end in a sanitizer's report.
#define SIMT_CASE_ON_REQUEST(name)                                                   \
  static void name();                                                                \
  static const ::emulator_tests::Registration name##_registered(#name, name, false); \
  static void name()

// SEGPP_LAUNCH of a kernel that need not wait for prerequisites.
#define SIMT_LAUNCH(kernel, ...) ::simt::host::launch(#kernel, false, kernel, __VA_ARGS__)

#define EXPECT(condition) ::emulator_tests::expect(condition, #condition, __FILE__, __LINE__)

// The launch ended with a finding that holds all of these texts.
#define EXPECT_FINDING(error, ...) \
  ::emulator_tests::expect_finding(error, {__VA_ARGS__}, __FILE__, __LINE__)

namespace emulator_tests {

// Of a warp.
constexpr int kLanes = 32;
constexpr unsigned kAll = 0xffffffffu;

struct Registration {
  Registration(const char* name, void (*run)(), bool runs_unasked = true);
};

void expect(bool holds, const char* what, const char* file, int line);

void expect_finding(cudaError_t error, std::initializer_list<const char*> texts, const char* file,
                    int line);

}  // namespace emulator_tests
