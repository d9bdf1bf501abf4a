// Hands the labels of a segmentation engine to DeepStream's nvinfer, whose own parser reads float
// probabilities of every class.
#include <nvdsinfer_custom_impl.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#ifndef SEGPP_OUTPUT
#error "Define SEGPP_OUTPUT as the name of the engine's output, as the Makefile does."
#endif

namespace {

constexpr char kOutput[] = SEGPP_OUTPUT;
constexpr int kUnlabelled = -1;  // as nvinfer marks pixels of which no class is likely enough

// Values of NvDsInferDataType; the headers of older releases do not name the last two.
enum : int { kInt32 = 3, kInt64 = 4, kUInt8 = 5 };

bool refuse(const std::string& why) {
  std::fprintf(stderr, "segpp: output '%s' cannot be read: %s.\n", kOutput, why.c_str());
  return false;
}

const NvDsInferLayerInfo* find_output(const std::vector<NvDsInferLayerInfo>& layers) {
  for (const NvDsInferLayerInfo& layer : layers) {
    if (layer.layerName != nullptr && std::strcmp(layer.layerName, kOutput) == 0) return &layer;
  }
  return nullptr;
}

std::string describe(const NvDsInferDims& dims) {
  std::string text;
  for (unsigned int axis = 0; axis < dims.numDims; ++axis) {
    text += (axis == 0 ? "" : "x") + std::to_string(dims.d[axis]);
  }
  return text;
}

// Whether the axes are height and width, beside any that are 1: a batch or a channel.
bool has_size(const NvDsInferDims& dims, unsigned int height, unsigned int width) {
  const unsigned int wanted[] = {height, width};
  unsigned int found = 0;
  for (unsigned int axis = 0; axis < dims.numDims; ++axis) {
    if (dims.d[axis] == 1) continue;
    if (found == 2 || dims.d[axis] != wanted[found]) return false;
    ++found;
  }
  return found == 2;
}

template <typename Label>
bool copy_labels(const void* buffer, std::size_t pixels, unsigned int num_classes, int* class_map) {
  const Label* labels = static_cast<const Label*>(buffer);
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::int64_t label = labels[i];
    class_map[i] = label >= 0 && label < num_classes ? static_cast<int>(label) : kUnlabelled;
  }
  return true;
}

}  // namespace

// What `parse-segmentation-func-name` names. The map has the network's size; it is nvinfer's.
// Returns false, having said why, where the output is not a label map of that size.
extern "C" bool NvDsInferParseCustomSegppLabels(
    std::vector<NvDsInferLayerInfo> const& outputLayersInfo,
    NvDsInferNetworkInfo const& networkInfo, float /*segmentationThreshold*/,
    unsigned int numClasses, int* classificationMap, float*& classProbabilityMap) {
  classProbabilityMap = nullptr;  // there are none
  const NvDsInferLayerInfo* layer = find_output(outputLayersInfo);
  if (layer == nullptr || layer->buffer == nullptr || classificationMap == nullptr) {
    return refuse("the engine has no such output, or nvinfer kept no copy of it");
  }
  if (!has_size(layer->inferDims, networkInfo.height, networkInfo.width)) {
    return refuse("it has the size " + describe(layer->inferDims) + ", the network " +
                  std::to_string(networkInfo.height) + "x" + std::to_string(networkInfo.width));
  }
  const std::size_t pixels = std::size_t{networkInfo.height} * networkInfo.width;
  switch (static_cast<int>(layer->dataType)) {
    case kInt32:
      return copy_labels<std::int32_t>(layer->buffer, pixels, numClasses, classificationMap);
    case kInt64:
      return copy_labels<std::int64_t>(layer->buffer, pixels, numClasses, classificationMap);
    case kUInt8:
      return copy_labels<std::uint8_t>(layer->buffer, pixels, numClasses, classificationMap);
    default:
      return refuse("its NvDsInferDataType is " + std::to_string(layer->dataType) +
                    ", expected 3 (int32), 4 (int64) or 5 (uint8)");
  }
}
