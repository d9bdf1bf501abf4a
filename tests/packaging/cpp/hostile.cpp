// Damages the record of an engine in many ways; the reader takes it or says why not, and never
// dies.
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>

#include "error.h"
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

// A record whose checksum is right, so that its fields are read.
std::string sign(const std::string& text) {
  const std::string mark = ",\n  \"checksum\"";
  const std::size_t end = text.rfind(mark);
  return end == std::string::npos ? text : text.substr(0, end);
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return 2;
  std::ifstream file(words[1], std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::mt19937 random(0);
  int refused = 0;
  const int tries = std::stoi(words[2]);
  for (int i = 0; i < tries; ++i) {
    const std::string text = damage(i % 2 == 0 ? whole : sign(whole), random);
    try {
      segpp::parse_manifest(text, "record", 0, "");
    } catch (const segpp::Error& error) {
      refused += error.what()[0] != '\0';
    }
  }
  std::cout << refused << " of " << tries << "\n" << segpp::sha256("abc") << "\n";
  return 0;
}
