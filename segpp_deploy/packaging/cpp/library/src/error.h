// Errors that reach the caller as text.
#pragma once

#include <stdexcept>
#include <string>

namespace segpp {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace segpp
