#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../../cuda/simt.h"
#include "check.h"

namespace emulator_tests {
namespace {

struct Case {
  const char* name;
  void (*run)();
  bool runs_unasked;
};

std::vector<Case>& all_cases() {
  static std::vector<Case> cases;
  return cases;
}

int failures = 0;

bool is_wanted(const Case& one, int count, char** names) {
  if (count == 0) return one.runs_unasked;
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(one.name, names[i]) == 0) return true;
  }
  return false;
}

int run_cases(int count, char** names) {
  int ran = 0;
  for (const Case& one : all_cases()) {
    if (!is_wanted(one, count, names)) continue;
    ++ran;
    simt::clear_finding();
    one.run();
  }
  if (ran == 0 || ran < count) {
    std::fprintf(stderr, "%d of %d cases exist\n", ran, count);
    return 2;
  }
  std::printf("%d cases, %d failed checks\n", ran, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace

Registration::Registration(const char* name, void (*run)(), bool runs_unasked) {
  all_cases().push_back({name, run, runs_unasked});
}

void expect(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
}

void expect_finding(cudaError_t error, std::initializer_list<const char*> texts, const char* file,
                    int line) {
  expect(error == cudaErrorLaunchFailure, "the launch returns cudaErrorLaunchFailure", file, line);
  for (const char* text : texts) {
    const std::string what = std::string("the finding says \"") + text + "\"";
    expect(simt::last_finding().find(text) != std::string::npos, what.c_str(), file, line);
  }
  simt::clear_finding();
}

}  // namespace emulator_tests

int main(int count, char** arguments) {
  return emulator_tests::run_cases(count - 1, arguments + 1);
}
