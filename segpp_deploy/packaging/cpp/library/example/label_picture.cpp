// Labels a picture: label_picture ENGINE PICTURE.ppm LABELS.pgm
//
// PICTURE.ppm (P6, 8 bits) has the engine's size; LABELS.pgm holds the class of each pixel.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "segpp/segpp.h"

namespace {

int fail(const std::string& text) {
  std::cerr << text << "\n";
  return 2;
}

bool read_ppm(const char* path, int& width, int& height, std::vector<unsigned char>& rgb) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int most = 0;
  if (!(file >> magic >> width >> height >> most) || magic != "P6" || most != 255) return false;
  if (width < 1 || height < 1 || width > 1 << 15 || height > 1 << 15) return false;
  file.get();
  rgb.resize(static_cast<std::size_t>(width) * height * 3);
  return static_cast<bool>(
      file.read(reinterpret_cast<char*>(rgb.data()), static_cast<std::streamsize>(rgb.size())));
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return fail("Usage: label_picture ENGINE PICTURE.ppm LABELS.pgm");
  segpp_engine* engine = nullptr;
  if (segpp_open(words[1], nullptr, &engine) != 0) return fail(segpp_last_error());
  const segpp_contract* contract = segpp_describe(engine);
  if (std::string(contract->input_kind) != "uint8" || contract->input.shape[0] != 1 ||
      contract->outputs[0].type != SEGPP_UINT8) {
    segpp_close(engine);
    return fail("This example takes engines of one picture in bytes, with labels in bytes.");
  }
  int width = 0;
  int height = 0;
  std::vector<unsigned char> rgb;
  if (!read_ppm(words[2], width, height, rgb) || width != contract->width ||
      height != contract->height) {
    const std::string size =
        std::to_string(contract->width) + "x" + std::to_string(contract->height);
    segpp_close(engine);
    return fail(std::string(words[2]) + " is no PPM (P6) of " + size + " pixels.");
  }
  std::vector<std::vector<unsigned char>> results;
  std::vector<void*> outputs;
  std::vector<size_t> sizes;
  for (int i = 0; i < contract->output_count; ++i) {
    results.emplace_back(contract->outputs[i].bytes);
    outputs.push_back(results.back().data());
    sizes.push_back(results.back().size());
  }
  const int status = segpp_run(engine, rgb.data(), rgb.size(), outputs.data(), sizes.data(),
                               contract->output_count);
  const std::string error = status == 0 ? "" : segpp_last_error();
  segpp_close(engine);
  if (status != 0) return fail(error);
  std::ofstream file(words[3], std::ios::binary);
  file << "P5\n" << width << " " << height << "\n255\n";
  file.write(reinterpret_cast<const char*>(results[0].data()),
             static_cast<std::streamsize>(results[0].size()));
  return file.flush() ? 0 : fail(std::string(words[3]) + " cannot be written.");
}
