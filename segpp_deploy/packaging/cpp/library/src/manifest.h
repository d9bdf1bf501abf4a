// The record beside an engine file, ENGINE.json, checked as `segpp_deploy.engine` checks it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "segpp/segpp.h"

namespace segpp {

struct TensorSpec {
  std::string name;
  segpp_type type = SEGPP_UINT8;
  std::vector<std::int64_t> shape;  // -1 is an axis of any length

  // The shape and the bytes of one call, with one picture where the batch is open.
  std::vector<std::int64_t> call_shape() const;
  std::size_t bytes() const;
};

struct Manifest {
  std::string target;
  std::string payload;
  std::string runtime_version;
  std::vector<std::string> compute_capabilities;
  std::optional<std::string> plugin_sha256;
  std::string precision;
  std::optional<int> threads;
  TensorSpec input;
  std::vector<TensorSpec> outputs;
  std::string mode;
  std::string input_kind;
  std::string output_kind;
  std::int32_t height = 0;
  std::int32_t width = 0;
  std::vector<std::string> classes;
};

struct EngineFile {
  Manifest manifest;
  std::string content;
};

// Reads an engine and its record. Throws Error: one is missing, was changed, or does not fit.
EngineFile read_engine(const std::string& path);

// Reads a record's text; `where` names its file in the Error of what cannot be read.
Manifest parse_manifest(const std::string& text, const std::string& where, std::size_t engine_bytes,
                        const std::string& engine_sha256);

std::size_t element_size(segpp_type type);

}  // namespace segpp
