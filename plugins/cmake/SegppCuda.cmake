# The product: libsegpp_plugins.so for TensorRT, and libsegpp_kernels.so, the kernels behind a C interface.

if(NOT CMAKE_CUDA_ARCHITECTURES)
  message(FATAL_ERROR "Name the GPUs to compile for, e.g. -DCMAKE_CUDA_ARCHITECTURES=87")
endif()
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD ${CMAKE_CXX_STANDARD})
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
include(SegppCommon)

function(segpp_add_cuda_library name)
  add_library(${name} SHARED ${SEGPP_KERNEL_SOURCES} ${ARGN})
  target_link_libraries(${name} PRIVATE segpp_settings)
  set_target_properties(${name} PROPERTIES CUDA_RUNTIME_LIBRARY Static)  # nothing to install beside the driver
  target_compile_options(${name} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror>)
  # nvcc leaves the names of its temporary files as symbols: without them the same sources give the same
  # file, and engines that were built with it stay valid.
  target_link_options(${name} PRIVATE -Wl,--strip-all)
  # The CUDA runtime inside must not answer for the one that TensorRT or PyTorch uses.
  target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL -Wl,--no-undefined)
endfunction()

segpp_add_cuda_library(segpp_kernels ${SEGPP_C_API_SOURCES})
if(SEGPP_TENSORRT_INCLUDE_DIR)
  segpp_add_cuda_library(segpp_plugins ${SEGPP_PLUGIN_SOURCES})
  target_link_libraries(segpp_plugins PRIVATE segpp_tensorrt_headers segpp_exports)
else()
  message(STATUS "No NvInfer.h: segpp_plugins is left out. Name its directory with -DSEGPP_TENSORRT_INCLUDE_DIR=...")
endif()
