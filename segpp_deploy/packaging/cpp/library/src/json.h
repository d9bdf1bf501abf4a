// Strict JSON that keeps numbers and strings as they are written, so that a document can be put
// into the form whose hash it carries. Input is not trusted: depth and size are bounded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace segpp {

class Json {
 public:
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  // Throws Error: it is no JSON, or nested too deeply.
  static Json parse(std::string_view text);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }

  // Members, elements and values; `where` names them in the Error that a wrong kind throws.
  const Json& member(const std::string& name) const;
  const std::vector<Json>& elements(const std::string& where) const;
  const std::string& text(const std::string& where) const;
  std::int64_t integer(const std::string& where) const;

  // What Python's json.dumps(value, sort_keys=True) writes, without the members of these names.
  std::string canonical(const std::string& left_out = "") const;

 private:
  friend class JsonParser;

  Kind kind_ = Kind::kNull;
  std::string raw_;   // of scalars, as written
  std::string text_;  // of strings, decoded to UTF-8
  std::vector<Json> elements_;
  std::map<std::string, Json> members_;       // by decoded name: UTF-8 sorts as code points do
  std::map<std::string, std::string> names_;  // decoded name -> as written
};

}  // namespace segpp
