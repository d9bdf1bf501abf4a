// Where TensorRT says its logger is found; setLoggerFinder writes it.
#pragma once

#include <NvInferRuntime.h>

#include <atomic>

namespace segpp {

std::atomic<nvinfer1::ILoggerFinder*>& logger_finder() noexcept;

}  // namespace segpp
