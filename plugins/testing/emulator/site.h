// Where in the source a thread stands, for the messages of the checker.
#pragma once

#include <string>

namespace simt::host {

struct Site {
  const char* file = "";
  int line = 0;

  bool operator==(const Site& other) const;
  bool operator!=(const Site& other) const { return !(*this == other); }
};

std::string to_string(const Site& site);  // "token_match.cu:42"

}  // namespace simt::host

// As default arguments of a function these name the line of its call.
#define SEGPP_SIMT_CALLER const char *file = __builtin_FILE(), int line = __builtin_LINE()
