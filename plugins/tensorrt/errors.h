// How errors leave the library: thrown inside as Refusal, logged and returned at every entry point.
#pragma once

#include <exception>
#include <stdexcept>

namespace segpp {

// Something that the caller asked for cannot be done; the text says what and why.
class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Sends "segpp::<subject>: <method>: <text>" to TensorRT's logger, or to stderr where there is
// none.
void log_error(const char* subject, const char* method, const char* text) noexcept;

// Runs `body`; whatever it throws is logged and becomes `failure`.
template <typename Result, typename Body>
Result guarded(const char* subject, const char* method, Result failure, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::exception& error) {
    log_error(subject, method, error.what());
  } catch (...) {
    log_error(subject, method, "unknown error");
  }
  return failure;
}

}  // namespace segpp
