// Calls the parser as nvinfer does: parse TYPE AXES CLASSES NAME < LABELS, for a network of 2x3
// pixels. Prints the class map; exits with 1 where the parser refuses.
#include <nvdsinfer_custom_impl.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

extern "C" bool NvDsInferParseCustomSegppLabels(std::vector<NvDsInferLayerInfo> const&,
                                                NvDsInferNetworkInfo const&, float, unsigned int,
                                                int*, float*&);

int main(int, char** words) {
  std::vector<char> data{std::istreambuf_iterator<char>(std::cin), {}};
  std::vector<char> confidence(6);
  NvDsInferLayerInfo layers[2] = {};
  layers[0].layerName = "confidence";
  layers[0].buffer = confidence.data();
  layers[1].dataType = static_cast<NvDsInferDataType>(std::atoi(words[1]));
  std::istringstream axes(words[2]);
  for (std::string axis; std::getline(axes, axis, 'x');) {
    NvDsInferDims& dims = layers[1].inferDims;
    dims.d[dims.numDims++] = static_cast<unsigned int>(std::stoi(axis));
  }
  layers[1].layerName = words[4];
  layers[1].buffer = data.empty() ? nullptr : data.data();
  const NvDsInferNetworkInfo network{3, 2, 3};
  std::vector<int> class_map(7, 99);  // one more than there are pixels
  float* probabilities = nullptr;
  const unsigned int classes = static_cast<unsigned int>(std::atoi(words[3]));
  if (!NvDsInferParseCustomSegppLabels({layers[0], layers[1]}, network, 0.0F, classes,
                                       class_map.data(), probabilities)) {
    return 1;
  }
  for (int label : class_map) std::printf("%d ", label);
  return probabilities == nullptr ? 0 : 2;
}
