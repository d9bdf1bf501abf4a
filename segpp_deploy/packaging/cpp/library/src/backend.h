// What computes an engine; one for each runtime that the library was built with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "manifest.h"

namespace segpp {

// A tensor of the caller's, of the contract's size.
struct Buffer {
  void* data = nullptr;
  std::size_t bytes = 0;
};

class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  // Throws std::exception where the runtime gives up.
  virtual void run(const void* input, const std::vector<Buffer>& outputs) = 0;
};

// Loads an engine. Throws Error, or what the runtime throws: the runtime here differs from the one
// that the engine was built with, or cannot load it.
std::unique_ptr<Backend> open_onnxruntime(const EngineFile& file, const segpp_options& options);
std::unique_ptr<Backend> open_openvino(const EngineFile& file, const segpp_options& options);
std::unique_ptr<Backend> open_tensorrt(const EngineFile& file, const segpp_options& options);

// Throws Error where the runtime's version is not the engine's.
void require_version(const Manifest& manifest, const std::string& runtime,
                     const std::string& version);

}  // namespace segpp
