// Labels pictures: label_picture ENGINE PICTURE.ppm LABELS.pgm [PICTURE.ppm LABELS.pgm ..]
//
// A PICTURE (P6, 8 bits) has the engine's size; LABELS holds the class of each pixel.
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "segpp/segpp.h"

namespace {

using Bytes = std::vector<unsigned char>;

struct Closer {
  void operator()(segpp_engine* engine) const { segpp_close(engine); }
};

int fail(const std::string& text) {
  std::cerr << text << "\n";
  return 2;
}

bool read_ppm(const char* path, const segpp_contract& contract, Bytes& rgb) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int width = 0;
  int height = 0;
  int most = 0;
  if (!(file >> magic >> width >> height >> most) || magic != "P6" || most != 255) return false;
  if (width != contract.width || height != contract.height) return false;
  file.get();
  rgb.resize(contract.input.bytes);
  return static_cast<bool>(
      file.read(reinterpret_cast<char*>(rgb.data()), static_cast<std::streamsize>(rgb.size())));
}

bool write_pgm(const char* path, const segpp_contract& contract, const Bytes& labels) {
  std::ofstream file(path, std::ios::binary);
  file << "P5\n" << contract.width << " " << contract.height << "\n255\n";
  file.write(reinterpret_cast<const char*>(labels.data()),
             static_cast<std::streamsize>(labels.size()));
  return static_cast<bool>(file.flush());
}

}  // namespace

int main(int count, char** words) {
  if (count < 4 || count % 2 != 0) {
    return fail("Usage: label_picture ENGINE PICTURE.ppm LABELS.pgm [PICTURE.ppm LABELS.pgm ..]");
  }
  segpp_engine* opened = nullptr;
  if (segpp_open(words[1], nullptr, &opened) != 0) return fail(segpp_last_error());
  const std::unique_ptr<segpp_engine, Closer> engine(opened);
  const segpp_contract& contract = *segpp_describe(opened);
  if (std::string(contract.input_kind) != "uint8" || contract.input.shape[0] != 1 ||
      contract.outputs[0].type != SEGPP_UINT8) {
    return fail("This example takes engines of one picture in bytes, with labels in bytes.");
  }
  std::vector<Bytes> results;
  std::vector<void*> outputs;
  std::vector<size_t> sizes;
  for (int i = 0; i < contract.output_count; ++i) {
    results.emplace_back(contract.outputs[i].bytes);
    outputs.push_back(results.back().data());
    sizes.push_back(results.back().size());
  }
  Bytes rgb;
  for (int i = 2; i < count; i += 2) {
    if (!read_ppm(words[i], contract, rgb)) {
      return fail(std::string(words[i]) + " is no PPM (P6) of " + std::to_string(contract.width) +
                  "x" + std::to_string(contract.height) + " pixels.");
    }
    if (segpp_run(opened, rgb.data(), rgb.size(), outputs.data(), sizes.data(),
                  contract.output_count) != 0) {
      return fail(segpp_last_error());
    }
    if (!write_pgm(words[i + 1], contract, results[0])) {
      return fail(std::string(words[i + 1]) + " cannot be written.");
    }
  }
  return 0;
}
