#include "json.h"

#include <cerrno>
#include <cstdlib>

#include "error.h"

namespace segpp {
namespace {

constexpr int kMostLevels = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& text, std::uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | (code >> 6));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | (code >> 12));
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | (code >> 18));
    text += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Json document() {
    Json value = parse_value(0);
    skip_space();
    if (place_ != text_.size()) fail("something follows its end");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Error("it is no JSON: " + why + " (byte " + std::to_string(place_) + ")");
  }

  bool at_end() const { return place_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[place_]; }

  void skip_space() {
    while (!at_end() && (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t')) {
      ++place_;
    }
  }

  void expect(char wanted) {
    if (at_end() || peek() != wanted) fail(std::string("a '") + wanted + "' is missing");
    ++place_;
  }

  bool take(char wanted) {
    if (at_end() || peek() != wanted) return false;
    ++place_;
    return true;
  }

  Json parse_value(int level) {
    if (level > kMostLevels) fail("it is nested too deeply");
    skip_space();
    if (at_end()) fail("it ends too early");
    switch (peek()) {
      case '{':
        return parse_object(level);
      case '[':
        return parse_array(level);
      case '"':
        return parse_string();
      case 't':
        return parse_word("true", Json::Kind::kBool);
      case 'f':
        return parse_word("false", Json::Kind::kBool);
      case 'n':
        return parse_word("null", Json::Kind::kNull);
      default:
        return parse_number();
    }
  }

  Json parse_object(int level) {
    Json value;
    value.kind_ = Json::Kind::kObject;
    expect('{');
    skip_space();
    if (take('}')) return value;
    do {
      skip_space();
      Json name = parse_string();
      skip_space();
      expect(':');
      Json member = parse_value(level + 1);
      if (!value.members_.emplace(name.text_, std::move(member)).second) {
        fail("a name is there twice");
      }
      value.names_.emplace(name.text_, name.raw_);
      skip_space();
    } while (take(','));
    expect('}');
    return value;
  }

  Json parse_array(int level) {
    Json value;
    value.kind_ = Json::Kind::kArray;
    expect('[');
    skip_space();
    if (take(']')) return value;
    do {
      value.elements_.push_back(parse_value(level + 1));
      skip_space();
    } while (take(','));
    expect(']');
    return value;
  }

  Json parse_word(std::string_view word, Json::Kind kind) {
    if (text_.substr(place_, word.size()) != word) fail("a word is unknown");
    place_ += word.size();
    Json value;
    value.kind_ = kind;
    value.raw_ = word;
    return value;
  }

  Json parse_number() {
    const std::size_t start = place_;
    take('-');
    if (!is_digit(peek())) fail("a value is missing");
    const bool is_zero = peek() == '0';
    ++place_;
    if (is_zero && is_digit(peek())) fail("a number begins with 0");
    skip_digits();
    if (take('.')) {
      if (!is_digit(peek())) fail("digits are missing");
      skip_digits();
    }
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!is_digit(peek())) fail("an exponent is missing");
      skip_digits();
    }
    Json value;
    value.kind_ = Json::Kind::kNumber;
    value.raw_ = text_.substr(start, place_ - start);
    return value;
  }

  void skip_digits() {
    while (is_digit(peek())) ++place_;
  }

  Json parse_string() {
    const std::size_t start = place_;
    expect('"');
    Json value;
    value.kind_ = Json::Kind::kString;
    while (peek() != '"') {
      if (at_end()) fail("a string does not end");
      const char c = text_[place_++];
      if (static_cast<unsigned char>(c) < 0x20) fail("a string holds a control character");
      if (c == '\\') {
        parse_escape(value.text_);
      } else {
        value.text_ += c;
      }
    }
    ++place_;
    value.raw_ = text_.substr(start, place_ - start);
    return value;
  }

  void parse_escape(std::string& text) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    const char name = peek();
    if (at_end()) fail("a string does not end");
    ++place_;
    if (name == 'u') {
      append_utf8(text, parse_code_point());
      return;
    }
    const std::size_t index = kNames.find(name);
    if (index == std::string_view::npos) fail("an escape is unknown");
    text += kValues[index];
  }

  std::uint32_t parse_code_point() {
    const std::uint32_t first = parse_unit();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !take('\\') || !take('u')) fail("half of a character is missing");
    const std::uint32_t second = parse_unit();
    if (second < 0xDC00 || second > 0xDFFF) fail("half of a character is missing");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  std::uint32_t parse_unit() {
    std::uint32_t unit = 0;
    for (int digit = 0; digit < 4; ++digit) {
      const char c = peek();
      std::uint32_t value = 0;
      if (is_digit(c)) {
        value = static_cast<std::uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        value = static_cast<std::uint32_t>(c - 'a') + 10;
      } else if (c >= 'A' && c <= 'F') {
        value = static_cast<std::uint32_t>(c - 'A') + 10;
      } else {
        fail("an escape is incomplete");
      }
      unit = unit * 16 + value;
      ++place_;
    }
    return unit;
  }

  std::string_view text_;
  std::size_t place_ = 0;
};

Json Json::parse(std::string_view text) { return JsonParser(text).document(); }

const Json& Json::member(const std::string& name) const {
  if (kind_ != Kind::kObject) throw Error("there is no mapping around '" + name + "'");
  const auto found = members_.find(name);
  if (found == members_.end()) throw Error("'" + name + "' is missing");
  return found->second;
}

const std::vector<Json>& Json::elements(const std::string& where) const {
  if (kind_ != Kind::kArray) throw Error("'" + where + "' is no list");
  return elements_;
}

const std::string& Json::text(const std::string& where) const {
  if (kind_ != Kind::kString) throw Error("'" + where + "' is no text");
  return text_;
}

std::int64_t Json::integer(const std::string& where) const {
  const bool is_integer = kind_ == Kind::kNumber && raw_.find_first_of(".eE") == std::string::npos;
  errno = 0;
  const std::int64_t value = is_integer ? std::strtoll(raw_.c_str(), nullptr, 10) : 0;
  if (!is_integer || errno == ERANGE) throw Error("'" + where + "' is no whole number");
  return value;
}

std::string Json::canonical(const std::string& left_out) const {
  std::string text;
  switch (kind_) {
    case Kind::kArray:
      for (const Json& element : elements_) {
        text += (text.empty() ? "" : ", ") + element.canonical();
      }
      return "[" + text + "]";
    case Kind::kObject:
      for (const auto& [name, member] : members_) {
        if (!left_out.empty() && name == left_out) continue;
        text += (text.empty() ? "" : ", ") + names_.at(name) + ": " + member.canonical();
      }
      return "{" + text + "}";
    default:
      return raw_;
  }
}

}  // namespace segpp
