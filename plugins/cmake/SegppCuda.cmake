# The product: libsegpp_plugins.so.

if(NOT CMAKE_CUDA_ARCHITECTURES)
  message(FATAL_ERROR "Name the GPUs to compile for, e.g. -DCMAKE_CUDA_ARCHITECTURES=87")
endif()
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD ${CMAKE_CXX_STANDARD})
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
include(SegppCommon)
if(NOT SEGPP_TENSORRT_INCLUDE_DIR)
  message(FATAL_ERROR "No NvInfer.h. Name its directory with -DSEGPP_TENSORRT_INCLUDE_DIR=...")
endif()

add_library(segpp_plugins SHARED ${SEGPP_KERNEL_SOURCES} ${SEGPP_PLUGIN_SOURCES})
target_link_libraries(segpp_plugins PRIVATE segpp_settings segpp_tensorrt_headers segpp_exports)
set_target_properties(segpp_plugins PROPERTIES CUDA_RUNTIME_LIBRARY Static)  # nothing to install beside the driver
target_compile_options(segpp_plugins PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror>)
# nvcc leaves the names of its temporary files as symbols: without them the same sources give the same
# file, and engines that were built with it stay valid.
target_link_options(segpp_plugins PRIVATE -Wl,--strip-all)
# The CUDA runtime inside must not answer for the one that TensorRT uses.
target_link_options(segpp_plugins PRIVATE -Wl,--exclude-libs,ALL -Wl,--no-undefined)
