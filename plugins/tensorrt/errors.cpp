#include "errors.h"

#include <NvInferRuntime.h>

#include <cstdio>

#include "logger.h"

namespace segpp {
namespace {

// TensorRT's finder answers for the thread that asks, so it is asked for each message.
nvinfer1::ILogger* find_logger() noexcept {
  nvinfer1::ILoggerFinder* const finder = logger_finder().load();
  try {
    return finder == nullptr ? nullptr : finder->findLogger();
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

std::atomic<nvinfer1::ILoggerFinder*>& logger_finder() noexcept {
  static std::atomic<nvinfer1::ILoggerFinder*> finder{nullptr};
  return finder;
}

void log_error(const char* subject, const char* method, const char* text) noexcept {
  char line[1024];
  std::snprintf(line, sizeof(line), "segpp::%s: %s: %s", subject, method, text);
  if (nvinfer1::ILogger* const logger = find_logger()) {
    logger->log(nvinfer1::ILogger::Severity::kERROR, line);
  } else {
    std::fprintf(stderr, "%s\n", line);
  }
}

}  // namespace segpp
