#include "manifest.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

#include "error.h"
#include "json.h"
#include "sha256.h"

namespace segpp {
namespace {

constexpr std::int64_t kSchemaVersion = 1;
constexpr std::size_t kMostManifestBytes = std::size_t{16} << 20;
constexpr std::int64_t kMostSide = 1 << 20;
constexpr const char* kAgain =
    " Copy the engine again together with its record, or build it again.";

std::string read_file(const std::string& path, std::size_t most_bytes) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (size < 0) throw Error(path + " cannot be read. Expected: a file that build-engine wrote.");
  if (static_cast<std::uint64_t>(size) > most_bytes) throw Error(path + " is too large.");
  std::string content(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  if (!file.read(content.data(), size)) throw Error(path + " cannot be read to its end.");
  return content;
}

segpp_type parse_type(const std::string& name) {
  if (name == "uint8") return SEGPP_UINT8;
  if (name == "int32") return SEGPP_INT32;
  if (name == "int64") return SEGPP_INT64;
  if (name == "float32") return SEGPP_FLOAT32;
  throw Error("the type '" + name + "' is unknown");
}

std::int64_t bounded(const Json& value, const std::string& where, std::int64_t least,
                     std::int64_t most) {
  const std::int64_t number = value.integer(where);
  if (number < least || number > most) throw Error("'" + where + "' is " + std::to_string(number));
  return number;
}

std::vector<std::string> parse_texts(const Json& value, const std::string& where) {
  std::vector<std::string> texts;
  for (const Json& element : value.elements(where)) texts.push_back(element.text(where));
  return texts;
}

TensorSpec parse_tensor(const Json& value) {
  TensorSpec spec;
  spec.name = value.member("name").text("name");
  spec.type = parse_type(value.member("dtype").text("dtype"));
  std::uint64_t elements = 1;
  for (const Json& side : value.member("shape").elements("shape")) {
    const bool is_open = side.is_null() && spec.shape.empty();
    spec.shape.push_back(is_open ? -1 : bounded(side, "shape", 1, kMostSide));
    elements *= is_open ? 1 : static_cast<std::uint64_t>(spec.shape.back());
    if (elements > std::numeric_limits<std::int32_t>::max()) throw Error("'shape' is too large");
  }
  if (spec.shape.empty() || spec.shape.size() > SEGPP_MAX_RANK) {
    throw Error("'shape' has " + std::to_string(spec.shape.size()) + " axes");
  }
  return spec;
}

Manifest parse_fields(const Json& record) {
  Manifest manifest;
  const Json& metadata = record.member("metadata");
  const Json& runtime = record.member("runtime");
  manifest.target = record.member("target").text("target");
  manifest.payload = record.member("payload").text("payload");
  manifest.runtime_version = runtime.member("version").text("version");
  manifest.compute_capabilities =
      parse_texts(runtime.member("compute_capabilities"), "compute_capabilities");
  const Json& plugin = runtime.member("plugin_sha256");
  if (!plugin.is_null()) manifest.plugin_sha256 = plugin.text("plugin_sha256");
  manifest.precision = record.member("precision").text("precision");
  const Json& threads = record.member("threads");
  if (!threads.is_null()) {
    manifest.threads = static_cast<int>(bounded(threads, "threads", 1, 1024));
  }
  manifest.input = parse_tensor(record.member("input"));
  for (const Json& output : record.member("outputs").elements("outputs")) {
    manifest.outputs.push_back(parse_tensor(output));
  }
  if (manifest.outputs.empty() || manifest.outputs.size() > SEGPP_MAX_OUTPUTS) {
    throw Error("there are " + std::to_string(manifest.outputs.size()) + " outputs");
  }
  manifest.mode = metadata.member("mode").text("mode");
  manifest.input_kind = metadata.member("input").text("input");
  manifest.output_kind = metadata.member("output").text("output");
  const std::vector<Json>& size = metadata.member("size").elements("size");
  if (size.size() != 2) throw Error("'size' is no height and width");
  manifest.height = static_cast<std::int32_t>(bounded(size[0], "size", 1, kMostSide));
  manifest.width = static_cast<std::int32_t>(bounded(size[1], "size", 1, kMostSide));
  manifest.classes = parse_texts(metadata.member("classes"), "classes");
  return manifest;
}

}  // namespace

std::size_t element_size(segpp_type type) {
  switch (type) {
    case SEGPP_UINT8:
      return 1;
    case SEGPP_INT64:
      return 8;
    case SEGPP_INT32:
    case SEGPP_FLOAT32:
      return 4;
  }
  return 0;
}

std::vector<std::int64_t> TensorSpec::call_shape() const {
  std::vector<std::int64_t> sides = shape;
  std::replace(sides.begin(), sides.end(), std::int64_t{-1}, std::int64_t{1});
  return sides;
}

std::size_t TensorSpec::bytes() const {
  std::size_t elements = 1;
  for (const std::int64_t side : call_shape()) elements *= static_cast<std::size_t>(side);
  return elements * element_size(type);
}

Manifest parse_manifest(const std::string& text, const std::string& where, std::size_t engine_bytes,
                        const std::string& engine_sha256) {
  try {
    const Json record = Json::parse(text);
    const std::int64_t version = record.member("schema_version").integer("schema_version");
    if (version != kSchemaVersion) {
      throw Error("it is a record of version " + std::to_string(version) + ", and this reads " +
                  std::to_string(kSchemaVersion));
    }
    if (record.member("checksum").text("checksum") != sha256(record.canonical("checksum"))) {
      throw Error("it was changed after the build");
    }
    Manifest manifest = parse_fields(record);
    const std::int64_t size = record.member("size_bytes").integer("size_bytes");
    if (size < 0 || static_cast<std::uint64_t>(size) != engine_bytes) {
      throw Error("the engine has " + std::to_string(engine_bytes) + " bytes, not the " +
                  std::to_string(size) + " that were built");
    }
    if (record.member("engine_sha256").text("engine_sha256") != engine_sha256) {
      throw Error("the engine was changed after the build");
    }
    return manifest;
  } catch (const Error& error) {
    throw Error(where + " does not fit: " + error.what() + "." + kAgain);
  }
}

EngineFile read_engine(const std::string& path) {
  EngineFile file;
  const std::string record = path + ".json";
  const std::string text = read_file(record, kMostManifestBytes);
  file.content = read_file(path, std::numeric_limits<std::int32_t>::max());
  file.manifest = parse_manifest(text, record, file.content.size(), sha256(file.content));
  return file;
}

}  // namespace segpp
