// Stands in for DeepStream's header of this name: what the parser uses of it, under the documented
// names.
#ifndef SEGPP_TESTS_NVDSINFER_CUSTOM_IMPL_H_
#define SEGPP_TESTS_NVDSINFER_CUSTOM_IMPL_H_

#include <vector>

enum NvDsInferDataType { FLOAT = 0, HALF = 1, INT8 = 2, INT32 = 3, INT64 = 4 };

struct NvDsInferDims {
  unsigned int numDims;
  unsigned int d[8];
  unsigned int numElements;
};

struct NvDsInferLayerInfo {
  NvDsInferDataType dataType;
  NvDsInferDims inferDims;
  int bindingIndex;
  const char* layerName;
  void* buffer;
  int isInput;
};

struct NvDsInferNetworkInfo {
  unsigned int width;
  unsigned int height;
  unsigned int channels;
};

#endif  // SEGPP_TESTS_NVDSINFER_CUSTOM_IMPL_H_
