// Damages the record of an engine in many ways; the reader takes it or says why not, and never
// dies.
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>

#include "error.h"
#include "json.h"
#include "manifest.h"
#include "sha256.h"

namespace {

std::string damage(std::string text, std::mt19937& random) {
  const std::size_t place = random() % text.size();
  switch (random() % 5) {
    case 0:
      text.resize(place);
      break;
    case 1:
      text[place] = static_cast<char>(random());
      break;
    case 2:
      text.insert(place, std::string(random() % 300, "[{\"\\0-9e"[random() % 8]));
      break;
    case 3:
      text.erase(place, random() % 50);
      break;
    default:
      text += text.substr(place);
  }
  return text;
}

// Gives a record without a checksum the right one, so that its fields are read.
std::string sign(const std::string& text) {
  try {
    const std::string sum = segpp::sha256(segpp::Json::parse(text).canonical("checksum"));
    return text.substr(0, text.rfind('}')) + ", \"checksum\": \"" + sum + "\"}";
  } catch (const segpp::Error&) {
    return text;
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return 2;
  std::ifstream file(words[1], std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string unsigned_record = whole.substr(0, whole.rfind(",\n  \"checksum\"")) + "\n}\n";
  std::mt19937 random(0);
  int refused = 0;
  const int tries = std::stoi(words[2]);
  for (int i = 0; i < tries; ++i) {
    const bool is_signed = i % 2 == 1;
    const std::string text =
        is_signed ? sign(damage(unsigned_record, random)) : damage(whole, random);
    try {
      segpp::parse_manifest(text, "record", 0, "");
    } catch (const segpp::Error& error) {
      refused += error.what()[0] != '\0';
    }
  }
  std::cout << refused << " of " << tries << "\n" << segpp::sha256("abc") << "\n";
  return 0;
}
